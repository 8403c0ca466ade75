//! What the service may do instead of what it was asked.

use russet_core::{RecordKey, Timestamp};
use russet_engine::{Outcome, Store, StoreError};
use serde_json::json;

use crate::servers::{PARTITION, Stubbed, create, task};
use crate::stub::{Reply, refusal};

const CONFLICT: Reply = Reply::Answer(400, |_| {
    json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": "Transaction cancelled",
        "CancellationReasons": [{ "Code": "None" }, { "Code": "TransactionConflict" }],
    })
});
const THROTTLED: Reply = Reply::Answer(400, |_| refusal("ProvisionedThroughputExceededException"));
const BROKEN: Reply = Reply::Answer(500, |_| refusal("InternalServerError"));

#[tokio::test]
async fn a_transaction_that_meets_another_one_is_tried_again() {
    let world = Stubbed::start().await;
    world.stub.on("TransactWriteItems", 2, CONFLICT);
    let changes = vec![create(&task(1)), create(&task(2))];
    assert_eq!(world.commit(changes).await, Ok(Outcome::Committed));
    assert_eq!(world.stub.count("TransactWriteItems"), 3);
}

#[tokio::test]
async fn a_transaction_that_always_meets_another_one_is_a_conflict() {
    let world = Stubbed::start().await;
    world.stub.on("TransactWriteItems", 6, CONFLICT);
    let changes = vec![create(&task(1)), create(&task(2))];
    assert_eq!(world.commit(changes).await, Ok(Outcome::Conflict));
    assert!(world.stub.is_done());
    assert_eq!(world.load(&task(1)).await, None);
}

#[tokio::test]
async fn a_single_write_that_meets_a_transaction_is_tried_again() {
    let world = Stubbed::start().await;
    world
        .commit(vec![create(&task(1))])
        .await
        .expect("it is committed");
    let meets = Reply::Answer(400, |_| refusal("TransactionConflictException"));
    world.stub.on("PutItem", 1, meets);
    let outcome = world.commit(vec![create(&task(2))]).await;
    assert_eq!(outcome, Ok(Outcome::Committed));
}

#[tokio::test]
async fn a_write_that_is_throttled_is_tried_again_and_then_not_done() {
    let world = Stubbed::start().await;
    world
        .commit(vec![create(&task(1))])
        .await
        .expect("it is committed");
    world.stub.on("PutItem", 3, THROTTLED);
    let outcome = world.commit(vec![create(&task(2))]).await;
    assert_eq!(outcome, Ok(Outcome::Committed));
    world.stub.on("PutItem", 6, THROTTLED);
    let outcome = world.commit(vec![create(&task(3))]).await;
    let Err(StoreError::Unavailable { why }) = outcome else {
        panic!("expected that it is unavailable, not {outcome:?}");
    };
    assert!(why.contains("ProvisionedThroughputExceeded"), "{why}");
    assert_eq!(world.load(&task(3)).await, None);
}

/// Whether it happened or not, the caller is told that nobody knows.
#[tokio::test]
async fn a_write_without_a_reply_has_an_unknown_outcome() {
    let world = Stubbed::start().await;
    world
        .commit(vec![create(&task(1))])
        .await
        .expect("it is committed");
    let cases = [(Reply::Lost, true), (Reply::Reset, false), (BROKEN, false)];
    for (at, (reply, happened)) in cases.into_iter().enumerate() {
        let at = 10 * (at as u64 + 1);
        let (alone, two) = (task(at), [task(at + 1), task(at + 2)]);
        world.stub.on("PutItem", 1, reply.clone());
        let outcome = world.commit(vec![create(&alone)]).await;
        assert!(matches!(outcome, Err(StoreError::Indeterminate { .. })));
        world.stub.on("TransactWriteItems", 1, reply);
        let outcome = world.commit(two.iter().map(create).collect()).await;
        assert!(matches!(outcome, Err(StoreError::Indeterminate { .. })));
        assert_eq!(world.load(&alone).await.is_some(), happened);
        assert_eq!(world.load(&two[1]).await.is_some(), happened);
    }
}

#[tokio::test]
async fn a_read_that_is_throttled_or_lost_is_tried_again() {
    let world = Stubbed::start().await;
    world
        .commit(vec![create(&task(1))])
        .await
        .expect("it is committed");
    for reply in [THROTTLED, Reply::Reset, BROKEN] {
        world.stub.on("GetItem", 1, reply.clone());
        assert!(world.load(&task(1)).await.is_some());
        world.stub.on("Query", 1, reply);
        let due = world.store.due(PARTITION, Timestamp::ZERO, 1).await;
        assert_eq!(due, Ok(Vec::new()));
    }
    world.stub.on("GetItem", 6, THROTTLED);
    let key = RecordKey::Task(task(1).id);
    let read = world.store.get(PARTITION, &[key]).await;
    assert!(matches!(read, Err(StoreError::Unavailable { .. })));
}

#[tokio::test]
async fn keys_that_were_left_out_are_asked_for_again() {
    let world = Stubbed::start().await;
    let tasks: Vec<_> = (0..250).map(task).collect();
    for some in tasks.chunks(100) {
        let outcome = world.commit(some.iter().map(create).collect()).await;
        assert_eq!(outcome, Ok(Outcome::Committed));
    }
    let none = Reply::Answer(
        200,
        |asked| json!({ "Responses": {}, "UnprocessedKeys": asked["RequestItems"] }),
    );
    world.stub.on("BatchGetItem", 4, none);
    let keys = tasks.iter().map(|task| RecordKey::Task(task.id));
    let keys: Vec<_> = keys.collect();
    let loaded = world
        .store
        .get(PARTITION, &keys)
        .await
        .expect("they are read");
    assert!(loaded.iter().all(Option::is_some));
    assert_eq!(world.stub.count("BatchGetItem"), 7);
}

#[tokio::test]
async fn what_the_service_refuses_is_told_in_its_words() {
    let world = Stubbed::start().await;
    world
        .commit(vec![create(&task(1))])
        .await
        .expect("it is committed");
    for (reply, names) in [
        (
            Reply::Answer(400, |_| refusal("ValidationException")),
            "as the test says",
        ),
        (
            Reply::Answer(400, |_| refusal("AccessDeniedException")),
            "credentials",
        ),
        (
            Reply::Answer(400, |_| refusal("ResourceNotFoundException")),
            "no such table",
        ),
    ] {
        world.stub.on("PutItem", 1, reply);
        let error = world.commit(vec![create(&task(2))]).await;
        let error = error.expect_err("it is refused").to_string();
        assert!(error.contains(names), "{error}");
    }
}

/// It is told after the time that it may take, and everything goes on when the server does.
#[tokio::test]
async fn a_server_that_hangs_is_unknown_to_have_written() {
    let mut world = Stubbed::start().await;
    world
        .commit(vec![create(&task(1))])
        .await
        .expect("it is committed");
    world.server.process().signal("STOP");
    let outcome = world.commit(vec![create(&task(2))]).await;
    let Err(StoreError::Indeterminate { why }) = outcome else {
        panic!("expected that nobody knows, not {outcome:?}");
    };
    assert!(why.contains("time"), "{why}");
    world.server.process().signal("CONT");
    let outcome = world.commit(vec![create(&task(3))]).await;
    assert_eq!(outcome, Ok(Outcome::Committed));
}
