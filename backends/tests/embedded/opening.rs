//! Opening a data directory, and the messages when that does not work.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadableTable, TableDefinition};
use russet_backends::embedded::{Embedded, EmbeddedOptions, OpenError};
use russet_core::{
    Epoch, PartitionId, QueueConfig, QueueName, QueueRecord, Record, RecordKey, Timestamp,
};
use russet_engine::{Change, Store, SystemClock, Transaction, Version};

fn open(directory: &Path, partitions: Option<u16>) -> Result<Arc<Embedded>, OpenError> {
    let options = EmbeddedOptions {
        partitions,
        ..EmbeddedOptions::default()
    };
    Embedded::open(directory, options, Arc::new(SystemClock))
}

fn refused(directory: &Path) -> OpenError {
    match open(directory, None) {
        Err(error) => error,
        Ok(_) => panic!("it should not open"),
    }
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[test]
fn a_directory_that_is_in_use_is_refused_and_free_again_afterwards() {
    let directory = directory();
    let first = open(directory.path(), None).expect("it opens");
    let error = refused(directory.path());
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&format!("{:?}", directory.path())), "{text}");
    assert!(text.contains("stop that process"), "{text}");
    drop(first);
    open(directory.path(), None).expect("it opens again");
}

#[test]
fn the_number_of_partitions_is_fixed_when_the_store_is_made() {
    let directory = directory();
    drop(open(directory.path(), Some(3)).expect("it opens"));
    let again = open(directory.path(), None).expect("it opens");
    assert_eq!(again.partitions(), 3);
    drop(again);
    drop(open(directory.path(), Some(3)).expect("it opens"));
    let error = open(directory.path(), Some(4))
        .err()
        .expect("it is refused");
    let text = error.to_string();
    assert!(matches!(error, OpenError::Partitions { found: 3, .. }));
    assert!(text.contains("ask for 3"), "{text}");
}

#[test]
fn a_file_that_is_not_a_database_is_refused() {
    let directory = directory();
    fs::write(directory.path().join("russet.redb"), [7; 10_000]).expect("it is written");
    let error = refused(directory.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("backup"), "{error}");
}

#[test]
fn a_database_of_something_else_is_refused() {
    let directory = directory();
    let table: TableDefinition<'_, &str, u64> = TableDefinition::new("cakes");
    let other = Database::create(directory.path().join("russet.redb")).expect("it is made");
    let transaction = other.begin_write().expect("a transaction");
    transaction.open_table(table).expect("a table");
    transaction.commit().expect("a commit");
    drop(other);
    let error = refused(directory.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
}

#[test]
fn a_file_of_a_newer_version_is_refused() {
    for (key, value) in [("layout", 2u64), ("format", 200)] {
        let directory = directory();
        drop(open(directory.path(), None).expect("it opens"));
        let table: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
        let file = Database::open(directory.path().join("russet.redb")).expect("it opens");
        let transaction = file.begin_write().expect("a transaction");
        let mut meta = transaction.open_table(table).expect("a table");
        meta.insert(key, value).expect("it is written");
        drop(meta);
        transaction.commit().expect("a commit");
        drop(file);
        let error = refused(directory.path());
        assert!(matches!(error, OpenError::Newer { .. }), "{error:?}");
        assert!(error.to_string().contains("upgrade"), "{error}");
    }
}

#[test]
fn a_file_of_an_older_format_is_refused_by_older_versions_once_this_one_has_opened_it() {
    let directory = directory();
    drop(open(directory.path(), None).expect("it opens"));
    let path = directory.path().join("russet.redb");
    let table: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
    let format = |older: Option<u64>| -> u64 {
        let file = Database::open(&path).expect("it opens");
        let transaction = file.begin_write().expect("a transaction");
        let mut meta = transaction.open_table(table).expect("a table");
        let number = |key: &str| meta.get(key).expect("is read").expect("is there").value();
        let [layout, found, partitions] = ["layout", "format", "partitions"].map(number);
        if let Some(older) = older {
            let header: Vec<u8> = [layout, older, partitions]
                .into_iter()
                .flat_map(u64::to_be_bytes)
                .collect();
            meta.insert("format", older).expect("it is written");
            let checksum = u64::from(crc32fast::hash(&header));
            meta.insert("checksum", checksum).expect("it is written");
        }
        drop(meta);
        transaction.commit().expect("a commit");
        found
    };
    let newest = format(Some(1));
    drop(open(directory.path(), None).expect("it opens"));
    assert_eq!(format(None), newest);
    drop(open(directory.path(), None).expect("it opens again"));
}

#[test]
fn a_directory_that_cannot_be_made_is_refused() {
    let directory = directory();
    let file = directory.path().join("file");
    fs::write(&file, "not a directory").expect("it is written");
    for path in [file.clone(), file.join("below")] {
        let error = refused(&path);
        assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
    }
}

const RECORDS: u64 = 1_000;

fn key(n: u64) -> RecordKey {
    RecordKey::Queue(QueueName::new(format!("queue-{n}")).expect("a name"))
}

fn record(n: u64) -> Record {
    Record::Queue(Arc::new(QueueRecord {
        name: QueueName::new(format!("queue-{n}")).expect("a name"),
        config: QueueConfig::default(),
        running: 0,
        updated_at: Timestamp::from_millis(n),
    }))
}

/// Whatever byte of the file is damaged: either it is refused, or nothing of it is missing.
#[tokio::test]
async fn a_damaged_file_is_refused_or_unharmed() {
    let directory = directory();
    let store = open(directory.path(), None).expect("it opens");
    let changes = (0..RECORDS).map(|n| Change {
        key: key(n),
        before: None,
        after: Some(record(n)),
    });
    let transaction = Transaction {
        epoch: Epoch::default(),
        version: Version(1),
        changes: changes.collect(),
    };
    let committed = store.commit(PartitionId(0), vec![transaction]).await;
    committed.expect("a commit");
    drop(store);
    let file = directory.path().join("russet.redb");
    let sound = fs::read(&file).expect("it is read");
    let mut refused = 0;
    for n in 0..120 {
        let mut bytes = sound.clone();
        let at = (n * 7_919 * 613) % bytes.len();
        bytes[at] ^= 1 << (n % 8);
        fs::write(&file, &bytes).expect("it is written");
        match open(directory.path(), None) {
            Ok(store) => check(&store, at).await,
            Err(OpenError::Damaged { .. } | OpenError::Newer { .. }) => refused += 1,
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    assert!(refused > 10, "only {refused} were noticed");
}

async fn check(store: &Embedded, at: usize) {
    let keys: Vec<_> = (0..RECORDS).map(key).collect();
    let found = store.get(PartitionId(0), &keys).await.expect("it is read");
    for (n, found) in (0..).zip(found) {
        let found = found.map(|known| known.record);
        assert_eq!(found, Some(record(n)), "byte {at} was damaged");
    }
}

#[test]
fn a_file_that_was_cut_off_is_refused() {
    let directory = directory();
    drop(open(directory.path(), None).expect("it opens"));
    let file = directory.path().join("russet.redb");
    let sound = fs::read(&file).expect("it is read");
    for length in [1, 100, 4_096, 10_000, sound.len() / 2, sound.len() - 1] {
        fs::write(&file, &sound[..length]).expect("it is written");
        let error = refused(directory.path());
        let damaged = matches!(error, OpenError::Damaged { .. });
        assert!(damaged, "{length} bytes: {error}");
    }
}
