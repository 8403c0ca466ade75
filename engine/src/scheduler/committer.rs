//! The heart of a partition: commands that arrive while a commit is under way share the
//! next load and the next commit.

mod attempt;
mod batch;
mod claims;
mod deciding;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use russet_core::{Command, PartitionId, Timestamp, planted};
use tokio::sync::{Mutex, mpsc};
use tracing::Instrument;

use self::attempt::Attempt;
use self::batch::Job;
pub(super) use self::claims::Claims;
use super::intake::{Answer, Caller, Request};
use super::relay::Outgoing;
use super::{Node, Partition};
use crate::{EngineError, Store, StoreError, limits};

/// How many commits of a partition a node has under way at a time. A store that is far spends
/// most of a commit's time on the way; one that is near would only have smaller ones.
pub(super) fn commits(store: &dyn Store) -> usize {
    match store.limits().is_far {
        true => limits::COMMITS_UNDER_WAY,
        false => 1,
    }
}

/// Where the requests of a partition come in. Whoever has nothing to do takes the next ones.
pub(super) type Mailbox = Arc<Mutex<mpsc::UnboundedReceiver<Request>>>;

/// Serves a partition until its intake is closed and empty.
pub(super) async fn run(
    node: Arc<Node>,
    partition: PartitionId,
    mailbox: Mailbox,
    outgoing: Outgoing,
) {
    let Some(partition) = node.partition(partition) else {
        return;
    };
    while let Some(requests) = next(&mailbox).await {
        let commands: usize = requests.iter().map(|r| r.commands.len()).sum();
        let span = tracing::debug_span!("commit", partition = partition.id.0, commands);
        let work = Work::new(&node, partition, &outgoing, requests);
        work.run().instrument(span).await;
    }
}

/// Waits for requests, and takes those that are there; `None` when none can come any more.
async fn next(mailbox: &Mailbox) -> Option<Vec<Request>> {
    let mut mailbox = mailbox.lock().await;
    let first = mailbox.recv().await?;
    gather(&mailbox).await;
    let mut commands = first.commands.len();
    let mut requests = vec![first];
    while commands < limits::COMMIT_COMMANDS
        && let Ok(request) = mailbox.try_recv()
    {
        commands += request.commands.len();
        requests.push(request);
    }
    Some(requests)
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

struct Work<'a> {
    node: &'a Node,
    partition: &'a Partition,
    /// Whether what the node knows already is presumed to be so still: until an attempt fails.
    presumes: bool,
    outgoing: &'a Outgoing,
    commands: Vec<Command>,
    answers: Vec<Option<Answer>>,
    /// Of which commands it is not known whether an attempt has changed something.
    unsure: BTreeSet<Job>,
    /// Who sent which of the commands.
    callers: Vec<(Range<usize>, Caller)>,
}

/// How the attempts of a [`Work`] went.
struct Tries {
    conflicts: u32,
    failures: u32,
    /// When to give up on what the store does not do.
    late: Timestamp,
    /// How many commands are tried at once: half as many after some of them failed by themselves,
    /// and twice as many after each attempt that went well.
    at_once: usize,
}

impl Tries {
    fn until(late: Timestamp) -> Self {
        Self {
            conflicts: 0,
            failures: 0,
            late,
            at_once: usize::MAX,
        }
    }
}

impl<'a> Work<'a> {
    fn new(
        node: &'a Node,
        partition: &'a Partition,
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
            presumes: partition.recent.is_kept(),
            outgoing,
            commands,
            answers,
            unsure: BTreeSet::new(),
            callers,
        }
    }

    /// Works until every command has its answer.
    async fn run(mut self) {
        let mut tries = Tries::until(self.node.clock.now() + limits::STORE_PATIENCE);
        let mut open: Vec<Job> = (0..self.commands.len()).collect();
        while !open.is_empty() {
            let tried = &open[..open.len().min(tries.at_once)];
            let attempt = self.attempt(tried).await;
            self.presumes &= matches!(attempt, Ok(Attempt::Held));
            let goes_on = self.judge(attempt, tried, &open, &mut tries);
            if tries.conflicts >= limits::CONFLICT_TRIES {
                let retry_after = limits::RETRY_AFTER;
                self.give_up(&open, &EngineError::Contended { retry_after });
            }
            self.reply();
            open.retain(|job| self.answers[*job].is_none());
            if !open.is_empty() && !goes_on {
                let (conflicts, failures) = (tries.conflicts, tries.failures);
                tracing::debug!(commands = open.len(), conflicts, failures, "trying again");
                let pause = self.pause(conflicts + failures);
                self.node.clock.sleep(pause).await;
            }
        }
    }

    /// What follows from an attempt with those of the open commands that were tried; whether the
    /// next one can begin at once.
    fn judge(
        &mut self,
        attempt: Result<Attempt, StoreError>,
        tried: &[Job],
        open: &[Job],
        tries: &mut Tries,
    ) -> bool {
        let is_late = self.node.clock.now() >= tries.late;
        match attempt {
            Ok(attempt) => {
                tries.at_once = tries.at_once.saturating_mul(2);
                let is_open = |job: &Job| self.answers[*job].is_none();
                let conflicts = matches!(attempt, Attempt::Whole) && tried.iter().any(is_open);
                tries.conflicts += u32::from(conflicts);
                return !conflicts;
            }
            Err(error) if error.is_passing() && planted!(NoPause) => {}
            Err(error)
                if error.is_passing() && tries.failures < limits::STORE_TRIES && !is_late =>
            {
                tries.failures += 1;
            }
            Err(error) if error.concerns_records() => {
                tries.at_once = tried.len().div_ceil(2);
                self.narrow(&error, tried, open, is_late);
                return true;
            }
            Err(error) => self.give_up(open, &error.into()),
        }
        false
    }

    /// Some of the commands fail by themselves, as those do that read a damaged record. Fewer are
    /// tried at once, until one is alone with its error.
    fn narrow(&mut self, error: &StoreError, tried: &[Job], open: &[Job], is_late: bool) {
        tracing::debug!(%error, commands = tried.len(), "some of them fail by themselves");
        if tried.len() == 1 {
            self.give_up(tried, &error.clone().into());
        }
        if is_late {
            let why = "other commands fail, and it took too long to find out which".to_owned();
            self.give_up(open, &StoreError::Unavailable { why }.into());
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

    /// Answers with an error, which says that nothing was changed only where that is known.
    fn give_up(&mut self, jobs: &[Job], error: &EngineError) {
        for job in jobs {
            if self.answers[*job].is_none() {
                self.answers[*job] = Some(Err(self.unless_unsure(*job, error.clone())));
            }
        }
    }

    /// The error, or that nobody knows, when a commit of the command may have been done before.
    fn unless_unsure(&self, job: Job, error: EngineError) -> EngineError {
        let is_said = matches!(error, EngineError::Store(StoreError::Indeterminate { .. }));
        if is_said || !self.unsure.contains(&job) || planted!(UnsureIsUndone) {
            return error;
        }
        let why = format!("a commit was not answered, and then: {error}");
        StoreError::Indeterminate { why }.into()
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
}
