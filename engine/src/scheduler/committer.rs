//! The heart of a partition: commands that arrive while a commit is under way share the
//! next load and the next commit.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use russet_core::{
    Command, Decision, PartitionId, Record, RecordKey, Rejection, View, Write, planted, timer,
};
use tokio::sync::mpsc;
use tracing::Instrument;

use super::Node;
use super::batch::{Batch, Group, Job};
use super::intake::{Answer, Caller, Request};
use super::relay::Outgoing;
use crate::{EngineError, Outcome, StoreError, Transaction, Version, Versioned, limits};

/// Serves a partition until its intake is closed and empty.
pub(super) async fn run(
    node: Arc<Node>,
    partition: PartitionId,
    mut mailbox: mpsc::UnboundedReceiver<Request>,
    outgoing: Outgoing,
) {
    while let Some(first) = mailbox.recv().await {
        gather(&mailbox).await;
        let mut requests = vec![first];
        let mut commands = requests[0].commands.len();
        while commands < limits::COMMIT_COMMANDS
            && let Ok(request) = mailbox.try_recv()
        {
            commands += request.commands.len();
            requests.push(request);
        }
        let span = tracing::debug_span!("commit", partition = partition.0, commands);
        let work = Work::new(&node, partition, &outgoing, requests);
        work.run().instrument(span).await;
    }
}

/// Callers that are just about to send get their turn, as long as more of them come. An idle
/// node loses nothing by it: nobody waits for a time.
async fn gather(mailbox: &mpsc::UnboundedReceiver<Request>) {
    let mut waiting = 0;
    for _ in 0..limits::GATHER_TURNS {
        tokio::task::yield_now().await;
        if mailbox.len() <= waiting {
            return;
        }
        waiting = mailbox.len();
    }
}

/// How far an attempt went.
enum Attempt {
    /// Everything was tried.
    Whole,
    /// As much as fits into the store's transactions is committed; the rest is next.
    Cut,
}

struct Work<'a> {
    node: &'a Node,
    partition: PartitionId,
    outgoing: &'a Outgoing,
    commands: Vec<Command>,
    answers: Vec<Option<Answer>>,
    /// Who sent which of the commands.
    callers: Vec<(Range<usize>, Caller)>,
}

impl<'a> Work<'a> {
    fn new(
        node: &'a Node,
        partition: PartitionId,
        outgoing: &'a Outgoing,
        requests: Vec<Request>,
    ) -> Self {
        let (mut commands, mut callers) = (Vec::new(), Vec::with_capacity(requests.len()));
        for request in requests {
            let start = commands.len();
            commands.extend(request.commands);
            callers.push((start..commands.len(), request.caller));
        }
        let answers = commands.iter().map(|_| None).collect();
        Self {
            node,
            partition,
            outgoing,
            commands,
            answers,
            callers,
        }
    }

    /// Works until every command has its answer.
    async fn run(mut self) {
        let (mut conflicts, mut failures) = (0, 0);
        let mut open: Vec<Job> = (0..self.commands.len()).collect();
        while !open.is_empty() {
            let mut cut = false;
            match self.attempt(&open).await {
                Ok(Attempt::Cut) => cut = true,
                Ok(Attempt::Whole) => conflicts += 1,
                Err(error) if is_passing(&error) && planted!(NoPause) => {}
                Err(error) if is_passing(&error) && failures < limits::STORE_TRIES => failures += 1,
                Err(error) => self.give_up(&open, &error.into()),
            }
            if conflicts >= limits::CONFLICT_TRIES {
                let retry_after = limits::RETRY_AFTER;
                self.give_up(&open, &EngineError::Contended { retry_after });
            }
            self.reply();
            open.retain(|job| self.answers[*job].is_none());
            if !open.is_empty() && !cut {
                tracing::debug!(commands = open.len(), conflicts, failures, "trying again");
                self.node
                    .clock
                    .sleep(self.pause(conflicts + failures))
                    .await;
            }
        }
    }

    fn pause(&self, tries: u32) -> Duration {
        if planted!(NoPause) {
            return Duration::ZERO;
        }
        let longest = limits::STORE_BACKOFF * (1 << tries.min(7));
        let share = (self.node.entropy.next_u64() % 1_000) as u32 + 1;
        longest * share / 1_000
    }

    fn give_up(&mut self, jobs: &[Job], error: &EngineError) {
        for job in jobs {
            self.answers[*job].get_or_insert_with(|| Err(error.clone()));
        }
    }

    /// Answers the callers whose commands all have their answers.
    fn reply(&mut self) {
        let callers = std::mem::take(&mut self.callers);
        for (range, caller) in callers {
            let own = &self.answers[range.clone()];
            if own.iter().all(Option::is_some) {
                let own = self.answers[range].iter_mut();
                let given = own.filter_map(|answer| answer.replace(Err(EngineError::Stopping)));
                caller.answer(given.collect());
            } else {
                self.callers.push((range, caller));
            }
        }
    }

