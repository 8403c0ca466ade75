//! What a server or the way to it can do wrong.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use russet_backends::limits::REDIS_REPLICA;
use russet_backends::redis::{Acknowledge, Redis, RedisOpenError, RedisOptions};
use russet_core::{Epoch, PartitionId, RecordKey};
use russet_engine::{Outcome, Queue, Store, StoreError, SystemClock};
use russet_servers::{RedisServer, RedisVersion, free_port};

use super::nodes::{FIRST, receive, submission, submit, submit_in};
use super::open;

pub(super) const ALL: [RedisVersion; 3] = [
    RedisVersion::Redis6,
    RedisVersion::Redis7,
    RedisVersion::Valkey9,
];
/// How long a server may take until it works again.
pub(super) const SOON: Duration = Duration::from_secs(20);

pub(super) async fn is_there(redis: &Redis, n: u64) -> bool {
    let (id, _) = submission(n);
    let loaded = redis.get(FIRST, &[RecordKey::Task(id)]).await;
    loaded.expect("it is loaded")[0].is_some()
}

/// Submits until it works.
pub(super) async fn submit_soon(redis: &Redis, n: u64) {
    let tries = async {
        while submit(redis, n).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, tries)
        .await
        .expect("it works again");
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_sent_again() {
    for version in ALL {
        let server = RedisServer::start(version);
        let redis = open(RedisOptions::new(server.url())).await;
        for n in 0..3 {
            let flushed = server.ask("SCRIPT FLUSH").expect("it answers");
            assert!(flushed.starts_with("+OK"), "{flushed}");
            let id = submit(&redis, n).await.expect("it is committed");
            assert_eq!(receive(&redis, SOON).await, [id]);
        }
    }
}

/// Whether it was done is not known: it is done when the server goes on.
#[tokio::test]
async fn a_commit_on_a_frozen_server_has_an_unknown_outcome() {
    for version in ALL {
        let server = RedisServer::start(version);
        let mut options = RedisOptions::new(server.url());
        options.timeout = Duration::from_millis(300);
        let redis = open(options).await;
        submit(&redis, 1).await.expect("it is committed");
        server.process().signal("STOP");
        let error = submit(&redis, 2).await.expect_err("nobody answers");
        assert!(matches!(error, StoreError::Indeterminate { .. }), "{error}");
        let keys = [RecordKey::Task(submission(1).0)];
        let error = redis.get(FIRST, &keys).await.expect_err("nobody answers");
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        let error = submit(&redis, 3).await.expect_err("nobody answers");
        assert!(
            matches!(error, StoreError::Unavailable { .. }),
            "nothing was sent: {error}"
        );
        server.process().signal("CONT");
        submit_soon(&redis, 4).await;
        assert!(is_there(&redis, 2).await, "it was done later");
        assert!(!is_there(&redis, 3).await);
    }
}

/// With what was acknowledged: without a sync, too, the system has what its process wrote. Its
/// receivers are told again.
#[tokio::test]
async fn a_server_that_was_killed_is_found_again_after_its_restart() {
    let synced = ["always", "everysec"];
    for (version, sync) in ALL.into_iter().flat_map(|v| synced.map(|sync| (v, sync))) {
        let arguments = ["--appendonly", "yes", "--appendfsync", sync];
        let mut server = RedisServer::start_with(version, &arguments);
        let redis = open(RedisOptions::new(server.url())).await;
        let first = submit(&redis, 1).await.expect("it is committed");
        server.process_mut().kill();
        let error = submit(&redis, 2).await.expect_err("nobody answers");
        assert!(
            matches!(
                error,
                StoreError::Indeterminate { .. } | StoreError::Unavailable { .. }
            ),
            "{error}"
        );
        server.restart();
        assert!(
            tokio::time::timeout(SOON, async {
                let keys = [RecordKey::Task(first)];
                loop {
                    if let Ok(loaded) = redis.get(FIRST, &keys).await {
                        return loaded[0].is_some();
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
            .await
            .expect("it works again")
        );
        assert_eq!(receive(&redis, SOON).await, [first]);
        let third = async {
            tokio::time::sleep(Duration::from_millis(600)).await;
            submit_soon(&redis, 3).await;
        };
        let (received, ()) = futures::join!(receive(&redis, SOON), third);
        assert_eq!(received, [submission(3).0]);
    }
}

/// A server, and a replica that is attached to it.
pub(super) async fn with_replica() -> [RedisServer; 2] {
    let at_once = ["--repl-diskless-sync-delay", "0"];
    let primary = RedisServer::start_with(RedisVersion::Redis7, &at_once);
    let port = primary.process().port().to_string();
    let arguments = ["--replicaof", &format!("127.0.0.1 {port}")];
    let replica = RedisServer::start_with(RedisVersion::Redis7, &arguments);
    let attached = async {
        while primary.info("connected_slaves").expect("it answers") != "1"
            || replica.info("master_link_status").expect("it answers") != "up"
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, attached)
        .await
        .expect("it is attached");
    [primary, replica]
}

/// A commit that no replica has is not acknowledged.
#[tokio::test]
async fn a_commit_waits_for_a_replica_when_one_has_to_have_it() {
    let [primary, replica] = with_replica().await;
    let mut options = RedisOptions::new(primary.url());
    options.acknowledge = Acknowledge::Replica;
    let redis = open(options).await;
    submit(&redis, 1).await.expect("both have it");
    replica.process().signal("STOP");
    let error = submit(&redis, 2)
        .await
        .expect_err("the replica does not answer");
    assert!(matches!(error, StoreError::Indeterminate { .. }), "{error}");
    assert!(error.to_string().contains("replica"), "{error}");
    let confirm = || redis.confirm(FIRST, redis.epoch(FIRST));
    let error = confirm().await.expect_err("the replica does not answer");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("replica"), "{error}");
    replica.process().signal("CONT");
    submit_soon(&redis, 3).await;
    assert_eq!(confirm().await, Ok(Outcome::Committed));
    let earlier = redis.confirm(FIRST, Epoch(7)).await;
    assert_eq!(earlier, Ok(Outcome::Conflict), "it is not of this epoch");

    primary
        .ask("ACL SETUSER default -wait")
        .expect("it answers");
    let error = submit(&redis, 4).await.expect_err("it may not wait");
    assert!(matches!(error, StoreError::Indeterminate { .. }), "{error}");
    let mut options = RedisOptions::new(primary.url());
    options.acknowledge = Acknowledge::Replica;
    let error = Redis::open(options, Arc::new(SystemClock)).await;
    let error = error.err().expect("it may not wait");
    assert!(matches!(error, RedisOpenError::Forbidden { .. }), "{error}");
    assert!(error.to_string().contains("WAIT"), "{error}");
}

/// A server that has no replica left does all but to acknowledge what is written.
#[tokio::test]
async fn reads_and_receivers_do_not_wait_for_commits_that_wait_for_a_replica() {
    let [primary, replica] = with_replica().await;
    let mut options = RedisOptions::new(primary.url());
    options.acknowledge = Acknowledge::Replica;
    options.partitions = Some(2);
    let redis = open(options).await;
    submit(&redis, 1).await.expect("both have it");
    replica.process().signal("STOP");
    let commits = (2..14).map(|n| submit_in(&redis, PartitionId(n as u16 % 2), n));
    let others = async {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let begun = Instant::now();
            assert!(is_there(&redis, 1).await);
            receive(&redis, Duration::ZERO).await;
            let took = begun.elapsed();
            assert!(took < REDIS_REPLICA / 2, "they took {took:?}");
        }
    };
    let (outcomes, ()) = futures::join!(join_all(commits), others);
    for outcome in outcomes {
        let error = outcome.expect_err("the replica does not answer");
        assert!(matches!(error, StoreError::Indeterminate { .. }), "{error}");
        assert!(error.to_string().contains("no replica has it"), "{error}");
    }
    replica.process().signal("CONT");
    submit_soon(&redis, 20).await;
}

/// A script is not undone: what it had written before it came to what is forbidden is there.
#[tokio::test]
async fn a_commit_that_the_user_may_not_finish_has_an_unknown_outcome() {
    for version in ALL {
        let server = RedisServer::start(version);
        let redis = open(RedisOptions::new(server.url())).await;
        submit(&redis, 1).await.expect("it is committed");
        let line = "ACL SETUSER default -zadd";
        assert!(server.ask(line).expect("it answers").starts_with("+OK"));
        let error = submit(&redis, 2).await.expect_err("it is forbidden");
        assert!(matches!(error, StoreError::Indeterminate { .. }), "{error}");
        assert!(error.to_string().contains("allow it"), "{error}");
        assert!(is_there(&redis, 2).await, "it was written before");
        let line = "ACL SETUSER default -evalsha -eval";
        assert!(server.ask(line).expect("it answers").starts_with("+OK"));
        let error = submit(&redis, 3).await.expect_err("it is forbidden");
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    }
}

/// It may have gone back meanwhile: whether a commit waits for a replica or not, what comes then is
/// of another epoch.
#[tokio::test]
async fn a_primary_that_was_a_replica_meanwhile_is_asked_anew_also_where_commits_wait() {
    for acknowledge in [Acknowledge::Primary, Acknowledge::Replica] {
        let [primary, _replica] = with_replica().await;
        let mut options = RedisOptions::new(primary.url());
        options.acknowledge = acknowledge;
        let redis = open(options).await;
        submit(&redis, 1).await.expect("it is committed");
        let before = epoch(&primary);
        let line = format!("REPLICAOF 127.0.0.1 {}", free_port());
        primary.ask(&line).expect("it answers");
        let error = submit(&redis, 2).await.expect_err("it is a replica");
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        primary.ask("REPLICAOF NO ONE").expect("it answers");
        submit_soon(&redis, 3).await;
        assert!(epoch(&primary) > before, "{acknowledge:?}");
    }
}

/// A server that becomes a replica is left, and used again when it is the primary.
#[tokio::test]
async fn a_primary_that_becomes_a_replica_is_left() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let other = RedisServer::start(RedisVersion::Redis7);
    let redis = open(RedisOptions::new(server.url())).await;
    submit(&redis, 1).await.expect("it is committed");
    let port = other.process().port();
    let line = format!("REPLICAOF 127.0.0.1 {port}");
    server.ask(&line).expect("it answers");
    for n in 2..5 {
        let error = submit(&redis, n).await.expect_err("it is a replica");
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    }
    server.ask("REPLICAOF NO ONE").expect("it answers");
    submit_soon(&redis, 9).await;
}

/// Passwords are in no error of a server that went away.
#[tokio::test]
async fn errors_show_no_credentials() {
    let arguments = ["--requirepass", "sesame"];
    let mut server = RedisServer::start_with(RedisVersion::Redis7, &arguments);
    let url = server.url().replace("redis://", "redis://:sesame@");
    let mut options = RedisOptions::new(url);
    options.timeout = Duration::from_millis(300);
    assert!(!format!("{options:?}").contains("sesame"));
    let redis = open(options).await;
    server.process_mut().kill();
    for n in 0..3 {
        let error = submit(&redis, n).await.expect_err("nobody answers");
        assert!(
            !format!("{error} {error:?}").contains("sesame"),
            "{error:?}"
        );
        let lanes = [super::nodes::lane()];
        let received = redis.receive(&lanes, 1, SOON, Duration::ZERO).await;
        let error = received.expect_err("nobody answers");
        assert!(
            !format!("{error} {error:?}").contains("sesame"),
            "{error:?}"
        );
    }
}

/// Of an epoch, as it is recorded.
pub(super) fn epoch(server: &RedisServer) -> u64 {
    let answer = server.ask("HGET {russet:0}:meta epoch");
    let answer = answer.expect("it answers");
    let number = answer.lines().nth(1).and_then(|line| line.parse().ok());
    number.unwrap_or_else(|| panic!("no epoch: {answer}"))
}

/// A node that has not noticed loses its next commit, and goes on in the new epoch.
#[tokio::test]
async fn a_commit_of_an_earlier_epoch_conflicts() {
    for version in ALL {
        let server = RedisServer::start(version);
        let redis = open(RedisOptions::new(server.url())).await;
        submit(&redis, 1).await.expect("it is committed");
        assert_eq!(epoch(&server), 0);
        // Another node has begun an epoch; then the store goes back to one that was before it.
        for (n, recorded) in [(2, 7), (3, 4)] {
            let line = format!("HSET {{russet:0}}:meta epoch {recorded}");
            server.ask(&line).expect("it answers");
            let mut earlier = submission(n).1;
            earlier.epoch = redis.epoch(FIRST);
            let outcomes = redis.commit(FIRST, vec![earlier]).await;
            assert_eq!(outcomes, Ok(vec![Outcome::Conflict]));
            assert!(!is_there(&redis, n).await);
            submit(&redis, n).await.expect("it is committed");
            match recorded {
                7 => assert_eq!(epoch(&server), 7),
                _ => assert!(epoch(&server) > 7),
            }
        }
    }
}

/// Another process may not have all that the one before had.
#[tokio::test]
async fn an_epoch_begins_with_another_process_of_the_server() {
    let arguments = ["--appendonly", "yes", "--appendfsync", "always"];
    let mut server = RedisServer::start_with(RedisVersion::Redis7, &arguments);
    let redis = open(RedisOptions::new(server.url())).await;
    let other = open(RedisOptions::new(server.url())).await;
    let mut last = None;
    for n in 1..4 {
        submit_soon(&redis, n).await;
        let begun = epoch(&server);
        assert!(
            last.is_none_or(|last| begun > last),
            "{begun} after {last:?}"
        );
        submit_soon(&other, n + 10).await;
        assert_eq!(epoch(&server), begun, "the same process");
        last = Some(begun);
        server.restart();
    }
}

/// What was forgotten may be an epoch itself: then whoever had not seen it begins another.
#[tokio::test]
async fn one_holder_processes_of_a_server_begin_different_epochs() {
    let mut begun = Vec::new();
    for _ in 0..4 {
        let server = RedisServer::start(RedisVersion::Redis7);
        let redis = open(RedisOptions::new(server.url())).await;
        for line in [
            "HSET {russet:0}:meta epoch 1",
            "HSET {russet:0}:meta run_id another",
        ] {
            server.ask(line).expect("it answers");
        }
        drop(redis);
        let redis = open(RedisOptions::new(server.url())).await;
        submit(&redis, 1).await.expect("it is committed");
        begun.push(epoch(&server));
    }
    assert!(begun.iter().all(|epoch| *epoch > 1));
    begun.dedup();
    // Of one pair of processes in a thousand they are the same: not of three pairs in a row.
    assert!(begun.len() > 1, "{begun:?}");
}
