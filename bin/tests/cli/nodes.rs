//! Several nodes on one Redis.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use russet_servers::{RedisServer, RedisVersion};

use crate::process::{Process, Ran, Site, russet};

/// Longest time until another node does what one that was killed would have done: its leases
/// and timers are overdue for a second, and other nodes look every second.
const TAKEN_OVER: Duration = Duration::from_secs(10);
/// How long Prometheus waits for metrics, unless it is told otherwise.
const SCRAPE: Duration = Duration::from_secs(10);

fn on(server: &RedisServer) -> Site {
    on_with(server, |_| {})
}

/// The same with a command that is changed by `more`.
pub fn on_with(server: &RedisServer, more: impl FnOnce(&mut Command)) -> Site {
    Site::with(|command| {
        command
            .args([
                "--set",
                "store.backend=redis",
                "--set",
                "store.partitions=2",
            ])
            .env("RUSSET_REDIS_URL", server.url());
        more(command);
    })
}

fn within(limit: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < limit, "{what} within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn any_node_serves_any_request() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let nodes = [on(&server), on(&server), on(&server)];
    let task = nodes[0].submit(&["--type", "a", "--payload", "1", "--key", "order-66"]);
    let again = nodes[1].submit(&["--type", "a", "--payload", "1", "--key", "order-66"]);
    assert_eq!(again, task, "its key names it on every node");
    let leased = nodes[1].run(&["--quiet", "tasks", "lease", "--wait", "10s"]);
    let (id, lease) = leased.good().split_once(' ').expect("a task and its lease");
    assert_eq!(id, task);
    nodes[2].run(&["tasks", "extend", id, lease]).good();
    nodes[0].run(&["tasks", "complete", id, lease]).good();
    assert_eq!(nodes[2].task(&task)["status"], "succeeded");
    let stale = nodes[1].run(&["tasks", "fail", id, lease, "--message", "late"]);
    assert!(
        stale.error(1).contains("stale") || stale.stderr.contains("succeeded"),
        "{stale:?}"
    );
}

#[test]
fn a_long_poll_on_one_node_is_woken_by_a_task_on_another() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let (here, there) = (on(&server), on(&server));
    // The lane is known before, so that nothing but the arrival is waited for.
    let first = here.submit(&["--type", "a"]);
    let leased = there.run(&["--quiet", "tasks", "lease", "--wait", "10s"]);
    assert!(leased.good().starts_with(&first), "{leased:?}");
    let mut waiting = there.command(&["--quiet", "tasks", "lease", "--wait", "60s"]);
    let waiting = waiting
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    std::thread::sleep(Duration::from_secs(1));
    let start = Instant::now();
    let second = here.submit(&["--type", "a"]);
    let leased: Ran = waiting.wait_with_output().expect("ends").into();
    assert!(leased.good().starts_with(&second), "{leased:?}");
    assert!(start.elapsed() < Duration::from_secs(20), "it was woken");
}

#[test]
fn no_loss_what_a_killed_node_would_have_done_another_does() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let (mut first, second) = (on(&server), on(&server));
    let delayed = first.submit(&["--type", "a", "--delay", "2s"]);
    let held = first.submit(&["--type", "b", "--max-retries", "0"]);
    let leased = first.run(&["--quiet", "tasks", "lease", "--for", "2s", "--wait", "10s"]);
    assert!(leased.good().starts_with(&held), "{leased:?}");
    first.process.signal("KILL");
    first.process.wait();
    let status = |id: &str| second.task(id)["status"].clone();
    within(TAKEN_OVER, "the delayed task is ready", || {
        status(&delayed) == "queued"
    });
    within(TAKEN_OVER, "the lease has expired", || {
        status(&held) == "dead"
    });
}

/// Two nodes of one store; commands of the second know both, and ask the first while it answers.
fn pair(server: &RedisServer) -> (Site, Site) {
    let (first, mut second) = (on(server), on(server));
    second.url = format!("{}, {}", first.url, second.url);
    (first, second)
}

