//! What SQS may do instead of what it was asked.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use russet_backends::aws::OpenError;
use russet_backends::sqs::{Sqs, SqsOptions};
use russet_engine::{Delivery, Depth, Message, Queue, QueueError, SystemClock};
use russet_servers::{Fauxqs, free_port};
use serde_json::{Value, json};

use crate::servers::{lane, message, queues};
use crate::stub::{Reply, Stub, refusal};

const HIDDEN: Duration = Duration::from_secs(60);
/// How often it is asked for what must come, a second each time.
const PATIENCE: usize = 20;

/// A queue on a server of its own, whose requests a stub may answer.
struct Stubbed {
    server: Fauxqs,
    stub: Stub,
    queue: Arc<Sqs>,
}

impl Stubbed {
    async fn start() -> Self {
        let (server, stub) = (Fauxqs::start(), Stub::new());
        let mut options = queues(&server.url(), "test");
        options.aws.seams.http_client = Some(stub.client());
        let queue = open(&options).await.expect("it is opened");
        Self {
            server,
            stub,
            queue,
        }
    }

    async fn receive(&self, max: usize, wait: Duration) -> Vec<Delivery> {
        let lanes = [lane("emails")];
        let received = self.queue.receive(&lanes, max, HIDDEN, wait).await;
        received.expect("it is received")
    }

    /// Receives until `count` deliveries have come, however slow the server is.
    async fn drain(&self, count: usize) -> Vec<Delivery> {
        let mut drained = Vec::new();
        for _ in 0..PATIENCE {
            drained.extend(self.receive(10, Duration::from_secs(1)).await);
            if drained.len() >= count {
                break;
            }
        }
        assert_eq!(drained.len(), count);
        drained
    }

    /// Receives, and gets nothing, until a message could not be decoded.
    async fn meets_what_is_undecodable(&self, visibility: Duration) {
        for _ in 0..PATIENCE {
            let (lanes, wait) = ([lane("emails")], Duration::from_secs(1));
            let received = self.queue.receive(&lanes, 10, visibility, wait).await;
            assert_eq!(received, Ok(Vec::new()));
            if self.queue.undecodable() > 0 {
                break;
            }
        }
        assert_eq!(self.queue.undecodable(), 1);
    }

    /// Sends what is none of ours to the lane's own queue, past the adapter.
    async fn send_foreign(&self, body: &str) {
        let client = client(&self.server.url());
        let listed = client.list_queues().queue_name_prefix("test-emails-");
        let listed = listed.send().await.expect("they are listed");
        let url = listed.queue_urls()[0].clone();
        let foreign = client.send_message().queue_url(&url).message_body(body);
        foreign.send().await.expect("it is sent");
    }
}

async fn open(options: &SqsOptions) -> Result<Arc<Sqs>, OpenError> {
    Sqs::open(options.clone(), Arc::new(SystemClock)).await
}

fn messages(count: u64) -> Vec<Message> {
    (0..count).map(|n| message(n, &lane("emails"))).collect()
}

pub fn client(url: &str) -> Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("a", "b", None, None, "test"))
        .http_client(Stub::new().client());
    Client::from_conf(config.build())
}

fn failed(asked: &Value, sender_fault: bool) -> Value {
    let entries = asked["Entries"].as_array().into_iter().flatten();
    let failed = entries.map(
        |entry| json!({ "Id": entry["Id"], "SenderFault": sender_fault, "Code": "InternalError" }),
    );
    json!({ "Successful": [], "Failed": failed.collect::<Vec<_>>() })
}

const NONE_TAKEN: Reply = Reply::Answer(200, |asked| failed(asked, false));
const REFUSED: Reply = Reply::Answer(200, |asked| failed(asked, true));
const THROTTLED: Reply = Reply::Answer(400, |_| refusal("RequestThrottled"));

#[tokio::test]
async fn messages_that_were_not_taken_are_sent_again() {
    let world = Stubbed::start().await;
    world.stub.on("SendMessageBatch", 1, NONE_TAKEN);
    world.stub.on("SendMessageBatch", 1, THROTTLED);
    world.queue.send(messages(25)).await.expect("they are sent");
    assert_eq!(world.stub.count("SendMessageBatch"), 5);
    let mut tasks: Vec<_> = world.drain(25).await.iter().map(|d| d.task).collect();
    tasks.sort();
    assert!(
        tasks
            .into_iter()
            .eq(messages(25).into_iter().map(|m| m.task))
    );
}

