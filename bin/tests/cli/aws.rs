//! A store in DynamoDB with a queue in SQS, on a test server.

use std::process::Command;

use russet_servers::{ACCESS_KEY, Ministack};

use crate::process::{Ran, Site, russet};

fn configure(command: &mut Command, server: &Ministack) {
    command
        .env("RUSSET_STORE_BACKEND", "dynamodb")
        .env("RUSSET_QUEUE_BACKEND", "sqs")
        .env("RUSSET_AWS_REGION", "eu-central-1")
        .env("RUSSET_AWS_ENDPOINT_URL", server.url())
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
