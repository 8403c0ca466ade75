use super::*;

fn refused<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> Problem {
    from_json::<T>(body.as_bytes()).expect_err("is refused")
}

#[test]
fn a_body_is_one_task_or_a_list_of_tasks() {
    let one = from_json::<OneOrMany<SubmitTask>>(br#"{"type": "mail", "payload": {"to": 1.0}}"#);
    let Ok(OneOrMany::One(task)) = one else {
        panic!("not one task: {one:?}")
    };
    assert_eq!(task.kind, "mail");
    let payload = task.payload.expect("has a payload");
    assert_eq!(payload.as_str(), r#"{"to": 1.0}"#);
    let many = br#"{"tasks": [{"type": "a"}, {"type": "b", "payload": [1]}]}"#;
    let many = from_json::<OneOrMany<SubmitTask>>(many);
    assert!(matches!(many, Ok(OneOrMany::Many(tasks)) if tasks.len() == 2));
}

#[test]
fn a_wrong_field_is_named_by_its_path() {
    let body = r#"{"tasks": [{"type": "a"}, {"type": "b", "priority": "high"}]}"#;
    let problem = refused::<SubmitWorkflow>(body);
    assert_eq!(problem.status, 422);
    assert_eq!(problem.field.as_deref(), Some("tasks[1].priority"));
    let problem = refused::<OneOrMany<SubmitTask>>(r#"{"type": "a", "prio": 9}"#);
    assert!(
        problem
            .detail
            .contains("unknown field `prio` (did you mean `priority`?)"),
        "{problem}"
    );
    let problem = refused::<OneOrMany<SubmitTask>>(r#"{"type": "a", "": 9}"#);
    assert!(problem.detail.starts_with("unknown field ``"), "{problem}");
    assert_eq!(problem.field, None);
}

#[test]
fn a_body_that_is_not_json_is_malformed() {
    assert_eq!(refused::<SubmitTask>("{").status, 400);
    assert_eq!(refused::<SubmitTask>(r#"{"type": "a"} {}"#).status, 400);
    assert_eq!(refused::<SubmitTask>("[]").status, 422);
}

#[test]
fn a_request_is_an_object_and_not_its_fields_in_a_list() {
    let problem = refused::<ConfigureQueue>("[true, 3]");
    assert_eq!((problem.status, &problem.field), (422, &None));
    let expected = "a list will not do (an object with named fields)";
    assert!(problem.detail.contains(expected), "{problem}");
    let problem = refused::<SubmitTask>(r#"{"type": "a", "retry": [1000, 2000, 10]}"#);
    assert_eq!(problem.field.as_deref(), Some("retry"));
    assert!(problem.detail.contains(expected), "{problem}");
    let problem = refused::<OneOrMany<ExtendLease>>(r#"{"progress": [50]}"#);
    assert_eq!(problem.field.as_deref(), Some("progress"));
}

#[test]
fn a_dependency_is_written_short_or_long() {
    let body = br#"{"type": "a", "depends_on": ["b", {"task": "c", "on": "failure"}]}"#;
    let task: SubmitTask = from_json(body).expect("is a task");
    let expected = vec![DependsOn::success("b"), DependsOn::failure("c")];
    assert_eq!(task.depends_on, expected);
    let problem = refused::<SubmitTask>(r#"{"type": "a", "depends_on": [{"task": "c", "om": 1}]}"#);
    assert_eq!(problem.field.as_deref(), Some("depends_on[0].om"));
}

#[test]
fn an_idempotency_window_is_a_number_or_while_live() {
    let window = |text: &str| {
        let body = format!(r#"{{"type": "a", "idempotency_window_ms": {text}}}"#);
        from_json::<SubmitTask>(body.as_bytes()).map(|task| task.idempotency_window_ms)
    };
    assert_eq!(window("5"), Ok(Some(WindowView::Ms(5))));
    assert_eq!(window("\"while_live\""), Ok(Some(WindowView::WhileLive)));
    assert!(window("\"for ever\"").is_err());
}

#[test]
fn a_batch_is_answered_item_by_item() {
    let task = russet_core::TaskId::from_u128(1);
    let done = SubmittedView {
        task,
        existing: false,
        status: None,
        warnings: Vec::new(),
    };
    let results = Results {
        results: vec![
            ItemResult::Done(done),
            ItemResult::Error(Box::new(Problem::new("invalid", 422, "no"))),
        ],
    };
    let text = serde_json::to_string(&results).expect("serialises");
    assert!(text.starts_with(r#"{"results":[{"task":"00000000000000000000000001","existing":false},{"error":{"type":"urn:russet:problem:invalid""#), "{text}");
    assert_eq!(from_json(text.as_bytes()), Ok(results));
}

#[test]
fn a_concurrency_of_null_lifts_the_limit_and_none_leaves_it() {
    let change = |text: &str| from_json::<ConfigureQueue>(text.as_bytes()).map(|c| c.concurrency);
    assert_eq!(change("{}"), Ok(None));
    assert_eq!(change(r#"{"concurrency": null}"#), Ok(Some(None)));
    assert_eq!(change(r#"{"concurrency": 3}"#), Ok(Some(Some(3))));
}

#[test]
fn ids_of_requests_are_checked_where_they_stand() {
    let body = r#"{"task": "x", "lease_id": "y"}"#;
    let problem = refused::<OneOrMany<ExtendLease>>(body);
    assert_eq!(problem.field.as_deref(), Some("task"));
    let wrong = id::<russet_core::TaskId>("id", "nothing").map_err(Problem::from);
    assert_eq!(wrong.expect_err("is refused").field.as_deref(), Some("id"));
}

#[test]
fn a_refused_value_is_told_without_the_words_of_the_implementation() {
    let problem = refused::<OneOrMany<SubmitTask>>(r#"{"type": "a", "max_retries": -1}"#);
    let expected = "max_retries: -1 will not do (a whole number from 0 to 10000)";
    assert_eq!(problem.detail, expected);
    let limit = "a whole number from 0 to 10000";
    assert_eq!(problem.limit.as_deref(), Some(limit));
    let problem = refused::<SubmitWorkflow>(r#"{"tasks": [{"type": 7}]}"#);
    assert_eq!(problem.field.as_deref(), Some("tasks[0].type"));
}
