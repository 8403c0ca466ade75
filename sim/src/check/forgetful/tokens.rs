//! Fencing tokens in all pasts of a store that goes back: no token is granted twice, each is above
//! all that the same task had before, and what is granted after the store went back is of a later
//! epoch than whatever was granted before. Who holds a lease of a past that is forgotten may
//! still write somewhere, and is to be told from the one that follows.

use std::collections::{BTreeMap, BTreeSet};

use russet_core::{Epoch, LeaseId, PartitionId, TaskId};

use super::super::facts::Facts;
use super::super::findings::Findings;
use super::super::timeline::Moment;
use crate::history::{Actor, Answer, What};

/// A task was granted, or a worker was told so.
#[derive(Clone, Copy)]
struct Grant {
    task: TaskId,
    token: u64,
    lease: LeaseId,
    /// The commit that granted it is known. What a worker was told alone may be older.
    is_stored: bool,
}

/// What tokens follow from.
enum Event {
    Granted(Grant),
    /// Another task may have this id, and the same tokens, from now on.
    Purged(TaskId),
    WentBack(PartitionId),
}

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let mut tokens = Tokens::default();
    for (entry, event) in events(facts) {
        match event {
            Event::Granted(grant) => tokens.granted(entry, grant, findings),
            Event::Purged(task) => *tokens.lives.entry(task).or_default() += 1,
            Event::WentBack(partition) => tokens.went_back(entry, partition),
        }
    }
}

/// Whether a commit is that of a node, and not what the store has forgotten.
pub(super) fn is_by_node(facts: &Facts<'_>, moment: &Moment<'_>) -> bool {
    matches!(&facts.run.entries[moment.entry].what,
        What::Stored(stored) if stored.by != Actor::Store)
}

/// Everything in its order, with where it is shown.
fn events(facts: &Facts<'_>) -> Vec<(usize, Event)> {
    let mut events = Vec::new();
    let mut known = BTreeSet::new();
    for (task, moment) in facts.moments().filter(|(_, m)| is_by_node(facts, m)) {
        if moment.forgotten().is_some() {
            events.push((moment.entry, Event::Purged(task)));
        }
        if let Some((after, lease)) = moment.granted() {
            known.insert(lease.id);
            let grant = Grant {
                task,
                token: after.attempt,
                lease: lease.id,
                is_stored: true,
            };
            events.push((moment.entry, Event::Granted(grant)));
        }
    }
    let of_store = facts.commits.iter();
    let of_store = of_store.filter(|commit| commit.stored.by == Actor::Store);
    events.extend(of_store.map(|c| (c.entry, Event::WentBack(c.stored.partition))));
    for (position, entry) in facts.run.entries.iter().enumerate() {
        let What::Answered { answers, .. } = &entry.what else {
            continue;
        };
        let leased = answers.iter().filter_map(|answer| match answer {
            Answer::Leased(grants) => Some(grants),
            _ => None,
        });
        for told in leased.flatten().filter(|told| !known.contains(&told.lease)) {
            let grant = Grant {
                task: told.task,
                token: told.attempt,
                lease: told.lease,
                is_stored: false,
            };
            events.push((position, Event::Granted(grant)));
        }
    }
    events.sort_by_key(|(entry, _)| *entry);
    events
}

/// What was granted until now.
#[derive(Default)]
struct Tokens {
    /// How often each task was purged.
    lives: BTreeMap<TaskId, usize>,
    /// The lease that each token was granted with, and where.
    granted: BTreeMap<(TaskId, usize, u64), (LeaseId, usize)>,
    highest: BTreeMap<(TaskId, usize), (u64, usize)>,
    /// The latest epoch that something was granted in.
    latest: BTreeMap<PartitionId, (Epoch, usize)>,
    /// Which epoch, and where it was granted in, is over since the store went back, and when.
    over: BTreeMap<PartitionId, (Epoch, [usize; 2])>,
}

