//! Measures the embedded store against bare redb that writes the same bytes, and how long it
//! takes to open: `embedded_speed DIRECTORY [TASKS] [BATCH] [PAYLOAD_BYTES]`. With 0 tasks it
//! opens what an earlier run left.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::{Database, TableDefinition};
use russet_backends::embedded::{Embedded, EmbeddedOptions};
use russet_core::{
    Epoch, Lane, PartitionId, QueueName, Record, RecordKey, Resources, Status, Task, TaskId, codec,
};
use russet_engine::{Change, Outcome, Queue, Store, SystemClock, Transaction, Version, Versioned};

#[path = "shared/tasks.rs"]
mod tasks;

const FIRST: PartitionId = PartitionId(0);
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let root = PathBuf::from(arguments.next().ok_or("which directory?")?);
    let mut number = |default| arguments.next().map_or(Ok(default), |n| n.parse::<usize>());
    let (count, batch, payload) = (number(100_000)?, number(1_000)?, number(256)?);
    let tasks: Vec<Task> = (0..count as u64)
        .map(|n| tasks::queued(n, payload))
        .collect();
    let directory = root.join("store");
    if count > 0 {
        write(&root, &directory, &tasks, batch).await?;
    }
    let start = Instant::now();
    let before = tasks::resident_bytes()?;
    let clock = Arc::new(SystemClock);
    let store = Embedded::open(&directory, EmbeddedOptions::default(), clock)?;
    println!(
        "open: {:?}, {} MiB, {:?}",
        start.elapsed(),
        tasks::resident_bytes()?.saturating_sub(before) >> 20,
        store.stats().await?.queues
    );
    cold_reads(&store, &tasks).await
}

async fn write(
    root: &Path,
    directory: &Path,
    tasks: &[Task],
    batch: usize,
) -> Result<(), Box<dyn Error>> {
    let count = tasks.len();
    let _ = std::fs::remove_dir_all(directory);
    let clock = Arc::new(SystemClock);
    let store = Embedded::open(directory, EmbeddedOptions::default(), clock)?;
    let mut bare = Bare::create(&root.join("bare"))?;
    let (mut bare_time, mut store_time) = (Duration::ZERO, Duration::ZERO);
    // By turns, so that both meet the same disturbances.
    for tasks in tasks.chunks(batch) {
        bare_time += bare.submit(tasks)?;
        store_time += submit(&store, tasks).await?;
    }
    let share = |bare: Duration| 100.0 * bare.as_secs_f64() / store_time.as_secs_f64();
    println!("submit: {}", rate(count, store_time));
    println!(
        "bare redb: {}, {} bytes each; submit reaches {:.0} %",
        rate(count, bare_time),
        bare.bytes / count,
        share(bare_time)
    );
    let encoded = bare_time + bare.encoding;
    println!(
        "bare redb with encoding: {}; submit reaches {:.0} %",
        rate(count, encoded),
        share(encoded)
    );
    let lives = finish(&store, count, batch).await?;
    println!("lease and complete: {}", rate(2 * count, lives));
    Ok(())
}

/// A database that gets the same keys and values, in the same batches, synced as often.
struct Bare {
    database: Database,
    bytes: usize,
    encoding: Duration,
}

impl Bare {
    fn create(directory: &Path) -> Result<Self, Box<dyn Error>> {
        let _ = std::fs::remove_dir_all(directory);
        std::fs::create_dir_all(directory)?;
        let database = Database::builder()
            .set_cache_size(russet_backends::limits::PAGE_CACHE_BYTES)
            .create(directory.join("bare.redb"))?;
        Ok(Self {
            database,
            bytes: 0,
            encoding: Duration::ZERO,
        })
    }

