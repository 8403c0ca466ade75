//! A store in Redis whose ready tasks SQS announces.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use russet_servers::{ACCESS_KEY, Ministack, RedisServer, RedisVersion};
use tempfile::TempDir;

use crate::aws::sqs;
use crate::process::{PATIENCE, Ran, Site, russet};

/// How often the queues are looked at again.
const POLL: Duration = Duration::from_millis(100);

/// A Redis, a server that speaks as SQS, and a configuration that uses both.
struct Pair {
    redis: RedisServer,
    sqs: Ministack,
    folder: TempDir,
}

impl Pair {
    /// The configuration is what `config init --backend redis` writes, with the settings in it
    /// that are not the defaults here.
    fn start() -> Self {
        let durable = ["--appendonly", "yes"];
        let pair = Self {
            redis: RedisServer::start_with(RedisVersion::Redis7, &durable),
            sqs: Ministack::start(),
            folder: tempfile::tempdir().expect("a folder"),
        };
        pair.config(&["init", "--backend", "redis"]).good();
        let file = pair.folder.path().join("russet.toml");
        let mut text = std::fs::read_to_string(&file).expect("is read");
        let (redis, sqs) = (pair.redis.url(), pair.sqs.url());
        for (line, setting) in [
            (
                "#listen = \"127.0.0.1:7718\"",
                "listen = \"127.0.0.1:0\"".to_owned(),
            ),
            ("#partitions = 1", "partitions = 2".to_owned()),
            ("#backend = \"store\"", "backend = \"sqs\"".to_owned()),
            (
                "#url = \"redis://127.0.0.1:6379\"",
                format!("url = {redis:?}"),
            ),
            (
                "#region = \"eu-central-1\"",
                "region = \"eu-central-1\"".to_owned(),
            ),
            (
                "#endpoint_url = \"http://127.0.0.1:4566\"",
                format!("endpoint_url = {sqs:?}"),
            ),
        ] {
            assert!(text.contains(line), "{line}: {text}");
            text = text.replace(line, &setting);
        }
        std::fs::write(&file, text).expect("is written");
        pair
    }

    fn config(&self, arguments: &[&str]) -> Ran {
        let mut command = russet();
        command.arg("config").args(arguments);
        command.current_dir(self.folder.path());
        credentials(&mut command).output().expect("runs").into()
    }

    fn check(&self) -> Ran {
        self.config(&["check", "--config", "russet.toml"])
    }

    fn create(&self, queue: &str) {
        let create = ["create", "--config", "russet.toml", "--queue", queue];
        self.config(&create).good();
    }

    fn serve(&self) -> Site {
        let file: &Path = &self.folder.path().join("russet.toml");
        Site::with(|command| {
            credentials(command.arg("--config").arg(file));
        })
    }

