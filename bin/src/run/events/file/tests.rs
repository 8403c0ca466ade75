use std::path::Path;

use russet_backends::conformance::fixtures;
use russet_core::{ErrorKind, Status, Timestamp};

use super::*;

const START: u64 = 1_700_000_000_000;

fn plan() -> Arc<Plan> {
    let text = "tasks: {b: {sleep: 1, depends_on: [a]}, a: {sleep: 1}}";
    let workflow = crate::workflow::parse(Path::new("w.yaml"), text.as_bytes());
    let id = Plan::identity(Timestamp::from_millis(START), 0);
    Arc::new(Plan::new(id, workflow.expect("a workflow")))
}

/// Both tasks have succeeded, `a` at the time at which `b` became ready.
fn tasks(plan: &Plan) -> Vec<Arc<Task>> {
    let submit = plan.submission().expect("can be submitted");
    let at = |after| Some(Timestamp::from_millis(START + after));
    let ended = |position: usize, start, end| {
        let new = &submit.tasks[position];
        Arc::new(Task {
            status: Status::Succeeded,
            attempt: 1,
            ready_at: None,
            started_at: at(start),
            completed_at: at(end),
            ..fixtures::queued(new.id, Timestamp::from_millis(START))
        })
    };
    vec![ended(0, 10, 20), ended(1, 5, 10)]
}

fn event(plan: &Plan, position: usize, kind: EventKind, after: u64) -> Event {
    Event {
        at: Timestamp::from_millis(START + after),
        task: plan.task_id(position),
        queue: Plan::queue(),
        workflow: None,
        attempt: u64::from(kind != EventKind::Submitted),
        kind,
        reason: (kind == EventKind::Failed).then_some(ErrorKind::Failed),
    }
}

fn names(path: &Path) -> Vec<(String, EventKind)> {
    let text = std::fs::read_to_string(path).expect("reads");
    let lines = text.lines().map(|line| {
        let line: Line<'_> = serde_json::from_str(line).expect("a line");
        (line.task.into_owned(), line.event)
    });
    lines.collect()
}

#[test]
fn what_is_missing_is_added_in_an_order_that_can_have_been() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("events");
    let plan = plan();
    EventsFile::resume(&path, plan.clone(), plan.id, &tasks(&plan)).expect("resumes");
    use EventKind::{Leased, Queued, Submitted, Succeeded};
    let kinds = [
        ("a", Submitted),
        ("b", Submitted),
        ("a", Queued),
        ("a", Leased),
        ("a", Succeeded),
        ("b", Queued),
        ("b", Leased),
        ("b", Succeeded),
    ];
    let expected = kinds.map(|(name, kind)| (name.to_owned(), kind));
    assert_eq!(names(&path), expected);
    EventsFile::resume(&path, plan.clone(), plan.id, &tasks(&plan)).expect("resumes");
    assert_eq!(names(&path), expected, "a second look adds nothing");
}

#[test]
fn a_line_that_was_cut_off_is_written_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("events");
    let plan = plan();
    let file = EventsFile::start(&path, plan.clone()).expect("starts");
    file.write(&[
        event(&plan, 0, EventKind::Submitted, 0),
        event(&plan, 1, EventKind::Submitted, 0),
    ]);
    drop(file);
    let mut bytes = std::fs::read(&path).expect("reads");
    bytes.truncate(bytes.len() - 9);
    std::fs::write(&path, bytes).expect("writes");
    EventsFile::resume(&path, plan.clone(), plan.id, &tasks(&plan)).expect("resumes");
    let names = names(&path);
    let submitted = names
        .iter()
        .filter(|(_, kind)| *kind == EventKind::Submitted);
    let ended = names
        .iter()
        .filter(|(_, kind)| *kind == EventKind::Succeeded);
    assert_eq!((submitted.count(), ended.count(), names.len()), (2, 2, 8));
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("events");
    let plan = plan();
    let other = r#"{"at_ms":1,"task":"a","event":"submitted","attempt":0,"reason":null}"#;
    let unknown =
        r#"{"at_ms":1700000000000,"task":"c","event":"submitted","attempt":0,"reason":null}"#;
    for (content, why) in [
        ("dear diary\n".to_owned(), "holds something else (line 1)"),
        (format!("{other}\n"), "is of another run (line 1)"),
        (format!("{unknown}\n"), "is of another run (line 1)"),
    ] {
        std::fs::write(&path, &content).expect("writes");
        let error = EventsFile::resume(&path, plan.clone(), plan.id, &tasks(&plan));
        let text = error.expect_err("is refused").to_string();
        assert_eq!(
            text,
            format!("--events: {} {why}; name another file", path.display())
        );
        assert_eq!(std::fs::read_to_string(&path).expect("reads"), content);
    }
}
