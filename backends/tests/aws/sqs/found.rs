//! Queues that exist, with attributes that do not suit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use russet_backends::aws::Permissions;
use russet_backends::limits::{SQS_LOOK_EVERY, SQS_STRANGERS_EVERY};
use russet_backends::sqs::{Sqs, SqsFound};
use russet_core::{Lane, Millis, ResourceName, Resources, Timestamp};
use russet_engine::{Clock, Queue, QueueError, SystemClock};
use russet_servers::Ministack;

use super::faults::client;
use crate::servers::{lane, message, queues};

/// With a name that says how urgent its tasks are: `-0` to `-2`.
async fn url(client: &Client, band: &str) -> String {
    let listed = client.list_queues().queue_name_prefix("test-emails-");
    let listed = listed.send().await.expect("they are listed");
    let mut urls = listed.queue_urls().iter();
    let url = urls.find(|url| url.ends_with(band));
    url.expect("it is there").clone()
}

#[tokio::test]
async fn attributes_of_queues_that_do_not_suit_are_found() {
    let server = Ministack::start();
    let options = queues(&server.url(), "test");
    let examine = || Sqs::examine(options.clone(), Arc::new(SystemClock));
    let none = SqsFound {
        queues: Some(0),
        ..SqsFound::default()
    };
    assert_eq!(examine().await, Ok(none));
    let sqs = Sqs::open(options.clone(), Arc::new(SystemClock)).await;
    let sqs = sqs.expect("it is opened");
    let made = sqs.create_queues(&[lane("emails")]).await;
    made.expect("they are made");
    let good = SqsFound {
        queues: Some(3),
        ..SqsFound::default()
    };
    assert_eq!(examine().await, Ok(good));
    let client = client(&server.url());
    let aside = client.create_queue().queue_name("dead").send().await;
    aside.expect("it is made");
    let policy = "{\"deadLetterTargetArn\":\"arn:aws:sqs:eu-central-1:000000000000:dead\",\
                  \"maxReceiveCount\":\"3\"}";
    for (band, name, value) in [
        ("-0", QueueAttributeName::DelaySeconds, "30"),
        ("-1", QueueAttributeName::RedrivePolicy, policy),
        ("-2", QueueAttributeName::MessageRetentionPeriod, "3600"),
    ] {
        let set = client
            .set_queue_attributes()
            .queue_url(url(&client, band).await);
        set.attributes(name, value).send().await.expect("it is set");
    }
    let found = examine().await.expect("they are read");
    assert_eq!(found.queues, Some(3));
    assert_eq!(found.permissions, Permissions::default());
    let [delay, redrive] = &found.wrong[..] else {
        panic!("two are wrong: {found:?}");
    };
    assert!(delay.contains("-0 has DelaySeconds 30"), "{delay}");
    assert!(delay.ends_with("set DelaySeconds to 0"), "{delay}");
    assert!(redrive.contains("-1 has a RedrivePolicy"), "{redrive}");
    assert!(redrive.ends_with("remove RedrivePolicy"), "{redrive}");
    let [kept] = &found.doubtful[..] else {
        panic!("one is doubtful: {found:?}");
    };
    assert!(
        kept.contains("-2 has MessageRetentionPeriod 3600"),
        "{kept}"
    );
    assert!(
        kept.ends_with("set MessageRetentionPeriod to 86400"),
        "{kept}"
    );
}

#[tokio::test]
async fn the_queues_of_a_lane_with_needs_are_named_with_the_command_that_makes_them() {
    let server = Ministack::start();
    let mut options = queues(&server.url(), "test");
    options.create = false;
    let sqs = Sqs::open(options, Arc::new(SystemClock)).await;
    let sqs = sqs.expect("it is opened");
    let needs = [("cpu", 2), ("gpu:a100", 1)];
    let needs = needs.map(|(name, n)| (ResourceName::new(name).expect("a name"), n));
    let lane = Lane {
        resources: Resources::from_iter(needs),
        ..lane("images")
    };
    let sent = sqs.send(vec![message(1, &lane)]).await;
    let QueueError::Unavailable { why } = sent.expect_err("there is no queue");
    let command = "`russet config create --queue images --need cpu=2 --need gpu:a100=1`";
    assert!(why.contains(command), "{why}");
}

/// The system's clock, which can be put forward.
#[derive(Debug, Default)]
struct Forward(AtomicU64);

impl Forward {
    fn put(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as u64, Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for Forward {
    fn now(&self) -> Timestamp {
        SystemClock.now() + Millis::new(self.0.load(Ordering::Relaxed))
    }

    async fn sleep(&self, duration: Duration) {
        SystemClock.sleep(duration).await;
    }
}

#[tokio::test]
async fn a_queue_whose_tags_are_set_right_later_is_used_after_a_while() {
    let server = Ministack::start();
    let client = client(&server.url());
    let maker = Sqs::open(queues(&server.url(), "test"), Arc::new(SystemClock)).await;
    let maker = maker.expect("it is opened");
    let made = maker.create_queues(&[lane("emails")]).await;
    made.expect("they are made");
    let url = url(&client, "-1").await;
    let tagged = client.list_queue_tags().queue_url(&url).send().await;
    let tags = tagged.expect("they are read").tags.expect("it has some");
    for band in ["-0", "-2"] {
        let url = self::url(&client, band).await;
        let deleted = client.delete_queue().queue_url(url).send().await;
        deleted.expect("it is deleted");
    }
    let keys: Vec<_> = tags.keys().cloned().collect();
    let untagged = client
        .untag_queue()
        .queue_url(&url)
        .set_tag_keys(Some(keys));
    untagged.send().await.expect("they are removed");
    let clock = Arc::new(Forward::default());
    let sqs = Sqs::open(queues(&server.url(), "test"), clock.clone()).await;
    let sqs = sqs.expect("it is opened");
    let emails = lane("emails");
    let lanes = async || sqs.lanes(&emails.queue).await.expect("they are known");
    assert_eq!(lanes().await, []);
    let tag = client.tag_queue().queue_url(&url).set_tags(Some(tags));
    tag.send().await.expect("they are set");
    clock.put(SQS_LOOK_EVERY);
    lanes().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(lanes().await, [], "it is not looked at each time");
    clock.put(SQS_STRANGERS_EVERY);
    let found = async {
        while lanes().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), found).await;
    found.expect("it is looked at again");
    assert_eq!(lanes().await, [emails]);
}