impl Tokens {
    fn went_back(&mut self, entry: usize, partition: PartitionId) {
        if let Some((latest, granted)) = self.latest.get(&partition) {
            self.over.insert(partition, (*latest, [*granted, entry]));
        }
    }

    fn granted(&mut self, entry: usize, grant: Grant, findings: &mut Findings) {
        let Grant {
            task, token, lease, ..
        } = grant;
        let life = (task, self.lives.get(&task).copied().unwrap_or(0));
        let place = self.granted.entry((life.0, life.1, token));
        let (first, before) = *place.or_insert((lease, entry));
        if first != lease {
            let what = format!("the fencing token {token} of task {task} was granted twice");
            findings.add(what, &[before, entry]);
            return;
        }
        let highest = self.highest.entry(life).or_insert((token, entry));
        if grant.is_stored && token < highest.0 {
            let what = format!(
                "the fencing token of task {task} fell from {} to {token}",
                highest.0
            );
            findings.add(what, &[highest.1, entry]);
        }
        if token > highest.0 {
            *highest = (token, entry);
        }
        if grant.is_stored {
            self.in_epoch(entry, task, token, findings);
        }
    }

    fn in_epoch(&mut self, entry: usize, task: TaskId, token: u64, findings: &mut Findings) {
        let (partition, epoch) = (task.partition(), epoch_of(token));
        if let Some((over, [granted, gone])) = self.over.get(&partition)
            && epoch <= *over
        {
            let what = format!(
                "task {task} was granted with the token {token} of epoch {} after its store had \
                 gone back, which had granted in epoch {} before",
                epoch.0, over.0
            );
            findings.add(what, &[*granted, *gone, entry]);
        }
        let latest = self.latest.entry(partition).or_insert((epoch, entry));
        if epoch > latest.0 {
            *latest = (epoch, entry);
        }
    }
}

/// The epoch that a token is of.
fn epoch_of(token: u64) -> Epoch {
    Epoch(token.saturating_sub(1) / Epoch::ATTEMPTS)
}

#[cfg(test)]
mod tests {
    use super::super::super::sample::Sample;
    use super::super::check;
    use super::*;

    /// The first token of the second epoch.
    const LATER: u64 = Epoch::ATTEMPTS + 1;

    /// A task that was granted with the token 1, which the store forgets.
    fn forgotten() -> Sample {
        let mut sample = Sample::new();
        sample.submitted(1);
        let before = sample.task(1);
        sample.granted(1, 1).go_back(1, Some(before));
        sample
    }

    #[test]
    fn a_token_of_one_lease_is_granted_once() {
        let mut sample = Sample::new();
        sample.submitted(1).granted(1, 1).completed(1, 1);
        assert_eq!(sample.check(check), []);
    }

    #[test]
    fn a_token_that_is_granted_again_is_found() {
        let mut sample = forgotten();
        sample.granted(1, 2);
        assert!(sample.finds(check, "was granted twice"));
    }

    #[test]
    fn a_token_of_the_epoch_that_is_over_is_found_although_nobody_had_it() {
        let mut sample = forgotten();
        sample.start_with(1, 2, 2);
        assert!(sample.finds(check, "after its store had gone back"));
    }

    #[test]
    fn a_token_of_a_later_epoch_is_good_and_none_may_fall_behind_it() {
        let mut sample = forgotten();
        sample.start_with(1, 2, LATER);
        let found = sample.check(check);
        let about_tokens = |what: &str| what.contains("token");
        assert!(
            !found.iter().any(|found| about_tokens(&found.what)),
            "{found:?}"
        );
        sample.go_back(1, None).submitted(1).start_with(1, 3, 2);
        assert!(sample.finds(check, &format!("fell from {LATER} to 2")));
    }

    #[test]
    fn a_task_that_is_submitted_again_after_its_purge_may_have_the_same_tokens() {
        let mut sample = Sample::new();
        for lease in [1, 2] {
            sample
                .submitted(1)
                .granted(1, lease)
                .completed(1, lease)
                .forget(1);
        }
        assert_eq!(sample.check(check), []);
    }
}
