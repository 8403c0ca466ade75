use std::collections::BTreeMap;

use russet_cli::workflow::Workflow;
use russet_core::{DependencyOn, IfUnsatisfied};

use super::Event;

pub fn is_terminal(event: &Event) -> bool {
    ["succeeded", "dead_lettered", "cancelled"].contains(&event.event.as_str())
}

/// The last event of each task.
pub fn ends(events: &[Event]) -> BTreeMap<&str, &Event> {
    events
        .iter()
        .map(|event| (event.task.as_str(), event))
        .collect()
}

/// Checks that the events of a finished run make sense: the life of each task begins once, goes
/// on attempt by attempt, and ends once; and no task starts before what it depends on allows.
#[track_caller]
pub fn check(workflow: &Workflow, events: &[Event]) {
    let mut lives: BTreeMap<&str, Vec<(usize, &Event)>> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        lives.entry(&event.task).or_default().push((at, event));
    }
    assert_eq!(lives.len(), workflow.tasks.len());
    for life in lives.values() {
        check_life(life);
    }
    for task in &workflow.tasks {
        let starts = lives[task.name.as_str()].iter();
        let start = starts.clone().find(|(_, event)| event.event == "leased");
        let Some((start, _)) = start else { continue };
        for edge in &task.depends_on {
            let parent = &lives[workflow.tasks[edge.task].name.as_str()];
            let (end, event) = parent.last().expect("has events");
            assert!(
                end < start,
                "{} started before {} ended",
                task.name,
                event.task
            );
            let satisfied = match edge.on {
                DependencyOn::Success => event.event == "succeeded",
                DependencyOn::Completion => true,
                DependencyOn::Failure => event.event != "succeeded",
            };
            let runs_anyway = task.if_unsatisfied == IfUnsatisfied::Run;
            assert!(
                satisfied || runs_anyway,
                "{} started after {event:?}",
                task.name
            );
        }
    }
}

fn check_life(life: &[(usize, &Event)]) {
    let kinds: Vec<_> = life.iter().map(|(_, event)| event.event.as_str()).collect();
    let count = |wanted: &str| kinds.iter().filter(|kind| **kind == wanted).count();
    assert_eq!((kinds[0], count("submitted")), ("submitted", 1), "{life:?}");
    let terminal = life.iter().filter(|(_, event)| is_terminal(event)).count();
    assert_eq!(terminal, 1, "{life:?}");
    assert!(
        life.last().is_some_and(|(_, event)| is_terminal(event)),
        "{life:?}"
    );
    let leased = life.iter().filter(|(_, event)| event.event == "leased");
    let attempts: Vec<_> = leased.map(|(_, event)| event.attempt).collect();
    let expected: Vec<_> = (1..=attempts.len() as u64).collect();
    assert_eq!(attempts, expected, "{life:?}");
    assert!(
        life.is_sorted_by_key(|(_, event)| event.attempt),
        "{life:?}"
    );
    assert!(life.is_sorted_by_key(|(_, event)| event.at_ms), "{life:?}");
}
