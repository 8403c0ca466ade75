//! What was to happen while the server was gone happens when it is back, with nobody asking.

use std::time::{Duration, Instant};

use russet_tests::{Http, Serve, Settings};
use serde_json::{Value, json};

use crate::restart;

/// How late a timer may be after a restart.
const LATE: Duration = Duration::from_secs(3);

fn post(client: &mut Http, path: &str, body: &Value) -> Value {
    client.post(path, body).expect("the server answers").good()
}

fn lease(client: &mut Http, wait_ms: u64) -> Value {
    let request = json!({"queues": ["default"], "worker": "w", "wait_ms": wait_ms});
    post(client, "/v1/leases", &request)["tasks"][0].clone()
}

fn killed_and_restarted(settings: &Settings, mut server: Serve) -> Serve {
    server.process.kill();
    restart(settings, &server.address)
}

#[test]
fn a_task_that_was_due_while_the_server_was_gone_starts_when_it_is_back() {
    let folder = tempfile::tempdir().expect("makes a folder");
    let settings = Settings::new(env!("CARGO_BIN_EXE_russet-under-test"), folder.path());
    let server = settings.start();
    let task = json!({"type": "t", "delay_ms": 300});
    let id = post(&mut server.client(), "/v1/tasks", &task)["task"].clone();
    let server = killed_and_restarted(&settings, server);
    let start = Instant::now();
    assert_eq!(
        lease(&mut server.client(), 20_000)["id"],
        id,
        "it did not start at all"
    );
    assert!(
        start.elapsed() < LATE,
        "it started {:?} after the restart",
        start.elapsed()
    );
}

#[test]
fn a_lease_that_ran_out_while_the_server_was_gone_is_granted_again_when_it_is_back() {
    let folder = tempfile::tempdir().expect("makes a folder");
    let settings = Settings::new(env!("CARGO_BIN_EXE_russet-under-test"), folder.path());
    let server = settings.start();
    let task = json!({
        "type": "t", "visibility_timeout_ms": 300, "retry": {"backoff_ms": 1, "jitter_percent": 0},
    });
    post(&mut server.client(), "/v1/tasks", &task);
    let first = lease(&mut server.client(), 1_000);
    assert_eq!(first["attempt"], 1, "{first}");
    let server = killed_and_restarted(&settings, server);
    let start = Instant::now();
    let second = lease(&mut server.client(), 20_000);
    assert_eq!(
        (&second["id"], &second["attempt"]),
        (&first["id"], &json!(2)),
        "{second}"
    );
    assert!(
        start.elapsed() < LATE,
        "it was granted {:?} after the restart",
        start.elapsed()
    );
}
