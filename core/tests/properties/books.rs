//! The promises about everything that is stored, each a function of its name.

use std::collections::{BTreeMap, BTreeSet};

use russet_core::limits::{DEPENDENTS_PER_CHUNK, GATED_PER_LIST};
use russet_core::{
    Command, Decision, Event, EventKind, Millis, Record, RecordKey, Status, Task, TaskId, entries,
};

use crate::harness::World;
use crate::promises::Ledger;
use crate::store::Partition;

/// What is accepted is stored until it is purged, which is after its end.
pub fn no_loss(ledger: &Ledger, partition: usize, stored: &Partition) {
    let here = |id: &TaskId| usize::from(id.partition().0) == partition;
    let accepted = ledger
        .accounts
        .iter()
        .filter(|(id, account)| account.exists && here(id));
    let accepted: Vec<_> = accepted.map(|(id, _)| *id).collect();
    let hidden = hidden(stored);
    let kept = stored.tasks().map(|task| task.id);
    let kept: Vec<_> = kept
        .filter(|id| !hidden.contains(&RecordKey::Task(*id)))
        .collect();
    assert_eq!(
        kept, accepted,
        "no-loss and no-ghost: stored (left) and accepted"
    );
}

/// A parent is kept while a child is live that it has heard of, wherever the child lives. A child
/// that comes back to life finds what is left.
pub fn stays_for_children(ledger: &mut Ledger, world: &World, decision: &Decision) {
    let task = |id: TaskId| world.partitions[usize::from(id.partition().0)].task(id);
    let live = |id: TaskId| task(id).is_some_and(|task| !task.status.is_terminal());
    for event in &decision.events {
        match event.kind {
            EventKind::Submitted | EventKind::Redriven => {
                ledger.families.retain(|(_, child)| *child != event.task);
            }
            EventKind::Purged => {
                let own = ledger
                    .families
                    .iter()
                    .filter(|(parent, _)| *parent == event.task);
                for (parent, child) in own {
                    assert!(
                        !live(*child),
                        "no-loss: {parent} is purged before its child {child}"
                    );
                }
                ledger
                    .families
                    .retain(|(parent, child)| ![*parent, *child].contains(&event.task));
            }
            _ => {}
        }
    }
    for write in &decision.writes {
        let (parent, children) = match (&write.key, &write.record) {
            (RecordKey::Dependents(parent, _), Some(Record::Dependents(edges))) => {
                (*parent, edges.as_slice())
            }
            (RecordKey::Task(parent), Some(Record::Task(task))) => {
                (*parent, &task.dependents.inline[..])
            }
            _ => continue,
        };
        if live(parent) {
            let heard_of = children.iter().map(|child| (parent, child.task));
            ledger.families.extend(heard_of);
        }
    }
}

/// In a lane, a task goes before all that became ready more than `9 * aging` after it.
pub fn no_starvation(ledger: &mut Ledger, command: &Command, stored: &Partition) {
    let default = Millis::from_secs(60);
    let asked = match command {
        Command::Configure(configure) => configure.patch.aging.unwrap_or_default(),
        _ => default,
    };
    ledger.longest_aging = ledger.longest_aging.max(asked);
    let ready = |task: &&Task| task.status == Status::Queued;
    let ready: Vec<_> = stored.tasks().filter(ready).collect();
    for old in &ready {
        for young in &ready {
            let patience = ledger.longest_aging.times(9);
            let late = old.ready_at.map(|at| at + patience) < young.ready_at;
            let same_lane = (&old.queue, &old.resources) == (&young.queue, &young.resources);
            let first = (old.score, old.id) < (young.score, young.id);
            assert!(
                first || !late || !same_lane,
                "no-starvation: {} of {}",
                old.id,
                young.id
            );
        }
    }
}

/// A queue with a limit never grants more leases than that.
pub fn limits_held(stored: &Partition, decision: &Decision) {
    for record in stored.records.values() {
        let Record::Queue(queue) = record else {
            continue;
        };
        let holds = |task: &&Task| {
            let slot = task.lease.as_ref().is_some_and(|lease| lease.slot);
            task.queue == queue.name && slot && task.status == Status::Running
        };
        let held = stored.tasks().filter(holds).count();
        assert_eq!(
            queue.running as usize, held,
            "limits-held: slots (left) and leases"
        );
        let grants = |event: &Event| event.kind == EventKind::Leased && event.queue == queue.name;
        if let Some(limit) = queue.config.concurrency
            && decision.events.iter().any(grants)
        {
            assert!(queue.running <= limit, "limits-held: {}", queue.name);
        }
    }
}

