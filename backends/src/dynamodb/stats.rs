//! Counters, by counting: see the module's own page for why.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use russet_core::{QueueName, Status, Timestamp};
use russet_engine::{Stats, StoreError};
use tokio::sync::watch;

use super::query::Group;
use super::{Dynamo, item};
use crate::index::StatsSum;
use crate::limits::{DYNAMO_COUNT_PATIENCE, DYNAMO_READS_AT_ONCE};

/// What was counted last, and the count that is under way.
#[derive(Debug)]
pub(super) struct Counted {
    fresh: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When a count ended, and what it came to.
    last: Option<(Timestamp, Stats)>,
    under_way: Option<watch::Receiver<Answer>>,
}

/// What a count came to; `None` while it is under way.
type Answer = Option<Result<Stats, StoreError>>;

impl Counted {
    pub(super) fn new(fresh: Duration) -> Self {
        Self {
            fresh,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was counted last if it is still good, else the count that is under way, and, if it
    /// begins only now, where it is to say what it came to.
    fn join(&self, now: Timestamp) -> (watch::Receiver<Answer>, Option<watch::Sender<Answer>>) {
        let mut state = self.lock();
        if let Some((at, stats)) = &state.last
            && Duration::from(now.since(*at)) < self.fresh
        {
            return (watch::channel(Some(Ok(stats.clone()))).1, None);
        }
        // One whose sender has gone was given up.
        let others = state.under_way.as_ref();
        if let Some(under_way) = others.filter(|count| count.has_changed().is_ok()) {
            return (under_way.clone(), None);
        }
        let (done, under_way) = watch::channel(None);
        state.under_way = Some(under_way.clone());
        (under_way, Some(done))
    }

    /// The count has ended.
    fn end(&self, now: Timestamp, answer: &Result<Stats, StoreError>) {
        let mut state = self.lock();
        state.under_way = None;
        if let Ok(stats) = answer {
            state.last = Some((now, stats.clone()));
        }
    }
}

/// Tasks of a queue in one state, in one of its parts.
struct Count {
    queue: QueueName,
    status: Status,
    tasks: u64,
    oldest: Option<Timestamp>,
}

impl Dynamo {
    /// Counts, or waits for others who do. A count ends whoever leaves: with many queues it takes
    /// longer than callers wait, and is there for those who come next. Who would wait for long gets
    /// what was counted before.
    pub(super) async fn counts(&self) -> Result<Stats, StoreError> {
        let given_up = || StoreError::Unavailable {
            why: "the count of all tasks was given up".to_owned(),
        };
        let (mut count, begins) = self.counted.join(self.clock.0.now());
        if let Some(done) = begins {
            let own = self.own.upgrade().ok_or_else(given_up)?;
            drop(tokio::spawn(async move {
                let answer = own.count_all().await;
                own.counted.end(own.clock.0.now(), &answer);
                done.send_replace(Some(answer));
            }));
        }
        let before = self
            .counted
            .lock()
            .last
            .as_ref()
            .map(|(_, stats)| stats.clone());
        let late = async {
            match before {
                Some(before) => {
                    self.clock.0.sleep(DYNAMO_COUNT_PATIENCE).await;
                    before
                }
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            answer = count.wait_for(Option::is_some) => {
                let answer = answer.map_err(|_| given_up())?;
                answer.as_ref().cloned().unwrap_or_else(|| Err(given_up()))
            }
            before = late => Ok(before),
        }
    }

    async fn count_all(&self) -> Result<Stats, StoreError> {
        let configured = self.names(item::configured()).await?;
        let mut groups = Vec::new();
        for queue in self.names(item::registered()).await? {
            for status in Status::ALL {
                let shards = 0..item::listing_shards(self.partitions);
                groups.extend(shards.map(|shard| (queue.clone(), status, shard)));
            }
        }
        let counts: Vec<Count> = stream::iter(groups)
            .map(|(queue, status, shard)| self.count(queue, status, shard))
            .buffered(DYNAMO_READS_AT_ONCE)
            .try_collect()
            .await?;
        let (mut sum, mut oldest) = (StatsSum::default(), BTreeMap::new());
        for queue in &configured {
            sum.add(queue, &[0; Status::ALL.len()]);
        }
        for count in counts.into_iter().filter(|count| count.tasks > 0) {
            let mut by_status = [0; Status::ALL.len()];
            by_status[count.status as usize] = count.tasks;
            sum.add(&count.queue, &by_status);
            if let Some(at) = count.oldest {
                let first = oldest.entry(count.queue).or_insert(at);
                *first = at.min(*first);
            }
        }
        Ok(sum.finish(&oldest))
    }

    /// Counts a group. Of queued tasks the first page is read, which costs the same: the one
    /// that has been ready longest is mostly among those that were submitted first.
    async fn count(
        &self,
        queue: QueueName,
        status: Status,
        shard: u16,
    ) -> Result<Count, StoreError> {
        let group = Group::Listed(item::listed(shard, status, &queue));
        let (mut tasks, mut oldest, mut start) = (0, None, None);
        loop {
            let query = self.query(group.clone()).from(start.clone());
            let query = match status == Status::Queued && start.is_none() {
                true => query,
                false => query.count(),
            };
            let page = query.read().await?;
            tasks += page.count;
            let ready = page.entries.iter();
            let ready = ready.filter_map(|entry| item::number_of(entry, item::READY));
            oldest = oldest.or(ready.min().map(Timestamp::from_millis));
            start = page.next;
            if start.is_none() {
                return Ok(Count {
                    queue,
                    status,
                    tasks,
                    oldest,
                });
            }
        }
    }
}
