//! The rules once more, written to be obvious instead of fast: plain structs and sets, no
//! counters, no indexes, everything found by looking at everything. It knows all partitions
//! and is told each command that the real rules decide.

mod agree;
mod gates;
mod keys;
mod life;
mod redrive;
mod submit;
mod timers;
mod workers;

use std::collections::{BTreeMap, BTreeSet};

use russet_core::command::{Campaign, Configure};
use russet_core::{
    Command, Decision, Dependency, End, ErrorKind, IdempotencyKey, Leader, Lease, Message,
    MessageId, Millis, Named, NewTask, Progress, QueueConfig, QueueName, Reply, Status, TaskId,
    Timestamp, TransactionLimit, View, Window, WorkflowId,
};

use crate::store::Partition;

/// About how many bytes a record counts for in a transaction, and an edge in a list.
const RECORD_BYTES: usize = 1_024;
const EDGE_BYTES: usize = 32;

/// What a command must come to: an answer, or the code of a refusal.
pub type Expected = Result<Answer, &'static str>;

/// An answer that must be given.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Exactly(Reply),
    /// A lease is granted; the task is compared as all tasks are.
    Leased,
    /// Each task is redriven or refused with a code.
    Redriven(Vec<Result<Status, &'static str>>),
    /// Pieces of a workflow are still to be stored.
    Staged(WorkflowId),
    /// A gate went on, and may have more to do.
    WentOn,
}

/// A task.
#[derive(Clone)]
pub struct Job {
    /// As it was asked for, with dependencies on the ids that keys stand for.
    pub asked: NewTask,
    pub workflow: Option<WorkflowId>,
    /// It is no longer stored.
    pub gone: bool,
    pub status: Status,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub start: Option<Timestamp>,
    pub expires: Option<Timestamp>,
    pub attempts: u64,
    pub retries: u32,
    /// Its workflow's gate has not let it through.
    pub gated: bool,
    /// Nothing happened to it yet, not even that its timer was set.
    pub untouched: bool,
    /// The parents that have not told it of their end.
    pub awaits: BTreeSet<Dependency>,
    /// Somebody waits for it who was submitted with it.
    pub is_awaited: bool,
    /// Those who wait for it, one set for each of its lives that somebody waited for.
    pub children: Vec<BTreeSet<Dependency>>,
    /// How many of the sets were told that it ended.
    pub told: usize,
    /// Who of the next set was told.
    pub partly: BTreeSet<Dependency>,
    /// How many of the sets are forgotten.
    pub cleared: usize,
    pub lease: Option<Lease>,
    pub cancelling: bool,
    pub error: Option<ErrorKind>,
    /// The attempt that somebody cancelled with a reason.
    pub explained: Option<u64>,
    pub result: Option<bytes::Bytes>,
    pub progress: Option<Progress>,
    pub completed: Option<Timestamp>,
    pub purge: Option<Timestamp>,
    /// When it became ready last.
    pub ready: Timestamp,
    pub unsent: bool,
    pub sends: u32,
    pub redriven_by: Option<u64>,
}

#[derive(Clone)]
pub struct Flow {
    pub created: Timestamp,
    pub key: Option<(IdempotencyKey, Window)>,
    pub asked: Vec<NewTask>,
}

/// What a key names, and the request that it was given with; `None`: it was given back.
#[derive(Clone)]
pub struct Name {
    pub named: Named,
    pub request: Option<Vec<NewTask>>,
    pub window: Window,
    pub created: Timestamp,
}

/// What the rules did, for what they may choose: how much of something fits into a decision.
#[derive(Clone, Copy)]
pub struct Peek<'a> {
    pub view: &'a View,
    pub decision: Option<&'a Decision>,
    pub stored: &'a Partition,
}

/// A message that is not acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    pub message: Message,
    pub tries: u32,
    pub due: Timestamp,
}

impl Job {
    /// How it ended.
    pub fn end(&self) -> Option<End> {
        match self.status {
            Status::Succeeded => Some(End::Succeeded),
            Status::Dead => Some(End::Dead),
            Status::Cancelled if self.error == Some(ErrorKind::NotNeeded) => Some(End::NotNeeded),
            Status::Cancelled => Some(End::Cancelled),
            _ => None,
        }
    }
}

/// All that there is.
#[derive(Clone)]
pub struct Oracle {
    split: bool,
    skew: Millis,
    transaction: TransactionLimit,
    defaults: QueueConfig,
    pub jobs: BTreeMap<TaskId, Job>,
    pub flows: BTreeMap<WorkflowId, Flow>,
    /// Workflows that are not complete.
    pub closed: BTreeMap<WorkflowId, gates::Closed>,
    names: BTreeMap<(usize, IdempotencyKey), Name>,
    queues: BTreeMap<(usize, QueueName), QueueConfig>,
    mail: BTreeMap<(usize, MessageId), Mail>,
    leaders: BTreeMap<usize, Leader>,
    /// Where and when the command at hand is decided.
    here: usize,
    now: Timestamp,
}

impl Oracle {
    pub fn new(settings: &View) -> Self {
        Self {
            split: settings.split,
            skew: settings.max_clock_skew,
            transaction: settings.transaction,
            defaults: settings.queue_defaults.clone(),
            jobs: BTreeMap::new(),
            flows: BTreeMap::new(),
            closed: BTreeMap::new(),
            names: BTreeMap::new(),
            queues: BTreeMap::new(),
            mail: BTreeMap::new(),
            leaders: BTreeMap::new(),
            here: 0,
            now: Timestamp::ZERO,
        }
    }

