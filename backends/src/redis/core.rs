use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use redis::Value;
use russet_core::{Epoch, PartitionId, QueueName, planted};
use russet_engine::{Clock, Outcome, StoreError, Transaction};

use super::batch::{self, Prepared};
use super::call::{Args, CallError, array, integer, strings};
use super::groups::Groups;
use super::keys::{Keys, Names};
use super::lanes::KnownLanes;
use super::link::{Link, Live};
use super::options::Acknowledge;
use super::script;
use crate::limits::{REDIS_EPOCHS_APART, REDIS_REPLICA};

/// What all parts of the backend share.
pub(crate) struct Core {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) names: Names,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) links: Vec<Link>,
    pub(crate) lanes: KnownLanes,
    pub(crate) groups: Groups,
    pub(crate) acknowledge: Acknowledge,
}

/// One partition, as this node knows it.
pub(crate) struct Partition {
    pub(crate) id: PartitionId,
    pub(crate) keys: Keys,
    /// The highest epoch that this node has seen; -1: none.
    epoch: AtomicI64,
    queues: Mutex<BTreeSet<QueueName>>,
    /// On which connection the epoch was seen; 0 when it is to be looked at again.
    entered: AtomicU64,
}

impl Partition {
    pub(crate) fn new(names: &Names, id: PartitionId) -> Self {
        Self {
            id,
            keys: names.partition(id),
            queues: Mutex::default(),
            epoch: AtomicI64::new(-1),
            entered: AtomicU64::new(0),
        }
    }

    /// The highest epoch that this node has seen.
    pub(crate) fn epoch(&self) -> Epoch {
        let seen = self.epoch.load(Ordering::Acquire);
        Epoch(u64::try_from(seen).unwrap_or_default())
    }

    /// Queues that held a task when they were read last.
    pub(crate) fn known_queues(&self) -> MutexGuard<'_, BTreeSet<QueueName>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a call of the commit script came to.
enum Answer {
    Committed,
    /// The numbers of the changes that conflict, from 1.
    Conflicts(Vec<usize>),
    /// Another epoch has begun.
    Epoch,
}

impl Core {
    /// The partition; one that does not exist holds nothing.
    pub(crate) fn partition(&self, id: PartitionId) -> Option<&Partition> {
        self.partitions.get(usize::from(id.0))
    }

    /// The connection that calls for the partition go over.
    pub(crate) fn link(&self, partition: &Partition) -> &Link {
        &self.links[usize::from(partition.id.0) % self.links.len()]
    }

    /// Commits transactions, as [`russet_engine::Store::commit`] says.
    pub(crate) async fn commit(
        &self,
        partition: &Partition,
        batch: &[Transaction],
    ) -> Result<Vec<Outcome>, StoreError> {
        let prepared = batch::prepare(partition.id, batch)?;
        let mut outcomes = vec![Outcome::Committed; batch.len()];
        let mut committed = false;
        for call in batch::calls(&prepared) {
            let mut open: Vec<usize> = call.collect();
            open.retain(|at| !batch[*at].changes.is_empty());
            while !open.is_empty() {
                let answer = self.try_commit(partition, batch, &prepared, &open).await;
                let rejected = answer.map_err(|error| match committed {
                    // A part of the batch is done.
                    true => StoreError::Indeterminate {
                        why: error.to_string(),
                    },
                    false => error.of_commit(),
                })?;
                if rejected.is_empty() {
                    committed = true;
                    break;
                }
                for at in &rejected {
                    outcomes[*at] = Outcome::Conflict;
                }
                open.retain(|at| !rejected.contains(at));
            }
        }
        Ok(outcomes)
    }

