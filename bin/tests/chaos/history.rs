//! What clients and workers saw, what is there in the end, and whether that keeps the promises.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use russet::core::{Epoch, Status, TaskId};

use crate::journal::{Accepted, Begun};
use crate::load::{Script, Submission, acknowledged};

/// A task as the scheduler shows it after the drain.
#[derive(Clone, Debug)]
pub struct Found {
    pub id: TaskId,
    pub status: Status,
    pub attempt: u64,
    pub script: Script,
    /// The attempt that its result names.
    pub result: Option<u64>,
    /// When it was submitted, and when it ended, in milliseconds.
    pub submitted: u64,
    pub ended: Option<u64>,
}

/// Everything that is known of a scenario.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub submissions: Vec<Submission>,
    pub begun: Vec<Begun>,
    pub accepted: Vec<Accepted>,
    pub found: Vec<Found>,
    /// What the counters of the queue say.
    pub counted: BTreeMap<&'static str, u64>,
}

pub type Check = fn(&History) -> Result<(), String>;

/// What holds whatever happens, also when the store has forgotten its newest writes.
pub const ALWAYS: [Check; 7] = [
    answered,
    ended,
    no_ghost,
    one_task_a_key,
    begun_once,
    tokens_grow,
    indexes_agree,
];

/// What holds as long as the store forgets nothing that it acknowledged.
pub const KEPT: [Check; 5] = [no_loss, dedup, one_holder, newest_token, order];

impl History {
    /// # Panics
    /// When a check fails.
    pub fn check(&self, checks: &[Check]) {
        let failed = checks.iter().filter_map(|check| check(self).err());
        let failed: Vec<String> = failed.collect();
        assert!(failed.is_empty(), "broken promises:\n{}", failed.join("\n"));
    }

    /// Tasks that were acknowledged and are not there.
    pub fn lost(&self) -> Vec<TaskId> {
        let there: BTreeSet<TaskId> = self.found.iter().map(|found| found.id).collect();
        let known = acknowledged(&self.submissions).into_keys();
        known.filter(|id| !there.contains(id)).collect()
    }

    /// The attempts of each task whose completions were accepted.
    pub fn completions(&self) -> BTreeMap<TaskId, BTreeSet<u64>> {
        let mut completions: BTreeMap<TaskId, BTreeSet<u64>> = BTreeMap::new();
        for Accepted { task, attempt } in &self.accepted {
            completions.entry(*task).or_default().insert(*attempt);
        }
        completions
    }
}

/// Nothing, or what is wrong with the first few.
fn none<T: Display>(what: &str, wrong: impl IntoIterator<Item = T>) -> Result<(), String> {
    let wrong: Vec<String> = wrong.into_iter().map(|one| one.to_string()).collect();
    let shown = wrong.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
    match wrong.len() {
        0 => Ok(()),
        count => Err(format!("{what}: {count}: {shown}")),
    }
}

/// Every submission is acknowledged in the end.
pub fn answered(history: &History) -> Result<(), String> {
    let refused = history.submissions.iter().filter_map(|submission| {
        let why = submission.refused.as_ref()?;
        Some(format!("{}: {why}", submission.script.name))
    });
    none("not acknowledged", refused)
}

/// Every task that was acknowledged is there.
pub fn no_loss(history: &History) -> Result<(), String> {
    none("acknowledged and lost", history.lost())
}

/// Every task that is there has ended as its script says.
pub fn ended(history: &History) -> Result<(), String> {
    let wrong = history.found.iter().filter(|found| {
        let expected = match found.script.dies {
            true => Status::Dead,
            false => Status::Succeeded,
        };
        found.status != expected
    });
    none("ended otherwise", wrong.map(|found| format!("{found:?}")))
}

/// Nothing is there, and nothing ran, that nobody submitted.
pub fn no_ghost(history: &History) -> Result<(), String> {
    let scripts = history
        .submissions
        .iter()
        .map(|submission| &submission.script);
    let wanted: BTreeMap<&str, &Script> = scripts.map(|s| (s.name.as_str(), s)).collect();
    let is_wanted = |found: &&Found| wanted.get(found.script.name.as_str()) == Some(&&found.script);
    let ghosts = history.found.iter().filter(|found| !is_wanted(found));
    none("nobody submitted", ghosts.map(|found| format!("{found:?}")))?;
    let ghosts = history
        .begun
        .iter()
        .filter(|begun| !wanted.contains_key(begun.name.as_str()));
    none(
        "ran, and nobody submitted it",
        ghosts.map(|begun| format!("{begun:?}")),
    )
}

