//! A store in DynamoDB with a queue in SQS, on a test server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use russet_servers::{ACCESS_KEY, Ministack};

use crate::front::Front;
use crate::nodes::ask;
use crate::process::{Ran, Site, russet};

/// How long something may take that takes a moment.
const SOON: Duration = Duration::from_secs(60);

fn configure(command: &mut Command, server: &Ministack) {
    configure_at(command, &server.url());
}

fn configure_at(command: &mut Command, url: &str) {
    command
        .env("RUSSET_STORE_BACKEND", "dynamodb")
        .env("RUSSET_QUEUE_BACKEND", "sqs")
        .env("RUSSET_AWS_REGION", "eu-central-1")
        .env("RUSSET_AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", "sesame");
}

fn config(server: &Ministack, arguments: &[&str]) -> Ran {
    let mut command = russet();
    configure(command.arg("config").args(arguments), server);
    command.output().expect("runs").into()
}

#[test]
fn a_table_and_queues_that_were_created_serve_tasks_on_two_nodes() {
    let server = Ministack::start();
    let missing = config(&server, &["check"]);
    assert_eq!(missing.status, 1, "{missing:?}");
    assert!(missing.stdout.contains("there is no table"), "{missing:?}");
    let bare = config(&server, &["create"]);
    bare.good();
    let none = "no SQS queue was made: --queue NAME makes those of a queue";
    assert!(bare.stderr.starts_with(none), "{bare:?}");
    let doubtful = config(&server, &["check"]);
    let warned = doubtful
        .good()
        .lines()
        .find(|line| line.starts_with("WARN"));
    let none = "and no task starts before its queue is: `russet config create --queue NAME`";
    assert!(
        warned.is_some_and(|line| line.contains(none)),
        "{doubtful:?}"
    );
    config(&server, &["create", "--queue", "default"]).good();
    config(&server, &["check"]).good();
    let node = || Site::with(|command| configure(command, &server));
    let (here, there) = (node(), node());
    let task = here.submit(&["--type", "a", "--payload", "1", "--key", "once"]);
    assert_eq!(
        there.submit(&["--type", "a", "--payload", "1", "--key", "once"]),
        task
    );
    let leased = there.run(&["--quiet", "tasks", "lease", "--wait", "30s"]);
    let (id, lease) = leased.good().split_once(' ').expect("a task and its lease");
    assert_eq!(id, task);
    here.run(&["tasks", "complete", id, lease]).good();
    assert_eq!(there.task(&task)["status"], "succeeded");
}

/// Asks SQS for something, past the adapter; the answer as it is.
pub fn sqs(server: &Ministack, action: &str, body: &str) -> String {
    let url = server.url();
    let address = url.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).expect("connects");
    let length = body.len();
    let scope = format!("{ACCESS_KEY}/20260101/eu-central-1/sqs/aws4_request");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\n\
         Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.{action}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("is answered");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

#[test]
fn a_task_that_needs_resources_is_done_once_the_queues_of_its_lane_were_created() {
    let server = Ministack::start();
    config(&server, &["create", "--queue", "images"]).good();
    let create = ["create", "--queue", "images", "--need", "cpu=2"];
    let created = config(&server, &create);
    let said = created.good();
    assert!(
        said.contains("each SQS queue of images/cpu=2 is there"),
        "{said}"
    );
    let checked = config(&server, &["check"]);
    let said = checked.good();
    assert!(said.contains("sqs: 6 queues russet-* are there"), "{said}");
    let site = Site::with(|command| configure(command, &server));
    let worker = ["--exec", "cat", "--queue", "images", "--capacity", "cpu=4"];
    let _worker = site.worker(&worker);
    let task = [
        "--type",
        "a",
        "--payload",
        "1",
        "--queue",
        "images",
        "--need",
        "cpu=2",
    ];
    for priority in ["9", "4", "0"] {
        let wait = ["--priority", priority, "--wait"];
        let submitted = site.run(&[&["--json", "submit"], &task[..], &wait[..]].concat());
        submitted.good();
        assert_eq!(submitted.json()["status"], "succeeded");
    }
}

#[test]
fn needs_that_cannot_be_are_refused_before_anything_is_made() {
    let server = Ministack::start();
    let twice = [
        "create", "--queue", "images", "--need", "cpu=2", "--need", "cpu=1",
    ];
    let refused = config(&server, &twice);
    let said = refused.error(2);
    assert!(said.contains("--need: cpu is named twice"), "{said}");
    let alone = config(&server, &["create", "--need", "cpu=2"]);
    assert!(alone.error(2).contains("--queue <NAME>"), "{alone:?}");
    let checked = config(&server, &["check"]);
    assert!(checked.stdout.contains("there is no table"), "{checked:?}");
}

