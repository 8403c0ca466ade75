//! An embedded store is moved to a server that has its troubles meanwhile.

use std::path::Path;
use std::sync::Arc;

use russet_backends::embedded::{Embedded, EmbeddedOptions};
use russet_backends::limits::{MIGRATE_PASSES, MIGRATE_RECORDS};
use russet_backends::migrate::{MigrateError, Moved, copy};
use russet_backends::redis::RedisOptions;
use russet_core::{Leader, NodeId, Record, RecordKey, Timestamp};
use russet_engine::{Backend, Change, Outcome, Store, SystemClock, SystemEntropy};
use russet_servers::{RedisServer, RedisVersion};

use super::nodes::{FIRST, submission};
use super::{SYNCED, backend, open};

/// More than are copied at once.
const TASKS: u64 = MIGRATE_RECORDS as u64 + 100;

async fn old(directory: &Path) -> Arc<Embedded> {
    let opened = Embedded::open(directory, EmbeddedOptions::default(), Arc::new(SystemClock));
    let old = opened.expect("it opens");
    let tasks = (0..TASKS).map(|n| submission(n).1).collect();
    let outcomes = old.commit(FIRST, tasks).await.expect("they are committed");
    assert!(
        outcomes
            .iter()
            .all(|outcome| *outcome == Outcome::Committed)
    );
    old
}

/// Moves all, and does something whenever a part of it is there.
async fn moved(
    old: &Embedded,
    new: &Backend,
    meanwhile: impl FnMut(Moved),
) -> Result<Moved, MigrateError> {
    let (clock, entropy) = (SystemClock, SystemEntropy::new());
    copy(old, new, "new", &clock, &entropy, meanwhile).await
}

async fn all_are_there(new: &Backend) -> bool {
    let keys: Vec<_> = (0..TASKS)
        .map(|n| RecordKey::Task(submission(n).0))
        .collect();
    let found = new.store.get(FIRST, &keys).await.expect("they are loaded");
    found.iter().all(Option::is_some)
}

#[tokio::test]
async fn a_move_goes_on_with_a_server_that_is_started_again_meanwhile() {
    let directory = tempfile::tempdir().expect("a directory");
    let old = old(directory.path()).await;
    let mut server = RedisServer::start_with(RedisVersion::Redis7, &SYNCED);
    let new = backend(open(RedisOptions::new(server.url())).await);
    let mut first = true;
    let moved = moved(&old, &new, |_| {
        if std::mem::take(&mut first) {
            server.restart();
        }
    });
    let moved = moved.await.expect("it is moved");
    assert_eq!(moved.records, TASKS);
    assert!(all_are_there(&new).await);
}

/// A server that keeps nothing stands for a failover that loses what was written last.
#[tokio::test]
async fn no_loss_what_a_failover_has_lost_is_copied_again_before_the_old_store_is_given_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let old = old(directory.path()).await;
    let mut server = RedisServer::start(RedisVersion::Redis7);
    let new = backend(open(RedisOptions::new(server.url())).await);
    let mut first = true;
    let moved = moved(&old, &new, |moved| {
        if moved.records == TASKS && std::mem::take(&mut first) {
            server.restart();
        }
    });
    let moved = moved.await.expect("it is moved");
    assert_eq!(
        moved,
        Moved {
            records: TASKS,
            known: 0
        }
    );
    assert!(all_are_there(&new).await);
}

#[tokio::test]
async fn a_server_that_fails_over_again_and_again_is_not_moved_to() {
    let directory = tempfile::tempdir().expect("a directory");
    let old = old(directory.path()).await;
    let mut server = RedisServer::start(RedisVersion::Redis7);
    let new = backend(open(RedisOptions::new(server.url())).await);
    let mut passes = 0;
    let moved = moved(&old, &new, |moved| {
        if moved.records == TASKS {
            passes += 1;
            server.restart();
        }
    });
    let error = moved
        .await
        .expect_err("it may have lost something each time");
    assert!(matches!(error, MigrateError::Unsteady), "{error}");
    assert_eq!(passes, MIGRATE_PASSES);
}

/// What became of a record in the old store would be undone in the new one.
#[tokio::test]
async fn a_copy_is_taken_up_only_while_nothing_has_changed_in_the_old_store() {
    let directory = tempfile::tempdir().expect("a directory");
    let old = old(directory.path()).await;
    let server = RedisServer::start(RedisVersion::Redis7);
    let new = backend(open(RedisOptions::new(server.url())).await);
    moved(&old, &new, |_| {}).await.expect("it is moved");
    drop(old);
    let reopen = || {
        let options = EmbeddedOptions::default();
        Embedded::open(directory.path(), options, Arc::new(SystemClock)).expect("it opens")
    };
    let old = reopen();
    let again = moved(&old, &new, |_| {}).await.expect("it is the same");
    assert_eq!(again.known, TASKS);
    drop(old);
    let old = reopen();
    let another = vec![submission(TASKS).1];
    old.commit(FIRST, another).await.expect("it is committed");
    let refused = moved(&old, &new, |_| {}).await;
    let error = refused.expect_err("it is not what it was");
    assert!(matches!(error, MigrateError::NotEmpty { .. }), "{error}");
}

/// Notes these of a store, as nodes and moves do.
async fn note(new: &Backend, keys: &[RecordKey]) {
    let leader = Leader {
        holder: NodeId::from_u128(7),
        epoch: 1,
        expires_at: Timestamp::from_millis(0),
    };
    let change = |key: &RecordKey| Change {
        key: key.clone(),
        before: None,
        after: Some(Record::Leader(leader)),
    };
    let mut transaction = submission(0).1;
    transaction.changes = keys.iter().map(change).collect();
    transaction.epoch = new.store.epoch(FIRST);
    let outcomes = new.store.commit(FIRST, vec![transaction]).await;
    assert_eq!(outcomes.expect("it is committed"), [Outcome::Committed]);
}

#[tokio::test]
async fn no_ghost_a_store_that_a_node_has_led_before_or_meanwhile_is_not_moved_to() {
    let directory = tempfile::tempdir().expect("a directory");
    let old = old(directory.path()).await;
    let server = RedisServer::start(RedisVersion::Redis7);
    let new = backend(open(RedisOptions::new(server.url())).await);
    note(&new, &[RecordKey::Leader]).await;
    let error = moved(&old, &new, |_| {}).await.expect_err("it was led");
    assert!(matches!(error, MigrateError::Used { .. }), "{error}");
    note(&new, &[RecordKey::Copy]).await;
    let error = moved(&old, &new, |_| {}).await.expect_err("it is led");
    assert!(matches!(error, MigrateError::Joined { .. }), "{error}");
}
