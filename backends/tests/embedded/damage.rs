//! Files that are not what was written: what is read is what was written, or an error.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use proptest::sample::Index;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use russet_backends::embedded::{Embedded, EmbeddedOptions, OpenError, Writer};
use russet_core::{
    Dedup, Epoch, IdempotencyKey, Named, PartitionId, Record, RecordKey, Task, TaskId, Timestamp,
    Window,
};
use russet_engine::{Change, Store, StoreError, SystemClock, Transaction, Version, Versioned};

use crate::failing::Disk;

#[path = "../../examples/shared/tasks.rs"]
#[expect(dead_code, reason = "the examples need more")]
mod tasks;

const FIRST: PartitionId = PartitionId(0);
/// How many commits are made.
const COMMITS: u64 = 20;
/// How many records each commit writes.
const RECORDS: u64 = 12;
/// How many records there are.
const KEYS: u64 = 100;
/// What one sector of a disk holds.
const SECTOR: usize = 512;
/// How long the header of the file is.
const HEADER: usize = 320;
/// What one page of the file holds.
const PAGE: usize = 4096;

/// What happens to the bytes of a file.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    /// A bit at the start of the file, where the newest commit is named.
    Header(usize, u8),
    /// A sector reads as zeros.
    Zeros(Index),
    /// Some bytes are others.
    Noise(Index, Vec<u8>),
    /// A page has the contents of another one, maybe those that it had before.
    Misplaced(Index, Index),
    Cut(Index),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        let noise = prop::collection::vec(any::<u8>(), 1..SECTOR);
        prop_oneof![
            (any::<Index>(), 0u8..8).prop_map(|(at, bit)| Self::Flip(at, bit)),
            (0..HEADER, 0u8..8).prop_map(|(at, bit)| Self::Header(at, bit)),
            any::<Index>().prop_map(Self::Zeros),
            (any::<Index>(), noise).prop_map(|(at, noise)| Self::Noise(at, noise)),
            any::<(Index, Index)>().prop_map(|(from, to)| Self::Misplaced(from, to)),
            any::<Index>().prop_map(Self::Cut),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Flip(at, bit) => *at.get_mut(bytes) ^= 1 << bit,
            Self::Header(at, bit) => bytes[*at] ^= 1 << bit,
            Self::Zeros(at) => {
                let at = at.index(bytes.len() / SECTOR) * SECTOR;
                bytes[at..at + SECTOR].fill(0);
            }
            Self::Noise(at, noise) => {
                let at = at.index(bytes.len() - noise.len());
                bytes[at..at + noise.len()].copy_from_slice(noise);
            }
            Self::Misplaced(from, to) => {
                let [from, to] = [from, to].map(|page| page.index(bytes.len() / PAGE) * PAGE);
                bytes.copy_within(from..from + PAGE, to);
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
}

fn options() -> EmbeddedOptions {
    EmbeddedOptions {
        writer: Writer::Caller,
        // Too little for redb to keep what it has read.
        cache_bytes: 16 * 1024,
        ..EmbeddedOptions::default()
    }
}

fn open(disk: &Disk) -> Result<Arc<Embedded>, OpenError> {
    let disk = disk.clone();
    Embedded::with_backend(move || disk.open(), options(), Arc::new(SystemClock))
}

fn key(n: u64) -> RecordKey {
    match n % 3 {
        0 => RecordKey::Dedup(IdempotencyKey::new(format!("key {n}")).expect("a key")),
        _ => RecordKey::Task(tasks::queued(n, 0).id),
    }
}

fn record(n: u64, commit: u64) -> Record {
    match key(n) {
        RecordKey::Task(_) => Record::Task(Arc::new(Task {
            attempt: commit,
            ..tasks::queued(n, 40 + 20 * n as usize)
        })),
        _ => Record::Dedup(Arc::new(Dedup {
            named: Named::Task(TaskId::from_u128(u128::from(n))),
            request: 0,
            window: Window::WhileLive,
            created_at: Timestamp::from_millis(commit),
        })),
    }
}

/// The records by their numbers.
type Records = Vec<Option<Versioned>>;

/// Files with the same contents, and what they hold: before the last commit, and after it.
struct Written {
    closed: Disk,
    /// Its process was killed.
    crashed: Disk,
    before: Records,
    after: Records,
}

static WRITTEN: LazyLock<Written> = LazyLock::new(|| wait_for(write()));

fn wait_for<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(future)
}

async fn write() -> Written {
    let disk = Disk::default();
    let store = open(&disk).expect("it opens");
    let mut after: Records = vec![None; KEYS as usize];
    let mut before = after.clone();
    for commit in 1..=COMMITS {
        before.clone_from(&after);
        let version = Version(commit);
        let numbers = (0..RECORDS).map(|n| (commit * RECORDS + n) % KEYS);
        let changes = numbers.map(|n| {
            let known = &mut after[n as usize];
            let record = record(n, commit);
            let change = Change {
                key: key(n),
                before: known.take(),
                after: Some(record.clone()),
            };
            *known = Some(Versioned { version, record });
            change
        });
        let changes = changes.collect();
        let transaction = Transaction {
            epoch: Epoch::default(),
            version,
            changes,
        };
        let committed = store.commit(FIRST, vec![transaction]).await;
        committed.expect("a commit");
    }
    let crashed = disk.after_power_cut();
    drop(store);
    Written {
        closed: disk,
        crashed,
        before,
        after,
    }
}