#[test]
fn a_check_refuses_queues_whose_attributes_do_not_suit() {
    let server = Ministack::start();
    config(&server, &["create", "--queue", "default"]).good();
    let listed = sqs(
        &server,
        "ListQueues",
        r#"{"QueueNamePrefix":"russet-default-"}"#,
    );
    let urls = listed.split('"').filter(|part| part.starts_with("http"));
    let urls: Vec<_> = urls.map(str::to_owned).collect();
    assert_eq!(urls.len(), 3, "{listed}");
    let set = |url: &str, name: &str, value: &str| {
        let body = format!(r#"{{"QueueUrl":"{url}","Attributes":{{"{name}":"{value}"}}}}"#);
        sqs(&server, "SetQueueAttributes", &body);
    };
    set(&urls[0], "MessageRetentionPeriod", "3600");
    let doubtful = config(&server, &["check"]);
    let said = doubtful.good();
    assert!(
        said.contains("ok   queue    sqs: 3 queues russet-*"),
        "{said}"
    );
    assert!(
        said.contains("WARN queue    sqs: russet-default-"),
        "{said}"
    );
    set(&urls[1], "DelaySeconds", "30");
    let wrong = config(&server, &["check"]);
    assert_eq!(wrong.status, 1, "{wrong:?}");
    let said = &wrong.stdout;
    assert!(
        said.contains("BAD  queue    sqs: russet-default-"),
        "{said}"
    );
    assert!(said.contains("has DelaySeconds 30"), "{said}");
}

#[test]
fn a_check_names_all_that_the_credentials_may_not_do() {
    let server = Ministack::start();
    config(&server, &["create", "--queue", "default"]).good();
    let check = |denied| {
        let front = Front::start(&server.url(), denied);
        let mut command = russet();
        configure_at(command.args(["config", "check"]), &front.url());
        Ran::from(command.output().expect("runs"))
    };
    let allowed = check(&[]);
    assert!(!allowed.good().contains("allowed"), "{allowed:?}");
    let denied = check(&[
        "DeleteItem",
        "Query",
        "ReceiveMessage",
        "DeleteMessageBatch",
    ]);
    assert_eq!(denied.status, 1, "{denied:?}");
    let lines: Vec<_> = denied.stdout.lines().collect();
    let why = "(AccessDeniedException: User: arn:aws:iam::000000000000:user/test is not \
               authorized): allow them in the policies of these credentials";
    for (starts, actions) in [
        (
            "BAD  store    dynamodb: the table \"russet\": not allowed: ",
            "dynamodb:DeleteItem, dynamodb:Query on index/*",
        ),
        (
            "BAD  queue    sqs: not allowed: ",
            "sqs:DeleteMessage on russet-*, sqs:ReceiveMessage on russet-*",
        ),
    ] {
        let line = format!("{starts}{actions} {why}");
        assert!(lines.contains(&line.as_str()), "{line}: {denied:?}");
    }
    // What is known is said all the same.
    assert!(
        denied.stdout.contains("ok   store    dynamodb"),
        "{denied:?}"
    );
    // An action that says what there is is named with the others.
    let blind = check(&["DescribeTable", "ListQueues"]);
    let bad: Vec<_> = blind
        .stdout
        .lines()
        .filter(|line| line.starts_with("BAD"))
        .collect();
    let [store, queue] = bad[..] else {
        panic!("two are bad: {blind:?}");
    };
    assert!(
        store.contains("not allowed: dynamodb:DescribeTable ("),
        "{store}"
    );
    assert!(queue.contains("not allowed: sqs:ListQueues ("), "{queue}");
}

/// The three SQS queues of the queue `default`.
fn urls(server: &Ministack) -> Vec<String> {
    let prefix = r#"{"QueueNamePrefix":"russet-default-"}"#;
    let listed = sqs(server, "ListQueues", prefix);
    let urls = listed.split('"').filter(|part| part.starts_with("http"));
    urls.map(str::to_owned).collect()
}

#[test]
fn a_server_tells_at_its_start_what_a_check_finds_and_serves() {
    let server = Ministack::start();
    config(&server, &["create", "--queue", "default"]).good();
    let [url, ..] = &urls(&server)[..] else {
        panic!("there are queues")
    };
    let delayed = format!(r#"{{"QueueUrl":"{url}","Attributes":{{"DelaySeconds":"30"}}}}"#);
    sqs(&server, "SetQueueAttributes", &delayed);
    let front = Front::start(&server.url(), &["DeleteMessageBatch", "DeleteItem"]);
    let log = tempfile::NamedTempFile::new().expect("a file");
    let site = Site::with(|command| {
        configure_at(command, &front.url());
        command.stderr(log.as_file().try_clone().expect("is duplicated"));
    });
    site.submit(&["--type", "a"]);
    for said in [
        "[queue] sqs: russet-default-",
        "has DelaySeconds 30, so that each task waits as long",
        "[queue] sqs: not allowed: sqs:DeleteMessage on russet-*",
        "[store] dynamodb: the table \"russet\": not allowed: dynamodb:DeleteItem",
    ] {
        is_told(log.path(), said);
    }
}

/// Waits until the log has a line at the level of errors that says it.
fn is_told(log: &Path, said: &str) {
    let start = Instant::now();
    loop {
        let text = std::fs::read_to_string(log).expect("text");
        let mut lines = text.lines();
        if lines.any(|line| line.contains("ERROR") && line.contains(said)) {
            return;
        }
        assert!(start.elapsed() < SOON, "no {said:?} in {text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn messages_that_cannot_be_decoded_are_counted_in_the_metrics() {
    let server = Ministack::start();
    config(&server, &["create", "--queue", "default"]).good();
    let site = Site::with(|command| configure(command, &server));
    let count = |n: u64| format!("\nrusset_queue_undecodable_total {n}\n");
    assert!(ask(&site, "/metrics").contains(&count(0)));
    for url in urls(&server) {
        let strange = format!(r#"{{"QueueUrl":"{url}","MessageBody":"none of ours"}}"#);
        sqs(&server, "SendMessage", &strange);
    }
    let _worker = site.worker(&["--exec", "cat"]);
    let start = Instant::now();
    while !ask(&site, "/metrics").contains(&count(3)) {
        assert!(start.elapsed() < SOON, "{}", ask(&site, "/metrics"));
        std::thread::sleep(Duration::from_millis(50));
    }
}
