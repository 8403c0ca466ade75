//! `MOVED` and `ASK`: a slot that moves is followed.

use std::time::Duration;

use russet_backends::redis::{Acknowledge, Redis, RedisOptions};
use russet_core::RecordKey;
use russet_engine::{Change, Outcome, Queue, Store, StoreError, Transaction, Version};
use russet_servers::{RedisCluster, RedisVersion};

use super::super::nodes::{FIRST, lane, receive, submission, submit};
use super::super::open;
use super::{another, epoch, fields, options, slot};

const ALL: [RedisVersion; 3] = [
    RedisVersion::Redis6,
    RedisVersion::Redis7,
    RedisVersion::Valkey9,
];
const SOON: Duration = Duration::from_secs(20);

async fn is_there(redis: &Redis, n: u64) -> bool {
    let loaded = redis.get(FIRST, &[RecordKey::Task(submission(n).0)]).await;
    loaded.expect("it is loaded")[0].is_some()
}

/// Nobody is told that a slot has moved but whoever asks the node that had it: nothing fails.
#[tokio::test]
async fn calls_go_where_their_slot_has_moved_and_nothing_fails() {
    for version in ALL {
        let cluster = RedisCluster::start(version, &[]);
        let redis = open(options(&cluster)).await;
        let slot = slot(&cluster, 0);
        for n in 1..5 {
            submit(&redis, n).await.expect("it is committed");
            let to = another(&cluster, slot);
            cluster.move_slot(slot, to).finish();
            assert_eq!(fields(&cluster, to, "{russet:0}:records"), Some(n as usize));
            match n % 2 {
                0 => assert!(is_there(&redis, n).await),
                _ => redis.stats().await.map(drop).expect("it is counted"),
            }
        }
        assert_eq!(receive(&redis, SOON).await.len(), 4);
    }
}

/// Another node may not have had all that this one had; also one that had the slot before.
#[tokio::test]
async fn each_move_of_a_slot_begins_an_epoch() {
    let cluster = RedisCluster::start(RedisVersion::Redis7, &[]);
    let here = open(options(&cluster)).await;
    let there = open(options(&cluster)).await;
    let slot = slot(&cluster, 0);
    let homes = [cluster.owner(slot), another(&cluster, slot)];
    submit(&here, 1).await.expect("it is committed");
    submit(&there, 11).await.expect("it is committed");
    let mut last = epoch(&cluster);
    for n in 2..6u64 {
        cluster
            .move_slot(slot, homes[(n as usize + 1) % 2])
            .finish();
        submit(&here, n).await.expect("it is committed");
        let begun = epoch(&cluster);
        assert!(begun > last, "{begun} after {last}");
        last = begun;
        // One that slept meanwhile finds the slot where it was.
        if n % 2 == 1 {
            submit(&there, 10 + n).await.expect("it is committed");
            assert_eq!(epoch(&cluster), begun);
            assert_eq!(there.epoch(FIRST), here.epoch(FIRST));
        }
    }
}

/// What is there already is asked for there, until the slot has moved or stays where it was.
pub async fn ask(cluster: &RedisCluster, options: RedisOptions) {
    let redis = open(options).await;
    let slot = slot(cluster, 0);
    submit(&redis, 1).await.expect("it is committed");
    submit(&redis, 2).await.expect("it is committed");
    // With a delivery that is hidden all names hold something.
    assert_eq!(receive(&redis, SOON).await.len(), 2);
    submit(&redis, 3).await.expect("it is committed");
    let from = cluster.owner(slot);
    let to = another(cluster, slot);
    let moving = cluster.move_slot(slot, to);
    assert!(is_there(&redis, 1).await, "nothing has moved yet");
    assert!(moving.move_key());
    while moving.move_key() {}
    assert!(is_there(&redis, 2).await, "everything has moved");
    // The script is not known there either.
    cluster.ask(to, "SCRIPT FLUSH");
    submit(&redis, 4).await.expect("it is committed there");
    submit(&redis, 5).await.expect("it is committed there");
    assert_eq!(fields(cluster, from, "{russet:0}:records"), None);
    assert_eq!(cluster.owner(slot), from, "the slot has not moved");
    redis.stats().await.expect("it is counted there");
    moving.finish();
    assert_eq!(fields(cluster, to, "{russet:0}:records"), Some(5));
    assert!(is_there(&redis, 5).await);
    submit(&redis, 6).await.expect("it is committed");
}

#[tokio::test]
async fn what_has_moved_already_is_asked_for_at_the_other_node() {
    for version in ALL {
        let cluster = RedisCluster::start(version, &[]);
        ask(&cluster, options(&cluster)).await;
    }
}

#[tokio::test]
async fn what_has_moved_already_is_asked_for_and_waits_for_a_replica() {
    let at_once = ["--repl-diskless-sync-delay", "0"];
    let cluster = RedisCluster::start_with_replicas(RedisVersion::Redis7, &at_once);
    let mut options = options(&cluster);
    options.acknowledge = Acknowledge::Replica;
    ask(&cluster, options).await;
}

