//! Several nodes, and receivers that come and go.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use russet_backends::sqs::Sqs;
use russet_core::{Lane, NewTask, ResourceName, Resources};
use russet_engine::{Message, Queue, SystemClock};
use russet_servers::Fauxqs;

use crate::servers::{lane, message, queues};

const HIDDEN: Duration = Duration::from_secs(60);
/// How long what must come may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// SQS queues of a lane.
const BANDS: u64 = 3;

async fn node(server: &Fauxqs) -> Arc<Sqs> {
    let queue = Sqs::open(queues(&server.url(), "test"), Arc::new(SystemClock)).await;
    queue.expect("it is opened")
}

#[tokio::test]
async fn a_lane_that_another_node_made_becomes_known() {
    let server = Fauxqs::start();
    let (here, there) = (node(&server).await, node(&server).await);
    let gpu = ResourceName::new("gpu:a100").expect("a name");
    let lanes = [
        lane("mail.out:eu"),
        Lane {
            resources: Resources::from_iter([(gpu, 2)]),
            ..lane("mail.out:eu")
        },
    ];
    let known = here.lanes_epoch();
    let messages = lanes.iter().map(|lane| message(1, lane)).collect();
    there.send(messages).await.expect("they are sent");
    let queue = lanes[0].queue.clone();
    let started = Instant::now();
    while here.lanes(&queue).await.expect("they are known").len() < 2 {
        assert!(started.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    here.lanes_changed(known).await;
    let mut found = here.lanes(&queue).await.expect("they are known");
    found.sort();
    assert_eq!(found, lanes);
    for lane in lanes {
        let lanes = std::slice::from_ref(&lane);
        let received = here.receive(lanes, 10, HIDDEN, PATIENCE).await;
        assert_eq!(received.expect("it is received")[0].lane, lane);
    }
    // Whoever opens later finds them at once.
    let late = node(&server).await;
    assert_eq!(late.lanes(&queue).await.expect("they are known").len(), 2);
}

/// As the engine does: many workers, each asking again every second.
#[tokio::test]
async fn idle_workers_share_requests_that_wait() {
    const WORKERS: usize = 20;
    const TIMES: usize = 8;
    let server = Fauxqs::start();
    let queue = node(&server).await;
    queue
        .create_queues(&[lane("emails")])
        .await
        .expect("it is made");
    let before = queue.calls();
    let workers = (0..WORKERS).map(|_| async {
        for _ in 0..TIMES {
            let (lanes, wait) = ([lane("emails")], Duration::from_secs(1));
            let received = queue.receive(&lanes, 10, HIDDEN, wait).await;
            assert_eq!(received, Ok(Vec::new()));
        }
    });
    join_all(workers).await;
    let calls = queue.calls() - before;
    assert!(calls <= 5 * BANDS, "{calls} requests in {TIMES} seconds");
}

#[tokio::test]
async fn what_is_urgent_comes_before_a_crowd_that_is_not() {
    let server = Fauxqs::start();
    let queue = node(&server).await;
    let lane = lane("emails");
    let with = |number: u64, priority: u8| Message {
        priority,
        ..message(number, &lane)
    };
    let crowd = (0..100).map(|number| with(number, NewTask::PRIORITY));
    let urgent: Vec<_> = (100..120).map(|number| with(number, 9)).collect();
    let messages = crowd.chain(urgent.clone()).collect();
    queue.send(messages).await.expect("they are sent");
    let lanes = [lane.clone()];
    let mut left: BTreeSet<_> = urgent.iter().map(|message| message.task).collect();
    let mut others = 0;
    while !left.is_empty() {
        let received = queue.receive(&lanes, 10, HIDDEN, PATIENCE).await;
        let received = received.expect("it is received");
        assert!(!received.is_empty(), "{left:?} did not come");
        others += received
            .iter()
            .filter(|got| !left.remove(&got.task))
            .count();
    }
    assert!(others <= 50, "{others} of the crowd came before");
}

/// What arrives for a receiver that went away is given back long before its visibility is over.
#[tokio::test]
async fn messages_for_nobody_go_back() {
    let server = Fauxqs::start();
    let (here, there) = (node(&server).await, node(&server).await);
    let lanes = [lane("emails")];
    here.create_queues(&lanes).await.expect("it is made");
    let gone = here.receive(&lanes, 1, HIDDEN, PATIENCE);
    let gone = tokio::time::timeout(Duration::from_millis(100), gone).await;
    assert!(gone.is_err(), "nothing has arrived yet");
    let sent = vec![message(1, &lanes[0])];
    there.send(sent).await.expect("it is sent");
    let there = node(&server).await;
    let received = there.receive(&lanes, 1, HIDDEN, PATIENCE).await;
    assert_eq!(received.expect("it is received").len(), 1);
}

#[tokio::test]
async fn each_message_goes_to_one_of_many_receivers_of_several_lanes() {
    const MESSAGES: u64 = 300;
    let server = Fauxqs::start();
    let nodes = [node(&server).await, node(&server).await];
    let lanes = ["a", "b", "c"].map(lane);
    nodes[0].create_queues(&lanes).await.expect("they are made");
    let receivers = (0..8).map(|n| {
        let (queue, lanes) = (nodes[n % 2].clone(), lanes.clone());
        tokio::spawn(async move {
            let mut tasks = Vec::new();
            loop {
                let wait = Duration::from_secs(3);
                let received = queue.receive(&lanes, 7, HIDDEN, wait).await;
                let received = received.expect("it is received");
                if received.is_empty() {
                    return tasks;
                }
                tasks.extend(received.iter().map(|delivery| delivery.task));
                let receipts = received.into_iter().map(|d| d.receipt).collect();
                queue.delete(receipts).await.expect("they are settled");
            }
        })
    });
    let receivers: Vec<_> = receivers.collect();
    let messages = (0..MESSAGES).map(|n| message(n, &lanes[n as usize % 3]));
    let messages: Vec<_> = messages.collect();
    nodes[1]
        .send(messages.clone())
        .await
        .expect("they are sent");
    let received = join_all(receivers).await.into_iter();
    let mut tasks: Vec<_> = received
        .flat_map(|tasks| tasks.expect("a receiver ends"))
        .collect();
    tasks.sort();
    assert!(tasks.into_iter().eq(messages.into_iter().map(|m| m.task)));
}
