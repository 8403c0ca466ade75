//! Workflows that cannot be submitted: none of their tasks exists afterwards.

use serde_json::{Value, json};

use super::case::{check, invalid, refused};
use super::server;

const PATH: &str = "/v1/workflows";

fn task(name: &str, depends_on: &[&str]) -> Value {
    json!({"type": "t", "name": name, "depends_on": depends_on})
}

fn with(mut task: Value, field: &str, value: Value) -> Value {
    task[field] = value;
    task
}

fn workflow(tasks: &[Value]) -> Value {
    json!({"tasks": tasks})
}

#[test]
fn a_workflow_that_cannot_be_is_refused_as_a_whole() {
    let server = server();
    let mut client = server.serve.client();
    let a = || task("a", &[]);
    let many: Vec<_> = (0..10_001).map(|n| task(&n.to_string(), &[])).collect();
    let cycle = workflow(&[task("a", &["c"]), task("b", &["a"]), task("c", &["b"])]);
    let itself = workflow(&[task("a", &["a"])]);
    check(
        &mut client,
        vec![
            refused("POST", PATH, cycle.to_string(), (422, "cycle")).says(&["a -> ", "b", "c"]),
            refused("POST", PATH, itself.to_string(), (422, "cycle")).says(&["a -> a"]),
            refused("POST", PATH, "{}", (422, "invalid")).says(&["tasks: is missing"]),
            invalid(
                PATH,
                workflow(&[]),
                "tasks",
                &["is empty", "1 to 10000 items"],
            ),
            invalid(
                PATH,
                workflow(&many),
                "tasks",
                &["has 10001 items", "1 to 10000 items"],
            ),
            invalid(
                PATH,
                workflow(&[task("extract", &[]), task("load", &["extarct"])]),
                "tasks[1].depends_on[0]",
                &["there is no task \"extarct\"", "did you mean \"extract\"?"],
            ),
            invalid(
                PATH,
                workflow(&[a(), task("b", &["a", "a"])]),
                "tasks[1].depends_on[1]",
                &["\"a\" is named twice"],
            ),
            invalid(
                PATH,
                workflow(&[a(), a()]),
                "tasks[1].name",
                &["\"a\"", "tasks[0]"],
            ),
            invalid(
                PATH,
                workflow(&[json!({"type": "t"})]),
                "tasks[0].name",
                &["is missing"],
            ),
            invalid(
                PATH,
                workflow(&[a(), with(task("b", &["a"]), "priority", json!(10))]),
                "tasks[1].priority",
                &["at most 9"],
            ),
            invalid(
                PATH,
                workflow(&[with(a(), "idempotency_key", json!("k"))]),
                "tasks[0].idempotency_key",
                &["give the workflow an idempotency_key"],
            ),
            invalid(
                PATH,
                workflow(&[with(a(), "partition_key", json!("k"))]),
                "tasks[0].partition_key",
                &["give the workflow one"],
            ),
            invalid(
                PATH,
                workflow(&[with(a(), "queue", json!("two words"))]),
                "tasks[0].queue",
                &["use 1 to 128"],
            ),
            invalid(
                PATH,
                json!({"tasks": [a()], "name": ""}),
                "name",
                &["use 1 to 256"],
            ),
            invalid(
                PATH,
                json!({"tasks": [a()], "nmae": "x"}),
                "nmae",
                &["unknown field", "`name`"],
            ),
            invalid(
                PATH,
                json!({"tasks": [a()], "defaults": {"priority": "high"}}),
                "defaults.priority",
                &["\"high\""],
            ),
        ],
    );
    let listed = client.get("/v1/tasks").expect("answers").good();
    assert_eq!(
        listed["items"],
        json!([]),
        "a refused workflow left tasks behind"
    );
}
