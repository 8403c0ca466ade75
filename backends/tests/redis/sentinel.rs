//! Sentinels that say which server is the primary.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use russet_backends::redis::{Redis, RedisOpenError, RedisOptions, Topology};
use russet_core::RecordKey;
use russet_engine::{Store, SystemClock};
use russet_servers::{Process, RedisServer, RedisVersion, installed};

use super::failing::ALL;
use super::nodes::{FIRST, receive, submit};
use super::open;

const SOON: Duration = Duration::from_secs(60);

/// A sentinel by itself, which decides alone.
fn sentinel(primary: &RedisServer) -> Process {
    sentinel_with(primary, "")
}

/// The same with more settings.
pub fn sentinel_with(primary: &RedisServer, more: &str) -> Process {
    sentinel_of(primary, primary.process().port(), more)
}

/// One that knows the primary by this port.
pub fn sentinel_of(primary: &RedisServer, watched: u16, more: &str) -> Process {
    Process::start(|folder, port| {
        let settings = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {watched} 1\n\
             sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n{more}"
        );
        let file = folder.join("sentinel.conf");
        std::fs::write(&file, settings).expect("the settings are written");
        let mut command = Command::new(installed(primary.version().program()));
        command.arg(file).arg("--sentinel");
        command
    })
}

#[tokio::test]
async fn the_primary_is_found_again_after_a_failover_of_redis_6() {
    find_the_primary_again(RedisVersion::Redis6).await;
}

#[tokio::test]
async fn the_primary_is_found_again_after_a_failover_of_redis_7() {
    find_the_primary_again(RedisVersion::Redis7).await;
}

#[tokio::test]
async fn the_primary_is_found_again_after_a_failover_of_valkey_9() {
    find_the_primary_again(RedisVersion::Valkey9).await;
}

/// After a failover the new primary is found, and receivers are woken by it.
async fn find_the_primary_again(version: RedisVersion) {
    let at_once = ["--repl-diskless-sync-delay", "0"];
    let mut primary = RedisServer::start_with(version, &at_once);
    let port = primary.process().port().to_string();
    let arguments = ["--replicaof", "127.0.0.1", &port];
    let replica = RedisServer::start_with(version, &arguments);
    let sentinel = sentinel(&primary);
    let mut options = RedisOptions::new(format!("redis://127.0.0.1:{}", sentinel.port()));
    options.timeout = Duration::from_secs(1);
    options.topology = Topology::Sentinel {
        master: "main".to_owned(),
        others: Vec::new(),
        password: None,
    };
    let redis = open(options.clone()).await;
    let first = submit(&redis, 1).await.expect("it is committed");
    let known = async {
        let records = || replica.ask("HLEN {russet:0}:records").expect("it answers");
        while !records().starts_with(":1")
            || replica.info("master_link_status").expect("it answers") != "up"
            || sentinel_knows(&sentinel, "num-slaves") != "1"
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SOON, known)
        .await
        .expect("the replica is known");
    primary.process_mut().kill();
    let again = async {
        while submit(&redis, 2).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, again)
        .await
        .expect("the replica is promoted");
    let loaded = redis.get(FIRST, &[RecordKey::Task(first)]).await;
    assert!(loaded.expect("it is loaded")[0].is_some());
    assert_eq!(receive(&redis, SOON).await.first(), Some(&first));
    let epoch = replica
        .ask("HGET {russet:0}:meta epoch")
        .expect("it answers");
    assert!(!epoch.contains("\r\n0\r\n"), "another epoch: {epoch:?}");
    open(options).await;
}

#[tokio::test]
async fn a_primary_that_no_sentinel_knows_is_named() {
    for version in ALL {
        let primary = RedisServer::start(version);
        let sentinel = sentinel(&primary);
        let mut options = RedisOptions::new(format!("redis://127.0.0.1:{}", sentinel.port()));
        options.topology = Topology::Sentinel {
            master: "other".to_owned(),
            others: Vec::new(),
            password: None,
        };
        let redis = Redis::open(options, Arc::new(SystemClock)).await;
        let error = redis.err().expect("it is refused").to_string();
        assert!(error.contains("it knows no primary \"other\""), "{error}");
    }
}

fn sentinel_knows(sentinel: &Process, field: &str) -> String {
    use std::io::{Read, Write};
    let mut stream =
        std::net::TcpStream::connect(("127.0.0.1", sentinel.port())).expect("the sentinel listens");
    write!(stream, "SENTINEL MASTER main\r\n").expect("it is asked");
    let mut answer = String::new();
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .expect("a limit");
    let _ = stream.read_to_string(&mut answer);
    let mut lines = answer.lines().skip_while(|line| *line != field);
    lines.nth(2).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_sentinel_that_is_taken_for_a_server_is_named() {
    for version in ALL {
        let primary = RedisServer::start(version);
        let sentinel = sentinel(&primary);
        let url = format!("redis://127.0.0.1:{}", sentinel.port());
        let opened = Redis::open(RedisOptions::new(url), Arc::new(SystemClock)).await;
        let error = opened.err().expect("it is refused");
        assert!(matches!(error, RedisOpenError::Sentinel { .. }), "{error}");
        assert!(error.to_string().contains("set sentinel_master"), "{error}");
    }
}
