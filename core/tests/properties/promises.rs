//! The promises of the design, each a function of its name. They read the events, and the
//! records as they are stored; they know nothing of the rules or of the oracle.

use std::collections::{BTreeMap, BTreeSet};

use russet_core::command::NewWorkflow;
use russet_core::{
    Command, Decision, End, ErrorKind, Event, EventKind, Idempotency, IdempotencyKey,
    IfUnsatisfied, LeaseEnd, LeaseId, Millis, Named, Record, RecordKey, Status, Task, TaskId,
    Timestamp, Window,
};

use crate::books::{indexes_agree, limits_held, no_loss, no_starvation, stays_for_children};
use crate::harness::{Step, World};
use crate::replay::records_read_back;
use crate::store::Partition;

/// What the events said about one task.
#[derive(Default)]
pub struct Account {
    pub exists: bool,
    /// The step of its first submission.
    since: u64,
    /// The step of its newest submission.
    made: u64,
    attempt: u64,
    /// Attempts of this life that failed.
    failures: u32,
    not_before: Timestamp,
    succeeded: bool,
    dead: bool,
    cancelled: bool,
    /// The step of its newest redrive in this existence.
    redriven: Option<u64>,
    /// Every way in which it, or an earlier task of the same id, ever ended.
    ends: BTreeSet<End>,
}

/// What the events said about all tasks.
#[derive(Default)]
pub struct Ledger {
    steps: u64,
    pub accounts: BTreeMap<TaskId, Account>,
    /// What was accepted, or came back, last under a key.
    named: BTreeMap<(u16, IdempotencyKey), Named>,
    pub longest_aging: Millis,
    /// Parents that heard, while they were live, of a child of theirs, with that child.
    pub families: BTreeSet<(TaskId, TaskId)>,
}

/// Checks all promises after a step.
pub fn check(world: &mut World, step: &Step<'_>) {
    let mut ledger = std::mem::take(&mut world.ledger);
    ledger.steps += 1;
    let stored = &world.partitions[step.partition];
    if let Ok(decision) = &step.result {
        for event in &decision.events {
            lease_respected(step, event);
            order(&ledger, step, event);
            let account = ledger.accounts.entry(event.task).or_default();
            no_ghost(account, ledger.steps, step, event);
            one_holder(account, event);
            bounded_retry(account, step, event);
            dead_once(account, ledger.steps, event);
        }
        stays_for_children(&mut ledger, world, decision);
        stale_refused(step, decision);
        dedup(&mut ledger, step, stored, decision);
        limits_held(stored, decision);
    }
    no_loss(&ledger, step.partition, stored);
    no_starvation(&mut ledger, step.command, stored);
    indexes_agree(stored);
    records_read_back(step);
    world.ledger = ledger;
}

fn before<'a>(step: &'a Step<'_>, id: TaskId) -> Option<&'a Task> {
    match step.view.records.get(&RecordKey::Task(id)) {
        Some(Some(Record::Task(task))) => Some(task),
        _ => None,
    }
}

/// Nothing happens to a task that nobody submitted.
fn no_ghost(account: &mut Account, steps: u64, step: &Step<'_>, event: &Event) {
    match event.kind {
        EventKind::Submitted => {
            let asked = match step.command {
                Command::Submit(submit) => &submit.tasks,
                Command::Complete(complete) => &complete.follow_ups,
                other => panic!("no-ghost: {} submits {}", other.name(), event.task),
            };
            assert!(
                !account.exists && asked.iter().any(|task| task.id == event.task),
                "no-ghost"
            );
            *account = Account {
                exists: true,
                since: match account.ends.is_empty() {
                    true => steps,
                    false => account.since,
                },
                made: steps,
                ends: std::mem::take(&mut account.ends),
                ..Account::default()
            };
        }
        EventKind::Purged => {
            let ended = before(step, event.task).is_some_and(|task| task.status.is_terminal());
            assert!(ended, "no-loss: {} is purged before its end", event.task);
            account.exists = false;
        }
        _ => assert!(
            account.exists,
            "no-ghost: {:?} of {}",
            event.kind, event.task
        ),
    }
}