/// A submission names one task, whoever answers and however often it is sent.
pub fn dedup(history: &History) -> Result<(), String> {
    let mut named: BTreeMap<&str, BTreeSet<TaskId>> = BTreeMap::new();
    for Submission {
        script,
        acknowledged,
        ..
    } in &history.submissions
    {
        let ids = acknowledged.iter().map(|(id, _)| *id);
        named.entry(&script.name).or_default().extend(ids);
    }
    for begun in &history.begun {
        named.entry(&begun.name).or_default().insert(begun.task);
    }
    let wrong = named.iter().filter(|(_, tasks)| tasks.len() > 1);
    none(
        "names two tasks",
        wrong.map(|of_name| format!("{of_name:?}")),
    )
}

/// Of a submission there is one task.
pub fn one_task_a_key(history: &History) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let names = history.found.iter().map(|found| found.script.name.as_str());
    none("there twice", names.filter(|name| !seen.insert(*name)))
}

/// No attempt is begun twice: a fencing token never repeats.
pub fn begun_once(history: &History) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let begun = history.begun.iter();
    let twice = begun.filter(|begun| !seen.insert((begun.task, begun.attempt)));
    none("begun twice", twice.map(|begun| format!("{begun:?}")))
}

/// A higher fencing token was granted no earlier than a lower one.
pub fn tokens_grow(history: &History) -> Result<(), String> {
    let mut granted: BTreeMap<TaskId, BTreeMap<u64, u64>> = BTreeMap::new();
    for begun in &history.begun {
        let of_task = granted.entry(begun.task).or_default();
        of_task.insert(begun.attempt, begun.granted);
    }
    let falls = |times: &BTreeMap<u64, u64>| {
        let times: Vec<&u64> = times.values().collect();
        !times.is_sorted()
    };
    let wrong = granted.iter().filter(|(_, times)| falls(times));
    none(
        "fencing tokens fall",
        wrong.map(|of_task| format!("{of_task:?}")),
    )
}

/// At most one completion of a task is accepted, and it is the one that is kept.
pub fn one_holder(history: &History) -> Result<(), String> {
    let completions = history.completions();
    let twice = completions
        .iter()
        .filter(|(_, attempts)| attempts.len() > 1);
    none("accepted twice", twice.map(|one| format!("{one:?}")))?;
    let wrong = history.found.iter().filter(|found| {
        let accepted = completions.get(&found.id).and_then(BTreeSet::last).copied();
        let kept = (found.status == Status::Succeeded).then_some(found.attempt);
        found.result != kept || accepted.is_some_and(|attempt| Some(attempt) != kept)
    });
    none(
        "kept another completion",
        wrong.map(|found| format!("{found:?}")),
    )
}

/// In each epoch of the store at most one completion of a task is accepted.
pub fn one_holder_an_epoch(history: &History) -> Result<(), String> {
    let wrong = history.completions().into_iter().filter(|(_, attempts)| {
        let epochs: BTreeSet<u64> = attempts.iter().map(|attempt| epoch(*attempt)).collect();
        epochs.len() < attempts.len()
    });
    none(
        "accepted twice in an epoch",
        wrong.map(|one| format!("{one:?}")),
    )
}

fn epoch(attempt: u64) -> u64 {
    attempt.saturating_sub(1) / Epoch::ATTEMPTS
}

/// The newest attempt is the one that ended the task.
pub fn newest_token(history: &History) -> Result<(), String> {
    let ended: BTreeMap<TaskId, u64> = history.found.iter().map(|f| (f.id, f.attempt)).collect();
    let newer = |begun: &&Begun| {
        ended
            .get(&begun.task)
            .is_some_and(|end| begun.attempt > *end)
    };
    let wrong = history.begun.iter().filter(newer);
    none(
        "begun after its end",
        wrong.map(|begun| format!("{begun:?}")),
    )
}

/// No attempt was granted before the delay of its task was over, nor before what the task waits
/// for had ended.
pub fn order(history: &History) -> Result<(), String> {
    let there: BTreeMap<TaskId, &Found> = history.found.iter().map(|f| (f.id, f)).collect();
    let early = |begun: &&Begun| {
        let Some(task) = there.get(&begun.task) else {
            return false;
        };
        let parent = task.script.after.map(|parent| there.get(&parent));
        // A parent that is gone, or has not ended, is no reason to begin.
        let ended = parent.map(|parent| parent.and_then(|p| p.ended).unwrap_or(u64::MAX));
        let due = task.submitted + task.script.delay_ms;
        begun.granted < due.max(ended.unwrap_or(0))
    };
    let early = history.begun.iter().filter(early);
    none("begun too early", early.map(|begun| format!("{begun:?}")))
}

/// The counters say what the records say.
pub fn indexes_agree(history: &History) -> Result<(), String> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for found in &history.found {
        *counts.entry(found.status.as_str()).or_default() += 1;
    }
    let counted = history.counted.iter();
    let counted: BTreeMap<&str, u64> = counted
        .filter(|(_, n)| **n > 0)
        .map(|(s, n)| (*s, *n))
        .collect();
    match counts == counted {
        true => Ok(()),
        false => Err(format!("there are {counts:?}, counted are {counted:?}")),
    }
}