    /// Loads, decides and commits once; what conflicts, or does not fit, is left without an answer.
    async fn attempt(&mut self, open: &[Job]) -> Result<Attempt, StoreError> {
        let batch = self.decide(open).await?;
        self.stand_or_fall(&batch).await?;
        let (groups, complete) = self.fit(&batch, batch.groups(self.node.entropy.as_ref()));
        let changes = groups.iter().flat_map(|group| &group.transaction.changes);
        let next_timer = changes
            .filter_map(|c| c.after.as_ref().and_then(timer))
            .min();
        let (silent, writing): (Vec<_>, Vec<_>) = groups
            .into_iter()
            .partition(|group| group.transaction.changes.is_empty());
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
        for (members, outcome) in members.into_iter().zip(outcomes) {
            if outcome == Outcome::Committed {
                done.extend(members);
            }
        }
        done.sort_unstable();
        let complete = complete && batch.contradiction.is_none();
        self.finish(batch, &done, complete && committed);
        if let (Some(at), Some(partition)) = (next_timer, self.node.partition(self.partition)) {
            partition.alarm.set(at);
        }
        Ok(match committed && !complete {
            true => Attempt::Cut,
            false => Attempt::Whole,
        })
    }

    async fn decide(&self, open: &[Job]) -> Result<Batch, StoreError> {
        let configuration = &self.node.configuration;
        let recorder = configuration.recorder.as_deref();
        let mut batch = Batch::new(View {
            partition: self.partition,
            partitions: Some(self.node.backend.store.partitions()),
            split: !self.node.backend.queue.is_fused(),
            max_clock_skew: configuration.max_clock_skew,
            queue_defaults: configuration.queue_defaults.clone(),
            most_changes: Some(self.node.backend.store.limits().transaction_changes),
            epoch: self.node.backend.store.epoch(self.partition),
            ..View::default()
        });
        let mut missing: Vec<_> = open
            .iter()
            .flat_map(|job| self.commands[*job].reads())
            .collect();
        let mut jobs = open.to_vec();
        while !jobs.is_empty() {
            let keys = batch.unknown(missing.into_iter());
            if !keys.is_empty() {
                let records = self.node.backend.store.get(self.partition, &keys).await?;
                batch.load(keys, records);
            }
            let now = self.node.clock.now();
            (jobs, missing) = batch.decide(jobs, &self.commands, now, recorder);
        }
        Ok(batch)
    }

    /// Records that contradict one another were loaded one after the other, and changed
    /// meanwhile: then they are other records now, and the command is decided again.
    ///
    /// # Panics
    /// When all of them are as they were: an invariant is broken.
    async fn stand_or_fall(&self, batch: &Batch) -> Result<(), StoreError> {
        let Some(why) = &batch.contradiction else {
            return Ok(());
        };
        let (keys, versions) = batch.versions();
        let now = self.node.backend.store.get(self.partition, &keys).await?;
        let same = now
            .iter()
            .map(|known| known.as_ref().map(|known| known.version))
            .eq(versions);
        assert!(!same, "broken invariant: {why}");
        tracing::debug!(why, "records changed while they were loaded");
        Ok(())
    }

    /// Cuts groups to what the store can commit at once: of one that is too large only the first
    /// commands are tried now. The rules refuse a command that is too large by itself. The flag
    /// says whether nothing was left for later.
    fn fit(&mut self, batch: &Batch, groups: Vec<Group>) -> (Vec<Group>, bool) {
        let most = self.node.backend.store.limits().transaction_changes;
        let (mut fitting, mut complete) = (Vec::with_capacity(groups.len()), true);
        for mut group in groups {
            if group.transaction.changes.len() > most && group.members.len() > 1 {
                group = batch.first_of(&group, most);
                complete = false;
            }
            let changes = group.transaction.changes.len();
            if changes <= most {
                fitting.push(group);
                continue;
            }
            let why = format!("{changes} records change at once, the store can do {most}");
            let (job, _) = batch.decided[group.members[0]];
            self.give_up(&[job], &StoreError::TooLarge { why }.into());
            complete = false;
        }
        (fitting, complete)
    }

    /// Commits; when the reply is lost, looks whether the transactions are there.
    async fn commit(
        &self,
        batch: &Batch,
        groups: &[Vec<usize>],
        transactions: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError> {
        if transactions.is_empty() {
            return Ok(Vec::new());
        }
        let store = &self.node.backend.store;
        let versions: Vec<_> = transactions.iter().map(|t| t.version).collect();
        match store.commit(self.partition, transactions).await {
            Err(StoreError::Indeterminate { .. }) if planted!(LostReplyIsSuccess) => {
                Ok(vec![Outcome::Committed; versions.len()])
            }
            Ok(outcomes) if planted!(ConflictIsSuccess) => {
                Ok(vec![Outcome::Committed; outcomes.len()])
            }
            Err(StoreError::Indeterminate { .. }) => {
                let keys: Vec<_> = groups.iter().map(|group| batch.mark(group)).collect();
                let found = store.get(self.partition, &keys).await?;
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
        let confirmed = store.confirm(self.partition, batch.view.epoch).await?;
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
                self.outgoing.relay(self.partition, message);
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
            self.answers[job] = Some(Err(rejection.into()));
        }
    }
}

/// Whether a queue may start more tasks than before: all but leases change it for that.
fn makes_room(decision: &Decision) -> bool {
    let is_queue = |write: &Write| matches!(write.key, RecordKey::Queue(_));
    decision.reply.lease().is_none() && decision.writes.iter().any(is_queue)
}

/// Whether trying again may help.
fn is_passing(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Unavailable { .. } | StoreError::Indeterminate { .. }
    )
}