/// Fencing tokens only grow, one at a time, and only the newest one completes a task, once.
fn one_holder(account: &mut Account, event: &Event) {
    match event.kind {
        EventKind::Submitted => return,
        EventKind::Leased => account.attempt += 1,
        EventKind::Succeeded => {
            assert!(
                !account.succeeded,
                "one-holder: {} succeeds twice",
                event.task
            );
            account.succeeded = true;
        }
        _ => {}
    }
    assert_eq!(
        event.attempt, account.attempt,
        "one-holder: the token of {}",
        event.task
    );
}

/// Only the current lease changes a task; a lease that ended gets its old reply at most.
fn stale_refused(step: &Step<'_>, decision: &Decision) {
    let (task, lease, end): (TaskId, LeaseId, Option<LeaseEnd>) = match step.command {
        Command::Extend(c) => (c.task, c.lease, None),
        Command::Complete(c) => (c.task, c.lease, Some(LeaseEnd::Completed)),
        Command::Fail(c) => (c.task, c.lease, Some(LeaseEnd::Failed)),
        Command::Release(c) => (c.task, c.lease, Some(LeaseEnd::Released)),
        _ => return,
    };
    let task = before(step, task).expect("the task of an accepted command");
    let newest = task.lease.as_ref().expect("its lease");
    assert_eq!(
        newest.id, lease,
        "stale-refused: another lease is the newest"
    );
    if task.status != Status::Running {
        let repeated = newest.ended == end && end.is_some();
        assert!(
            repeated && decision.writes.is_empty(),
            "stale-refused: {lease} has ended"
        );
    }
}

/// No lease is expired while its holder may believe in it.
fn lease_respected(step: &Step<'_>, event: &Event) {
    let Some(ErrorKind::LeaseExpired | ErrorKind::TimedOut) = event.reason else {
        return;
    };
    let Some(task) = before(step, event.task).filter(|_| event.kind == EventKind::Expired) else {
        return;
    };
    let lease = task.lease.as_ref().expect("the lease that expires");
    let end = lease
        .deadline
        .map_or(lease.expires_at, |at| at.min(lease.expires_at));
    assert!(
        end + step.view.max_clock_skew <= step.now,
        "lease-respected: {}",
        event.task
    );
}

/// A life has no more failures than retries and one, and every retry waits for its backoff.
fn bounded_retry(account: &mut Account, step: &Step<'_>, event: &Event) {
    let task = before(step, event.task);
    match (event.kind, event.reason) {
        (EventKind::Redriven, _) => account.failures = 0,
        (EventKind::Failed, _)
        | (EventKind::Expired, Some(ErrorKind::LeaseExpired | ErrorKind::TimedOut)) => {
            account.failures += 1;
            let most = task.map_or(0, |task| task.retry.max_retries) + 1;
            assert!(account.failures <= most, "bounded-retry: {}", event.task);
        }
        (EventKind::Retried, _) => {
            let policy = task.expect("the task that is tried again").retry;
            let doubled = policy.backoff.as_millis() << (account.failures - 1);
            let wish = match step.command {
                Command::Fail(fail) => fail.retry_after,
                _ => None,
            };
            let wait = wish.unwrap_or(Millis::new(doubled).min(policy.backoff_cap));
            account.not_before = event.at + wait;
        }
        (EventKind::Leased, _) => {
            let early = event.at < account.not_before;
            assert!(
                !early || account.failures == 0,
                "bounded-retry: {} is early",
                event.task
            );
        }
        _ => {}
    }
}

/// What fails for good is dead-lettered once for each life.
fn dead_once(account: &mut Account, steps: u64, event: &Event) {
    match event.kind {
        EventKind::DeadLettered => {
            assert!(!account.dead, "dead-once: {} dies twice", event.task);
            account.dead = true;
            account.ends.insert(End::Dead);
        }
        EventKind::Redriven => {
            assert!(
                account.dead || account.cancelled,
                "dead-once: {} is redriven alive",
                event.task
            );
            (account.dead, account.cancelled) = (false, false);
            account.redriven = Some(steps);
        }
        EventKind::Succeeded => drop(account.ends.insert(End::Succeeded)),
        EventKind::Cancelled => {
            assert!(
                !account.cancelled,
                "dead-once: {} is cancelled twice",
                event.task
            );
            account.cancelled = true;
            account.ends.insert(match event.reason {
                Some(ErrorKind::NotNeeded) => End::NotNeeded,
                _ => End::Cancelled,
            });
        }
        _ => {}
    }
}

