//! What is checked before a store is opened: each error names the setting and the remedy.

use std::sync::Arc;
use std::time::Duration;

use russet_backends::redis::{Acknowledge, Redis, RedisOpenError, RedisOptions, examine};
use russet_engine::{Store, SystemClock};
use russet_servers::{RedisServer, RedisVersion};

use super::open;

pub(super) const ALL: [RedisVersion; 3] = [
    RedisVersion::Redis6,
    RedisVersion::Redis7,
    RedisVersion::Valkey9,
];

pub(super) async fn refused(options: RedisOptions) -> RedisOpenError {
    let redis = Redis::open(options, Arc::new(SystemClock)).await;
    redis.err().expect("it is refused")
}

/// Opening the store is refused, and so is looking at what there is for it.
async fn both_refused(options: RedisOptions) -> [RedisOpenError; 2] {
    let examined = examine(options.clone(), Arc::new(SystemClock)).await;
    let examined = examined.expect_err("a look is refused as well");
    [refused(options).await, examined]
}

#[track_caller]
pub(super) fn says(error: &RedisOpenError, parts: &[&str]) {
    let error = error.to_string();
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
    assert!(!error.contains("sesame"), "a password is shown: {error}");
}

pub(super) fn with_login(server: &RedisServer, login: &str) -> String {
    server
        .url()
        .replace("redis://", &format!("redis://{login}@"))
}

