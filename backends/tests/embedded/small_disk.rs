//! A file system that is really full:
//!
//! ```sh
//! mount -t tmpfs -o size=16m tmpfs /mnt/small
//! RUSSET_SMALL_DISK=/mnt/small cargo nextest run -p russet-backends --run-ignored all small_disk
//! ```

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use russet_backends::embedded::{Embedded, EmbeddedOptions};
use russet_core::{
    Dependency, DependencyOn, IdempotencyKey, PartitionId, Record, RecordKey, TaskId,
};
use russet_engine::{Change, Store, StoreError, SystemClock, Transaction, Version};

const FIRST: PartitionId = PartitionId(0);

fn key(n: u64) -> RecordKey {
    RecordKey::Dedup(IdempotencyKey::new(format!("key {n}")).expect("a key"))
}

fn record() -> Record {
    let edge = Dependency {
        task: TaskId::from_u128(u128::MAX),
        on: DependencyOn::Success,
    };
    Record::Dependencies(Arc::new(vec![edge; 50]))
}

async fn write(store: &Embedded, n: u64) -> Result<(), StoreError> {
    let transaction = Transaction {
        version: Version(n),
        changes: vec![Change {
            key: key(n),
            before: None,
            after: Some(record()),
        }],
    };
    store.commit(FIRST, vec![transaction]).await.map(|_| ())
}

async fn check(store: &Embedded, written: &[u64]) {
    for n in written {
        let found = store.get(FIRST, &[key(*n)]).await.expect("the store loads");
        assert!(found[0].is_some(), "record {n} is there");
    }
}

#[tokio::test]
#[ignore = "needs a small file system in RUSSET_SMALL_DISK"]
async fn a_file_system_that_is_full_costs_nothing_that_was_acknowledged() {
    let small = std::env::var("RUSSET_SMALL_DISK").expect("RUSSET_SMALL_DISK is a directory");
    let directory = PathBuf::from(small).join("store");
    let _ = fs::remove_dir_all(&directory);
    let open = || {
        let options = EmbeddedOptions::default();
        Embedded::open(&directory, options, Arc::new(SystemClock)).expect("it opens")
    };
    let ballast = directory.join("ballast");
    let store = open();
    fs::write(&ballast, vec![7; 6 << 20]).expect("there is room for the ballast");
    let (mut written, mut full) = (Vec::new(), 0);
    for n in 0..1_000_000 {
        match write(&store, n).await {
            Ok(()) => written.push(n),
            Err(StoreError::Full { why }) => {
                println!("full after {} records: {why}", written.len());
                full += 1;
            }
            Err(error) => panic!("expected a full disk, not {error}"),
        }
        if full == 3 {
            break;
        }
    }
    assert_eq!(full, 3, "the file system is small enough");
    check(&store, &written).await;
    drop(store);
    let store = open();
    check(&store, &written).await;
    fs::remove_file(&ballast).expect("it is removed");
    for n in 2_000_000..2_000_100 {
        write(&store, n).await.expect("there is room again");
        written.push(n);
    }
    drop(store);
    check(&open(), &written).await;
}
