use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use russet_servers::{RedisServer, RedisVersion};
use serde_json::{Value, json};

use crate::process::{PATIENCE, Process, Ran, Site, russet};

fn ids(site: &Site) -> Vec<String> {
    let listed = site.run(&["--quiet", "tasks", "list", "--limit", "1000"]);
    listed.good().lines().map(str::to_owned).collect()
}

/// Moves the stopped site's store to `new` in its folder.
fn migrate(site: &Site, more: &[&str]) -> Ran {
    let to = "[store]\nbackend = 'embedded'\ndata_dir = 'new/data'\n";
    migrate_to(site, &site.file("new.toml", to), more)
}

fn migrate_to(site: &Site, to: &Path, more: &[&str]) -> Ran {
    let mut command = russet();
    command
        .args(["--json", "migrate", "--data-dir", "data", "--to"])
        .arg(to)
        .args(more)
        .current_dir(site.folder.path());
    command.output().expect("runs").into()
}

#[test]
fn no_loss_everything_goes_on_in_the_new_store_and_the_old_one_is_given_up() {
    let mut site = Site::start();
    let parent = site.submit(&["--type", "a", "--payload", "1", "--key", "order-66"]);
    let delayed = site.submit(&["--type", "a", "--delay", "1h"]);
    let leased = site.run(&["--quiet", "tasks", "lease", "--for", "1h"]);
    let (task, lease) = leased.good().split_once(' ').expect("a task and its lease");
    assert_eq!(task, parent);
    let before: Vec<Value> = ids(&site).iter().map(|id| site.task(id)).collect();
    site.stop();

    let moved = migrate(&site, &[]);
    moved.good();
    let again = migrate(&site, &[]);
    assert!(again.error(2).contains("was moved to"), "{again:?}");

    site.start_in("new");
    let after: Vec<Value> = ids(&site).iter().map(|id| site.task(id)).collect();
    assert_eq!(after, before);
    let repeated = site.submit(&["--type", "a", "--payload", "1", "--key", "order-66"]);
    assert_eq!(repeated, parent, "its key still names it");
    site.run(&["tasks", "complete", &parent, lease]).good();
    assert_eq!(site.task(&parent)["status"], "succeeded");
    assert_eq!(site.task(&delayed)["status"], "scheduled");
    site.stop();
}

#[test]
fn a_move_that_was_cut_short_goes_on_and_one_onto_other_records_is_refused() {
    let mut site = Site::start();
    site.submit(&["--type", "a"]);
    site.stop();
    let first = migrate(&site, &["--keep"]).json();
    assert_eq!(first["already_there"], 0);
    let second = migrate(&site, &["--keep"]).json();
    assert_eq!(second["already_there"], second["records"]);

    site.start_in("new");
    site.stop();
    let refused = migrate(&site, &["--keep"]);
    assert!(refused.error(1).contains("a node has led"), "{refused:?}");
    assert!(refused.error(1).contains("is not given up"));
}

/// Leases the only task and completes it, and waits until it is not kept any more.
fn finish(site: &Site, task: &str) {
    let leased = site.run(&["-q", "tasks", "lease", "--for", "1h"]);
    let (leased, lease) = leased.good().split_once(' ').expect("a task and its lease");
    assert_eq!(leased, task);
    site.run(&["tasks", "complete", task, lease]).good();
    within("it is purged", || ids(site).is_empty());
}

#[test]
fn no_ghost_what_has_ended_in_the_old_store_since_does_not_run_again_in_the_new_one() {
    let mut site = Site::start();
    let task = site.submit(&["--type", "a", "--retention", "1ms"]);
    site.stop();
    migrate(&site, &["--keep"]).good();
    site.start_in(".");
    finish(&site, &task);
    site.stop();
    let refused = migrate(&site, &[]);
    assert!(refused.error(1).contains("is not empty"), "{refused:?}");
    assert!(refused.error(1).contains("has run on the old store"));
    site.start_in(".");
    assert!(ids(&site).is_empty(), "the old store is not given up");
    site.stop();
}

#[test]
fn no_ghost_what_has_ended_in_the_new_store_is_not_copied_there_again() {
    let mut site = Site::start();
    let task = site.submit(&["--type", "a", "--retention", "1ms"]);
    site.stop();
    migrate(&site, &["--keep"]).good();
    site.start_in("new");
    finish(&site, &task);
    site.stop();
    let refused = migrate(&site, &[]);
    assert!(refused.error(1).contains("a node has led"), "{refused:?}");
    site.start_in("new");
    assert!(ids(&site).is_empty());
    site.stop();
}

