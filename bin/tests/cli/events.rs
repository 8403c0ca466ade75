use std::io::{BufRead, BufReader};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

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
    assert!(say().contains("following"));
    let missing = say();
    assert!(
        missing.contains("some events are missing: the server has been started anew"),
        "{missing}"
    );
    let id = site.submit(&["--type", "a", "--queue", "q"]);
    assert!(lines.any(|line| line.expect("text").contains(&id)));
}

/// A way to a server that can be cut.
struct Way {
    url: String,
    is_open: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Way {
    fn to(site: &Site) -> Self {
        let server = site.url.strip_prefix("http://").expect("an address");
        let server: SocketAddr = server.parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let way = Self {
            url: format!("http://{}", listener.local_addr().expect("an address")),
            is_open: Arc::new(AtomicBool::new(true)),
            streams: Arc::default(),
        };
        let (is_open, streams) = (way.is_open.clone(), way.streams.clone());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if is_open.load(Ordering::SeqCst) {
                    let server = TcpStream::connect(server).expect("connects");
                    carry(&client, &server);
                    carry(&server, &client);
                    streams.lock().expect("no panic").extend([client, server]);
                }
            }
        });
        way
    }

    fn cut(&self) {
        self.is_open.store(false, Ordering::SeqCst);
        for stream in self.streams.lock().expect("no panic").drain(..) {
            // It may have been closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }
}

/// Carries what one side says to the other.
fn carry(from: &TcpStream, to: &TcpStream) {
    let both = |stream: &TcpStream| stream.try_clone().expect("a handle");
    let (mut from, mut to) = (both(from), both(to));
    thread::spawn(move || {
        // It ends when the way is cut.
        let _ = std::io::copy(&mut from, &mut to);
    });
}

#[test]
fn what_happens_while_the_way_to_the_server_is_cut_is_told_when_it_is_back() {
    let site = Site::start();
    let way = Way::to(&site);
    let mut command = site.command(&["--json", "events", "--queue", "q"]);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.env("RUSSET_URL", &way.url).spawn().expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut follower = Process::from(child);
    let (_, mut lines) = first_event(&site, lines);
    way.cut();
    let mut said = BufReader::new(follower.stderr()).lines();
    let mut say = || said.next().expect("a line").expect("text");
    assert!(say().contains("has ended the stream"));
    let meanwhile = site.submit(&["--type", "a", "--queue", "q"]);
    way.mend();
    assert!(lines.any(|line| line.expect("text").contains(&meanwhile)));
    let following = say();
    assert!(following.ends_with("now"), "{following}");
    way.cut();
    let next = say();
    assert!(
        next.contains("has ended the stream"),
        "none was missed: {next}"
    );
}
