//! Commands whose output nobody reads to its end, as with `| head -1`, or that cannot be written.

use crate::process::{PATIENCE, Process, Ran, Site, closed};

/// An id that no task has.
const NOBODY: &str = "00000000000000000000000001";

/// Runs a command whose output nobody reads.
fn unread(site: &Site, arguments: &[&str]) -> Ran {
    let mut command = site.command(arguments);
    command.stdout(closed()).output().expect("runs").into()
}

#[test]
fn a_command_that_changes_something_goes_on_when_nobody_reads_what_it_says() {
    let site = Site::start();
    let lines = "{\"type\": \"a\"}\n".repeat(russet::limits::BATCH_ITEMS + 2);
    site.file("tasks.jsonl", &lines);
    unread(&site, &["--quiet", "submit", "--file", "tasks.jsonl"]).good();
    let all = site.run(&["--quiet", "tasks", "list", "--all"]);
    let ids: Vec<_> = all.good().lines().collect();
    assert_eq!(ids.len(), russet::limits::BATCH_ITEMS + 2);
    unread(&site, &["tasks", "cancel", ids[0], ids[1]]).good();
    for id in &ids[..2] {
        assert_eq!(site.task(id)["status"], "cancelled");
    }
    unread(&site, &["tasks", "purge", ids[0], ids[1]]).good();
    assert_eq!(site.run(&["tasks", "get", ids[1]]).status, 1);
    unread(&site, &["queues", "pause", "one", "two"]).good();
    let two = site.run(&["--json", "queues", "inspect", "two"]).json();
    assert_eq!(two["config"]["paused"], true);
}

#[test]
fn a_command_that_failed_says_so_also_when_nobody_reads_its_output() {
    let site = Site::start();
    let good = "{\"type\": \"a\"}\n";
    site.file(
        "tasks.jsonl",
        &format!("{good}{{\"type\": \"a b\"}}\n{good}"),
    );
    for how in ["--json", "--quiet"] {
        let ran = unread(&site, &[how, "submit", "--file", "tasks.jsonl"]);
        assert_eq!(ran.status, 1, "{ran:?}");
    }
    let (first, second) = (site.submit(&["--type", "a"]), site.submit(&["--type", "a"]));
    let ran = unread(&site, &["tasks", "cancel", &first, NOBODY, &second]);
    assert!(ran.error(1).contains("there is no task"), "{ran:?}");
    assert_eq!(site.task(&second)["status"], "cancelled");
    let ran = unread(&site, &["tasks", "wait", &first, &second]);
    assert_eq!(ran.error(1), "error: 2 of 2 tasks did not succeed");
    let ran = unread(&site, &["tasks", "wait", &first]);
    assert_eq!(ran.error(1), "");
    let many = unread(&site, &["tasks", "purge", NOBODY, &first, &second]);
    assert!(many.error(1).contains("there is no task"), "{many:?}");
}

#[test]
fn a_command_that_only_shows_something_ends_well_with_its_reader() {
    let site = Site::start();
    let ids = [site.submit(&["--type", "a"]), site.submit(&["--type", "a"])];
    for arguments in [
        &["tasks", "list", "--all"][..],
        &["tasks", "get", &ids[0], &ids[1]],
        // It is not asked for the second, that is not there.
        &["tasks", "get", &ids[0], NOBODY],
        &["queues", "list"],
        &["completions", "bash"],
    ] {
        let ran = unread(&site, arguments);
        assert_eq!((ran.good(), ran.stderr.as_str()), ("", ""), "{arguments:?}");
    }
    let mut events = site.command(&["events"]);
    let mut events = Process::spawn(events.stdout(closed()));
    let start = std::time::Instant::now();
    while !events.has_ended() {
        assert!(start.elapsed() < PATIENCE, "events are followed for nobody");
        site.submit(&["--type", "a"]);
    }
    assert_eq!(events.wait(), 0);
}

/// Runs a command whose output finds no room.
#[cfg(target_os = "linux")]
fn full(site: &Site, arguments: &[&str]) -> Ran {
    let full = std::fs::File::create("/dev/full").expect("a full disk");
    let mut command = site.command(arguments);
    command.stdout(full).output().expect("runs").into()
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_whose_tasks_cannot_be_told_for_want_of_room_says_how_far_it_came_and_how_to_go_on() {
    let site = Site::start();
    let (batch, more) = (russet::limits::BATCH_ITEMS, 2);
    let good = "{\"type\": \"a\"}\n";
    let lines = format!("{{\"type\": \"a b\"}}\n{}", good.repeat(batch - 1 + more));
    site.file("tasks.jsonl", &lines);
    let count =
        || site.run(&["--json", "queues", "inspect", "default"]).json()["counts"]["queued"].clone();
    let ran = full(&site, &["--quiet", "submit", "--file", "tasks.jsonl"]);
    let said = ran.error(1).to_owned();
    let told = "999 tasks submitted and 1 refused, up to line 1000; what follows was not sent: `tail \
                -n +1001 FILE | russet submit --file -` goes on there\nerror: cannot write the output: ";
    assert!(said.contains(told), "{said}");
    assert_eq!(count(), batch - 1);
    let rest = site.feed(&["submit", "--file", "-"], &good.repeat(more));
    assert_eq!(rest.good(), "2 submitted, 0 existed, 0 refused");
    assert_eq!(count(), batch - 1 + more);

    let ran = full(&site, &["--json", "submit", "--file", "tasks.jsonl"]);
    assert!(ran.stderr.starts_with("999 tasks submitted"), "{ran:?}");
    assert_eq!((ran.status, &ran.problem()["code"]), (1, &"failed".into()));
    site.file("short.jsonl", good);
    let ran = full(&site, &["submit", "--file", "short.jsonl"]);
    let told =
        "all lines were sent: 1 submitted, 0 existed, 0 refused\nerror: cannot write the output";
    assert!(ran.error(1).starts_with(told), "{ran:?}");
}
