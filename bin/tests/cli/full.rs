//! A Redis whose memory is used up: where that is told of.

use std::time::{Duration, Instant};

use russet_servers::{RedisServer, RedisVersion};

use crate::nodes::{ask, on_with, send};
use crate::process::{Ran, russet};

/// How many batches are refused: more than are logged.
const BATCHES: usize = 60;

fn set_full(server: &RedisServer, is_full: bool) {
    let line = format!("CONFIG SET maxmemory {}", u8::from(is_full));
    let set = server.ask(&line).expect("it answers");
    assert!(set.starts_with("+OK"), "{set}");
}

fn check(server: &RedisServer) -> Ran {
    let mut command = russet();
    command.args(["config", "check", "--set", "store.backend=redis"]);
    command.env("RUSSET_REDIS_URL", server.url());
    command.output().expect("runs").into()
}

#[test]
fn a_full_store_is_told_by_readyz_metrics_and_a_check_and_the_server_stays_ready() {
    for version in [
        RedisVersion::Redis6,
        RedisVersion::Redis7,
        RedisVersion::Valkey9,
    ] {
        let server = RedisServer::start(version);
        let node = on_with(&server, |_| {});
        let task = node.submit(&["--type", "a"]);
        assert!(ask(&node, "/readyz").ends_with("\r\nready\n"));
        assert!(ask(&node, "/metrics").contains("\nrusset_store_full 0\n"));
        assert!(!check(&server).good().contains("maxmemory"));
        set_full(&server, true);
        let ready = ask(&node, "/readyz");
        assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
        let said = "ready, but no new task is accepted: the store is full: Redis has reached its \
                    maxmemory";
        assert!(ready.contains(said), "{ready}");
        assert!(ask(&node, "/metrics").contains("\nrusset_store_full 1\n"));
        let checked = check(&server);
        let store = checked.good().lines().find(|line| line.contains("store"));
        assert!(
            store.is_some_and(|line| line.starts_with("WARN") && line.contains("raise maxmemory")),
            "{checked:?}"
        );
        let leased = node.run(&["--quiet", "tasks", "lease", "--wait", "10s"]);
        let (id, lease) = leased.good().split_once(' ').expect("a task and its lease");
        assert_eq!(id, task);
        node.run(&["tasks", "complete", id, lease]).good();
        set_full(&server, false);
        assert!(ask(&node, "/readyz").ends_with("\r\nready\n"));
    }
}

#[test]
fn bounded_a_batch_whose_items_find_a_full_store_is_told_by_the_log() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let log = tempfile::NamedTempFile::new().expect("a file");
    let file = log.as_file().try_clone().expect("is duplicated");
    let node = on_with(&server, |command| {
        command.stderr(file);
    });
    set_full(&server, true);
    let batch = r#"{"tasks": [{"type": "a"}, {"type": "b"}, {"type": 7}]}"#;
    let start = Instant::now();
    for _ in 0..BATCHES {
        let answer = send(&node, "POST", "/v1/tasks", batch);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(answer.matches("store_full").count(), 2, "{answer}");
    }
    let took = start.elapsed();
    let text = std::fs::read_to_string(log.path()).expect("text");
    let told = text.lines().filter(|line| line.contains("2 of 3 items: "));
    let told: Vec<_> = told.collect();
    assert!(
        !told.is_empty() && told[0].contains("the store is full"),
        "{text}"
    );
    if took < Duration::from_secs(10) {
        assert!(told.len() < BATCHES, "{} lines", told.len());
    }
}
