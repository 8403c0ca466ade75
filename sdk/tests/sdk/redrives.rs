//! A redrive of many tasks on a store that fails in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use russet::core::{Epoch, PartitionId, RecordKey, Status, TaskId, Timestamp};
use russet::wire::{RedriveTasks, SubmitTask};
use russet::{Api, Client, TaskContext, TaskFailure, Worker};
use russet_backends::memory::Memory;
use russet_engine::{
    Backend, Configuration, Due, Limits, Listing, Outcome, Page, Scheduler, Stats, Store,
    StoreError, SystemEntropy, Transaction, Versioned,
};

use crate::world::{Running, TestClock, Work, ended, submit, work};

const PARTITIONS: u16 = 4;
/// The partition that cannot be written to now and then.
const WEAK: PartitionId = PartitionId(2);
const TASKS: usize = 40;

/// A store one of whose partitions takes no commits while it is `full`.
struct Partly {
    inner: Arc<Memory>,
    full: AtomicBool,
}

#[async_trait]
impl Store for Partly {
    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    async fn get(
        &self,
        partition: PartitionId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Versioned>>, StoreError> {
        self.inner.get(partition, keys).await
    }

    async fn commit(
        &self,
        partition: PartitionId,
        batch: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError> {
        if partition == WEAK && self.full.load(Ordering::SeqCst) {
            let why = "injected".into();
            return Err(StoreError::Full { why });
        }
        self.inner.commit(partition, batch).await
    }

    fn epoch(&self, partition: PartitionId) -> Epoch {
        self.inner.epoch(partition)
    }

    async fn due(
        &self,
        partition: PartitionId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        self.inner.due(partition, before, limit).await
    }

    async fn list(&self, listing: &Listing) -> Result<Page<TaskId>, StoreError> {
        self.inner.list(listing).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.inner.stats().await
    }
}

/// Dead tasks in all partitions of a store that is about to be full in one of them.
async fn dead() -> (Arc<Partly>, Client, Api, Vec<TaskId>) {
    let clock = Arc::new(TestClock::new());
    let inner = Memory::new(PARTITIONS, clock.clone());
    let queue = inner.clone();
    let full = AtomicBool::new(false);
    let store = Arc::new(Partly { inner, full });
    let backend = Backend {
        store: store.clone(),
        queue,
    };
    let entropy = Arc::new(SystemEntropy::new());
    let scheduler = Scheduler::start(backend, Configuration::default(), clock, entropy);
    let client = Client::in_process(scheduler.clone());
    let fails = |_: TaskContext, _: Work| async { Err::<(), _>(TaskFailure::final_("no")) };
    let running = Running::start(Worker::new(client.clone()).register(fails));
    let mut tasks = Vec::new();
    for at in 0..TASKS {
        let task = SubmitTask {
            partition_key: Some(at.to_string()),
            ..work()
        };
        tasks.push(submit(&client, task).await);
    }
    for id in &tasks {
        assert_eq!(ended(&client, *id).await.status, Status::Dead);
    }
    running.stop().await;
    store.full.store(true, Ordering::SeqCst);
    (store, client, Api::new(scheduler), tasks)
}

async fn in_status(client: &Client, tasks: &[TaskId], status: Status) -> Vec<TaskId> {
    let mut found = Vec::new();
    for id in tasks {
        let task = client.get(*id).await.expect("answers").expect("exists");
        found.extend((task.status == status).then_some(*id));
    }
    found
}

fn weak(tasks: &[TaskId]) -> Vec<TaskId> {
    let weak = tasks.iter().filter(|id| id.partition() == WEAK);
    weak.copied().collect()
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_redriven_in_part_is_an_error_and_the_same_again_counts_only_the_rest() {
    let (store, client, api, tasks) = dead().await;
    let weak = weak(&tasks);
    assert!((1..TASKS).contains(&weak.len()), "{weak:?}");
    let request = RedriveTasks {
        all: true,
        request_id: Some("once".to_owned()),
        ..RedriveTasks::default()
    };
    let error = api.redrive_each(request.clone()).await;
    let error = error.expect_err("the store is full");
    assert!(error.detail.contains("the store is full"), "{error:?}");
    assert_eq!(in_status(&client, &tasks, Status::Dead).await, weak);
    let still = api.redrive_each(request.clone()).await;
    still.expect_err("nothing was changed and nothing is counted");
    store.full.store(false, Ordering::SeqCst);
    let rest = api.redrive_each(request.clone()).await;
    let rest = rest.expect("the store has room");
    assert_eq!((rest.redriven, rest.refused), (weak.len() as u64, 0));
    assert_eq!(in_status(&client, &tasks, Status::Queued).await, tasks);
    let none = api.redrive_each(request).await.expect("answers");
    assert_eq!((none.redriven, none.refused), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_redrive_of_all_tasks_that_a_store_stops_goes_on_when_it_is_sent_again() {
    let (store, client, _, tasks) = dead().await;
    let error = client.redrive_all(None).await.expect_err("is full");
    assert!(error.problem().is_some(), "{error}");
    store.full.store(false, Ordering::SeqCst);
    let rest = client.redrive_all(None).await.expect("has room");
    assert_eq!(rest.redriven, weak(&tasks).len() as u64);
    assert_eq!(in_status(&client, &tasks, Status::Queued).await, tasks);
}
