//! Memory, queues and retry rates stay within their stated limits under overload.

use std::collections::{BTreeMap, VecDeque};

use russet::limits::CALL_TRIES;
use russet_core::policy::RELAY_AFTER;
use russet_core::{LeaseId, Outbox, Record, Task, TaskId, TransactionLimit, limits};
use russet_engine::limits::LEASE_TASKS;

use super::Violation;
use super::calls::{lease_of, task_of, verb};
use super::facts::{Commit, Facts, since_start};
use super::findings::Findings;
use crate::history::{Actor, Answer, Ask, At, What};
use crate::plan::{Act, Step};

pub(super) const PROMISE: &str = "bounded";

/// How often somebody may ask for the same within a second, who wants it so many times at once: a
/// client's tries for each, and those of a worker that begins anew.
const fn asks_a_second(at_once: usize) -> usize {
    (2 + at_once) * CALL_TRIES as usize
}

/// How often one task may change within a second.
const CHANGES_A_SECOND: usize = 200;

/// How often the store may refuse a node's calls within a second, for each partition and each
/// commit that it can have under way: pauses between tries that double leave about half as many.
const REFUSALS_A_SECOND: usize = 160;

const SECOND_US: u64 = 1_000_000;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    transactions(facts, &mut findings);
    records(facts, &mut findings);
    tasks(facts, &mut findings);
    relays(facts, &mut findings);
    grants(facts, &mut findings);
    repetitions(facts, &mut findings);
    refusals(facts, &mut findings);
    findings.done()
}

/// A node that the store refuses does not ask it again and again without a pause.
fn refusals(facts: &Facts<'_>, findings: &mut Findings) {
    let commits = match facts.run.plan.far {
        true => russet_engine::limits::COMMITS_UNDER_WAY,
        false => 1,
    };
    let most = REFUSALS_A_SECOND * usize::from(facts.run.plan.partitions) * commits;
    let mut recent: BTreeMap<Actor, VecDeque<(At, usize)>> = BTreeMap::new();
    for (position, entry) in facts.run.entries.iter().enumerate() {
        let What::TurnedAway { node } = &entry.what else {
            continue;
        };
        let own = recent.entry(*node).or_default();
        own.push_back((entry.at, position));
        while own
            .front()
            .is_some_and(|(at, _)| at.0 + SECOND_US < entry.at.0)
        {
            own.pop_front();
        }
        if own.len() > most {
            let first = own.front().map_or(position, |(_, first)| *first);
            let what = format!("{node} was refused {} calls within a second", own.len());
            findings.add(what, &[first, position]);
            own.clear();
        }
    }
}

/// No transaction is larger than the store says that it can be.
fn transactions(facts: &Facts<'_>, findings: &mut Findings) {
    let limit = facts.run.plan.transaction_of(TransactionLimit::NONE);
    // What a store forgets when it goes back is no transaction. What is removed alone may be that of
    // several: Redis does not tell them apart.
    let asked = facts.commits.iter();
    let asked = asked.filter(|commit| commit.stored.by != Actor::Store);
    let told_apart = !facts.run.plan.world.has_redis();
    let wrote = |commit: &&Commit<'_>| {
        told_apart || commit.stored.changes.iter().any(|c| c.after.is_some())
    };
    for commit in asked.filter(wrote) {
        let changes = commit.stored.changes.len();
        let put = commit
            .stored
            .changes
            .iter()
            .filter_map(|c| c.after.as_ref());
        let bytes = put.map(Record::weight).sum();
        if !limit.admits(changes, bytes) {
            let what = format!(
                "{changes} records of {bytes} bytes changed at once, and the store can do {limit:?}"
            );
            findings.add(what, &[commit.entry]);
        }
    }
}

/// Lists stand in records of their own when they are long, and in pieces.
fn records(facts: &Facts<'_>, findings: &mut Findings) {
    for commit in &facts.commits {
        for change in &commit.stored.changes {
            let wrong = match &change.after {
                Some(Record::Task(task)) => too_long(task),
                Some(Record::Dependents(chunk)) => chunk.len() > limits::DEPENDENTS_PER_CHUNK,
                Some(Record::Dependencies(chunk)) => chunk.len() > limits::BATCH_ITEMS,
                _ => false,
            };
            if wrong {
                findings.add(
                    format!("{:?} holds a longer list than it may", change.key),
                    &[commit.entry],
                );
            }
        }
    }
}

fn too_long(task: &Task) -> bool {
    task.dependencies.inline.len() > limits::INLINE_DEPENDENCIES
        || task.dependents.inline.len() > limits::INLINE_DEPENDENTS
        || task
            .last_error
            .as_ref()
            .is_some_and(|error| error.message.len() > limits::ERROR_BYTES)
}

