//! What makes two workflow files the same workflow.

use std::collections::BTreeMap;
use std::time::Duration;

use russet_core::policy::Fingerprint;
use russet_core::{DependencyOn, IfUnsatisfied};
use serde::Serialize;

use super::work::Payload;
use crate::workflow::{TaskSpec, Workflow};

/// Everything that a task's fate depends on. It is stored as a hash: fields may be added only
/// so that tasks that do not use them keep theirs.
#[derive(Serialize)]
struct Facts<'a> {
    payload: Payload,
    depends_on: Vec<(usize, &'static str)>,
    if_unsatisfied: &'static str,
    priority: Option<u8>,
    max_retries: Option<u32>,
    retry_delay_ms: Option<u128>,
    timeout_ms: Option<u128>,
    delay_ms: Option<u128>,
    resources: &'a BTreeMap<String, u64>,
    expected_ms: Option<u128>,
}

impl<'a> Facts<'a> {
    fn of(spec: &'a TaskSpec) -> Self {
        let edges = spec.depends_on.iter();
        let ms = |time: Option<Duration>| time.as_ref().map(Duration::as_millis);
        Self {
            payload: Payload::of(spec),
            depends_on: edges.map(|edge| (edge.task, on(edge.on))).collect(),
            if_unsatisfied: match spec.if_unsatisfied {
                IfUnsatisfied::Cancel => "cancel",
                IfUnsatisfied::Dead => "dead",
                IfUnsatisfied::Run => "run",
            },
            priority: spec.priority,
            max_retries: spec.max_retries,
            retry_delay_ms: ms(spec.retry_delay),
            timeout_ms: ms(spec.timeout),
            delay_ms: ms(spec.delay),
            resources: &spec.resources,
            expected_ms: ms(spec.expected),
        }
    }
}

fn on(on: DependencyOn) -> &'static str {
    match on {
        DependencyOn::Success => "success",
        DependencyOn::Completion => "completion",
        DependencyOn::Failure => "failure",
    }
}

/// A fingerprint of the tasks, however the file is called and written.
pub(super) fn fingerprint(workflow: &Workflow) -> String {
    let mut hash = Fingerprint::new();
    for spec in &workflow.tasks {
        let facts = serde_json::to_vec(&Facts::of(spec));
        hash.add(&facts.expect("texts and numbers become JSON"));
        hash.add(b"\n");
    }
    format!("{:032x}", hash.finish())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn of(file: &str, text: &str) -> String {
        let workflow = crate::workflow::parse(Path::new(file), text.as_bytes());
        fingerprint(&workflow.expect("a workflow"))
    }

    #[test]
    fn only_what_the_tasks_say_counts() {
        let plain = of(
            "a.yaml",
            "tasks: {a: {run: 'true'}, b: {sleep: 1, depends_on: [a]}}",
        );
        let written_otherwise = r#"{"name": "x", "tasks": {"a": {"run": "true"},
            "b": {"depends_on": ["a"], "sleep": "1000ms"}}}"#;
        assert_eq!(of("b.json", written_otherwise), plain);
        for changed in [
            "tasks: {a: {run: 'true '}, b: {sleep: 1, depends_on: [a]}}",
            "tasks: {a: {run: 'true'}, b: {sleep: 2, depends_on: [a]}}",
            "tasks: {a: {run: 'true'}, b: {sleep: 1}}",
            "tasks: {a: {run: 'true', timeout: 1}, b: {sleep: 1, depends_on: [a]}}",
            "tasks: {a: {run: 'true'}, c: {sleep: 1, depends_on: [a]}}",
        ] {
            assert_ne!(of("a.yaml", changed), plain, "{changed}");
        }
    }
}
