//! A disk that fails, is full or loses its power: what was acknowledged is there, what was
//! refused is not, and the store goes on when the disk does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use russet_backends::embedded::{Embedded, EmbeddedOptions, Writer};
use russet_core::{
    Dedup, Epoch, IdempotencyKey, Named, PartitionId, Record, RecordKey, TaskId, Timestamp, Window,
};
use russet_engine::{
    Change, Outcome, Store, StoreError, SystemClock, Transaction, Version, Versioned,
};

use crate::failing::Disk;

const FIRST: PartitionId = PartitionId(0);

fn open(disk: &Disk, writer: Writer) -> Arc<Embedded> {
    let disk = disk.clone();
    let options = EmbeddedOptions {
        writer,
        // Too little for redb to keep everything that it writes until the commit.
        cache_bytes: 16 * 1024,
        ..EmbeddedOptions::default()
    };
    let store = Embedded::with_backend(move || disk.open(), options, Arc::new(SystemClock));
    store.expect("the store opens")
}

fn key(n: u64) -> RecordKey {
    RecordKey::Dedup(IdempotencyKey::new(format!("key {n}")).expect("a key"))
}

fn record(n: u64) -> Record {
    Record::Dedup(Arc::new(Dedup {
        named: Named::Task(TaskId::from_u128(u128::from(n))),
        request: 0,
        window: Window::WhileLive,
        created_at: Timestamp::from_millis(n),
    }))
}

/// What a client knows: for each key, the versions that it may have.
#[derive(Default)]
struct Known(BTreeMap<u64, Vec<Option<Versioned>>>);

impl Known {
    /// Writes a key whose state is certain, and remembers what can be there afterwards.
    async fn write(&mut self, store: &Embedded, n: u64, version: u64) -> Result<(), StoreError> {
        let possible = self.0.entry(n).or_insert_with(|| vec![None]);
        let after = Versioned {
            version: Version(version),
            record: record(version),
        };
        let transaction = Transaction {
            epoch: Epoch::default(),
            version: after.version,
            changes: vec![Change {
                key: key(n),
                before: possible[0].clone(),
                after: Some(after.record.clone()),
            }],
        };
        match store.commit(FIRST, vec![transaction]).await {
            Ok(outcomes) => {
                assert_eq!(outcomes, [Outcome::Committed]);
                *possible = vec![Some(after)];
                Ok(())
            }
            Err(StoreError::Indeterminate { why }) => {
                possible.push(Some(after));
                Err(StoreError::Indeterminate { why })
            }
            Err(error) => Err(error),
        }
    }

    /// Asserts that each key has a version that it may have, and makes that one certain.
    async fn check(&mut self, store: &Embedded) {
        for (n, possible) in &mut self.0 {
            let found = store.get(FIRST, &[key(*n)]).await;
            let found = found.expect("the store loads").remove(0);
            assert!(
                possible.contains(&found),
                "key {n} is {found:?} and not of {possible:?}"
            );
            *possible = vec![found];
        }
    }
}

#[tokio::test]
async fn every_commit_is_synced_once_and_survives_a_power_cut() {
    for writer in [Writer::Thread, Writer::Caller] {
        let disk = Disk::default();
        let store = open(&disk, writer);
        let mut known = Known::default();
        for n in 0..20 {
            let synced = disk.times_synced();
            known.write(&store, n % 7, n + 1).await.expect("a commit");
            assert_eq!(disk.times_synced(), synced + 1);
            let copy = open(&disk.after_power_cut(), Writer::Caller);
            known.check(&copy).await;
        }
        let synced = disk.times_synced();
        let again = Transaction {
            epoch: Epoch::default(),
            version: Version(99),
            changes: vec![Change {
                key: key(3),
                before: None,
                after: Some(record(99)),
            }],
        };
        let conflict = store.commit(FIRST, vec![again]).await;
        assert_eq!(conflict, Ok(vec![Outcome::Conflict]));
        assert_eq!(
            disk.times_synced(),
            synced,
            "what changes nothing is not synced"
        );
    }
}