    /// Commits the transactions, or returns those that conflict and commits none.
    async fn try_commit(
        &self,
        partition: &Partition,
        batch: &[Transaction],
        prepared: &[Prepared<'_>],
        open: &[usize],
    ) -> Result<Vec<usize>, CallError> {
        let link = self.link(partition);
        let live = link.live().await?;
        let epoch = self.enter(partition, link, &live).await?;
        let earlier = open.iter().filter(|at| batch[**at].epoch != epoch);
        let earlier: Vec<usize> = earlier.copied().collect();
        if !earlier.is_empty() {
            return Ok(earlier);
        }
        let channel = self.names.channel();
        let call = batch::call(&partition.keys, &channel, epoch, prepared, open);
        match self.send(link, &live, &call).await? {
            Answer::Committed => {
                for lane in call.lanes {
                    self.lanes.learn(lane);
                }
                Ok(Vec::new())
            }
            Answer::Conflicts(numbers) => {
                let owners = numbers.iter().filter_map(|n| call.owners.get(n - 1));
                let mut rejected: Vec<usize> = owners.map(|owner| open[*owner]).collect();
                rejected.dedup();
                Ok(rejected)
            }
            Answer::Epoch => {
                self.enter_anew(partition, link, &live).await;
                Ok(open.to_vec())
            }
        }
    }

    /// Waits until a replica has what this node has read of the partition in this epoch. A server
    /// waits for a caller's own writes only: so something is written.
    pub(crate) async fn confirm(
        &self,
        partition: &Partition,
        epoch: Epoch,
    ) -> Result<Outcome, CallError> {
        let link = self.link(partition);
        let live = link.live().await?;
        if self.enter(partition, link, &live).await? != epoch {
            return Ok(Outcome::Conflict);
        }
        let call = batch::confirmation(&partition.keys, &self.names.channel(), epoch);
        match self.send(link, &live, &call).await? {
            Answer::Committed => Ok(Outcome::Committed),
            Answer::Conflicts(_) | Answer::Epoch => {
                self.enter_anew(partition, link, &live).await;
                Ok(Outcome::Conflict)
            }
        }
    }

    async fn send(
        &self,
        link: &Link,
        live: &Live,
        call: &batch::Call,
    ) -> Result<Answer, CallError> {
        let by_name = script::COMMIT.by_name(&call.keys, &call.args);
        let answer = match self.acknowledge {
            Acknowledge::Primary => {
                link.script(live, &script::COMMIT, &call.keys, &call.args)
                    .await?
            }
            Acknowledge::Replica => {
                let mut both = redis::pipe();
                both.ignore_errors();
                both.add_command(by_name);
                let wait = REDIS_REPLICA.as_millis() as u64;
                both.cmd("WAIT").arg(1).arg(wait);
                let mut answers = link.pipeline(live, &both).await?;
                if is_unknown_script(&answers) {
                    let mut both = redis::pipe();
                    both.ignore_errors();
                    both.add_command(script::COMMIT.by_body(&call.keys, &call.args));
                    both.cmd("WAIT").arg(1).arg(wait);
                    answers = link.pipeline(live, &both).await?;
                }
                let waited = answers.pop().unwrap_or_default();
                let answer = read(answers.pop().unwrap_or_default())?;
                if matches!(answer, Answer::Committed) && integer(waited)? < 1 {
                    let why = format!("no replica has it within {REDIS_REPLICA:?}");
                    return Err(CallError::Lost(why));
                }
                return Ok(answer);
            }
        };
        read(answer)
    }

    /// Learns the epochs of all partitions. What is not learned now is at the first commit.
    pub(crate) async fn enter_all(&self) {
        let enter = self.partitions.iter().map(async |partition| {
            let link = self.link(partition);
            let live = link.live().await?;
            self.enter(partition, link, &live).await
        });
        for error in join_all(enter).await.into_iter().filter_map(Result::err) {
            tracing::debug!(%error, "the epoch of a partition could not be read");
        }
    }

    /// The epoch of the partition on this connection.
    async fn enter(
        &self,
        partition: &Partition,
        link: &Link,
        live: &Live,
    ) -> Result<Epoch, CallError> {
        if partition.entered.load(Ordering::Acquire) == live.number {
            return Ok(partition.epoch());
        }
        let seen = partition.epoch.load(Ordering::Acquire);
        let mut args = Args::default();
        let reign = match planted!(RedisEpochStands) {
            true => "the only one".to_owned(),
            false => live.info.reign(),
        };
        let own = crc32fast::hash(reign.as_bytes()) % REDIS_EPOCHS_APART;
        args.push(reign).number(seen);
        args.number(own).number(REDIS_EPOCHS_APART);
        let keys = [partition.keys.meta()];
        let answer = link.script(live, &script::ENTER, &keys, &args).await;
        // Whatever became of it, nothing of the caller's was sent.
        let epoch = answer.map_err(|error| match error {
            CallError::Lost(_) | CallError::Late(_) => CallError::Unreachable(error.to_string()),
            other => other,
        })?;
        partition.epoch.fetch_max(integer(epoch)?, Ordering::AcqRel);
        partition.entered.store(live.number, Ordering::Release);
        Ok(partition.epoch())
    }

    /// Another node has begun an epoch: what is known of the server is no longer so, and it is
    /// asked again. Whoever decides again does so in the new epoch; if it is not learned now, it
    /// will be at the next commit.
    async fn enter_anew(&self, partition: &Partition, link: &Link, live: &Live) {
        partition.entered.store(0, Ordering::Release);
        link.give_up(live);
        if let Ok(live) = link.live().await {
            let _ = self.enter(partition, link, &live).await;
        }
    }

    /// Reads the lanes that hold a task, of all partitions.
    pub(crate) async fn read_lanes(&self) -> Result<(), CallError> {
        let read = self.partitions.iter().map(async |partition| {
            let mut command = redis::cmd("SMEMBERS");
            command.arg(partition.keys.lanes());
            strings(self.link(partition).read(&command).await?)
        });
        let named = futures::future::try_join_all(read).await?;
        self.lanes.refresh(&named.concat());
        Ok(())
    }
}

fn is_unknown_script(answers: &[Value]) -> bool {
    matches!(answers.first(), Some(Value::ServerError(error))
        if super::call::Refusal::of(error).reason == super::call::Reason::NoScript)
}

fn read(answer: Value) -> Result<Answer, CallError> {
    match answer {
        Value::BulkString(_) | Value::SimpleString(_) => Ok(Answer::Epoch),
        other => {
            let numbers = array(other)?.into_iter().map(integer);
            let numbers = numbers.map(|n| Ok(n? as usize));
            let numbers: Vec<usize> = numbers.collect::<Result<_, CallError>>()?;
            Ok(
                match numbers.is_empty() || planted!(RedisConflictsForgotten) {
                    true => Answer::Committed,
                    false => Answer::Conflicts(numbers),
                },
            )
        }
    }
}