#[test]
fn workers_and_producers_go_to_the_next_server_when_theirs_is_killed() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let (mut first, both) = pair(&server);
    let _worker = both.worker(&["--exec", "cat"]);
    let done = |id: &str| both.task(id)["status"] == "succeeded";
    let before = first.submit(&["--type", "a"]);
    within(TAKEN_OVER, "the worker is there", || done(&before));
    first.process.signal("KILL");
    first.process.wait();
    let after = both.submit(&["--type", "a"]);
    within(TAKEN_OVER, "the worker asks the second", || done(&after));
    both.run(&["tasks", "explain", &after]).good();
}

#[test]
fn a_node_that_hangs_is_left_long_before_a_call_without_others_is_given_up() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let (mut first, both) = pair(&server);
    first.process.signal("STOP");
    let start = Instant::now();
    both.run(&["queues", "list"]).good();
    let took = start.elapsed();
    first.process.signal("KILL");
    first.process.wait();
    let alone = russet::limits::CALL_TIMEOUT;
    assert!(took < alone, "{took:?}, and {alone:?} without another node");
}

#[test]
fn when_no_node_can_be_reached_all_are_named() {
    for command in [&["queues", "list"][..], &["events"]] {
        let mut russet = russet();
        let urls = "http://127.0.0.1:1,http://127.0.0.1:2/,";
        let refused: Ran = russet
            .args(command)
            .env("RUSSET_URL", urls)
            .output()
            .expect("runs")
            .into();
        let said = refused.error(1);
        let both = "cannot reach http://127.0.0.1:1, http://127.0.0.1:2: ";
        assert!(said.contains(both), "{said}");
    }
}

#[test]
fn events_of_all_nodes_that_are_named_are_followed() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let (mut first, both) = pair(&server);
    let mut command = both.command(&["--json", "events"]);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let (see, seen) = std::sync::mpsc::channel();
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    std::thread::spawn(move || {
        lines
            .map_while(Result::ok)
            .try_for_each(|line| see.send(line))
    });
    let mut follower = Process::from(child);
    let own = both.url.split(", ").nth(1).expect("an address").to_owned();
    let follow = |url: &str| {
        within(TAKEN_OVER, "an event of the node", || {
            let mut command = both.command(&["submit", "--quiet", "--type", "a"]);
            let ran: Ran = command
                .env("RUSSET_URL", url)
                .output()
                .expect("runs")
                .into();
            let id = ran.good().to_owned();
            let next = || seen.recv_timeout(Duration::from_millis(200));
            std::iter::from_fn(|| next().ok()).any(|line| line.contains(&id))
        });
    };
    follow(&first.url);
    follow(&own);
    first.process.signal("KILL");
    first.process.wait();
    let mut said = BufReader::new(follower.stderr()).lines();
    let said = said.next().expect("a line").expect("text");
    assert!(
        said.contains(&first.url) && said.contains("has ended the stream"),
        "{said}"
    );
    follow(&own);
}

#[test]
fn a_node_of_several_says_that_it_knows_only_the_workers_that_ask_it() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let node = on(&server);
    let ran = node.run(&["submit", "--type", "train", "--need", "gpu=8"]);
    let told = "warning: no live worker of queue default that asks this node has gpu=8";
    assert!(ran.stderr.starts_with(told), "{ran:?}");
    let task = node.run(&["--quiet", "submit", "--type", "train", "--need", "gpu=8"]);
    let explained = node.run(&["tasks", "explain", task.good()]);
    assert!(
        explained.good().contains("asked this node"),
        "{explained:?}"
    );
}

/// What the node answers at `path`, head and body.
pub fn ask(node: &Site, path: &str) -> String {
    send(node, "GET", path, "")
}

/// What it answers to a request with this body.
pub fn send(node: &Site, method: &str, path: &str, body: &str) -> String {
    let address = node.url.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).expect("connects");
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answers");
    answer
}