/// A node that is asked for what it was being given may have given it on meanwhile, and shows nothing.
#[tokio::test]
async fn no_loss_what_a_node_has_given_on_is_not_taken_for_gone() {
    for version in ALL {
        let cluster = RedisCluster::start(version, &[]);
        let redis = open(options(&cluster)).await;
        let slot = slot(&cluster, 0);
        submit(&redis, 1).await.expect("it is committed");
        let (from, to) = (cluster.owner(slot), another(&cluster, slot));
        let nodes = 0..cluster.servers().len();
        let third = nodes.into_iter().find(|node| ![from, to].contains(node));
        let third = third.expect("there are three");
        let moving = cluster.move_slot(slot, to);
        while moving.move_key() {}
        let importing = format!("CLUSTER SETSLOT {slot} IMPORTING {}", cluster.id(to));
        cluster.tell(third, &importing);
        let give = |from, to| {
            let port = cluster.port(to);
            let line = format!("MIGRATE 127.0.0.1 {port} \"\" 0 5000 KEYS {{russet:0}}:records");
            cluster.tell(from, &line);
        };
        give(to, third);
        let key = RecordKey::Task(submission(1).0);
        let error = redis.get(FIRST, &[key]).await.expect_err("it is elsewhere");
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        give(third, to);
        assert!(is_there(&redis, 1).await);
        moving.finish();
        assert!(is_there(&redis, 1).await, "{version:?}");
    }
}

/// A script needs all of its names on one node; while they are on two it is refused, and nothing
/// of it is done.
#[tokio::test]
async fn a_commit_whose_names_are_on_two_nodes_changes_nothing() {
    for version in ALL {
        let cluster = RedisCluster::start(version, &[]);
        let redis = open(options(&cluster)).await;
        let slot = slot(&cluster, 0);
        submit(&redis, 1).await.expect("it is committed");
        let moving = cluster.move_slot(slot, another(&cluster, slot));
        assert!(moving.move_key());
        let error = submit(&redis, 2).await.expect_err("names are on two nodes");
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        moving.finish();
        assert!(!is_there(&redis, 2).await, "{version:?}");
        submit(&redis, 2).await.expect("it is committed");
        assert_eq!(receive(&redis, SOON).await.len(), 2);
    }
}

/// Removes a task that was submitted.
async fn remove(redis: &Redis, n: u64) -> Result<Vec<Outcome>, StoreError> {
    let key = RecordKey::Task(submission(n).0);
    let before = redis
        .get(FIRST, std::slice::from_ref(&key))
        .await?
        .remove(0);
    let removal = Change {
        key,
        before,
        after: None,
    };
    let removal = Transaction {
        epoch: redis.epoch(FIRST),
        version: Version(n),
        changes: vec![removal],
    };
    redis.commit(FIRST, vec![removal]).await
}

/// A name that holds nothing any more is gone, and a node that is giving its slot away refuses
/// all that a script says of it: in the middle, and what was written stays.
#[tokio::test]
async fn a_commit_that_empties_a_name_is_done_in_whole_while_its_slot_is_given_away() {
    for version in ALL {
        let cluster = RedisCluster::start(version, &[]);
        let redis = open(options(&cluster)).await;
        let slot = slot(&cluster, 0);
        submit(&redis, 1).await.expect("it is committed");
        assert_eq!(receive(&redis, SOON).await.len(), 1);
        submit(&redis, 2).await.expect("it is committed");
        let moving = cluster.move_slot(slot, another(&cluster, slot));
        // The only hidden delivery of the lane goes with its task.
        let outcomes = remove(&redis, 1).await.expect("it is committed");
        assert_eq!(outcomes, [Outcome::Committed], "{version:?}");
        moving.finish();
        assert!(!is_there(&redis, 1).await);
        assert_eq!(receive(&redis, SOON).await.len(), 1);
    }
}

/// The same holds for deliveries: none is lost on its way from one name to another.
#[tokio::test]
async fn deliveries_that_come_back_are_not_lost_while_their_slot_is_given_away() {
    let short = Duration::from_millis(200);
    for version in ALL {
        let cluster = RedisCluster::start(version, &[]);
        let redis = open(options(&cluster)).await;
        let slot = slot(&cluster, 0);
        submit(&redis, 1).await.expect("it is committed");
        let received = redis.receive(&[lane()], 1, short, SOON).await;
        assert_eq!(received.expect("the queue delivers").len(), 1);
        submit(&redis, 2).await.expect("it is committed");
        let moving = cluster.move_slot(slot, another(&cluster, slot));
        tokio::time::sleep(2 * short).await;
        // The only hidden delivery is due again, and is taken with the one that is ready.
        assert_eq!(receive(&redis, SOON).await.len(), 2, "{version:?}");
        moving.finish();
    }
}
