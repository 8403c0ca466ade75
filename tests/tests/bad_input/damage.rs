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
/// The bytes of the file that say which commit is the newest.
const HEADER: usize = 320;

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
                Some((TASKS, _)) => {}
                // After a crash, a last commit that cannot be read was perhaps cut short: it is
                // undone, and that is said, unless it is the header that names another one.
                Some((found, said)) => {
                    assert!(killed, "{what}: {found} tasks");
                    let told = said.contains("is not whole and was undone");
                    assert!(told || start < HEADER, "{what}: {found} tasks: {said}");
                }
            }
        }
        println!("{refused} of {ROUNDS} damaged files were refused, killed: {killed}");
    }
}

/// How many tasks a server finds there, and what it says; if it does not start it says why.
fn tasks_when_started(folder: &Path, what: &str) -> Option<(usize, String)> {
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
    // Only of a process that has ended is everything known that it said.
    process.kill();
    let (_, said) = process.end();
    assert_eq!(own_panics(&said), None, "{what}: {said}");
    // Damage that is found while tasks are listed has been told, too.
    let found = listed["items"].as_array().map_or(TASKS, Vec::len);
    Some((found, said))
}

/// redb panics at pages that are not pages; the backend catches that.
fn own_panics(said: &str) -> Option<&str> {
    said.lines()
        .find(|line| line.contains("panicked at") && !line.contains("/redb-"))
}