#[tokio::test]
async fn messages_that_are_never_taken_are_an_error() {
    let world = Stubbed::start().await;
    world.queue.send(messages(1)).await.expect("it is sent");
    for (reply, times) in [(NONE_TAKEN, 5), (REFUSED, 1), (THROTTLED, 5)] {
        world.stub.on("SendMessageBatch", times, reply);
        let error = world.queue.send(messages(10)).await;
        let QueueError::Unavailable { why } = error.expect_err("they are not sent");
        assert!(why.starts_with("SQS"), "{why}");
    }
    assert!(world.stub.is_done());
    assert_eq!(world.stub.count("SendMessageBatch"), 1 + 5 + 1 + 5);
}

#[tokio::test]
async fn deliveries_that_were_not_settled_are_settled_again() {
    let world = Stubbed::start().await;
    world.queue.send(messages(3)).await.expect("they are sent");
    let receipts = |deliveries: Vec<Delivery>| deliveries.into_iter().map(|d| d.receipt).collect();
    let held = world.drain(3).await;
    world.stub.on("ChangeMessageVisibilityBatch", 1, NONE_TAKEN);
    let released = world.queue.release(receipts(held), Duration::ZERO).await;
    released.expect("they are given back");
    let held = world.drain(3).await;
    world.stub.on("DeleteMessageBatch", 1, NONE_TAKEN);
    world
        .queue
        .delete(receipts(held))
        .await
        .expect("they are settled");
    let depth = world
        .queue
        .depth(&lane("emails"))
        .await
        .expect("it is counted");
    assert_eq!((depth.visible, depth.hidden), (0, 0));
    assert_eq!(world.stub.count("DeleteMessageBatch"), 2);
}

#[tokio::test]
async fn a_failed_receive_is_an_error_and_the_next_one_goes_on() {
    let world = Stubbed::start().await;
    world.queue.send(messages(1)).await.expect("it is sent");
    for reply in [THROTTLED, Reply::Reset] {
        world.stub.on("ReceiveMessage", 1, reply);
        let lanes = [lane("emails")];
        let wait = Duration::from_secs(5);
        let received = world.queue.receive(&lanes, 1, HIDDEN, wait).await;
        received.expect_err("it failed");
    }
    assert_eq!(world.receive(1, Duration::from_secs(5)).await.len(), 1);
}

/// While nothing can be received from one, whoever waits for both is given what comes from the
/// other, and what comes from the first once that works again.
#[tokio::test]
async fn a_queue_that_fails_does_not_keep_others_from_delivering() {
    let world = Stubbed::start().await;
    let (emails, images) = (lane("emails"), lane("images"));
    let both = [emails.clone(), images.clone()];
    world
        .queue
        .create_queues(&both)
        .await
        .expect("they are made");
    world.stub.deny("sqs:ReceiveMessage", "test-images-");
    let wait = Duration::from_secs(PATIENCE as u64);
    for message in [message(0, &emails), message(1, &images)] {
        let send = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            world
                .queue
                .send(vec![message.clone()])
                .await
                .expect("it is sent");
            if message.lane == images {
                world.stub.allow();
            }
        };
        let receive = world.queue.receive(&both, 1, HIDDEN, wait);
        let (received, ()) = tokio::join!(receive, send);
        let received = received.expect("nothing that can be delivered is kept");
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].task, message.task);
    }
}

