//! What is too large is refused before it is sent.

use bytes::Bytes;
use russet_core::Task;
use russet_engine::{Outcome, Store, StoreError, Transaction, Version};

use crate::servers::{PARTITION, Stubbed, create, task};

fn heavy(number: u64, bytes: usize) -> Task {
    Task {
        payload: Bytes::from(vec![7; bytes]),
        ..task(number)
    }
}

fn too_large(outcome: Result<Outcome, StoreError>) -> String {
    match outcome {
        Err(StoreError::TooLarge { why }) => why,
        other => panic!("expected that it is too large, not {other:?}"),
    }
}

#[tokio::test]
async fn a_hundred_changes_fit_into_a_transaction_and_no_more() {
    let world = Stubbed::start().await;
    assert_eq!(world.store.limits().transaction.changes, 100);
    let changes = |from: u64, count| (from..from + count).map(task).collect::<Vec<_>>();
    let fits = changes(0, 100).iter().map(create).collect();
    assert_eq!(world.commit(fits).await, Ok(Outcome::Committed));
    let more = changes(1_000, 101).iter().map(create).collect();
    let why = too_large(world.commit(more).await);
    assert!(why.contains("101 changes") && why.contains("100"), "{why}");
    assert_eq!(world.load(&task(1_000)).await, None);
}

#[tokio::test]
async fn a_record_of_the_largest_size_is_kept_and_a_larger_one_refused() {
    let world = Stubbed::start().await;
    let most = world.store.limits().record_bytes;
    let room = most - 300;
    let fits = heavy(1, room);
    let outcome = world.commit(vec![create(&fits)]).await;
    assert_eq!(outcome, Ok(Outcome::Committed));
    assert!(world.load(&fits).await.is_some());

    let large = heavy(2, 400 * 1024);
    let why = too_large(world.commit(vec![create(&large)]).await);
    let id = large.id.to_string();
    for names in [id.as_str(), "409600", "elsewhere"] {
        assert!(why.contains(names), "{names} is not named in: {why}");
    }
    assert_eq!(world.load(&large).await, None);
    assert_eq!(world.stub.count("PutItem"), 3, "it was not sent");
}

/// The test server counts items as they are encoded, a third more.
#[tokio::test]
async fn more_than_four_mebibytes_do_not_fit_into_a_transaction() {
    let world = Stubbed::start().await;
    let changes = |from: u64, count| (from..from + count).map(|n| create(&heavy(n, 390_000)));
    let outcome = world.commit(changes(0, 7).collect()).await;
    assert_eq!(outcome, Ok(Outcome::Committed));
    let why = too_large(world.commit(changes(20, 11).collect()).await);
    assert!(why.contains("4194304"), "{why}");
    assert_eq!(world.stub.count("TransactWriteItems"), 1, "it was not sent");
}

/// So a caller is not refused for what another one sent at the same time.
#[tokio::test]
async fn what_is_too_large_does_not_keep_others_from_being_committed() {
    let world = Stubbed::start().await;
    let transaction = |version, task: &Task| Transaction {
        epoch: russet_core::Epoch::default(),
        version: Version(version),
        changes: vec![create(task)],
    };
    let (small, large) = (task(1), heavy(2, 400 * 1024));
    let batch = vec![transaction(1, &large), transaction(2, &small)];
    let outcomes = world.store.commit(PARTITION, batch).await;
    assert_eq!(outcomes, Ok(vec![Outcome::Conflict, Outcome::Committed]));
    let again = vec![transaction(3, &large)];
    let outcomes = world.store.commit(PARTITION, again).await;
    assert!(matches!(outcomes, Err(StoreError::TooLarge { .. })));
}