#[test]
fn a_copy_that_was_begun_in_one_store_is_not_taken_up_in_another() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let [mut first, mut second] = [(); 2].map(|()| Site::start());
    let to = |site: &Site, prefix: &str| {
        let text = format!(
            "[store]\nbackend = 'redis'\n[redis]\nurl = '{}'\nprefix = '{prefix}'\n",
            server.url()
        );
        site.file(&format!("{prefix}.toml"), &text)
    };
    for site in [&mut first, &mut second] {
        site.submit(&["--type", "a"]);
        site.stop();
    }
    migrate_to(&first, &to(&first, "b"), &[]).good();
    let into = |prefix| migrate_to(&second, &to(&second, prefix), &["--keep"]);
    assert!(into("b").error(1).contains("is not empty"));
    into("a").good();
    let refused = into("b");
    assert!(refused.error(1).contains("is not empty"), "{refused:?}");
    assert_eq!(into("a").json()["already_there"], 1, "there it is");
}

#[test]
fn a_store_that_holds_something_is_not_moved_to_and_nothing_is_written_there() {
    let mut first = Site::start();
    let theirs = first.submit(&["--type", "a"]);
    first.stop();
    migrate(&first, &[]).good();
    let mut second = Site::start();
    let ours = second.submit(&["--type", "a"]);
    second.stop();
    let new = first.folder.path().join("new/data");
    let to = format!("[store]\nbackend = 'embedded'\ndata_dir = {new:?}\n");
    let refused = migrate_to(&second, &second.file("new.toml", &to), &[]);
    assert!(refused.error(1).contains("is not empty"), "{refused:?}");
    first.start_in("new");
    assert_eq!(ids(&first), [theirs]);
    first.stop();
    second.start_in(".");
    assert_eq!(ids(&second), [ours], "the old store is as it was");
    second.stop();
}

#[test]
fn a_move_from_nowhere_or_to_a_store_that_is_not_named_or_forgets_is_refused() {
    let mut site = Site::start();
    let task = site.submit(&["--type", "a"]);
    site.stop();
    let refused = |status: i32, from: &str, text: &str| {
        let to = site.file("to.toml", text);
        let mut command = russet();
        command
            .args(["migrate", "--data-dir", from, "--to"])
            .arg(to)
            .current_dir(site.folder.path());
        let ran: Ran = command.output().expect("runs").into();
        ran.error(status).to_owned()
    };
    let named = "[store]\nbackend = 'embedded'\ndata_dir = 'new'\n";
    let nowhere = refused(2, "nothing", named);
    let expected =
        "error: nothing: there is no store here: name the directory of the old one with --data-dir";
    assert_eq!(nowhere, expected);
    assert!(!site.folder.path().join("nothing").exists());
    let unnamed = refused(2, "data", "[redis]\nprefix = 'a'\n");
    assert!(unnamed.contains("[store] backend"), "{unnamed}");
    let memory = refused(2, "data", "[store]\nbackend = 'memory'\n");
    assert!(memory.contains("forgets"), "{memory}");
    let many = refused(1, "data", &format!("{named}partitions = 4\n"));
    assert!(many.contains("partitions = 1"), "{many}");
    assert!(
        !site.folder.path().join("new").exists(),
        "no store was made"
    );
    site.start_in(".");
    assert_eq!(ids(&site), [task]);
    site.stop();
}

/// Most bytes that go to Redis before the way there is held: more than a page of 500 records has,
/// which is sent twice when Redis does not know the script yet, and less than three have.
const ROOM: i64 = 1_600_000;

/// A way to a server, which lets no more than so many bytes through: what comes then is held.
fn way(to: &str, room: &Arc<AtomicI64>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (to, room) = (to.to_owned(), room.clone());
    std::thread::spawn(move || {
        for here in listener.incoming() {
            let here = here.expect("a connection");
            let there = TcpStream::connect(&to).expect("connects");
            let back = (there.try_clone(), here.try_clone());
            let (mut from, mut back) = (back.0.expect("a stream"), back.1.expect("a stream"));
            std::thread::spawn(move || std::io::copy(&mut from, &mut back));
            let room = room.clone();
            std::thread::spawn(move || carry(here, there, &room));
        }
    });
    port
}

fn carry(mut from: TcpStream, mut to: TcpStream, room: &AtomicI64) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if room.fetch_sub(read as i64, Ordering::SeqCst) < read as i64 {
            loop {
                std::thread::park();
            }
        }
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Tasks of every kind: 1,200 that are delayed, 150 that are ready, 150 that wait for another.
fn bulk(parent: &str) -> String {
    let line = |n: usize| {
        let mut task = json!({"type": "a", "queue": "bulk", "payload": "x".repeat(1_000)});
        match n % 10 {
            0 => task["idempotency_key"] = format!("bulk-{n}").into(),
            1 => task["dependencies"] = json!([{"task": parent}]),
            _ => task["delay_ms"] = 3_600_000.into(),
        }
        format!("{task}\n")
    };
    (0..1_500).map(line).collect()
}

/// Leases the only task of a queue for so long that it does not expire here.
fn leased(site: &Site, queue: &str) -> (String, String) {
    let command = ["-q", "tasks", "lease", "--queue", queue, "--for", "1h"];
    let leased = site.run(&command);
    let (task, lease) = leased.good().split_once(' ').expect("a task and its lease");
    (task.to_owned(), lease.to_owned())
}

