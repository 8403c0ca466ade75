//! Submissions that end half-way, or of which nobody knows whether they were carried out.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use russet::wire::Problem;
use serde_json::{Value, json};

use crate::process::{Process, Ran, Site, russet};

/// Two tokens of which a server knows one.
const TOKENS: [&str; 2] = ["first-token-0123456789", "second-token-0123456789"];
/// Tasks that are sent together.
const BATCH: usize = russet::limits::BATCH_ITEMS;
/// What is said of a submission that may have been carried out.
const DOUBT: &str = "may or may not have been carried out";
/// What is said of a file that was submitted in part.
const TWICE: &str =
    "submitting the file again does tasks twice that have neither id nor idempotency_key";

fn with_token(token: &str) -> impl FnOnce(&mut Command) {
    let token = token.to_owned();
    move |command| {
        command.env("RUSSET_TOKENS", token);
    }
}

#[test]
fn a_file_whose_server_wants_another_token_half_way_ends_there_with_what_was_submitted() {
    let mut site = Site::with(with_token(TOKENS[0]));
    let mut command = site.command(&["--quiet", "submit", "--file", "-"]);
    let command = command
        .env("RUSSET_TOKEN", TOKENS[0])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut stdin = child.stdin.take().expect("an input");
    let mut stdout = BufReader::new(child.stdout.take().expect("an output"));
    let mut running = Process::from(child);
    let line = "{\"type\": \"a\"}\n";
    stdin
        .write_all(line.repeat(BATCH).as_bytes())
        .expect("is read");
    for _ in 0..BATCH {
        stdout
            .read_line(&mut String::new())
            .expect("a task is told");
    }
    site.restart_in_place_with("TERM", with_token(TOKENS[1]));
    stdin.write_all(line.repeat(3).as_bytes()).expect("is read");
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("text");
    let mut said = String::new();
    running.stderr().read_to_string(&mut said).expect("text");
    assert_eq!((running.wait(), rest.as_str()), (1, ""), "{said}");
    let said: Vec<_> = said.lines().collect();
    // Whether the three may have been submitted depends on when the client sees that its
    // connection is closed.
    let so_far = "1000 tasks submitted; of lines 1001 to 1003, ";
    assert!(
        said[0].starts_with(so_far) && said[0].ends_with(TWICE),
        "{said:?}"
    );
    assert!(
        said[1].starts_with("error: ") && said[1].contains("token"),
        "{said:?}"
    );
    assert_eq!(said.len(), 2, "{said:?}");
    let mut list = site.command(&["--quiet", "tasks", "list", "--all"]);
    let list: Ran = list
        .env("RUSSET_TOKEN", TOKENS[1])
        .output()
        .expect("runs")
        .into();
    assert_eq!(list.good().lines().count(), BATCH);
}

#[test]
fn a_file_of_somebody_without_a_token_ends_at_its_first_line() {
    let site = Site::with(with_token(TOKENS[0]));
    site.file("tasks.jsonl", "{\"type\": \"a\"}\n{\"type\": \"b\"}\n");
    let plain = site.run(&["submit", "--file", "tasks.jsonl"]);
    assert!(
        plain.error(1).contains("this server wants a token"),
        "{plain:?}"
    );
    assert_eq!(plain.stdout, "", "no line is told as refused");
    assert!(!plain.stderr.contains(TWICE), "{plain:?}");
    let ran = site.run(&["--json", "submit", "--file", "tasks.jsonl"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, ""));
    assert_eq!(ran.problem()["status"], 401);
}

/// A way to a server on which answers to submissions get lost, once they are there.
struct Way {
    url: String,
    lost: Arc<AtomicUsize>,
}

impl Way {
    fn to(site: &Site) -> Self {
        let server = site.url.strip_prefix("http://").expect("an address");
        let server: SocketAddr = server.parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let lost = Arc::new(AtomicUsize::new(0));
        let counted = lost.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(server).expect("connects");
                carry(client, server, counted.clone());
            }
        });
        Self { url, lost }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = russet();
        let command = command.args(arguments).env("RUSSET_URL", &self.url);
        command.output().expect("runs").into()
    }
}

/// Carries bytes both ways until the server answers a submission: then it cuts the line.
fn carry(client: TcpStream, server: TcpStream, lost: Arc<AtomicUsize>) {
    let submits = Arc::new(AtomicBool::new(false));
    let both = |stream: &TcpStream| stream.try_clone().expect("a handle");
    let (mut from, mut to, submitting) = (both(&client), both(&server), submits.clone());
    thread::spawn(move || {
        pass(&mut from, &mut to, |bytes| {
            let starts = [b"POST /v1/tasks ".as_slice(), b"POST /v1/workflows "];
            if starts.iter().any(|start| bytes.starts_with(start)) {
                submitting.store(true, Ordering::SeqCst);
            }
            true
        });
    });
    thread::spawn(move || {
        let (mut from, mut to) = (server, client);
        pass(&mut from, &mut to, |_| {
            let is_lost = submits.load(Ordering::SeqCst);
            lost.fetch_add(usize::from(is_lost), Ordering::SeqCst);
            !is_lost
        });
    });
}