/// While a key names a task or a workflow, nothing else is accepted or comes back under it.
fn dedup(ledger: &mut Ledger, step: &Step<'_>, stored: &Partition, decision: &Decision) {
    let workflow = match step.command {
        Command::Submit(submit) if !decision.writes.is_empty() => submit.workflow.as_ref(),
        _ => None,
    };
    let is_new = |taken: &&NewWorkflow| {
        let known = step.view.records.get(&RecordKey::Workflow(taken.id));
        known.is_some_and(Option::is_none)
    };
    let workflow = workflow.filter(is_new);
    if let Some(taken) = workflow
        && let Some(idempotency) = &taken.idempotency
    {
        take_key(ledger, step, stored, idempotency, Named::Workflow(taken.id));
    }
    for event in &decision.events {
        let Some(task) = stored.task(event.task) else {
            continue;
        };
        let comes_back = |window| event.kind == EventKind::Redriven && window == Window::WhileLive;
        let own = task.idempotency.as_deref();
        if let Some(own) = own
            && (event.kind == EventKind::Submitted || comes_back(own.window))
        {
            take_key(ledger, step, stored, own, Named::Task(task.id));
        }
        if let Some(flow) = task.workflow.and_then(|id| stored.workflow(id))
            && let Some(own) = flow
                .idempotency
                .as_ref()
                .filter(|own| comes_back(own.window))
        {
            take_key(ledger, step, stored, own, Named::Workflow(flow.id));
        }
    }
}

/// A key names `taker` from now on; what it named before must be over.
fn take_key(
    ledger: &mut Ledger,
    step: &Step<'_>,
    stored: &Partition,
    own: &Idempotency,
    taker: Named,
) {
    let key = (step.view.partition.0, own.key.clone());
    let before = ledger.named.insert(key, taker);
    let Some(named) = before.filter(|before| *before != taker) else {
        return;
    };
    let (known, created, live) = match named {
        Named::Task(id) => match stored.task(id) {
            Some(task) => (
                task.idempotency.as_deref(),
                task.created_at,
                !task.status.is_terminal(),
            ),
            None => return,
        },
        Named::Workflow(id) => match stored.workflow(id) {
            Some(flow) => (
                flow.idempotency.as_ref(),
                flow.created_at,
                flow.completed_at.is_none(),
            ),
            None => return,
        },
    };
    let holds = match known.filter(|known| known.key == own.key) {
        None => false,
        Some(known) => match known.window {
            Window::For(window) => step.now < created + window,
            Window::WhileLive => live,
        },
    };
    assert!(!holds, "dedup: the key of {taker:?} still names {named:?}");
}

/// No task starts before its time, nor before its dependencies are satisfied.
fn order(ledger: &Ledger, step: &Step<'_>, event: &Event) {
    let Some(task) = before(step, event.task).filter(|_| event.kind == EventKind::Leased) else {
        return;
    };
    let early = task.scheduled_at.is_some_and(|at| at > event.at);
    assert!(!early, "order: {} starts before its scheduled_at", task.id);
    let own = ledger.accounts.get(&task.id);
    let redriven = own.and_then(|account| account.redriven);
    for edge in &task.dependencies.inline {
        let parent = ledger.accounts.get(&edge.task);
        // What was accepted after a task elsewhere that depends on it may not exist for that one.
        let late = parent.is_some_and(|parent| own.is_some_and(|own| parent.since > own.since));
        let unknown = late && task.if_unsatisfied == IfUnsatisfied::Run;
        let ended = parent.is_none_or(|parent| !parent.ends.is_empty());
        assert!(
            ended || unknown,
            "order: {} starts before the end of {}",
            task.id,
            edge.task
        );
        let satisfied = parent
            .is_some_and(|parent| parent.ends.iter().any(|end| edge.on.is_satisfied_by(*end)));
        // Who died of a parent that is forgotten can be redriven without it.
        let gone = |at: u64| parent.is_none_or(|parent| !parent.exists || parent.made > at);
        let forgotten = redriven.is_some_and(gone);
        let excused = task.if_unsatisfied == IfUnsatisfied::Run || forgotten;
        assert!(satisfied || excused, "order: {} starts after all", task.id);
    }
}
