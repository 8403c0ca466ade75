//! Nodes that go away.

use std::time::Duration;

use russet_backends::redis::{Redis, Topology};
use russet_core::{PartitionId, RecordKey, TaskId};
use russet_engine::{Queue, Store, StoreError};
use russet_servers::{RedisCluster, RedisVersion};

use super::super::nodes::{FIRST, lane, receive, submission_in, submit, submit_in};
use super::super::open;
use super::{epoch, fields, options, slot};

const SOON: Duration = Duration::from_secs(60);
/// How long a node is silent until the others take it for dead.
const DEAD: [&str; 4] = [
    "--cluster-node-timeout",
    "2000",
    "--repl-diskless-sync-delay",
    "0",
];

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(SOON, work).await;
    done.unwrap_or_else(|_| panic!("not within {SOON:?}: {what}"))
}

async fn submit_soon(redis: &Redis, n: u64) -> TaskId {
    within("a commit", async {
        loop {
            match submit(redis, n).await {
                Ok(id) => return id,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    })
    .await
}

/// It has what it was sent, receivers are woken by it, and what comes then is of another epoch.
#[tokio::test]
async fn a_replica_that_takes_over_is_found() {
    for version in [RedisVersion::Redis7, RedisVersion::Valkey9] {
        let mut cluster = RedisCluster::start_with_replicas(version, &DEAD);
        let mut options = options(&cluster);
        options.timeout = Duration::from_secs(1);
        options.topology = Topology::Cluster {
            others: vec![format!(
                "127.0.0.1:{}",
                cluster.servers()[4].process().port()
            )],
        };
        let redis = open(options.clone()).await;
        let slot = slot(&cluster, 0);
        let owner = cluster.owner(slot);
        let first = submit(&redis, 1).await.expect("it is committed");
        within("the replica has it", async {
            // A replica answers for what it has to whoever says READONLY first.
            let known = || cluster.ask(owner + 3, "READONLY\r\nHLEN {russet:0}:records");
            while !known().contains(":1") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        assert_eq!(receive(&redis, SOON).await, [first]);
        let before = epoch(&cluster);
        cluster.servers_mut()[owner].process_mut().kill();
        let (second, received) = futures::join!(submit_soon(&redis, 2), async {
            loop {
                let lanes = [lane()];
                let hidden = Duration::from_secs(60);
                let received = redis.receive(&lanes, 10, hidden, SOON).await;
                if let Ok(received) = received
                    && !received.is_empty()
                {
                    return received;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        assert_eq!(received[0].task, second);
        let loaded = redis.get(FIRST, &[RecordKey::Task(first)]).await;
        assert!(loaded.expect("it is loaded")[0].is_some());
        assert_eq!(cluster.owner(slot), owner + 3);
        assert!(epoch(&cluster) > before, "another epoch");
        // A node that starts now finds it, too, also when the one of the url is gone.
        open(options).await;
    }
}

/// Two partitions that two nodes have.
fn apart(cluster: &RedisCluster) -> [u16; 2] {
    let home = |n| cluster.owner(slot(cluster, n));
    let other = (1..64).find(|n| home(*n) != home(0));
    [0, other.expect("a partition on another node")]
}

/// How often a node has refused to write for want of replicas.
fn refused(cluster: &RedisCluster, node: usize) -> u64 {
    let count = cluster.servers()[node].info("errorstat_NOREPLICAS");
    let count = count.expect("it answers");
    let number = count.strip_prefix("count=").and_then(|n| n.parse().ok());
    number.unwrap_or_else(|| panic!("no number: {count}"))
}

/// Its tasks are left where they are, and it is asked for them again only after a pause.
#[tokio::test]
async fn a_node_that_refuses_writes_fails_no_receiver_of_tasks_on_others() {
    let cluster = RedisCluster::start(RedisVersion::Redis7, &[]);
    let [refusing, other] = apart(&cluster);
    let mut options = options(&cluster);
    options.partitions = Some(64);
    let redis = open(options).await;
    let kept = submit_in(&redis, PartitionId(refusing), 1).await;
    let kept = kept.expect("it is committed");
    let owner = cluster.owner(slot(&cluster, refusing));
    let need = |replicas: u8| {
        let line = format!("CONFIG SET min-replicas-to-write {replicas}");
        assert!(cluster.ask(owner, &line).starts_with("+OK"));
    };
    need(1);
    // One after the other, although the first of all is where nothing is given.
    for n in 2..5 {
        let id = submit_in(&redis, PartitionId(other), n).await;
        let id = id.expect("it is committed");
        let received = redis.receive(&[lane()], 1, SOON, SOON).await;
        let received = received.expect("the queue delivers");
        assert_eq!(received[0].task, id);
    }
    assert_eq!(receive(&redis, Duration::from_secs(2)).await, []);
    let tries = refused(&cluster, owner);
    assert!((1..20).contains(&tries), "{tries} in some seconds");
    let (received, id) = futures::join!(receive(&redis, SOON), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        submit_in(&redis, PartitionId(other), 5).await
    });
    assert_eq!(received, [id.expect("it is committed")]);
    need(0);
    assert_eq!(receive(&redis, SOON).await, [kept]);
}

/// Whoever waits for tasks gets those of the partitions that are there.
#[tokio::test]
async fn a_node_that_is_down_takes_only_its_own_partitions_with_it() {
    let mut arguments = DEAD.to_vec();
    arguments.extend(["--cluster-require-full-coverage", "no"]);
    let mut cluster = RedisCluster::start(RedisVersion::Redis7, &arguments);
    let [gone, left] = apart(&cluster);
    let mut options = options(&cluster);
    options.partitions = Some(64);
    options.timeout = Duration::from_secs(1);
    let redis = open(options).await;
    submit_in(&redis, PartitionId(gone), 1)
        .await
        .expect("it is committed");
    assert_eq!(receive(&redis, SOON).await.len(), 1);
    let owner = cluster.owner(slot(&cluster, gone));
    let key = format!("{{russet:{gone}}}:records");
    assert_eq!(fields(&cluster, owner, &key), Some(1));
    cluster.servers_mut()[owner].process_mut().kill();
    for n in 2..8 {
        let id = submit_in(&redis, PartitionId(left), n).await;
        let id = id.expect("it is committed");
        assert_eq!(receive(&redis, SOON).await, [id]);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let lost = [RecordKey::Task(submission_in(PartitionId(gone), 1).0)];
    let error = redis.get(PartitionId(gone), &lost).await.err();
    assert!(
        matches!(error, Some(StoreError::Unavailable { .. })),
        "{error:?}"
    );
}

/// As above, of a node that does not even refuse.
#[tokio::test]
async fn a_node_that_hangs_holds_up_no_deliveries_of_others() {
    let mut cluster = RedisCluster::start(
        RedisVersion::Redis7,
        &["--cluster-require-full-coverage", "no"],
    );
    let [gone, left] = apart(&cluster);
    let mut options = options(&cluster);
    options.partitions = Some(64);
    options.timeout = Duration::from_secs(20);
    let redis = open(options).await;
    let owner = cluster.owner(slot(&cluster, gone));
    cluster.servers_mut()[owner].process_mut().signal("STOP");
    for n in 2..8 {
        let start = std::time::Instant::now();
        let id = submit_in(&redis, PartitionId(left), n).await;
        let id = id.expect("it is committed");
        assert_eq!(receive(&redis, SOON).await, [id]);
        let took = start.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    cluster.servers_mut()[owner].process_mut().signal("CONT");
}

/// Those that wait are told of arrivals by any node, and by another one when it goes.
#[tokio::test]
async fn a_receiver_is_woken_whichever_node_has_the_task() {
    let cluster = RedisCluster::start(RedisVersion::Redis7, &[]);
    let mut options = options(&cluster);
    options.partitions = Some(16);
    let here = open(options.clone()).await;
    let there = open(options).await;
    let mut slowest = Duration::ZERO;
    for n in 0..16 {
        let receiver = {
            let here = here.clone();
            tokio::spawn(async move { receive(&here, SOON).await })
        };
        tokio::time::sleep(Duration::from_millis(50)).await;
        let start = std::time::Instant::now();
        let id = submit_in(&there, PartitionId(n), n.into()).await;
        let id = id.expect("it is committed");
        assert_eq!(receiver.await.expect("a receiver ends"), [id]);
        slowest = slowest.max(start.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "woken after {slowest:?}");
}

/// The node that tells this backend of arrivals, which alone is connected to the cluster.
fn told_by(cluster: &RedisCluster) -> Option<usize> {
    cluster.servers().iter().position(|server| {
        let clients = server.ask("CLIENT LIST").unwrap_or_default();
        clients.contains(" sub=1 ")
    })
}

/// It does not sleep until it looks again by itself.
#[tokio::test]
async fn a_receiver_is_woken_by_another_node_when_the_one_that_told_it_is_gone() {
    let mut arguments = DEAD.to_vec();
    arguments.extend(["--cluster-require-full-coverage", "no"]);
    let mut cluster = RedisCluster::start(RedisVersion::Redis7, &arguments);
    let mut options = options(&cluster);
    options.partitions = Some(64);
    options.timeout = Duration::from_secs(1);
    let redis = open(options).await;
    let gone = told_by(&cluster).expect("a node tells of arrivals");
    let left = (0..64).find(|n| cluster.owner(slot(&cluster, *n)) != gone);
    let left = PartitionId(left.expect("a partition on another node"));
    cluster.servers_mut()[gone].process_mut().kill();
    within("another node tells of arrivals", async {
        while told_by(&cluster).is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let mut soonest = Duration::MAX;
    for n in 1..8 {
        let (received, woken) = futures::join!(receive(&redis, SOON), async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            let id = submit_in(&redis, left, n).await;
            (std::time::Instant::now(), id.expect("it is committed"))
        });
        soonest = soonest.min(woken.0.elapsed());
        assert_eq!(received, [woken.1]);
    }
    assert!(
        soonest < Duration::from_millis(100),
        "woken after {soonest:?}"
    );
}