/// Passes on what comes for as long as it may, and closes both ends then.
fn pass(from: &mut TcpStream, to: &mut TcpStream, mut may: impl FnMut(&[u8]) -> bool) {
    let mut bytes = [0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes)
        && may(&bytes[..read])
        && to.write_all(&bytes[..read]).is_ok()
    {}
    for stream in [from, to] {
        // The other direction may have closed it.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

#[test]
fn whoever_does_not_learn_whether_a_task_was_submitted_is_told_how_to_find_out() {
    let site = Site::start();
    let way = Way::to(&site);
    let ran = way.run(&["submit", "--type", "a", "--payload", "1"]);
    let said: Vec<_> = ran.error(1).lines().collect();
    assert_eq!((ran.stdout.as_str(), said.len()), ("", 2), "{said:?}");
    assert!(way.lost.load(Ordering::SeqCst) > 1, "it was tried again");
    let (id, hint) = said[0]
        .strip_prefix("if it was submitted, it is task ")
        .and_then(|rest| rest.split_once(": "))
        .unwrap_or_else(|| panic!("no hint: {said:?}"));
    let expected = format!(
        "`russet tasks get {id}` says so; with --id {id} the same command can be repeated safely"
    );
    assert_eq!(hint, expected);
    assert!(
        said[1].starts_with("error: ") && said[1].contains(DOUBT),
        "{said:?}"
    );
    assert_eq!(site.task(id)["payload"], 1);
    let again = site.run(&["submit", "--type", "a", "--payload", "1", "--id", id]);
    assert_eq!(again.good(), format!("{id} had been submitted before"));
    let all = site.run(&["--quiet", "tasks", "list", "--all"]);
    assert_eq!(all.good(), id, "all tries were of one task");
}

#[test]
fn dedup_a_submission_under_an_id_is_done_once_and_another_one_under_it_is_refused() {
    let site = Site::start();
    // In the one partition that there is, as any id is that the server gave.
    let id = site.submit(&["--type", "a"]);
    site.run(&["tasks", "cancel", &id]).good();
    site.run(&["tasks", "purge", &id]).good();
    let submit = ["submit", "--type", "mail", "--id", &id];
    assert_eq!(site.run(&submit).good(), format!("{id} submitted"));
    let again = site.run(&[&["--json"], &submit[..]].concat()).json();
    assert_eq!(again, json!({"task": id, "existing": true}));
    let other = ["--json", "submit", "--type", "other", "--id", &id];
    let other = site.run(&other).problem();
    assert_eq!(
        (&other["code"], &other["field"]),
        (&json!("idempotency_conflict"), &json!("id"))
    );
    let nowhere = site.run(&[
        "submit",
        "--type",
        "a",
        "--id",
        "7zzzzzzzzzzzzzzzzzzzzzzzzz",
    ]);
    assert!(nowhere.error(2).contains("partition"), "{nowhere:?}");
    let file = site.run(&["submit", "-f", "-", "--id", &id]);
    assert_eq!(file.status, 2, "{file:?}");
}

#[test]
fn dedup_whoever_does_not_learn_whether_a_key_was_taken_is_told_to_use_it_again() {
    let site = Site::start();
    let way = Way::to(&site);
    let submit = ["--json", "submit", "--type", "a", "--key", "k"];
    let ran = way.run(&submit);
    let hint = "submit it again with the same --key: it is not done twice";
    assert_eq!(ran.error(1).lines().next(), Some(hint), "{ran:?}");
    assert_eq!(ran.problem()["code"], "lost");
    let again = site.run(&submit).json();
    assert_eq!(again["existing"], true);
    let all = site.run(&["--quiet", "tasks", "list", "--all"]);
    assert_eq!(json!(all.good()), again["task"]);
}

#[test]
fn whoever_does_not_learn_whether_a_workflow_was_submitted_is_told_how_to_find_out() {
    let site = Site::start();
    let way = Way::to(&site);
    let tasks = r#""tasks": [{"name": "a", "type": "t"}]"#;
    let file = site.file("workflow.json", &format!("{{{tasks}}}"));
    let ran = way.run(&["workflows", "submit", file.to_str().expect("text")]);
    let said: Vec<_> = ran.error(1).lines().collect();
    assert_eq!((ran.stdout.as_str(), said.len()), ("", 2), "{said:?}");
    let (id, hint) = said[0]
        .strip_prefix("if it was submitted, it is workflow ")
        .and_then(|rest| rest.split_once(": "))
        .unwrap_or_else(|| panic!("no hint: {said:?}"));
    let expected = format!(
        "`russet workflows get {id}` says so; with \"id\": \"{id}\" in the file the same command \
         can be repeated safely"
    );
    assert_eq!(hint, expected);
    assert!(said[1].contains(DOUBT), "{said:?}");
    site.run(&["workflows", "get", id]).good();
    site.file("workflow.json", &format!(r#"{{"id": "{id}", {tasks}}}"#));
    let again = site.run(&["workflows", "submit", "workflow.json"]);
    let before = format!("{id} had been submitted before, 1 task");
    assert_eq!(again.good(), before);
    let all = site.run(&["--quiet", "tasks", "list", "--all"]);
    assert_eq!(all.good().lines().count(), 1, "all tries were of one");
}

#[test]
fn dedup_whoever_does_not_learn_whether_a_workflows_key_was_taken_is_told_to_use_it_again() {
    let site = Site::start();
    let way = Way::to(&site);
    let text = r#"{"idempotency_key": "k", "tasks": [{"name": "a", "type": "t"}]}"#;
    let file = site.file("workflow.json", text);
    let ran = way.run(&["workflows", "submit", file.to_str().expect("text")]);
    let hint = r#"submit it again with "idempotency_key": "k" in the file: it is not done twice"#;
    assert_eq!(ran.error(1).lines().next(), Some(hint), "{ran:?}");
}

/// A server that says this of every batch of tasks, and nothing of itself.
fn saying(results: &Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let results = json!({ "results": results }).to_string();
    let missing = json!(Problem::new("no_route", 404, "there is none")).to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut asked = BufReader::new(stream.try_clone().expect("a handle"));
            let head = (&mut asked).lines().map_while(Result::ok);
            let head: Vec<_> = head.take_while(|line| !line.is_empty()).collect();
            let length = head
                .iter()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse().expect("a number"));
            let body = asked.take(length).read_to_end(&mut Vec::new());
            body.expect("a body");
            let (status, answer) = match head[0].starts_with("POST") {
                true => ("200 OK", &results),
                false => ("404 Not Found", &missing),
            };
            let length = answer.len();
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n");
            write!(stream, "{head}connection: close\r\n\r\n{answer}").expect("is read");
        }
    });
    url
}