/// No task is changed over and over.
fn tasks(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, timeline) in &facts.tasks {
        let mut recent = Recent::new(CHANGES_A_SECOND);
        for moment in &timeline.moments {
            if let Some(first) = recent.crossed(moment.at, moment.entry) {
                let what =
                    format!("task {id} was changed more than {CHANGES_A_SECOND} times in a second");
                findings.add(what, &[first, moment.entry]);
            }
        }
    }
}

/// The things that happened in the last second, as far as they may.
struct Recent {
    most: usize,
    seen: VecDeque<(At, usize)>,
}

impl Recent {
    fn new(most: usize) -> Self {
        let seen = VecDeque::new();
        Self { most, seen }
    }

    /// The entry of the first of too many, the newest included.
    fn crossed(&mut self, at: At, entry: usize) -> Option<usize> {
        self.seen.push_back((at, entry));
        if self.seen.len() <= self.most {
            return None;
        }
        let (first_at, first) = self.seen.pop_front()?;
        (at.0 - first_at.0 < SECOND_US).then_some(first)
    }
}

/// A message that nobody acknowledges is handed over again after a while that grows.
fn relays(facts: &Facts<'_>, findings: &mut Findings) {
    let Some(skew) = facts.skew_ms() else {
        return;
    };
    // What a store makes of a message by going back, nobody decided.
    let decided = |commit: &&Commit<'_>| commit.stored.by != Actor::Store;
    for commit in facts.commits.iter().filter(decided) {
        for change in &commit.stored.changes {
            let (Some(before), Some(after)) = (outbox(&change.before), outbox(&change.after))
            else {
                continue;
            };
            let due = since_start(before.due_at);
            let early = due.saturating_sub(commit.at.millis() + skew + 1);
            if after.tries > before.tries && early > 0 {
                let what = format!("{:?} was handed over again {early} ms early", change.key);
                findings.add(what, &[commit.entry]);
            }
            let next = after.due_at.since(before.due_at);
            if after.tries > before.tries && next < RELAY_AFTER {
                let what = format!(
                    "{:?} is handed over again and again without a pause",
                    change.key
                );
                findings.add(what, &[commit.entry]);
            }
        }
    }
}

fn outbox(record: &Option<Record>) -> Option<&Outbox> {
    match record {
        Some(Record::Outbox(outbox)) => Some(outbox),
        _ => None,
    }
}

/// Nobody is granted more than it asked for.
fn grants(facts: &Facts<'_>, findings: &mut Findings) {
    for item in &facts.calls.items {
        let (Ask::Lease { max, .. }, Some(replied)) = (item.ask, item.reply) else {
            continue;
        };
        let Answer::Leased(granted) = replied.answer else {
            continue;
        };
        if granted.len() > *max.min(&LEASE_TASKS) {
            let what = format!(
                "{} asked for {max} tasks and was granted {}",
                item.who,
                granted.len()
            );
            findings.add(what, &item.shown_by());
        }
    }
}

/// Nobody asks for the same over and over without a pause.
fn repetitions(facts: &Facts<'_>, findings: &mut Findings) {
    type Same = (Actor, &'static str, TaskId, Option<LeaseId>);
    let mut asked: BTreeMap<Same, Recent> = BTreeMap::new();
    for item in &facts.calls.items {
        // Whoever waits for a task asks again at once, and is kept waiting.
        let Some(task) = task_of(item.ask).filter(|_| !matches!(item.ask, Ask::Get(_))) else {
            continue;
        };
        let same = (item.who, verb(item.ask), task, lease_of(item.ask));
        let most = || match item.ask {
            Ask::Submit(_) => asks_a_second(repeated(&facts.run.plan.steps, item.who)),
            _ => asks_a_second(1),
        };
        let recent = asked.entry(same).or_insert_with(|| Recent::new(most()));
        if let Some(first) = recent.crossed(item.asked_at, item.asked) {
            let what = format!(
                "{} asked more than {} times in a second to {} task {task}",
                item.who,
                recent.most,
                verb(item.ask)
            );
            findings.add(what, &[first, item.asked]);
        }
    }
}

/// How often a client may be about to submit the same: it goes on with its steps meanwhile.
fn repeated(steps: &[Step], who: Actor) -> usize {
    let mut sent: BTreeMap<usize, usize> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        let first = match step.act {
            Act::Again(before) => before,
            _ => at,
        };
        if Actor::Client(step.client) == who {
            *sent.entry(first).or_default() += 1;
        }
    }
    sent.into_values().max().unwrap_or(1)
}

#[cfg(test)]
mod tests;
