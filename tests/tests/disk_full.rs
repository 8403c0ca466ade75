//! A disk that is full, for real: the server may not write a larger file than it has.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use russet_tests::{Http, Process, Serve, Settings, eventually};
use serde_json::{Value, json};

/// How much room there is for the data to grow, in blocks of 512 bytes: a megabyte.
const ROOM: u64 = 2_048;
/// Large enough to fill the room soon, in bytes.
const PAYLOAD: usize = 60_000;
/// A server must not keep anybody waiting because its disk is full.
const SOON: Duration = Duration::from_secs(10);
/// How long a lease lasts of what runs while the disk gets full.
const LEASE: Duration = Duration::from_secs(1);

/// What the server acknowledged: ids, and the size of what was submitted.
type Acknowledged = Vec<(String, usize)>;

fn submit(client: &mut Http, size: usize) -> Result<String, (u16, Value)> {
    let body = json!({"type": "t", "payload": "x".repeat(size)});
    let start = Instant::now();
    let reply = client.post("/v1/tasks", &body).expect("the server answers");
    assert!(
        start.elapsed() < SOON,
        "a submission took {:?}",
        start.elapsed()
    );
    match reply.status {
        201 => Ok(reply.json()["task"].as_str().expect("has an id").to_owned()),
        status => Err((status, reply.json())),
    }
}

/// Submits until the disk is full; the refusal.
fn fill(client: &mut Http, acknowledged: &mut Acknowledged) -> Value {
    for _ in 0..1_000 {
        match submit(client, PAYLOAD) {
            Ok(id) => acknowledged.push((id, PAYLOAD)),
            Err((status, problem)) => {
                assert_eq!(status, 507, "{problem}");
                return problem;
            }
        }
    }
    panic!("the disk is never full");
}

fn nothing_is_lost(client: &mut Http, acknowledged: &Acknowledged) {
    for (id, size) in acknowledged {
        let reply = client
            .get(&format!("/v1/tasks/{id}"))
            .expect("the server answers");
        assert_eq!(reply.status, 200, "{id} is lost: {}", reply.text());
        let payload = reply.json()["payload"].as_str().map(str::len);
        assert_eq!(payload, Some(*size), "{id} is not what it was");
    }
}

/// A server on a disk that has little room left, and what it has acknowledged before.
fn nearly_full(folder: &Path) -> (Serve, Acknowledged) {
    let russet = env!("CARGO_BIN_EXE_russet-under-test");
    let mut settings = Settings::new(russet, folder);
    let server = settings.start();
    let acknowledged = (0..20).map(|_| submit(&mut server.client(), 100));
    let acknowledged = acknowledged
        .map(|id| (id.expect("there is room"), 100))
        .collect();
    stopped(server.process);
    let files = fs::read_dir(folder).expect("is readable").flatten();
    let largest = files
        .filter_map(|file| Some(file.metadata().ok()?.len()))
        .max();
    settings.file_blocks = Some(largest.expect("has a file").div_ceil(512) + ROOM);
    (settings.start(), acknowledged)
}

fn stopped(process: Process) {
    process.terminate();
    let (status, said) = process.end();
    assert!(status.success(), "{status}: {said}");
}

#[test]
fn a_full_disk_refuses_submissions_and_everything_else_goes_on_until_there_is_room() {
    let folder = tempfile::tempdir().expect("makes a folder");
    let (mut server, mut acknowledged) = nearly_full(folder.path());
    let mut client = server.client();

    let problem = fill(&mut client, &mut acknowledged);
    assert_eq!(problem["code"], "store_full", "{problem}");
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(
        detail.contains("full") && detail.contains("free"),
        "{detail}"
    );

    // Refused again and again, and everything that only reads is answered.
    for _ in 0..5 {
        let refused = submit(&mut client, PAYLOAD).expect_err("there is no room");
        assert_eq!(refused.0, 507, "{}", refused.1);
        for path in ["/v1/tasks?limit=1000", "/v1/queues", "/healthz", "/metrics"] {
            assert_eq!(client.get(path).expect("answers").status, 200, "{path}");
        }
    }
    let ready = client.get("/readyz").expect("answers");
    assert_eq!(ready.status, 200, "{}", ready.text());
    let said = "ready, but no new task is accepted: the store is full";
    assert!(ready.text().starts_with(said), "{}", ready.text());
    nothing_is_lost(&mut client, &acknowledged);
    workers_are_answered(&mut client);

    server.process.unlimit_files();
    let id = eventually("submissions are accepted again", || {
        submit(&mut client, PAYLOAD).ok()
    });
    acknowledged.push((id, PAYLOAD));
    nothing_is_lost(&mut client, &acknowledged);
    all_can_be_finished(&mut client, acknowledged.len());

    assert!(!server.process.has_ended());
    let said = server.process.said();
    assert!(!said.contains("panicked"), "{said}");
    assert!(
        said.contains("a request failed: the store is full"),
        "{said}"
    );
    stopped(server.process);
}

