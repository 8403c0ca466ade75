//! What the credentials may not do with queues is found out, and changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use russet_backends::aws::{OpenError, Permissions};
use russet_backends::limits::SQS_QUEUES_TRIED;
use russet_backends::sqs::{ACTIONS, CREATE_ACTIONS, Sqs, SqsFound, SqsOptions};
use russet_core::Lane;
use russet_engine::{Queue, SystemClock};
use russet_servers::{Fauxqs, Ministack};

use super::faults::client;
use crate::servers::{lane, message, queues};
use crate::stub::{Reply, Stub, refusal};

/// Lanes, one of which has messages.
const LANES: [&str; 2] = ["emails", "images"];
const MESSAGES: u64 = 3;
const THROTTLED: Reply = Reply::Answer(400, |_| refusal("RequestThrottled"));
const EXPIRED: Reply = Reply::Answer(400, |_| refusal("ExpiredTokenException"));
const GONE: Reply = Reply::Answer(400, |_| refusal("QueueDoesNotExist"));
/// More than anything is tried.
const ALWAYS: usize = 50;
/// How often it is looked again whether all messages are there.
const LOOKS: usize = 100;

async fn examine(options: &SqsOptions) -> Result<SqsFound, OpenError> {
    Sqs::examine(options.clone(), Arc::new(SystemClock)).await
}

async fn make(url: &str, lanes: &[Lane]) -> Arc<Sqs> {
    let sqs = Sqs::open(queues(url, "test"), Arc::new(SystemClock)).await;
    let sqs = sqs.expect("it is opened");
    sqs.create_queues(lanes).await.expect("they are made");
    sqs
}

/// All queues by name, with their attributes and tags.
async fn state(client: &Client) -> BTreeMap<String, String> {
    let listed = client.list_queues().send().await.expect("they are listed");
    let mut state = BTreeMap::new();
    for url in listed.queue_urls() {
        let all = QueueAttributeName::All;
        let attributes = client.get_queue_attributes().queue_url(url);
        let attributes = attributes.attribute_names(all).send().await;
        let attributes = attributes.expect("they are read").attributes;
        let attributes = attributes.unwrap_or_default().into_iter();
        let attributes: BTreeMap<_, _> = attributes
            .map(|(name, value)| (name.as_str().to_owned(), value))
            .collect();
        let tags = client.list_queue_tags().queue_url(url).send().await;
        let tags: BTreeMap<_, _> = tags
            .expect("they are read")
            .tags
            .into_iter()
            .flatten()
            .collect();
        state.insert(url.clone(), format!("{attributes:?} {tags:?}"));
    }
    state
}

