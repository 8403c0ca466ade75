//! Data files that are not what they were.

use std::fs;
use std::path::{Path, PathBuf};

use russet_tests::{Address, Chance, Http, Settings, listens_on};
use serde_json::json;
use tempfile::TempDir;

use super::RUSSET;
use super::places::{refuses_to_start, says};

/// How often a file is damaged somewhere.
const ROUNDS: u64 = 30;
/// How many tasks it holds.
const TASKS: usize = 300;

/// A data directory in which a server has kept tasks, and the file that holds them.
fn used_directory(tasks: usize, killed: bool) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("makes a folder");
    let mut serve = Settings::new(RUSSET, folder.path()).start();
    let batch = json!({"tasks": vec![json!({"type": "t", "payload": "x".repeat(200)}); tasks]});
    serve
        .client()
        .post("/v1/tasks", &batch)
        .expect("answers")
        .good();
    if killed {
        serve.process.kill();
    } else {
        serve.process.terminate();
        serve.process.end();
    }
    let files = fs::read_dir(folder.path()).expect("is readable").flatten();
    let largest = files.max_by_key(|file| file.metadata().map_or(0, |known| known.len()));
    let file = largest.expect("has a file").path();
    (folder, file)
}

#[test]
fn damaged_data_is_refused_with_what_to_do() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("overwritten", |file| {
            fs::write(file, "not what it was").expect("writes")
        }),
        ("its start is lost", |file| {
            let mut bytes = fs::read(file).expect("reads");
            bytes[..512].fill(0xa5);
            fs::write(file, bytes).expect("writes");
        }),
        ("cut in half", |file| {
            let bytes = fs::read(file).expect("reads");
            fs::write(file, &bytes[..bytes.len() / 2]).expect("writes");
        }),
    ];
    for (what, damage) in damages {
        let (folder, file) = used_directory(1, true);
        damage(&file);
        let said = refuses_to_start(&Settings::new(RUSSET, folder.path()), &[]);
        println!("{what}: {said}");
        says(
            &said,
            &[
                "is damaged",
                "restore",
                &folder.path().display().to_string(),
            ],
        );
    }
}

#[test]
fn whatever_is_damaged_the_server_says_so_or_answers_and_never_panics() {
    let seed = Chance::seed_from("RUSSET_CRASH_SEED");
    for killed in [false, true] {
        let (folder, file) = used_directory(TASKS, killed);
        let whole = fs::read(&file).expect("reads");
        let mut refused = 0;
        for round in 0..ROUNDS {
            let mut chance = Chance::part(seed, round);
            let mut bytes = whole.clone();
            let start = chance.below(bytes.len() as u64) as usize;
            let end = bytes.len().min(start + 1 + chance.below(512) as usize);
            bytes[start..end]
                .iter_mut()
                .for_each(|byte| *byte ^= chance.next() as u8);
            fs::write(&file, bytes).expect("writes");
            let what = format!("round {round}, {start}..{end}, killed: {killed}");
            match tasks_when_started(folder.path(), &what) {
                None => refused += 1,
                // After a crash redb takes a last commit that it cannot read for one that was
                // cut short, and goes back to the one before: that can be told from nothing.
                Some(found) => assert!(killed || found == TASKS, "{what}: {found} tasks"),
            }
        }
        println!("{refused} of {ROUNDS} damaged files were refused, killed: {killed}");
    }
}

/// How many tasks a server finds there; if it does not start it says why.
fn tasks_when_started(folder: &Path, what: &str) -> Option<usize> {
    let mut process = Settings::new(RUSSET, folder).spawn();
    let Some(address) = process.may_say(listens_on) else {
        let (status, said) = process.end();
        assert_eq!(status.code(), Some(2), "{what}: {status}: {said}");
        assert!(said.contains("is damaged"), "{what}: {said}");
        assert_eq!(own_panics(&said), None, "{what}: {said}");
        return None;
    };
    let mut client = Http::new(Address::new(address));
    let mut answers = |method: &str, path: &str, body: &str| {
        let reply = client.send(method, path, body.as_bytes());
        let reply = reply.unwrap_or_else(|error| panic!("{what}: {error}: {}", process.said()));
        let damaged = reply.status == 500 && reply.code() == "store_damaged";
        assert!(damaged || reply.status == 200, "{what}: {}", reply.text());
        reply.json()
    };
    let listed = answers("GET", "/v1/tasks?limit=1000", "");
    let lease = r#"{"queues": ["default"], "worker": "w", "max": 10, "wait_ms": 0}"#;
    answers("POST", "/v1/leases", lease);
    assert!(!process.has_ended(), "{what}: {}", process.said());
    assert_eq!(
        own_panics(&process.said()),
        None,
        "{what}: {}",
        process.said()
    );
    // Damage that is found while tasks are listed has been told, too.
    Some(listed["items"].as_array().map_or(TASKS, Vec::len))
}

/// redb panics at pages that are not pages; the backend catches that.
fn own_panics(said: &str) -> Option<&str> {
    said.lines()
        .find(|line| line.contains("panicked at") && !line.contains("/redb-"))
}