#[test]
fn a_task_that_runs_while_the_disk_gets_full_keeps_its_lease_and_completes() {
    let folder = tempfile::tempdir().expect("makes a folder");
    let (server, mut acknowledged) = nearly_full(folder.path());
    let mut client = server.client();
    let request =
        json!({"queues": ["default"], "worker": "w", "visibility_timeout_ms": LEASE.as_millis()});
    let leased = client.post("/v1/leases", &request).expect("answers").good();
    let task = &leased["tasks"][0];
    let held = json!({"task": task["id"], "lease_id": task["lease_id"]});

    let mut submitter = server.client();
    let filling = std::thread::spawn(move || {
        fill(&mut submitter, &mut acknowledged);
        let start = Instant::now();
        while start.elapsed() < 3 * LEASE {
            // A rest of room may still take one.
            let _ = submit(&mut submitter, PAYLOAD);
        }
    });
    while !filling.is_finished() {
        let extended = client.post("/v1/leases/extend", &held).expect("answers");
        extended.good();
        std::thread::sleep(LEASE / 5);
    }
    filling.join().expect("the disk is full");
    let done = client
        .post("/v1/leases/complete", &held)
        .expect("answers")
        .good();
    assert_eq!(done["status"], "succeeded", "{done}");
    let path = format!("/v1/tasks/{}", task["id"].as_str().expect("an id"));
    let task = client.get(&path).expect("answers").good();
    assert_eq!(
        (&task["attempt"], &task["retry_count"]),
        (&json!(1), &json!(0))
    );
    stopped(server.process);
}

/// Granting and finishing writes as well: it is done, or refused as the submissions are.
fn workers_are_answered(client: &mut Http) {
    let request = json!({"queues": ["default"], "worker": "w", "max": 1, "wait_ms": 0});
    let start = Instant::now();
    for _ in 0..5 {
        let reply = client
            .post("/v1/leases", &request)
            .expect("the server answers");
        assert!(matches!(reply.status, 200 | 507), "{}", reply.text());
        for task in reply.json()["tasks"].as_array().into_iter().flatten() {
            let done = json!({"task": task["id"], "lease_id": task["lease_id"]});
            let reply = client
                .post("/v1/leases/release", &done)
                .expect("the server answers");
            assert!(matches!(reply.status, 200 | 507), "{}", reply.text());
        }
    }
    assert!(
        start.elapsed() < SOON,
        "workers waited {:?}",
        start.elapsed()
    );
}

fn all_can_be_finished(client: &mut Http, count: usize) {
    let mut finished = 0;
    let request = json!({"queues": ["default"], "worker": "w", "max": 100, "wait_ms": 500});
    eventually("all tasks are finished", || {
        let leased = client
            .post("/v1/leases", &request)
            .expect("the server answers")
            .good();
        for task in leased["tasks"].as_array().into_iter().flatten() {
            let done = json!({"task": task["id"], "lease_id": task["lease_id"]});
            client
                .post("/v1/leases/complete", &done)
                .expect("the server answers")
                .good();
            finished += 1;
        }
        (finished == count).then_some(())
    });
}

#[test]
fn no_loss_when_the_server_is_killed_on_a_full_disk() {
    let folder = tempfile::tempdir().expect("makes a folder");
    let (mut server, mut acknowledged) = nearly_full(folder.path());
    fill(&mut server.client(), &mut acknowledged);
    server.process.kill();

    let russet = env!("CARGO_BIN_EXE_russet-under-test");
    let server = Settings::new(russet, folder.path()).start();
    let mut client = server.client();
    nothing_is_lost(&mut client, &acknowledged);
    let id = submit(&mut client, PAYLOAD).expect("there is room again");
    acknowledged.push((id, PAYLOAD));
    all_can_be_finished(&mut client, acknowledged.len());
}
