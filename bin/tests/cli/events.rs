use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::process::{Process, Site};

type Lines = std::io::Lines<BufReader<std::process::ChildStdout>>;

/// Submits tasks to `q` until an event of one is seen: events begin with the stream.
fn first_event(site: &Site, mut lines: Lines) -> (String, Lines) {
    let (seen, see) = std::sync::mpsc::channel();
    std::thread::spawn(move || seen.send((lines.next(), lines)));
    loop {
        site.submit(&["--type", "a", "--queue", "other"]);
        site.submit(&["--type", "a", "--queue", "q"]);
        if let Ok((line, lines)) = see.recv_timeout(std::time::Duration::from_millis(200)) {
            return (line.expect("a line").expect("text"), lines);
        }
    }
}

#[test]
fn events_are_followed_as_they_happen() {
    let site = Site::start();
    let mut command = site.command(&["--json", "events", "--queue", "q"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let _follower = Process::from(child);
    let (line, _lines) = first_event(&site, lines);
    let event: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(
        (&event["event"], &event["queue"]),
        (&"submitted".into(), &"q".into())
    );
}

#[test]
fn events_are_followed_again_when_the_server_is_back() {
    let mut site = Site::start();
    let mut command = site.command(&["--json", "events", "--queue", "q"]);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut follower = Process::from(child);
    let (_, mut lines) = first_event(&site, lines);
    site.restart_in_place("KILL");
    let mut said = BufReader::new(follower.stderr()).lines();
    let mut say = || said.next().expect("a line").expect("text");
    assert!(say().contains("has ended the stream"));
    assert!(say().contains("what happened there in between is missing"));
    let id = site.submit(&["--type", "a", "--queue", "q"]);
    assert!(lines.any(|line| line.expect("text").contains(&id)));
}
