use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::process::{Process, Site};

#[test]
fn events_are_followed_as_they_happen() {
    let site = Site::start();
    let mut command = site.command(&["--json", "events", "--queue", "q"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let _follower = Process::from(child);
    // Events begin with the stream: a task is submitted until one is seen.
    let (seen, see) = std::sync::mpsc::channel();
    std::thread::spawn(move || seen.send(lines.next()));
    let line = loop {
        site.submit(&["--type", "a", "--queue", "other"]);
        site.submit(&["--type", "a", "--queue", "q"]);
        if let Ok(line) = see.recv_timeout(std::time::Duration::from_millis(200)) {
            break line.expect("a line").expect("text");
        }
    };
    let event: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(
        (&event["event"], &event["queue"]),
        (&"submitted".into(), &"q".into())
    );
}
