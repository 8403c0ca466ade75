use std::time::Duration;

use serde_json::{Value, json};

use crate::workflow::testing::{self, problems};
use crate::workflow::{Format, Work, Workflow, WorkflowError};

fn instance(specification: Value, execution: Value) -> Result<Workflow, WorkflowError> {
    let root = json!({
        "name": "recorded run", "schemaVersion": "1.5", "author": {"name": "x"},
        "workflow": {"specification": {"tasks": specification}, "execution": {"tasks": execution}},
    });
    testing::json(&root.to_string())
}

fn runs(ids: &[&str]) -> Value {
    ids.iter()
        .map(|id| json!({"id": id, "runtimeInSeconds": 1}))
        .collect()
}

#[test]
fn a_recorded_task_sleeps_its_run_time_and_needs_what_it_used() {
    let workflow = instance(
        json!([{"id": "a b/c", "name": "a"}, {"id": "z"}]),
        json!([
            {"id": "z", "runtimeInSeconds": 0.0},
            {"id": "a b/c", "runtimeInSeconds": 0.054023, "coreCount": 1.5, "memoryInBytes": 3000000},
            {"id": "not specified", "runtimeInSeconds": -1},
        ]),
    );
    let workflow = workflow.expect("is valid");
    assert_eq!(
        (workflow.name.as_str(), workflow.format),
        ("recorded run", Format::WfFormat)
    );
    let task = &workflow.tasks[0];
    assert_eq!(task.name, "a b/c");
    assert_eq!(task.work, Work::Sleep(Duration::from_micros(54_023)));
    let resources: Vec<String> = task
        .resources
        .iter()
        .map(|(name, n)| format!("{name}={n}"))
        .collect();
    assert_eq!(resources, ["cpu=2", "memory_mb=3"]);
    assert_eq!(workflow.tasks[1].work, Work::Sleep(Duration::ZERO));
    assert!(workflow.tasks[1].resources.is_empty());
}

#[test]
fn an_edge_named_on_either_side_counts_once() {
    let workflow = instance(
        json!([
            {"id": "a", "children": ["b", "c"]},
            {"id": "b", "parents": ["a"], "children": null},
            {"id": "c"},
            {"id": "d", "parents": ["c", "b", "c"]},
        ]),
        runs(&["a", "b", "c", "d"]),
    );
    let workflow = workflow.expect("is valid");
    let waits = workflow.tasks.iter().map(|task| {
        let on = task.depends_on.iter().map(|dependency| dependency.task);
        on.collect::<Vec<usize>>()
    });
    assert_eq!(
        waits.collect::<Vec<_>>(),
        [vec![], vec![0], vec![0], vec![1, 2]]
    );
}

#[test]
fn unknown_relatives_and_circles_are_refused_by_name() {
    let result = instance(
        json!([
            {"id": "a", "parents": ["d"], "children": ["nobody"]},
            {"id": "b", "parents": "a"},
            {"id": "c", "parents": [3]},
            {"id": "d", "parents": ["a"]},
            {"id": "e", "children": ["f"]},
            {"id": "f", "children": ["e"]},
        ]),
        runs(&["a", "b", "c", "d", "e", "f"]),
    );
    let expected = [
        "task \"a\": children: there is no task \"nobody\"",
        "task \"b\": parents: must be a list of task ids, not \"a\"",
        "task \"c\": parents: must be a list of task ids, not one that holds 3",
        "task \"a\": parents: goes round in a circle, each waiting for the next: a -> d -> a",
        "task \"f\": children: goes round in a circle, each waiting for the next: e -> f -> e",
    ];
    assert_eq!(problems(result), expected);
}

#[test]
fn ids_must_be_given_once() {
    let result = instance(
        json!([{"id": "a"}, {"id": "a"}, {"name": "x"}, {"id": "é".repeat(256)}, {"id": "é".repeat(257)}]),
        runs(&["a", &"é".repeat(256)]),
    );
    let expected = [
        "task \"a\": id: is given to more than one task".to_owned(),
        "workflow.specification.tasks[2].id: must be a text of 1 to 256 characters, not nothing"
            .to_owned(),
        format!(
            "workflow.specification.tasks[4].id: must be a text of 1 to 256 characters, not \"{}\"…",
            "é".repeat(60)
        ),
    ];
    assert_eq!(problems(result), expected);
}

#[test]
fn a_task_without_a_usable_record_is_refused() {
    let result = instance(
        json!([{"id": "a"}, {"id": "b"}, {"id": "c"}, {"id": "d"}]),
        json!([
            {"id": "b"},
            {"id": "c", "runtimeInSeconds": -0.5, "coreCount": -1},
            {"id": "d", "runtimeInSeconds": 1e9, "memoryInBytes": "much"},
        ]),
    );
    let expected = [
        "task \"a\": has no entry in workflow.execution.tasks, so its run time is unknown",
        "task \"b\": runtimeInSeconds: is missing",
        "task \"c\": runtimeInSeconds: must be a number of seconds from 0 to 3650 days, not -0.5",
        "task \"c\": coreCount: must be a number from 0, and not beyond all bounds, not -1",
        "task \"d\": runtimeInSeconds: must be a number of seconds from 0 to 3650 days, not 1000000000.0",
        "task \"d\": memoryInBytes: must be a number, not \"much\"",
    ];
    assert_eq!(problems(result), expected);
}

#[test]
fn an_instance_of_an_older_shape_is_explained() {
    let older = json!({"schemaVersion": "1.3", "workflow": {"tasks": [{"name": "a"}]}});
    assert_eq!(
        problems(testing::json(&older.to_string())),
        [
            "workflow.specification.tasks: is missing: WfFormat 1.5 is expected (older versions nest differently)"
        ]
    );
    let unrun =
        json!({"schemaVersion": "1.5", "workflow": {"specification": {"tasks": [{"id": "a"}]}}});
    assert_eq!(
        problems(testing::json(&unrun.to_string())),
        [
            "workflow.execution.tasks: is missing: WfFormat 1.5 is expected (older versions nest differently)"
        ]
    );
    assert_eq!(
        problems(instance(json!([]), json!([]))),
        ["workflow.specification.tasks: is empty: a workflow has at least one task"]
    );
}