fn listed(site: &Site) -> Vec<Value> {
    let listed = site.run(&["--json", "tasks", "list", "--all"]);
    listed.good();
    listed.lines()
}

#[test]
fn no_loss_a_killed_move_of_many_tasks_to_redis_goes_on_and_they_are_what_they_were() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let mut site = Site::start();
    let parent = site.submit(&["--type", "a", "--queue", "bulk"]);
    let file = site.file("tasks.jsonl", &bulk(&parent));
    let file = file.to_str().expect("text");
    site.run(&["-q", "submit", "--file", file]).good();
    site.submit(&["--type", "a", "--queue", "dead", "--max-retries", "0"]);
    let (dead, lease) = leased(&site, "dead");
    let failed = ["tasks", "fail", &dead, &lease, "--message", "no disk"];
    site.run(&failed).good();
    let chain = r#"{"name": "chain", "defaults": {"type": "a", "queue": "flow"}, "tasks": [
        {"name": "first"}, {"name": "then", "depends_on": ["first"]}]}"#;
    site.file("chain.json", chain);
    site.run(&["workflows", "submit", "chain.json"]).good();
    let (first, lease) = leased(&site, "flow");
    site.run(&["tasks", "complete", &first, &lease]).good();
    site.submit(&["--type", "a", "--queue", "held"]);
    let held = leased(&site, "held");
    let once = ["--type", "a", "--queue", "bulk", "--key", "once"];
    let keyed = site.submit(&once);
    let before = listed(&site);
    assert_eq!(before.len(), 1_500 + 6);
    let soon = site.submit(&["--type", "a", "--queue", "bulk", "--delay", "2s"]);
    site.stop();

    let room = Arc::new(AtomicI64::new(ROOM));
    let port = way(server.url().trim_start_matches("redis://"), &room);
    let text = format!("[store]\nbackend = 'redis'\n[redis]\nurl = 'redis://127.0.0.1:{port}'\n");
    let to = site.file("redis.toml", &text);
    let mut killed = russet();
    killed
        .args(["migrate", "--data-dir", "data", "--to"])
        .arg(&to);
    let killed = killed.current_dir(site.folder.path());
    let mut killed = Process::spawn(killed.stderr(Stdio::null()));
    within("it is held while it copies", || {
        room.load(Ordering::SeqCst) < 0
    });
    killed.signal("KILL");
    killed.wait();
    let records = || {
        let answer = server.ask("HLEN {russet:0}:records").expect("it answers");
        let number = answer
            .lines()
            .next()
            .and_then(|line| line[1..].parse().ok());
        number.unwrap_or_else(|| panic!("{answer:?}"))
    };
    let copied: u64 = records() - 1; // That it is not whole is a record, too.
    for command in [["config", "check"], ["serve", "--listen=127.0.0.1:0"]] {
        let mut refused = russet();
        refused.args(command).arg("--config").arg(&to);
        refused.current_dir(site.folder.path());
        room.store(i64::MAX, Ordering::SeqCst);
        let refused = Ran::from(refused.output().expect("runs"));
        assert_ne!(refused.status, 0, "{refused:?}");
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(said.contains("run `russet migrate` again"), "{said}");
    }
    room.store(i64::MAX, Ordering::SeqCst);
    let moved = migrate_to(&site, &to, &[]);
    assert!(moved.stderr.contains("set appendonly yes"), "{moved:?}");
    let moved = moved.json();
    assert_eq!(moved["already_there"], copied);
    assert_eq!(moved["records"], records());
    assert!(0 < copied && copied < records(), "{copied} were copied");
    let again = migrate_to(&site, &to, &[]);
    assert!(again.error(2).contains("was moved to"), "{again:?}");

    let node = Site::with(|command| {
        command
            .args(["--set", "store.backend=redis"])
            .env("RUSSET_REDIS_URL", server.url());
    });
    let mut after = listed(&node);
    after.retain(|task| task["id"] != *soon);
    assert!(after == before, "all tasks are what they were");
    assert_eq!(node.submit(&once), keyed, "its key still names it");
    let (held, lease) = held;
    node.run(&["tasks", "complete", &held, &lease]).good();
    let _worker = node.worker(&[
        "--queue",
        "bulk",
        "--queue",
        "flow",
        "--exec",
        "true",
        "--concurrency",
        "4",
    ]);
    // Those of the file that do not wait for an hour, and: their parent, both of the workflow,
    // the one with a key, the one that was held, the one that was due soon.
    let mut succeeded = 0;
    within("a worker finishes the rest", || {
        let listed = node.run(&["-q", "tasks", "list", "--all", "--status", "succeeded"]);
        succeeded = listed.good().lines().count();
        succeeded >= 306
    });
    assert_eq!(succeeded, 306);
    assert_eq!(node.task(&soon)["status"], "succeeded");
    assert_eq!(
        node.task(&dead),
        *before.iter().find(|t| t["id"] == *dead).expect("it")
    );
}

fn within(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < 4 * PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
