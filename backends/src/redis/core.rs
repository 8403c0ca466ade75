use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use russet_core::{Epoch, PartitionId, QueueName, planted};
use russet_engine::Clock;

use super::call::{Args, CallError, Refusal, array, integer, strings};
use super::dialer::text;
use super::groups::Groups;
use super::info::Info;
use super::keys::{Keys, Names};
use super::lanes::KnownLanes;
use super::link::Live;
use super::links::{Links, Route};
use super::options::Acknowledge;
use super::script;
use super::slots::slot;
use crate::limits::{REDIS_EPOCHS_A_SECOND, REDIS_EPOCHS_SINCE};
use crate::unreadable::Unreadable;

/// What all parts of the backend share.
pub(crate) struct Core {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) names: Names,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) links: Links,
    pub(crate) lanes: KnownLanes,
    pub(crate) groups: Groups,
    pub(crate) acknowledge: Acknowledge,
    pub(crate) unreadable: Unreadable,
}

/// One partition, as this node knows it.
pub(crate) struct Partition {
    pub(crate) id: PartitionId,
    pub(crate) keys: Keys,
    slot: u16,
    /// The highest epoch that this node has seen; -1: none.
    epoch: AtomicI64,
    queues: Mutex<BTreeSet<QueueName>>,
    /// On which connection the epoch was seen; 0 when it is to be looked at again.
    entered: AtomicU64,
}

impl Partition {
    pub(crate) fn new(names: &Names, id: PartitionId) -> Self {
        let keys = names.partition(id);
        Self {
            id,
            slot: slot(&keys.meta()),
            keys,
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

    /// The epoch is to be looked at again.
    pub(crate) fn doubt_epoch(&self) {
        self.entered.store(0, Ordering::Release);
    }

    /// Queues that held a task when they were read last.
    pub(crate) fn known_queues(&self) -> MutexGuard<'_, BTreeSet<QueueName>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// The partition; one that does not exist holds nothing.
    pub(crate) fn partition(&self, id: PartitionId) -> Option<&Partition> {
        self.partitions.get(usize::from(id.0))
    }

    /// What a member of a set or of a sorted set says; one that cannot be read is noted, and left
    /// out.
    pub(crate) fn read<T>(&self, key: &[u8], member: &[u8], read: Option<T>) -> Option<T> {
        if read.is_none() {
            let removal = "remove it with ZREM, or with SREM from a set of names";
            self.unreadable
                .note(&String::from_utf8_lossy(key), member, removal);
        }
        read
    }

    /// Where calls for the partition go.
    pub(crate) fn link(&self, partition: &Partition) -> Route<'_> {
        self.links.route(partition.slot, partition.id.0.into())
    }

    /// Where its commits go.
    pub(crate) fn commits(&self, partition: &Partition) -> Route<'_> {
        self.link(partition).of_commits()
    }

    /// Learns the epochs of all partitions. What is not learned now is at the first commit.
    pub(crate) async fn enter_all(&self) {
        let enter = self
            .partitions
            .iter()
            .map(async |partition| self.enter(partition, &mut self.commits(partition)).await);
        for error in join_all(enter).await.into_iter().filter_map(Result::err) {
            tracing::debug!(%error, "the epoch of a partition could not be read");
        }
    }

    /// The epoch of the partition, and the connection on which it holds. The route leads there
    /// then: where the epoch is, all the rest of the partition has to be.
    pub(crate) async fn enter(
        &self,
        partition: &Partition,
        route: &mut Route<'_>,
    ) -> Result<(Live, Epoch), CallError> {
        let (_, live) = route.live().await?;
        if partition.entered.load(Ordering::Acquire) == live.number {
            return Ok((live, partition.epoch()));
        }
        // Another node was asked for something else, and may make an epoch of its own.
        let elsewhere = route.go_back();
        let entered = loop {
            let entered = self.enter_on(partition, route).await;
            if !route.follow(&entered) {
                break entered?;
            }
        };
        match elsewhere && !entered.0.asking {
            true => Err(CallError::Refused(Refusal::new(
                "TRYAGAIN a part of the partition is on another node",
            ))),
            false => Ok(entered),
        }
    }

