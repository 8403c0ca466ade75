//! How many task lives a second the memory backend takes: each task is submitted, received,
//! leased and completed. `memory_speed [TASKS] [BATCH] [BACKLOG]`.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use russet_backends::memory::Memory;
use russet_core::{
    Epoch, Lane, PartitionId, QueueName, Record, RecordKey, Resources, Status, Task,
};
use russet_engine::{
    Change, Delivery, Outcome, Queue, Store, SystemClock, Transaction, Version, Versioned,
};

#[path = "shared/tasks.rs"]
mod tasks;

const FIRST: PartitionId = PartitionId(0);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Ok(default), |n| n.parse::<usize>());
    let (count, batch, backlog) = (number(500_000)?, number(1_000)?, number(0)?);
    let store = Memory::new(1, Arc::new(SystemClock));
    for n in (0..backlog).step_by(batch) {
        submit(&store, n, batch).await?;
    }
    let start = Instant::now();
    let before = tasks::resident_bytes()?;
    for n in (backlog..backlog + count).step_by(batch) {
        submit(&store, n, batch).await?;
        live(&store, batch).await?;
    }
    let took = start.elapsed();
    println!(
        "{:.0} task lives/s with a backlog of {backlog} ({count} in {took:.2?}); {} MiB grown",
        count as f64 / took.as_secs_f64(),
        tasks::resident_bytes()?.saturating_sub(before) >> 20
    );
    Ok(())
}

async fn submit(store: &Memory, from: usize, batch: usize) -> Result<(), Box<dyn Error>> {
    let transactions = (from..from + batch).map(|n| {
        let task = tasks::queued(n as u64, 256);
        Transaction {
            epoch: Epoch::default(),
            version: Version(n as u64),
            changes: vec![Change {
                key: RecordKey::Task(task.id),
                before: None,
                after: Some(Record::Task(Arc::new(task))),
            }],
        }
    });
    let outcomes = store.commit(FIRST, transactions.collect()).await?;
    assert!(outcomes.iter().all(|o| *o == Outcome::Committed));
    Ok(())
}

async fn live(store: &Memory, batch: usize) -> Result<(), Box<dyn Error>> {
    let lanes = [Lane {
        queue: QueueName::new("emails")?,
        resources: Resources::NONE,
    }];
    let hidden = Duration::from_secs(10);
    let received = store.receive(&lanes, batch, hidden, Duration::ZERO).await?;
    assert_eq!(received.len(), batch);
    change(store, &received, Some(Status::Running)).await?;
    change(store, &received, Some(Status::Succeeded)).await?;
    change(store, &received, None).await
}

/// Gives the tasks another status, or removes them.
async fn change(
    store: &Memory,
    deliveries: &[Delivery],
    status: Option<Status>,
) -> Result<(), Box<dyn Error>> {
    let keys = deliveries.iter().map(|d| RecordKey::Task(d.task));
    let keys: Vec<_> = keys.collect();
    let loaded = store.get(FIRST, &keys).await?;
    let transactions = keys.into_iter().zip(loaded).filter_map(|(key, before)| {
        let before: Versioned = before?;
        let Record::Task(task) = &before.record else {
            return None;
        };
        let after = status.map(|status| {
            Record::Task(Arc::new(Task {
                status,
                ..(**task).clone()
            }))
        });
        Some(Transaction {
            epoch: Epoch::default(),
            version: Version(before.version.0.wrapping_mul(31).wrapping_add(7)),
            changes: vec![Change {
                key,
                before: Some(before),
                after,
            }],
        })
    });
    let outcomes = store.commit(FIRST, transactions.collect()).await?;
    assert!(outcomes.iter().all(|o| *o == Outcome::Committed));
    Ok(())
}