#[test]
fn of_a_batch_that_fails_in_part_every_task_is_told_and_what_is_in_doubt_is_counted() {
    let ids = ["00000000000000000000000001", "00000000000000000000000002"];
    let refused = |code, status| json!({ "error": Problem::new(code, status, "so it is") });
    let url = saying(&json!([
        refused("store_full", 507),
        {"task": ids[0], "existing": false},
        refused("invalid", 422),
        refused("indeterminate", 503),
        {"task": ids[1], "existing": true},
    ]));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tasks.jsonl");
    std::fs::write(&file, "{\"type\": \"a\"}\n".repeat(5)).expect("is written");
    let submit = |how: &[&str]| -> Ran {
        let mut command = russet();
        command.args(how).args(["submit", "--file"]).arg(&file);
        command
            .env("RUSSET_URL", &url)
            .output()
            .expect("runs")
            .into()
    };
    let so_far = "2 tasks submitted; of lines 1 to 5, 1 in doubt and 1 not submitted; what \
        follows was not sent; ";
    let so_far = format!("{so_far}{TWICE}");
    let quiet = submit(&["--quiet"]);
    let said: Vec<_> = quiet.error(1).lines().collect();
    assert_eq!(said, ["line 3: so it is", &so_far, "error: so it is"]);
    assert_eq!(quiet.stdout.lines().collect::<Vec<_>>(), ids);
    let json = submit(&["--json"]);
    assert_eq!(json.error(1).lines().next(), Some(&*so_far), "{json:?}");
    assert_eq!(json.problem()["code"], "indeterminate");
    let told = json.lines();
    let lines: Vec<_> = told.iter().map(|line| &line["line"]).collect();
    assert_eq!(lines, [2, 3, 5]);
    assert_eq!(
        (&told[0]["task"], &told[2]["task"]),
        (&json!(ids[0]), &json!(ids[1]))
    );
}

#[test]
fn of_a_task_that_was_surely_not_submitted_no_doubt_is_told() {
    let site = Site::start();
    let refused = site.run(&["submit", "--type", "a b"]);
    let nowhere = site.run(&["--url", "http://127.0.0.1:1", "submit", "--type", "a"]);
    for (ran, status) in [(refused, 2), (nowhere, 1)] {
        let said = ran.error(status);
        assert!(
            said.starts_with("error: ") && said.lines().count() == 1,
            "{said}"
        );
    }
}
