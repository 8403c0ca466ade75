//! Task lives on the embedded store, beside the disk alone and beside bare redb writing the
//! very records that the engine wrote, in the same transactions.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use redb::{Database, TableDefinition};
use russet_backends::embedded::{Embedded, EmbeddedOptions};
use russet_core::{Epoch, PartitionId, Record, RecordKey, TaskId, Timestamp, codec};
use russet_engine::{
    Backend, Due, Limits, Listing, Outcome, Page, Stats, Store, StoreError, SystemClock,
    Transaction, Versioned,
};

use super::figure::Target;
use super::lives::{rate, scheduler};
use super::{Figure, Measured, Options, disk, runtime};

const CALLERS: usize = 64;

pub(super) fn measure(options: &Options) -> Measured<Vec<Figure>> {
    let folder = tempfile::tempdir_in(&options.folder)?;
    let appends = disk::appends(folder.path(), options.time)?;
    let one = lives(&folder.path().join("one"), 1, options.time, Keep::Counts)?;
    let many = lives(
        &folder.path().join("many"),
        CALLERS,
        options.time,
        Keep::Counts,
    )?;
    let kept = lives(
        &folder.path().join("kept"),
        CALLERS,
        options.time,
        Keep::Commits,
    )?;
    let bare = replay(&folder.path().join("bare"), &kept.written)?;
    let fill = many.writes as f64 / many.commits.max(1) as f64;
    Ok(vec![
        Figure::new("disk: appends of 4 KiB + fdatasync", appends, "/s"),
        Figure::new("embedded: task lives, 1 caller", one.rate, "/s"),
        Figure::new(
            format!("embedded: task lives, {CALLERS} callers"),
            many.rate,
            "/s",
        )
        .against("one caller", one.rate, Target::AtLeast(20.0)),
        Figure::new("embedded: records in a commit", fill, ""),
        Figure::new("embedded: record writes", many.writes_a_second(), "/s").against(
            "bare redb, same commits",
            bare,
            Target::AtLeast(0.4),
        ),
        Figure::new("bare redb: the same record writes", bare, "/s"),
    ])
}

/// What one commit wrote.
type Written = Vec<(RecordKey, Option<Record>)>;

/// What an engine did on a store.
struct Lives {
    rate: f64,
    writes: u64,
    commits: u64,
    time: Duration,
    /// What was written, commit by commit, where that is kept.
    written: Vec<Written>,
}

impl Lives {
    fn writes_a_second(&self) -> f64 {
        self.writes as f64 / self.time.as_secs_f64()
    }
}

/// What is kept of each commit. To keep all of it takes time: an engine that is compared with
/// itself is not to pay for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Counts,
    Commits,
}

fn lives(folder: &Path, callers: usize, time: Duration, keep: Keep) -> Measured<Lives> {
    let (folder, runtime) = (folder.to_owned(), runtime()?);
    runtime.block_on(async move {
        let clock = Arc::new(SystemClock);
        let embedded = Embedded::open(&folder, EmbeddedOptions::default(), clock)?;
        let inner: Arc<dyn Store> = embedded.clone();
        let store = Arc::new(Watched {
            inner,
            keep,
            writes: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            written: Mutex::default(),
        });
        let scheduler = scheduler(Backend {
            store: store.clone(),
            queue: embedded,
        });
        let start = Instant::now();
        let rate = rate(&scheduler, callers, time).await?;
        let time = start.elapsed();
        scheduler.stop().await;
        let written = std::mem::take(&mut *store.written.lock().map_err(|e| e.to_string())?);
        Ok(Lives {
            rate,
            writes: store.writes.load(Ordering::Relaxed),
            commits: store.commits.load(Ordering::Relaxed),
            time,
            written,
        })
    })
}

/// Writes the same records in the same commits into a bare redb file; returns records a second.
fn replay(folder: &Path, commits: &[Written]) -> Measured<f64> {
    const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
    let encoded = commits.iter().map(|commit| {
        let pairs = commit
            .iter()
            .map(|(k, r)| (key(k), r.as_ref().map(codec::write)));
        pairs.collect::<Vec<_>>()
    });
    let encoded: Vec<_> = encoded.collect();
    std::fs::create_dir_all(folder)?;
    let database = Database::create(folder.join("bare.redb"))?;
    let (start, mut count) = (Instant::now(), 0u64);
    for commit in &encoded {
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for (key, record) in commit {
                match record {
                    Some(record) => drop(table.insert(key.as_slice(), record.as_slice())?),
                    None => drop(table.remove(key.as_slice())?),
                }
                count += 1;
            }
        }
        transaction.commit()?;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// A key in the same order as the store's own.
fn key(key: &RecordKey) -> Vec<u8> {
    match key {
        RecordKey::Task(id) => [&[1], id.as_u128().to_be_bytes().as_slice()].concat(),
        other => [&[2], format!("{other:?}").as_bytes()].concat(),
    }
}

/// A store that counts what is written to it, and keeps it where it is asked to.
struct Watched {
    inner: Arc<dyn Store>,
    keep: Keep,
    writes: AtomicU64,
    commits: AtomicU64,
    written: Mutex<Vec<Written>>,
}

#[async_trait]
impl Store for Watched {
    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    fn epoch(&self, partition: PartitionId) -> Epoch {
        self.inner.epoch(partition)
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
        let changes = || batch.iter().flat_map(|transaction| &transaction.changes);
        self.writes
            .fetch_add(changes().count() as u64, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
        if self.keep == Keep::Commits
            && let Ok(mut kept) = self.written.lock()
        {
            kept.push(
                changes()
                    .map(|c| (c.key.clone(), c.after.clone()))
                    .collect(),
            );
        }
        self.inner.commit(partition, batch).await
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
