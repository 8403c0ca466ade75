//! One attempt: loads, decides and commits.

use russet_core::{Decision, Record, RecordKey, Rejection, Write, planted, timer};

use super::Work;
use super::batch::{Batch, Group, Job};
use crate::{Outcome, StoreError, Transaction, Version, Versioned};

/// How far an attempt went.
pub(super) enum Attempt {
    /// Everything was tried.
    Whole,
    /// As much as was possible at once is committed; the rest is next.
    Cut,
    /// So it is, and another commit that was under way has ended, which the rest had to wait for.
    Held,
}

impl Work<'_> {
    /// Loads, decides and commits once; what conflicts, or does not fit, is left without an answer.
    pub(super) async fn attempt(&mut self, open: &[Job]) -> Result<Attempt, StoreError> {
        let batch = self.decide(open).await?;
        self.stand_or_fall(&batch).await?;
        let (groups, complete) = self.fit(&batch, batch.groups(self.node.entropy.as_ref()));
        let (claim, groups, held) = self.partition.claims.claim(groups);
        if !self.is_as_presumed(&batch, &groups).await? {
            self.doubt(&batch);
            return Ok(Attempt::Cut);
        }
        let changes = groups.iter().flat_map(|group| &group.transaction.changes);
        let next_timer = changes
            .filter_map(|c| c.after.as_ref().and_then(timer))
            .min();
        let (silent, writing): (Vec<_>, Vec<_>) = groups
            .into_iter()
            .partition(|group| group.transaction.changes.is_empty());
        let recent = &self.partition.recent;
        let notes = |group: &Group| recent.notes(&group.transaction);
        let notes: Vec<_> = writing.iter().map(notes).collect();
        let (members, transactions): (Vec<_>, Vec<_>) = writing
            .into_iter()
            .map(|g| (g.members, g.transaction))
            .unzip();
        let outcomes = self.commit(&batch, &members, transactions).await?;
        let mut done: Vec<_> = silent.into_iter().flat_map(|g| g.members).collect();
        // What is committed vouches for what was loaded before it.
        let vouched = done.is_empty() || outcomes.contains(&Outcome::Committed);
        let stands = vouched || self.is_confirmed(&batch).await?;
        if !stands {
            done.clear();
        }
        let conflicts = || outcomes.iter().filter(|o| **o == Outcome::Conflict).count();
        tracing::debug!(
            transactions = outcomes.len(),
            conflicts = conflicts(),
            "committed"
        );
        let committed = stands && outcomes.iter().all(|o| *o == Outcome::Committed);
        if !committed {
            self.doubt(&batch);
        }
        for ((members, notes), outcome) in members.into_iter().zip(notes).zip(outcomes) {
            if outcome == Outcome::Committed {
                recent.note(notes);
                done.extend(members);
            }
        }
        done.sort_unstable();
        let complete = complete && held.is_empty() && batch.contradiction.is_none();
        self.finish(batch, &done, complete && committed);
        if let Some(at) = next_timer {
            self.partition.alarm.set(at);
        }
        if !committed || complete {
            return Ok(Attempt::Whole);
        }
        if held.is_empty() {
            return Ok(Attempt::Cut);
        }
        drop(claim);
        self.partition.claims.wait_for(&held).await;
        Ok(Attempt::Held)
    }

    /// Cuts groups to what the store can commit at once: of one that is too large only the first
    /// commands are tried now. The rules refuse a command that is too large by itself. The flag
    /// says whether nothing was left for later.
    fn fit(&mut self, batch: &Batch, groups: Vec<Group>) -> (Vec<Group>, bool) {
        let limit = self.node.backend.store.limits().transaction;
        let (mut fitting, mut complete) = (Vec::with_capacity(groups.len()), true);
        for mut group in groups {
            if !group.fits(&limit) && group.members.len() > 1 {
                group = batch.first_of(&group, &limit);
                complete = false;
            }
            let changes = group.transaction.changes.len();
            // What is too heavy all the same the store refuses.
            if changes <= limit.changes {
                fitting.push(group);
                continue;
            }
            let most = limit.changes;
            let why = format!("{changes} records change at once, the store can do {most}");
            let (job, _) = batch.decided[group.members[0]];
            self.give_up(&[job], &StoreError::TooLarge { why }.into());
            complete = false;
        }
        (fitting, complete)
    }

    /// Commits; when the reply is lost, looks whether the transactions are there.
    async fn commit(
        &mut self,
        batch: &Batch,
        groups: &[Vec<usize>],
        transactions: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError> {
        if transactions.is_empty() {
            return Ok(Vec::new());
        }
        let store = &self.node.backend.store;
        let versions: Vec<_> = transactions.iter().map(|t| t.version).collect();
        match store.commit(self.partition.id, transactions).await {
            Err(StoreError::Indeterminate { .. }) if planted!(LostReplyIsSuccess) => {
                Ok(vec![Outcome::Committed; versions.len()])
            }
            Ok(outcomes) if planted!(ConflictIsSuccess) => {
                Ok(vec![Outcome::Committed; outcomes.len()])
            }
            Err(StoreError::Indeterminate { .. }) => {
                let members = groups.iter().flatten();
                self.unsure.extend(members.map(|at| batch.decided[*at].0));
                let keys: Vec<_> = groups.iter().map(|group| batch.mark(group)).collect();
                let found = store.get(self.partition.id, &keys).await?;
                let stands = self.is_confirmed(batch).await?;
                let outcome = |(record, version): (Option<Versioned>, Version)| match record {
                    Some(record) if stands && record.version == version => Outcome::Committed,
                    _ => Outcome::Conflict,
                };
                Ok(found.into_iter().zip(versions).map(outcome).collect())
            }
            other => other,
        }
    }

    /// Whether what was loaded can be relied on as on what is committed.
    async fn is_confirmed(&self, batch: &Batch) -> Result<bool, StoreError> {
        let store = &self.node.backend.store;
        let confirmed = store.confirm(self.partition.id, batch.view.epoch).await?;
        Ok(confirmed == Outcome::Committed)
    }

    /// Answers what is settled, and tells everybody who has to know. `done` are positions in
    /// `batch.decided`, in order.
    fn finish(&mut self, batch: Batch, done: &[usize], settled: bool) {
        let Batch {
            view,
            decided,
            rejected,
            ..
        } = batch;
        if settled {
            self.refuse(rejected);
        }
        let mut done = done.iter().copied().peekable();
        let mut events = Vec::with_capacity(decided.len() * 2);
        let mut room = false;
        for (at, (job, decision)) in decided.into_iter().enumerate() {
            if done.next_if_eq(&at).is_none() {
                continue;
            }
            room |= makes_room(&decision);
            events.extend(decision.events);
            for task in decision.sends {
                if let Some(Some(Record::Task(task))) = view.records.get(&RecordKey::Task(task)) {
                    self.outgoing.announce(task);
                }
            }
            for message in decision.messages {
                self.outgoing.relay(self.partition.id, message);
            }
            self.answers[job] = Some(Ok(decision.reply));
        }
        self.node.events.publish(events);
        if room {
            self.node.room.send_replace(());
        }
    }

    fn refuse(&mut self, rejected: Vec<(Job, Rejection)>) {
        for (job, rejection) in rejected {
            self.answers[job] = Some(Err(self.unless_unsure(job, rejection.into())));
        }
    }
}

/// Whether a queue may start more tasks than before: all but leases change it for that.
fn makes_room(decision: &Decision) -> bool {
    let is_queue = |write: &Write| matches!(write.key, RecordKey::Queue(_));
    decision.reply.lease().is_none() && decision.writes.iter().any(is_queue)
}