#[tokio::test]
async fn a_command_that_is_not_allowed_is_named() {
    for version in ALL {
        let server = RedisServer::start(version);
        for (rules, named) in [
            ("+@all -zadd", "ZADD"),
            ("+@all -hsetnx", "HSETNX"),
            ("+@all -hlen", "HLEN"),
            ("+@all -subscribe", "SUBSCRIBE"),
            ("+@all -publish", "PUBLISH"),
            ("+@all -info", "INFO"),
            ("+@all -role", "ROLE"),
            ("+@all -ping", "PING"),
            ("+@all -evalsha -eval", "EVAL"),
        ] {
            let line = format!("ACL SETUSER me reset on >sesame ~* &* {rules}");
            assert!(server.ask(&line).expect("it answers").starts_with("+OK"));
            let mut options = RedisOptions::new(with_login(&server, "me:sesame"));
            options.timeout = Duration::from_secs(1);
            for error in both_refused(options).await {
                assert!(matches!(error, RedisOpenError::Forbidden { .. }), "{error}");
                says(&error, &[named, "ACL SETUSER"]);
            }
        }
        let line = "ACL SETUSER me reset on >sesame ~{other* &* +@all";
        assert!(server.ask(line).expect("it answers").starts_with("+OK"));
        let error = refused(RedisOptions::new(with_login(&server, "me:sesame"))).await;
        assert!(matches!(error, RedisOpenError::Forbidden { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_store_that_may_be_read_and_not_made_is_refused() {
    for version in [RedisVersion::Redis7, RedisVersion::Valkey9] {
        let server = RedisServer::start(version);
        let line = "ACL SETUSER me reset on >sesame %R~{russet}:store ~{russet:* &* +@all";
        assert!(server.ask(line).expect("it answers").starts_with("+OK"));
        let options = RedisOptions::new(with_login(&server, "me:sesame"));
        let [opened, examined] = both_refused(options.clone()).await;
        says(&opened, &["refuses HSETNX", "ACL SETUSER"]);
        says(&examined, &["refuses HDEL", "ACL SETUSER"]);
    }
}

/// Whoever looks hears what whoever opens it would.
#[tokio::test]
async fn a_server_without_room_for_a_new_store_is_refused() {
    for version in ALL {
        let server = RedisServer::start(version);
        server.ask("CONFIG SET maxmemory 1").expect("it answers");
        for error in both_refused(RedisOptions::new(server.url())).await {
            assert!(matches!(error, RedisOpenError::Full { .. }), "{error}");
        }
        server.ask("CONFIG SET maxmemory 0").expect("it answers");
        open(RedisOptions::new(server.url())).await;
        server.ask("CONFIG SET maxmemory 1").expect("it answers");
        let found = examine(RedisOptions::new(server.url()), Arc::new(SystemClock)).await;
        assert_eq!(found.expect("it is there").partitions, Some(1));
    }
}

#[tokio::test]
async fn what_a_server_cannot_do_now_is_said_with_the_remedy() {
    for version in ALL {
        let server = RedisServer::start(version);
        let refused = async |line: &str| {
            assert!(server.ask(line).expect("it answers").starts_with("+OK"));
            both_refused(RedisOptions::new(server.url())).await
        };
        for error in refused("CONFIG SET min-replicas-to-write 1").await {
            says(&error, &["NOREPLICAS", "lower its min-replicas-to-write"]);
        }
        let line = "CONFIG SET min-replicas-to-write 0";
        assert!(server.ask(line).expect("it answers").starts_with("+OK"));
        for error in refused("SET {russet}:store other").await {
            says(&error, &["WRONGTYPE", "\"russet\"", "set prefix"]);
        }
    }
}

#[tokio::test]
async fn a_look_at_a_store_makes_and_changes_nothing() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let look = async || {
        let found = examine(RedisOptions::new(server.url()), Arc::new(SystemClock)).await;
        found.expect("it can be used").partitions
    };
    let dump = || server.ask("KEYS *").expect("it answers");
    let nothing = dump();
    assert_eq!(look().await, None);
    assert_eq!(dump(), nothing);
    let mut options = RedisOptions::new(server.url());
    options.partitions = Some(3);
    open(options).await;
    let fields = || server.ask("HGETALL {russet}:store").expect("it answers");
    let made = fields();
    assert_eq!(look().await, Some(3));
    assert_eq!(fields(), made);
}

/// What the error advises is enough.
#[tokio::test]
async fn the_advised_rules_are_enough() {
    for version in ALL {
        let server = RedisServer::start(version);
        let line = "ACL SETUSER me reset on >sesame +@read +@write +@scripting +@connection \
                    +@pubsub +info +role +time +wait resetchannels ~{russet* &{russet*";
        let answer = server.ask(line).expect("it answers");
        assert!(answer.starts_with("+OK"), "{answer}");
        let options = RedisOptions::new(with_login(&server, "me:sesame"));
        let examined = examine(options.clone(), Arc::new(SystemClock)).await;
        examined.expect("a look is allowed");
        open(options).await;
    }
}

#[tokio::test]
async fn a_policy_that_evicts_is_refused() {
    for version in ALL {
        let server = RedisServer::start_with(version, &["--maxmemory-policy", "allkeys-lru"]);
        let error = refused(RedisOptions::new(server.url())).await;
        assert!(matches!(error, RedisOpenError::Evicts { .. }), "{error}");
        says(&error, &["allkeys-lru", "maxmemory-policy noeviction"]);
    }
}

#[tokio::test]
async fn a_replica_is_refused() {
    let primary = RedisServer::start(RedisVersion::Redis7);
    let port = primary.process().port().to_string();
    let arguments = ["--replicaof", &format!("127.0.0.1 {port}")];
    let replica = RedisServer::start_with(RedisVersion::Redis7, &arguments);
    let error = refused(RedisOptions::new(replica.url())).await;
    assert!(matches!(error, RedisOpenError::Replica { .. }), "{error}");
    says(&error, &["read-only replica", "url"]);
}

#[tokio::test]
async fn waiting_for_replicas_needs_one() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let mut options = RedisOptions::new(server.url());
    options.acknowledge = Acknowledge::Replica;
    let error = refused(options).await;
    assert!(matches!(error, RedisOpenError::NoReplica { .. }), "{error}");
    says(&error, &["acknowledge", "connect a replica"]);
}

#[tokio::test]
async fn a_node_of_a_cluster_is_refused() {
    let server = RedisServer::start_with(RedisVersion::Redis7, &["--cluster-enabled", "yes"]);
    let error = refused(RedisOptions::new(server.url())).await;
    assert!(matches!(error, RedisOpenError::Cluster { .. }), "{error}");
}

#[tokio::test]
async fn the_number_of_partitions_is_fixed() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let with = |partitions| RedisOptions {
        partitions,
        ..RedisOptions::new(server.url())
    };
    assert_eq!(open(with(Some(3))).await.partitions(), 3);
    assert_eq!(open(with(None)).await.partitions(), 3);
    let error = refused(with(Some(4))).await;
    assert!(
        matches!(error, RedisOpenError::Partitions { .. }),
        "{error}"
    );
    says(
        &error,
        &["3 partitions", "4 are asked for", "set partitions to 3"],
    );
    let other = RedisOptions {
        prefix: "other".to_owned(),
        ..with(Some(4))
    };
    assert_eq!(open(other).await.partitions(), 4);
}

#[tokio::test]
async fn data_of_a_newer_version_is_refused() {
    for field in ["layout", "format"] {
        let server = RedisServer::start(RedisVersion::Redis7);
        open(RedisOptions::new(server.url())).await;
        let line = format!("HSET {{russet}}:store {field} 99");
        server.ask(&line).expect("it answers");
        for error in both_refused(RedisOptions::new(server.url())).await {
            assert!(matches!(error, RedisOpenError::Newer { .. }), "{error}");
            says(&error, &["format 99", "upgrade russet"]);
        }
    }
}

#[tokio::test]
async fn a_store_of_the_first_layout_is_raised_to_the_newest() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let header = || server.ask("HMGET {russet}:store layout format partitions");
    open(RedisOptions::new(server.url())).await;
    let newest = header().expect("it answers");
    for older in ["HSET {russet}:store layout 1", "HDEL {russet}:store format"] {
        server.ask(older).expect("it answers");
        assert_ne!(header().expect("it answers"), newest);
        open(RedisOptions::new(server.url())).await;
        assert_eq!(header().expect("it answers"), newest);
    }
}

#[tokio::test]
async fn settings_out_of_their_range_are_refused() {
    let good = RedisOptions::new("redis://127.0.0.1:1");
    for (options, named) in [
        (
            RedisOptions {
                partitions: Some(0),
                ..good.clone()
            },
            "partitions is 0",
        ),
        (
            RedisOptions {
                connections: 0,
                ..good.clone()
            },
            "connections is 0",
        ),
        (
            RedisOptions {
                prefix: "a{b".to_owned(),
                ..good.clone()
            },
            "prefix is",
        ),
        (
            RedisOptions {
                timeout: Duration::ZERO,
                ..good.clone()
            },
            "timeout is 0",
        ),
    ] {
        says(&refused(options).await, &[named, "set it to"]);
    }
}