    async fn enter_on(
        &self,
        partition: &Partition,
        route: &Route<'_>,
    ) -> Result<(Live, Epoch), CallError> {
        let (link, live) = route.live().await?;
        let seen = partition.epoch.load(Ordering::Acquire);
        let mut args = Args::default();
        let reign = match planted!(RedisEpochStands) {
            true => "the only one".to_owned(),
            false => live.reign.to_string(),
        };
        let own = crc32fast::hash(reign.as_bytes()) % REDIS_EPOCHS_A_SECOND;
        args.push(reign).number(seen);
        args.number(REDIS_EPOCHS_SINCE);
        args.number(REDIS_EPOCHS_A_SECOND).number(own);
        args.number(i64::from(live.asking));
        let keys = [partition.keys.meta()];
        let answer = link.script(&live, &script::ENTER, &keys, &args).await;
        // Whatever became of it, nothing of the caller's was sent.
        let answer = answer.map_err(|error| match error {
            CallError::Lost(_) | CallError::Late(_) => CallError::Unreachable(error.to_string()),
            other => other,
        })?;
        let mut parts = array(answer)?.into_iter();
        let epoch = integer(parts.next().unwrap_or_default())?;
        let had_one = integer(parts.next().unwrap_or_default())? == 1;
        if seen >= 0 && !had_one {
            let partition = partition.id.0;
            tracing::error!(
                partition,
                server = route.describe(),
                "the server has forgotten the partition: what was in it is lost; look why. New \
                 tasks are accepted, no node has to be started again"
            );
        }
        partition.epoch.fetch_max(epoch, Ordering::AcqRel);
        partition.entered.store(live.number, Ordering::Release);
        Ok((live, partition.epoch()))
    }

    /// Whether a server has used up its memory, of those that can be reached.
    pub(crate) async fn is_full(&self) -> Result<bool, CallError> {
        let servers = self.links.servers();
        let asked = servers.iter().map(async |server| {
            let link = server.link(0);
            let live = link.live().await?;
            let answer = link
                .command(&live, redis::cmd("INFO").arg("memory"))
                .await?;
            Ok(Info::read(&text(answer)?).is_full())
        });
        let answers = join_all(asked).await.into_iter().map(|answer| ((), answer));
        let reached = sift(answers, |()| ())?;
        Ok(reached.into_iter().any(|((), is_full)| is_full))
    }

    /// Reads the lanes that hold a task. Some partitions may be out of reach, but not all.
    pub(crate) async fn read_lanes(&self) -> Result<(), CallError> {
        let read = self.partitions.iter().map(async |partition| {
            let mut command = redis::cmd("SMEMBERS");
            command.arg(partition.keys.lanes());
            strings(self.link(partition).read(&command).await?)
        });
        let mut is_whole = true;
        let answers = join_all(read).await.into_iter();
        let parts = sift(answers.map(|answer| ((), answer)), |()| is_whole = false)?;
        let named: Vec<_> = parts.into_iter().flat_map(|((), named)| named).collect();
        self.lanes.refresh(&named, is_whole);
        Ok(())
    }
}

/// The answers of those that could be reached; the error when none could. `missed` is told of
/// each other one.
pub(crate) fn sift<K, T>(
    answers: impl Iterator<Item = (K, Result<T, CallError>)>,
    mut missed: impl FnMut(K),
) -> Result<Vec<(K, T)>, CallError> {
    let mut reached = Vec::new();
    let mut failed = None;
    for (of, answer) in answers {
        match answer {
            Ok(answer) => reached.push((of, answer)),
            Err(error) => {
                tracing::debug!(%error, "a partition could not be reached");
                missed(of);
                failed = Some(error);
            }
        }
    }
    match failed {
        Some(error) if reached.is_empty() => Err(error),
        _ => Ok(reached),
    }
}