#[tokio::test]
async fn commits_that_wait_share_one_sync() {
    const COMMITS: u64 = 50;
    let disk = Disk::default();
    let store = open(&disk, Writer::Thread);
    disk.slow_down(Duration::from_millis(50));
    let synced = disk.times_synced();
    let commits = (0..COMMITS).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { Known::default().write(&store, n, n + 1).await })
    });
    for commit in futures::future::join_all(commits).await {
        commit.expect("it finishes").expect("it commits");
    }
    let synced = disk.times_synced() - synced;
    assert!(
        (1..=3).contains(&synced),
        "{COMMITS} commits took {synced} syncs"
    );
}

#[tokio::test]
async fn a_disk_that_fails_once_costs_nothing_that_was_acknowledged() {
    fail_everywhere(Writer::Caller, false).await;
    fail_everywhere(Writer::Thread, false).await;
}

#[tokio::test]
async fn a_disk_that_stays_broken_costs_nothing_that_was_acknowledged() {
    fail_everywhere(Writer::Caller, true).await;
    fail_everywhere(Writer::Thread, true).await;
}

/// Lets each single operation of a run fail, one run after another.
async fn fail_everywhere(writer: Writer, stays_broken: bool) {
    const COMMITS: u64 = 12;
    let mut acknowledged_despite = 0;
    for n in 1.. {
        let disk = Disk::default();
        let store = open(&disk, writer);
        let mut known = Known::default();
        known.write(&store, 1, 1_000).await.expect("a commit");
        disk.fail_at(n, stays_broken);
        let mut failed = 0;
        for m in 0..COMMITS {
            let written = known.write(&store, m % 5, m + 1).await;
            failed += u64::from(written.is_err());
            if matches!(written, Err(StoreError::Indeterminate { .. })) {
                disk.mend();
                known.check(&store).await;
                // What was read once is there for good.
                let copy = open(&disk.after_power_cut(), Writer::Caller);
                known.check(&copy).await;
            }
        }
        let failures = disk.failures();
        disk.mend();
        known.check(&store).await;
        for m in 0..3 {
            let written = known.write(&store, m, m + 500).await;
            written.expect("the store works again");
        }
        known.check(&store).await;
        let copy = open(&disk.after_power_cut(), Writer::Caller);
        known.check(&copy).await;
        drop(store);
        known.check(&open(&disk, Writer::Caller)).await;
        if failures == 0 {
            assert!(n > 20, "every operation was tried");
            break;
        }
        acknowledged_despite += COMMITS - failed;
    }
    assert!(acknowledged_despite > 0, "not everything fails");
}

#[tokio::test]
async fn a_full_disk_is_named_and_work_goes_on_when_there_is_room() {
    for writer in [Writer::Thread, Writer::Caller] {
        let disk = Disk::default();
        let store = open(&disk, writer);
        let mut known = Known::default();
        let mut version = 0;
        for n in 0..50 {
            version += 1;
            known.write(&store, n, version).await.expect("a commit");
        }
        disk.set_room(Some(disk.size()));
        let mut full = 0;
        for n in 0..20_000 {
            version += 1;
            match known.write(&store, 50 + n, version).await {
                Ok(()) => {}
                Err(StoreError::Full { why }) => {
                    assert!(!why.is_empty());
                    full += 1;
                }
                Err(error) => panic!("expected a full disk, not {error}"),
            }
            if full == 3 {
                break;
            }
        }
        assert_eq!(full, 3);
        known.check(&store).await;
        disk.set_room(None);
        for n in 0..50 {
            version += 1;
            known
                .write(&store, n, version)
                .await
                .expect("there is room");
        }
        known.check(&store).await;
        drop(store);
        known.check(&open(&disk, writer)).await;
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_the_store_goes_on() {
    let disk = Disk::default();
    let store = open(&disk, Writer::Thread);
    let mut known = Known::default();
    known.write(&store, 1, 1).await.expect("a commit");
    let edge = russet_core::Dependency {
        task: TaskId::from_u128(u128::MAX),
        on: russet_core::DependencyOn::Success,
    };
    let edges = russet_backends::limits::EMBEDDED_RECORD_BYTES / 16;
    let transaction = Transaction {
        epoch: Epoch::default(),
        version: Version(9),
        changes: vec![Change {
            key: RecordKey::Dependents(edge.task, 0),
            before: None,
            after: Some(Record::Dependents(Arc::new(vec![edge; edges]))),
        }],
    };
    let refused = store.commit(FIRST, vec![transaction]).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
    known.write(&store, 1, 2).await.expect("a commit");
    known.check(&store).await;
    assert_eq!(disk.times_opened(), 1);
}