/// How often each message was received, this time included.
async fn received(client: &Client) -> Vec<String> {
    let listed = client.list_queues().queue_name_prefix("test-emails-");
    let listed = listed.send().await.expect("they are listed");
    let mut counts = Vec::new();
    for _ in 0..LOOKS {
        for url in listed.queue_urls() {
            let request = client.receive_message().queue_url(url);
            let request = request.max_number_of_messages(10).visibility_timeout(600);
            let count = MessageSystemAttributeName::ApproximateReceiveCount;
            let request = request.message_system_attribute_names(count.clone());
            let reply = request.send().await.expect("it is received");
            let found = reply.messages.into_iter().flatten();
            counts.extend(found.filter_map(|found| found.attributes?.remove(&count)));
        }
        if counts.len() as u64 >= MESSAGES {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    counts
}

async fn looks_without_a_change(url: &str) {
    let sqs = make(url, &LANES.map(lane)).await;
    let sent = (0..MESSAGES).map(|n| message(n, &lane("emails")));
    sqs.send(sent.collect()).await.expect("they are sent");
    let client = client(url);
    let before = state(&client).await;
    assert_eq!(before.len(), 7, "three for each lane, and one more");
    let found = SqsFound {
        queues: Some(6),
        ..SqsFound::default()
    };
    assert_eq!(examine(&queues(url, "test")).await, Ok(found));
    assert_eq!(state(&client).await, before);
    assert_eq!(received(&client).await, ["1", "1", "1"]);
}

#[tokio::test]
async fn queues_that_may_be_used_are_looked_at_without_a_change() {
    let server = Ministack::start();
    looks_without_a_change(&server.url()).await;
    let server = Fauxqs::start();
    looks_without_a_change(&server.url()).await;
}

/// Queues on a server of their own, some of whose requests are denied.
struct Guarded {
    server: Fauxqs,
    stub: Stub,
    options: SqsOptions,
}

impl Guarded {
    async fn start() -> Self {
        let (server, stub) = (Fauxqs::start(), Stub::new());
        let mut options = queues(&server.url(), "test");
        options.aws.seams.http_client = Some(stub.client());
        Self {
            server,
            stub,
            options,
        }
    }

    async fn with_lanes(lanes: &[Lane]) -> Self {
        let world = Self::start().await;
        make(&world.server.url(), lanes).await;
        world
    }

    async fn examine(&self) -> SqsFound {
        examine(&self.options).await.expect("they are looked at")
    }

    /// What is said when these are denied, and only this.
    async fn denied(&self, denied: &[(&'static str, &str)]) -> String {
        self.stub.allow();
        for (action, on) in denied {
            self.stub.deny(action, on);
        }
        let found = self.examine().await.permissions;
        assert_eq!(found.untried, None);
        let said = found.denied.expect("something is denied");
        let actions = said.strip_prefix("not allowed: ");
        let actions = actions.and_then(|said| said.split_once(" (AccessDeniedException: User: "));
        let (actions, rest) = actions.unwrap_or_else(|| panic!("it is said: {said}"));
        let remedy = "): allow them in the policies of these credentials";
        assert!(rest.ends_with(remedy), "{said}");
        actions.to_owned()
    }

    async fn names(&self) -> Vec<String> {
        let listed = client(&self.server.url()).list_queues().send().await;
        let urls = listed
            .expect("they are listed")
            .queue_urls
            .unwrap_or_default();
        let names = urls.iter().filter_map(|url| url.rsplit('/').next());
        let mut names: Vec<_> = names.map(str::to_owned).collect();
        names.sort();
        names
    }
}

/// Whose queues they are cannot be told, and those that are listed behind them are found.
#[tokio::test]
async fn queues_whose_tags_may_not_be_read_hide_no_others() {
    let world = Guarded::with_lanes(&LANES.map(lane)).await;
    world.stub.deny("sqs:ListQueueTags", "test-emails-");
    let sqs = Sqs::open(world.options.clone(), Arc::new(SystemClock)).await;
    let sqs = sqs.expect("it is opened");
    let [emails, images] = LANES.map(lane);
    assert_eq!(sqs.lanes(&emails.queue).await, Ok(Vec::new()));
    assert_eq!(sqs.lanes(&images.queue).await, Ok(vec![images]));
}

#[tokio::test]
async fn each_action_that_is_denied_is_named_alone() {
    let world = Guarded::with_lanes(&LANES.map(lane)).await;
    let first = world.names().await.remove(0);
    for action in ACTIONS.iter().chain(&CREATE_ACTIONS) {
        let said = world.denied(&[(action, "")]).await;
        match *action {
            "sqs:ListQueues" => assert_eq!(said, "sqs:ListQueues"),
            // They are tried on one queue alone.
            "sqs:CreateQueue" | "sqs:TagQueue" => assert_eq!(said, format!("{action} on {first}")),
            action => assert_eq!(said, format!("{action} on test-*")),
        }
        let queues = (*action != "sqs:ListQueues").then_some(6);
        assert_eq!(world.examine().await.queues, queues);
    }
}

#[tokio::test]
async fn all_that_is_denied_is_named_at_once_with_its_queues() {
    let world = Guarded::with_lanes(&LANES.map(lane)).await;
    let names = world.names().await;
    let (emails, images) = (&names[..3], &names[3..6]);
    let denied = [
        ("sqs:ReceiveMessage", "test-images-"),
        ("sqs:DeleteMessage", emails[1].as_str()),
        ("sqs:SendMessage", "undecodable"),
        ("sqs:ListQueueTags", "test-emails-"),
        ("sqs:ChangeMessageVisibility", ""),
    ];
    assert_eq!(
        world.denied(&denied).await,
        format!(
            "sqs:ChangeMessageVisibility on test-*, sqs:DeleteMessage on {}, sqs:ListQueueTags on \
             {} and 2 others, sqs:ReceiveMessage on {} and 2 others, sqs:SendMessage on \
             test-undecodable",
            emails[1], emails[0], images[0]
        )
    );
    let most = ACTIONS.iter().filter(|action| **action != "sqs:ListQueues");
    let mut most: Vec<&str> = most.copied().collect();
    most.sort_unstable();
    let all: Vec<_> = most.iter().map(|action| (*action, "")).collect();
    let said = world.denied(&all).await;
    let most: Vec<_> = most
        .iter()
        .map(|action| format!("{action} on test-*"))
        .collect();
    // Without its URL nothing is sent to the queue for what cannot be decoded.
    assert_eq!(said, most.join(", "));
}

#[tokio::test]
async fn nothing_is_made_or_tagged_where_that_is_not_wanted_or_nothing_is_there() {
    let mut world = Guarded::start().await;
    assert_eq!(world.examine().await.queues, Some(0));
    make(&world.server.url(), &[lane("emails")]).await;
    world.options.create = false;
    assert_eq!(world.examine().await.permissions, Permissions::default());
    for kind in ["CreateQueue", "TagQueue"] {
        assert_eq!(world.stub.count(kind), 0, "{kind}");
    }
    world.options.create = true;
    assert_eq!(world.examine().await.permissions, Permissions::default());
    for kind in ["CreateQueue", "TagQueue"] {
        assert_eq!(world.stub.count(kind), 1, "{kind}");
    }
}

#[tokio::test]
async fn of_many_queues_some_are_tried() {
    let lanes: Vec<_> = (0..SQS_QUEUES_TRIED)
        .map(|n| lane(&format!("q{n}")))
        .collect();
    let world = Guarded::with_lanes(&lanes).await;
    let found = world.examine().await;
    assert_eq!(found.queues, Some(3 * SQS_QUEUES_TRIED));
    assert_eq!(found.permissions, Permissions::default());
    assert_eq!(world.stub.count("DeleteMessageBatch"), SQS_QUEUES_TRIED);
    // To the one for what cannot be decoded as well.
    assert_eq!(world.stub.count("SendMessageBatch"), SQS_QUEUES_TRIED + 1);
}

#[tokio::test]
async fn what_could_not_be_tried_is_neither_allowed_nor_denied() {
    let world = Guarded::with_lanes(&[lane("emails")]).await;
    for (kind, reply) in [
        ("SendMessageBatch", THROTTLED),
        ("ReceiveMessage", Reply::Reset),
        ("ChangeMessageVisibilityBatch", EXPIRED),
        ("GetQueueUrl", GONE),
    ] {
        world.stub.on(kind, ALWAYS, reply);
    }
    let found = world.examine().await.permissions;
    assert_eq!(found.denied, None);
    let said = found.untried.expect("four were not tried");
    let first = &world.names().await[0];
    let start = format!(
        "whether it is allowed could not be tried: sqs:ChangeMessageVisibility on test-*, \
         sqs:GetQueueUrl on {first} and 2 others, sqs:ReceiveMessage on test-*, sqs:SendMessage \
         on test-* ("
    );
    assert!(said.starts_with(&start), "{said}");
}

/// It is not their policies that lack something.
#[tokio::test]
async fn credentials_that_nobody_knows_are_an_error() {
    let world = Guarded::start().await;
    world.stub.on("ListQueues", 1, EXPIRED);
    let error = examine(&world.options).await.expect_err("they are expired");
    assert!(matches!(error, OpenError::Denied { .. }), "{error:?}");
    assert!(
        error.to_string().contains("check the credentials"),
        "{error}"
    );
}