    /// How many messages stand in each SQS queue, the most urgent first.
    fn announced(&self) -> Vec<String> {
        let prefix = r#"{"QueueNamePrefix":"russet-default-"}"#;
        let listed = sqs(&self.sqs, "ListQueues", prefix);
        let urls = listed.split('"').filter(|part| part.starts_with("http"));
        let mut urls: Vec<_> = urls.collect();
        urls.sort_by_key(|url| url.chars().last());
        let waiting = |url: &&str| {
            let names = r#"["ApproximateNumberOfMessages"]"#;
            let body = format!(r#"{{"QueueUrl":"{url}","AttributeNames":{names}}}"#);
            let answer = sqs(&self.sqs, "GetQueueAttributes", &body);
            let (_, after) = answer
                .split_once("ApproximateNumberOfMessages")
                .unwrap_or_else(|| panic!("{answer}"));
            let digits = after.chars().skip_while(|c| !c.is_ascii_digit());
            digits.take_while(char::is_ascii_digit).collect()
        };
        urls.iter().map(waiting).collect()
    }

    fn wait_until_announced(&self, expected: &[&str]) {
        let start = Instant::now();
        loop {
            let announced = self.announced();
            if announced == expected {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{announced:?} in place of {expected:?}"
            );
            std::thread::sleep(POLL);
        }
    }
}

fn credentials(command: &mut Command) -> &mut Command {
    command
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", "sesame")
}

#[test]
fn tasks_that_redis_keeps_are_announced_by_sqs_and_done_on_another_node() {
    let pair = Pair::start();
    let before = pair.check();
    assert!(before.good().contains("WARN queue    sqs: "), "{before:?}");
    pair.create("default");
    let checked = pair.check();
    let lines: Vec<&str> = checked.good().lines().collect();
    let says = |start: &str| lines.iter().any(|line| line.starts_with(start));
    assert!(says("ok   store    redis 7"), "{checked:?}");
    assert!(says("ok   queue    sqs: 3 queues russet-*"), "{checked:?}");
    assert!(!says("WARN") && !says("BAD"), "{checked:?}");

    let (here, there) = (pair.serve(), pair.serve());
    let once = ["--type", "a", "--payload", "1", "--key", "once"];
    let task = here.submit(&once);
    assert_eq!(there.submit(&once), task, "its key names it on both nodes");
    let urgent = here.submit(&["--type", "a", "--payload", "2", "--priority", "9"]);
    pair.wait_until_announced(&["1", "1", "0"]);
    let failing = ["--max-retries", "2", "--retry-delay", "100ms"];
    let again = here.submit(&[&["--type", "again", "--delay", "1s"], &failing[..]].concat());
    let child = ["--type", "a", "--payload", "3", "--depends-on"];
    let child = there.submit(&[&child[..], &[&task, &again]].concat());
    assert_eq!(here.task(&child)["status"], "blocked");

    // What fails first is tried again.
    let exec = r#"[ "$RUSSET_TYPE" = a ] || [ "$RUSSET_RETRY_COUNT" -gt 0 ] && cat"#;
    let _worker = there.worker(&["--shell", "--exec", exec]);
    here.run(&["tasks", "wait", &child]).good();
    for (id, result) in [(&task, "1"), (&urgent, "2"), (&child, "3")] {
        here.run(&["tasks", "wait", id]).good();
        assert_eq!(here.task(id)["result"].to_string(), result);
    }
    assert_eq!(here.task(&again)["retry_count"], 1);
    pair.wait_until_announced(&["0", "0", "0"]);
    let listed = there
        .run(&["--json", "queues", "inspect", "default"])
        .json();
    assert_eq!(listed["counts"]["succeeded"], 4, "{listed}");
}

/// By the names and tags that the documentation gives.
#[test]
fn sqs_queues_that_another_tool_has_made_are_used() {
    let pair = Pair::start();
    for band in 0..3 {
        let made = serde_json::json!({
            "QueueName": format!("russet-mail_out-2094eac43db01224-{band}"),
            "Attributes": {"MessageRetentionPeriod": "86400"},
            "tags": {"russet-lane-0": "mail.out"},
        });
        sqs(&pair.sqs, "CreateQueue", &made.to_string());
    }
    let checked = pair.check();
    assert!(
        checked.good().contains("ok   queue    sqs: 3 queues"),
        "{checked:?}"
    );
    let site = pair.serve();
    let _worker = site.worker(&["--queue", "mail.out", "--exec", "cat"]);
    let submit = ["submit", "--wait", "--type", "a", "--queue", "mail.out"];
    site.run(&submit).good();
}

#[test]
fn no_loss_a_task_is_announced_once_the_sqs_queues_of_its_queue_are_made() {
    let pair = Pair::start();
    let site = pair.serve();
    let task = site.submit(&["--type", "a", "--payload", "1"]);
    // The queue is not there yet: nobody is told of the task.
    assert_eq!(site.task(&task)["status"], "queued");
    pair.create("default");
    let _worker = site.worker(&["--exec", "cat"]);
    site.run(&["tasks", "wait", &task]).good();
    assert_eq!(site.task(&task)["result"], 1);
}
