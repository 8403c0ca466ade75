use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use russet::core::{Leader, PartitionId, Record, RecordKey};
use russet_backends::redis::{Redis, RedisOptions};
use russet_engine::{Store, SystemClock};
use russet_servers::{RedisServer, RedisVersion};
use tokio::runtime::Runtime;

use crate::cluster::{Nodes, PARTITIONS};
use crate::random::Random;
use crate::wait;

/// Longest time until another node leads, as the documentation states it.
const BOUND: Duration = Duration::from_secs(17);
/// How much later it may be on a machine that is busy otherwise.
const BUSY: Duration = Duration::from_secs(5);

/// Who leads which partition.
struct Leaders {
    runtime: Runtime,
    store: Arc<Redis>,
}

impl Leaders {
    fn of(redis: &RedisServer) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let open = Redis::open(RedisOptions::new(redis.url()), Arc::new(SystemClock));
        let store = runtime.block_on(open).expect("opens");
        Self { runtime, store }
    }

    fn now(&self) -> BTreeMap<PartitionId, Leader> {
        let all = (0..PARTITIONS).map(PartitionId).filter_map(|partition| {
            let get = self.store.get(partition, &[RecordKey::Leader]);
            let known = self.runtime.block_on(get).expect("is loaded").remove(0)?;
            match known.record {
                Record::Leader(leader) => Some((partition, leader)),
                other => panic!("no leader: {other:?}"),
            }
        });
        all.collect()
    }
}

on_each_server! {
    another_node_leads_within_the_stated_bound_when_the_leader_is_killed: leader_killed
}

fn leader_killed(version: RedisVersion) {
    let redis = RedisServer::start(version);
    let mut nodes = Nodes::start(1, &redis.url(), &[]);
    let leaders = Leaders::of(&redis);
    wait::until("the first node leads all partitions", || {
        leaders.now().len() == usize::from(PARTITIONS)
    });
    let before = leaders.now();
    let _other = Nodes::start(1, &redis.url(), &[]);
    Random::seeded("leader killed", 76).pause(0, 6_000);
    let kept = |now: &BTreeMap<PartitionId, Leader>| {
        now.iter()
            .all(|(at, leader)| leader.holder == before[at].holder)
    };
    assert!(kept(&leaders.now()), "a leader that lives goes on leading");
    nodes.kill(0);
    let killed = Instant::now();
    let moved = |now: &BTreeMap<PartitionId, Leader>| {
        let moves = |(at, leader): (&PartitionId, &Leader)| {
            leader.holder != before[at].holder && leader.epoch > before[at].epoch
        };
        now.iter().all(moves)
    };
    wait::until("the other node leads all partitions", || {
        moved(&leaders.now())
    });
    let took = killed.elapsed();
    println!("leader killed: another one after {took:?}");
    assert!(took < BOUND + BUSY, "another one after {took:?}");
}