#[test]
fn a_node_whose_store_is_away_is_not_ready_and_still_tells_its_own_metrics() {
    let mut server = RedisServer::start(RedisVersion::Redis7);
    let node = on(&server);
    node.submit(&["--type", "a"]);
    let metrics = ask(&node, "/metrics");
    let tasks = r#"russet_tasks{queue="default",status="queued"} 1"#;
    assert!(ask(&node, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(
        metrics.contains(tasks) && metrics.contains("russet_store_up 1"),
        "{metrics}"
    );
    server.process().signal("STOP");
    let ready = ask(&node, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(ready.contains("has not answered within 3 s"), "{ready}");
    server.process_mut().kill();
    let metrics = ask(&node, "/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    let events = r#"russet_task_events_total{queue="default",event="submitted"} 1"#;
    assert!(
        metrics.contains(events) && metrics.contains("russet_store_up 0"),
        "{metrics}"
    );
    assert!(!metrics.contains(tasks), "{metrics}");
    let ready = ask(&node, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(ready.contains("\r\nretry-after: "), "{ready}");
}

#[test]
fn a_node_whose_store_hangs_tells_its_own_metrics_before_a_scrape_is_given_up() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let node = on(&server);
    node.submit(&["--type", "a"]);
    server.process().signal("STOP");
    let start = Instant::now();
    let metrics = ask(&node, "/metrics");
    let took = start.elapsed();
    let events = r#"russet_task_events_total{queue="default",event="submitted"} 1"#;
    assert!(
        metrics.contains(events) && metrics.contains("russet_store_up 0"),
        "{metrics}"
    );
    assert!(took < SCRAPE - Duration::from_secs(2), "{took:?}");
    server.process().signal("CONT");
    within(TAKEN_OVER, "the store is seen again", || {
        ask(&node, "/metrics").contains("russet_store_up 1")
    });
}

#[test]
fn an_embedded_store_moves_to_redis() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let mut site = Site::start();
    let task = site.submit(&["--type", "a", "--key", "once"]);
    site.stop();
    let text = format!(
        "[store]\nbackend = 'redis'\n[redis]\nurl = '{}'\n",
        server.url()
    );
    let to = site.file("redis.toml", &text);
    let mut command = russet();
    command
        .args(["migrate", "--data-dir", "data", "--to"])
        .arg(to);
    let moved: Ran = command
        .current_dir(site.folder.path())
        .output()
        .expect("runs")
        .into();
    assert!(
        moved
            .good()
            .contains("moved from data in data to data in Redis"),
        "{moved:?}"
    );
    let node = Site::with(|command| {
        command
            .args(["--set", "store.backend=redis"])
            .env("RUSSET_REDIS_URL", server.url());
    });
    assert_eq!(node.submit(&["--type", "a", "--key", "once"]), task);
    let leased = node.run(&["--quiet", "tasks", "lease", "--wait", "10s"]);
    assert!(leased.good().starts_with(&task), "{leased:?}");
}

#[test]
fn a_redis_that_forgets_when_it_stops_is_warned_of() {
    for (durable, sign) in [("yes", "ok   store"), ("no", "WARN store")] {
        let server = RedisServer::start_with(RedisVersion::Redis7, &["--appendonly", durable]);
        let mut command = russet();
        command.args(["config", "check", "--set", "store.backend=redis"]);
        command.env("RUSSET_REDIS_URL", server.url());
        let checked: Ran = command.output().expect("runs").into();
        let said = checked.good();
        assert!(said.lines().any(|line| line.starts_with(sign)), "{said}");
    }
}

#[test]
fn a_redis_that_cannot_be_used_is_named_and_its_password_is_not() {
    let server = RedisServer::start_with(RedisVersion::Redis7, &["--requirepass", "right"]);
    let evicting = ["--maxmemory-policy", "allkeys-lru"];
    let evicting = RedisServer::start_with(RedisVersion::Redis7, &evicting);
    let wrong = server.url().replace("redis://", "redis://:sesame@");
    for (url, said) in [
        (wrong, "password is wrong"),
        (
            "redis://:sesame@127.0.0.1:1".to_owned(),
            "cannot be reached",
        ),
        (evicting.url(), "noeviction"),
        ("sesame".to_owned(), "url of Redis cannot be used"),
    ] {
        let mut command = russet();
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--set",
            "store.backend=redis",
        ]);
        command.env("RUSSET_REDIS_URL", &url);
        let refused: Ran = command.output().expect("runs").into();
        let error = refused.error(if said == "cannot be reached" { 1 } else { 2 });
        assert!(error.contains("[redis]") && error.contains(said), "{error}");
        assert!(!error.contains("sesame"), "{error}");
    }
}