/// What stands behind gates that are not open: it is there for nobody.
fn hidden(stored: &Partition) -> BTreeSet<RecordKey> {
    let named = stored
        .records
        .iter()
        .filter_map(|(key, record)| match (key, record) {
            (RecordKey::Gated(id, _), Record::Gated(keys)) => {
                let flow = stored
                    .workflow(*id)
                    .expect("indexes-agree: a list of no workflow");
                (!flow.is_accepted()).then_some(keys.iter().cloned())
            }
            _ => None,
        });
    named.flatten().collect()
}

/// The tasks that open gates have not let through.
fn held_back(stored: &Partition) -> impl Iterator<Item = TaskId> {
    let lists = stored
        .records
        .iter()
        .filter_map(|(key, record)| match (key, record) {
            (RecordKey::Gated(id, list), Record::Gated(keys)) => {
                let gate = stored
                    .workflow(*id)?
                    .gate
                    .expect("indexes-agree: a list of no gate");
                let passed = gate.done.saturating_sub(list * GATED_PER_LIST as u32);
                Some(keys.iter().skip(passed as usize))
            }
            _ => None,
        });
    lists.flatten().filter_map(|key| match key {
        RecordKey::Task(id) => Some(*id),
        _ => None,
    })
}

/// Index entries and counters say what the records say.
pub fn indexes_agree(stored: &Partition) {
    let mut edges: BTreeMap<TaskId, u32> = BTreeMap::new();
    let hidden = hidden(stored);
    for id in held_back(stored) {
        *edges.entry(id).or_default() += 1;
    }
    for (key, record) in stored
        .records
        .iter()
        .filter(|(key, _)| !hidden.contains(key))
    {
        match (key, record) {
            (RecordKey::Dependents(parent, chunk), Record::Dependents(children)) => {
                let parent = stored
                    .task(*parent)
                    .expect("indexes-agree: the list of no task");
                assert!(
                    *chunk < parent.dependents.chunks(),
                    "indexes-agree: a list too many"
                );
                let first = chunk * DEPENDENTS_PER_CHUNK as u32;
                let told = parent.dependents.settled.saturating_sub(first);
                for child in children.iter().skip(told as usize) {
                    *edges.entry(child.task).or_default() += 1;
                }
            }
            (RecordKey::Waits(child, _), _) => *edges.entry(*child).or_default() += 1,
            (RecordKey::Task(_), Record::Task(task)) => {
                task_is_indexed(record, task);
                let dependents = &task.dependents;
                let inline = if dependents.are_inline() {
                    dependents.total
                } else {
                    0
                };
                assert_eq!(
                    dependents.inline.len() as u32,
                    inline,
                    "indexes-agree: the dependents that {} holds",
                    task.id
                );
                for child in dependents.inline.iter().skip(dependents.settled as usize) {
                    *edges.entry(child.task).or_default() += 1;
                }
            }
            _ => {}
        }
    }
    for task in stored.tasks() {
        if hidden.contains(&RecordKey::Task(task.id)) {
            assert_eq!((task.status, task.due_at), (Status::Blocked, None));
            continue;
        }
        let waits = edges.get(&task.id).copied().unwrap_or_default();
        assert_eq!(
            task.dependencies.pending, waits,
            "indexes-agree: the parents of {}",
            task.id
        );
        let blocked = task.status == Status::Blocked;
        assert!(
            task.status.is_terminal() || blocked == (waits > 0),
            "indexes-agree"
        );
    }
}

fn task_is_indexed(record: &Record, task: &Task) {
    let entries = entries(record);
    let listed = entries.listed.expect("indexes-agree: a task is listed");
    let places = (listed.queue, listed.status, listed.workflow);
    assert_eq!(
        places,
        (&task.queue, task.status, task.workflow),
        "indexes-agree"
    );
    assert_eq!(
        entries.timer, task.due_at,
        "indexes-agree: the timer of {}",
        task.id
    );
    let ready = entries
        .ready
        .map(|ready| (ready.lane.queue, ready.lane.resources, ready.task));
    let expected = (task.queue.clone(), task.resources.clone(), task.id);
    assert_eq!(
        ready,
        (task.status == Status::Queued).then_some(expected),
        "indexes-agree"
    );
}