    /// About how many tasks fit into a transaction, if that is bounded.
    pub fn most_tasks(&self) -> Option<usize> {
        let TransactionLimit { changes, bytes } = self.transaction;
        let most = changes.min(bytes / RECORD_BYTES);
        self.is_bounded().then_some(most)
    }

    fn is_bounded(&self) -> bool {
        self.transaction != TransactionLimit::NONE
    }

    /// Carries out `command`, and says what must come of it.
    pub fn expect(
        &mut self,
        partition: usize,
        command: &Command,
        now: Timestamp,
        peek: Peek<'_>,
    ) -> Expected {
        let before = self.clone();
        (self.here, self.now) = (partition, now);
        let answer = match command {
            Command::Submit(submit) => self.submit(submit),
            Command::Lease(lease) => self.lease(lease),
            Command::Extend(extend) => self.extend(extend),
            Command::Complete(complete) => self.complete(complete, peek),
            Command::Fail(fail) => self.fail(fail, peek),
            Command::Release(release) => self.release(release, peek),
            Command::Cancel(cancel) => self.cancel(cancel, peek),
            Command::Redrive(redrive) => self.redrive(redrive),
            Command::RedriveWorkflow(redrive) => self.redrive_workflow(redrive, peek),
            Command::Purge(purge) => self.purge(purge.task),
            Command::Fire(fire) => Ok(self.fire(fire.timer, peek)),
            Command::Deliver(deliver) => Ok(self.deliver(deliver.message)),
            Command::Acknowledge(done) => {
                self.mail.remove(&(partition, done.message));
                Ok(Answer::Exactly(Reply::Done))
            }
            Command::Sent(sent) => Ok(self.sent(sent.task)),
            Command::Configure(configure) => Ok(self.configure(configure)),
            Command::Campaign(campaign) => self.campaign(campaign),
            Command::Stage(stage) => self.stage(stage),
        };
        if answer.is_err() {
            *self = before;
        }
        answer
    }

    fn job(&self, id: TaskId) -> Option<&Job> {
        let stored = |job: &&Job| !job.gone && usize::from(id.partition().0) == self.here;
        self.jobs.get(&id).filter(stored)
    }

    fn known(&self, id: TaskId) -> Result<Job, &'static str> {
        self.job(id).cloned().ok_or("not_found")
    }

    /// The time for a task: never before the last decision about it.
    fn time(&self, job: &Job) -> Timestamp {
        self.now.max(job.updated)
    }

    fn put(&mut self, mut job: Job) {
        job.updated = self.time(&job);
        job.untouched = false;
        self.jobs.insert(job.asked.id, job);
    }

    fn queue(&self, name: &QueueName) -> &QueueConfig {
        let known = self.queues.get(&(self.here, name.clone()));
        known.unwrap_or(&self.defaults)
    }

    fn is_live(&self, id: TaskId) -> bool {
        self.job(id).is_some_and(|job| !job.status.is_terminal())
    }

    fn members(&self, id: WorkflowId) -> impl Iterator<Item = &Job> {
        self.jobs
            .values()
            .filter(move |job| job.workflow == Some(id))
    }

    fn post(&mut self, message: Message) {
        let mail = Mail {
            message,
            tries: 0,
            due: self.now + Millis::from_secs(1),
        };
        self.mail.insert((self.here, message.id()), mail);
    }

    fn sent(&mut self, id: TaskId) -> Answer {
        if let Some(mut job) = self.job(id).cloned()
            && job.status == Status::Queued
            && job.unsent
        {
            job.unsent = false;
            job.sends = 0;
            self.put(job);
        }
        Answer::Exactly(Reply::Done)
    }

    fn configure(&mut self, configure: &Configure) -> Answer {
        let mut config = self.queue(&configure.queue).clone();
        let patch = configure.patch.clone();
        config.paused = patch.paused.unwrap_or(config.paused);
        config.concurrency = patch.concurrency.unwrap_or(config.concurrency);
        config.aging = patch.aging.unwrap_or(config.aging);
        config.keep_finished = patch.keep_finished.unwrap_or(config.keep_finished);
        config.keep_dead = patch.keep_dead.unwrap_or(config.keep_dead);
        self.queues
            .insert((self.here, configure.queue.clone()), config.clone());
        Answer::Exactly(Reply::Configured(config))
    }

    fn campaign(&mut self, campaign: &Campaign) -> Expected {
        let leader = self.leaders.get(&self.here);
        let epoch = match leader {
            None => 1,
            Some(known) if known.holder == campaign.node => known.epoch,
            Some(known) => {
                let over = known.expires_at + self.skew <= self.now;
                let from_the_future =
                    known.expires_at > self.now + Millis::from_secs(60) + self.skew;
                if !over && !from_the_future {
                    return Err("not_leader");
                }
                known.epoch + 1
            }
        };
        let leader = Leader {
            holder: campaign.node,
            epoch,
            expires_at: self.now + campaign.term.min(Millis::from_secs(60)),
        };
        self.leaders.insert(self.here, leader);
        Ok(Answer::Exactly(Reply::Leading(leader)))
    }
}