/// Reads each record on its own.
fn read(store: &Embedded) -> Vec<Result<Option<Versioned>, StoreError>> {
    let read = |n| wait_for(store.get(FIRST, &[key(n)]));
    (0..KEYS)
        .map(|n| read(n).map(|mut found| found.remove(0)))
        .collect()
}

/// Whether this is what was written, as far as it could be read at all.
fn agrees(found: &[Result<Option<Versioned>, StoreError>], written: &Records) -> bool {
    let mut pairs = found.iter().zip(written);
    pairs.all(|(found, written)| {
        found.as_ref().is_ok_and(|found| found == written) || found.is_err()
    })
}

/// What a damaged copy of a file holds, unless it is refused.
fn found_after(damage: &Damage, disk: &Disk) -> Option<Vec<Result<Option<Versioned>, StoreError>>> {
    let disk = disk.after_power_cut();
    disk.damage(|bytes| damage.apply(bytes));
    match open(&disk) {
        Ok(store) => Some(read(&store)),
        Err(OpenError::Damaged { .. } | OpenError::Newer { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    #[test]
    fn what_was_damaged_while_it_was_closed_is_refused_or_unharmed(damage in Damage::any()) {
        if let Some(found) = found_after(&damage, &WRITTEN.closed) {
            prop_assert!(agrees(&found, &WRITTEN.after), "{found:?}");
        }
    }

    /// The last commit may be gone, as one that was cut short; then it is gone as a whole.
    #[test]
    fn what_was_damaged_after_a_crash_is_refused_or_a_commit_as_a_whole(damage in Damage::any()) {
        if let Some(found) = found_after(&damage, &WRITTEN.crashed) {
            let agrees = agrees(&found, &WRITTEN.after) || agrees(&found, &WRITTEN.before);
            prop_assert!(agrees, "{found:?}");
        }
    }

    #[test]
    fn what_is_damaged_while_it_is_open_is_an_error_and_never_another_record(
        damage in Damage::any(),
    ) {
        let disk = WRITTEN.closed.after_power_cut();
        let store = open(&disk).expect("it opens");
        disk.damage(|bytes| damage.apply(bytes));
        let found = read(&store);
        prop_assert!(agrees(&found, &WRITTEN.after), "{found:?}");
        let harmless = found.iter().all(|found| match found {
            Ok(_) | Err(StoreError::Unavailable { .. }) => true,
            Err(StoreError::Damaged { why } | StoreError::Unreadable { why }) => {
                why.contains("restore")
            }
            Err(_) => false,
        });
        prop_assert!(harmless, "{found:?}");
    }
}

/// Damage that `redb` cannot see: it wrote the altered record itself.
#[test]
fn a_record_that_is_altered_in_a_sound_page_is_refused_by_its_name() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let open = || Embedded::open(directory.path(), options(), Arc::new(SystemClock));
    let store = open().expect("it opens");
    let changes = (0..6).map(|n| Change {
        key: key(n),
        before: None,
        after: Some(record(n, 1)),
    });
    let transaction = Transaction {
        epoch: Epoch::default(),
        version: Version(1),
        changes: changes.collect(),
    };
    wait_for(store.commit(FIRST, vec![transaction])).expect("a commit");
    drop(store);
    let file = directory.path().join("russet.redb");
    let sound = records(&file);
    assert_eq!(sound.len(), 6);
    let mut keys: Vec<_> = (0..6).map(key).collect();
    keys.sort();
    let names = keys.iter().map(|key| format!("{key:?} of partition 0"));
    for (n, ((place, value), name)) in sound.iter().zip(names).enumerate() {
        let [mut text, mut version] = [value.clone(), value.clone()];
        *text.last_mut().expect("it is not empty") ^= 1;
        version[0] ^= 1;
        let of_another = sound[(n + 1) % 6].1.clone();
        for altered in [text, version, of_another] {
            put(&file, place, &altered);
            let error = open().err().expect("it is refused");
            let said = error.to_string();
            assert!(matches!(error, OpenError::Damaged { .. }), "{said}");
            assert!(said.contains(&name) && said.contains("restore"), "{said}");
        }
        put(&file, place, value);
    }
    let store = open().expect("it is as it was");
    let found = wait_for(store.get(FIRST, &[key(1)])).expect("it is read");
    assert_eq!(
        found[0].as_ref().map(|found| &found.record),
        Some(&record(1, 1))
    );
}

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// The keys and values in a file.
fn records(file: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let database = Database::open(file).expect("it opens");
    let transaction = database.begin_read().expect("a transaction");
    let table = transaction.open_table(TABLE).expect("a table");
    let entries = table.iter().expect("it is read");
    entries
        .map(|entry| entry.expect("it is read"))
        .map(|(key, value)| (key.value().to_vec(), value.value().to_vec()))
        .collect()
}

fn put(file: &Path, key: &[u8], value: &[u8]) {
    let database = Database::open(file).expect("it opens");
    let transaction = database.begin_write().expect("a transaction");
    let mut table = transaction.open_table(TABLE).expect("a table");
    table.insert(key, value).expect("it is written");
    drop(table);
    transaction.commit().expect("a commit");
}