/// It is moved to a queue of its own, and the others are delivered.
#[tokio::test]
async fn a_message_that_is_none_of_ours_is_set_aside() {
    let world = Stubbed::start().await;
    world.queue.send(messages(1)).await.expect("it is sent");
    world.send_foreign("what?").await;
    world.drain(1).await;
    world.meets_what_is_undecodable(HIDDEN).await;
    let client = client(&world.server.url());
    let aside = client.get_queue_url().queue_name("test-undecodable").send();
    let aside = aside.await.expect("there is such a queue").queue_url;
    let found = client.receive_message().wait_time_seconds(PATIENCE as i32);
    let found = found.set_queue_url(aside).send().await;
    let found = found.expect("it is received").messages.unwrap_or_default();
    let bodies: Vec<_> = found.iter().filter_map(|message| message.body()).collect();
    assert_eq!(bodies, ["what?"]);
    let mut depth = Depth::default();
    for _ in 0..PATIENCE {
        depth = world
            .queue
            .depth(&lane("emails"))
            .await
            .expect("it is counted");
        if depth.hidden == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(
        (depth.visible, depth.hidden),
        (0, 1),
        "it is gone from here"
    );
}

/// It stays where it is, for a node that can read it.
#[tokio::test]
async fn a_message_of_a_newer_version_is_put_off_and_not_set_aside() {
    let world = Stubbed::start().await;
    world.queue.send(messages(1)).await.expect("it is sent");
    world.drain(1).await;
    world.send_foreign("russet2:anything").await;
    for _ in 0..PATIENCE {
        assert_eq!(world.receive(10, Duration::from_secs(1)).await, []);
        if world.stub.count("ChangeMessageVisibilityBatch") > 0 {
            break;
        }
    }
    assert_eq!(world.stub.count("ChangeMessageVisibilityBatch"), 1);
    assert_eq!(world.stub.count("DeleteMessageBatch"), 0);
    assert_eq!(world.queue.undecodable(), 0);
    let client = client(&world.server.url());
    let aside = client.get_queue_url().queue_name("test-undecodable").send();
    aside.await.expect_err("nothing was set aside");
}

/// One queue alone receives: a request for messages outlives whoever waited for it, and one of
/// another would take the message.
#[tokio::test]
async fn a_message_that_cannot_be_set_aside_is_hidden() {
    let mut world = Stubbed::start().await;
    world.queue.send(messages(1)).await.expect("it is sent");
    let mut options = queues(&world.server.url(), "test");
    options.create = false;
    world.queue = open(&options).await.expect("it is opened");
    world.drain(1).await;
    world.send_foreign("what?").await;
    let briefly = Duration::from_secs(2);
    world.meets_what_is_undecodable(briefly).await;
    let (lanes, wait) = ([lane("emails")], 2 * briefly);
    let received = world.queue.receive(&lanes, 10, briefly, wait).await;
    assert_eq!(received, Ok(Vec::new()), "it is not delivered again");
    assert_eq!(world.queue.undecodable(), 1);
}

#[tokio::test]
async fn a_lane_without_a_queue_is_an_error_that_says_what_to_do() {
    let server = Fauxqs::start();
    let mut options = queues(&server.url(), "test");
    options.create = false;
    let queue = open(&options).await.expect("it is opened");
    let error = queue
        .send(messages(1))
        .await
        .expect_err("there is no queue");
    let QueueError::Unavailable { why } = error;
    let there_is_none = "there is no SQS queue test-emails-";
    let make_it = "-1 for the lane emails: make it with `russet config create --queue emails`, or \
                   set create = true in [sqs]";
    assert!(why.starts_with(there_is_none), "{why}");
    assert!(why.ends_with(make_it), "{why}");
    queue
        .create_queues(&[lane("emails")])
        .await
        .expect("it is made");
    queue
        .create_queues(&[lane("emails")])
        .await
        .expect("it is there");
    queue.send(messages(1)).await.expect("it is sent");
}

#[tokio::test]
async fn a_queue_that_was_deleted_is_made_again_by_the_next_message() {
    let world = Stubbed::start().await;
    world.queue.send(messages(1)).await.expect("it is sent");
    let client = client(&world.server.url());
    let listed = client.list_queues().queue_name_prefix("test-").send().await;
    for url in listed.expect("they are listed").queue_urls() {
        client
            .delete_queue()
            .queue_url(url)
            .send()
            .await
            .expect("it is deleted");
    }
    assert_eq!(world.receive(1, Duration::ZERO).await, []);
    world.queue.send(messages(2)).await.expect("they are sent");
    world.drain(2).await;
}

#[tokio::test]
async fn what_is_wrong_is_said_when_it_is_opened() {
    let url = format!("http://127.0.0.1:{}", free_port());
    let error = open(&queues(&url, "test"))
        .await
        .expect_err("nobody answers");
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(&url), "{error}");

    let stub = Stub::new();
    let denied = Reply::Answer(403, |_| refusal("AccessDeniedException"));
    stub.on("ListQueues", 1, denied);
    let mut options = queues(&url, "test");
    options.aws.seams.http_client = Some(stub.client());
    let error = open(&options).await.expect_err("it is denied");
    assert!(
        error.to_string().contains("grant sqs:ListQueues"),
        "{error}"
    );

    let error = open(&queues(&url, "a b")).await.expect_err("no prefix");
    assert!(error.to_string().starts_with("prefix cannot"), "{error}");
}