    fn submit(&mut self, tasks: &[Task]) -> Result<Duration, Box<dyn Error>> {
        let records = tasks
            .iter()
            .map(|task| Record::Task(Arc::new(task.clone())));
        let records: Vec<_> = records.collect();
        let start = Instant::now();
        let entries = tasks.iter().zip(&records).map(|(task, record)| {
            let mut key = vec![0, 0, 1];
            key.extend_from_slice(&task.id.as_u128().to_be_bytes());
            // As much as version and checksum take.
            let mut value = vec![0; 12];
            value.extend(codec::write(record));
            (key, value)
        });
        let entries: Vec<_> = entries.collect();
        self.encoding += start.elapsed();
        self.bytes += entries.iter().map(|(_, value)| value.len()).sum::<usize>();
        let start = Instant::now();
        let transaction = self.database.begin_write()?;
        let mut table = transaction.open_table(RECORDS)?;
        for (key, value) in &entries {
            table.insert(key.as_slice(), value.as_slice())?;
        }
        drop(table);
        transaction.commit()?;
        Ok(start.elapsed())
    }
}

async fn submit(store: &Embedded, tasks: &[Task]) -> Result<Duration, Box<dyn Error>> {
    let transactions = tasks.iter().map(|task| Transaction {
        epoch: Epoch::default(),
        version: Version(task.id.as_u128() as u64),
        changes: vec![Change {
            key: RecordKey::Task(task.id),
            before: None,
            after: Some(Record::Task(Arc::new(task.clone()))),
        }],
    });
    let transactions: Vec<_> = transactions.collect();
    let start = Instant::now();
    let outcomes = store.commit(FIRST, transactions).await?;
    let took = start.elapsed();
    assert!(outcomes.iter().all(|o| *o == Outcome::Committed));
    Ok(took)
}

/// Receives every task, leases it and completes it.
async fn finish(store: &Embedded, count: usize, batch: usize) -> Result<Duration, Box<dyn Error>> {
    let lanes = [Lane {
        queue: QueueName::new("emails")?,
        resources: Resources::NONE,
    }];
    let start = Instant::now();
    let mut done = 0;
    while done < count {
        let hidden = Duration::from_secs(10);
        let received = store.receive(&lanes, batch, hidden, Duration::ZERO).await?;
        let ids: Vec<TaskId> = received.iter().map(|delivery| delivery.task).collect();
        for (step, status) in [(1, Status::Running), (2, Status::Succeeded)] {
            change(store, &ids, step, status).await?;
        }
        done += ids.len();
    }
    Ok(start.elapsed())
}

async fn change(
    store: &Embedded,
    ids: &[TaskId],
    step: u64,
    status: Status,
) -> Result<(), Box<dyn Error>> {
    let keys: Vec<_> = ids.iter().map(|id| RecordKey::Task(*id)).collect();
    let loaded = store.get(FIRST, &keys).await?;
    let transactions = keys.into_iter().zip(loaded).filter_map(|(key, before)| {
        let before: Versioned = before?;
        let Record::Task(task) = &before.record else {
            return None;
        };
        let after = Task {
            status,
            attempt: 1,
            ..(**task).clone()
        };
        Some(Transaction {
            epoch: Epoch::default(),
            version: Version(before.version.0 ^ step << 60),
            changes: vec![Change {
                key,
                before: Some(before),
                after: Some(Record::Task(Arc::new(after))),
            }],
        })
    });
    let outcomes = store.commit(FIRST, transactions.collect()).await?;
    assert!(outcomes.iter().all(|o| *o == Outcome::Committed));
    Ok(())
}

/// How long reading blocks when nothing is in memory but pages of the file.
async fn cold_reads(store: &Embedded, tasks: &[Task]) -> Result<(), Box<dyn Error>> {
    for count in [1, 100, 1_000] {
        let step = (tasks.len() / count).max(1);
        let keys = tasks.iter().skip(count).step_by(step).take(count);
        let keys: Vec<_> = keys.map(|task| RecordKey::Task(task.id)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        for pass in ["cold", "hot"] {
            let start = Instant::now();
            let found = store.get(FIRST, &keys).await?;
            assert!(found.iter().all(Option::is_some));
            println!("get {} {pass}: {:?}", keys.len(), start.elapsed());
        }
    }
    Ok(())
}

fn rate(count: usize, took: Duration) -> String {
    let each = took.as_secs_f64() / count as f64;
    format!("{:.0} records/s ({took:.2?})", 1.0 / each)
}
