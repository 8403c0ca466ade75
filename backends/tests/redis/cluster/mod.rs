//! Redis Cluster: which node has what, also while that changes.

mod failover;
mod load;
mod moving;
mod opening;

use russet_backends::redis::{RedisOptions, Topology};
use russet_servers::RedisCluster;

/// A cluster by its first node.
pub fn options(cluster: &RedisCluster) -> RedisOptions {
    let mut options = RedisOptions::new(cluster.servers()[0].url());
    options.topology = Topology::Cluster { others: Vec::new() };
    options
}

/// The slot of a partition, as a node says it.
fn slot(cluster: &RedisCluster, partition: u16) -> u16 {
    let line = format!("CLUSTER KEYSLOT {{russet:{partition}}}");
    let mut answers = cluster.servers().iter().map(|server| server.ask(&line));
    let answer = answers.find_map(Result::ok).expect("a node that runs");
    let number = answer.trim_start_matches(':').lines().next();
    number.and_then(|n| n.parse().ok()).expect("a slot")
}

/// A primary that has not the slot.
fn another(cluster: &RedisCluster, slot: u16) -> usize {
    (cluster.owner(slot) + 1) % 3
}

/// How many fields a hash has, as a node says it of what it has itself.
fn fields(cluster: &RedisCluster, node: usize, key: &str) -> Option<usize> {
    // Only what is there is counted: a key that is elsewhere is no error of the node.
    let answer = cluster.ask(node, &format!("HLEN {key}"));
    answer.strip_prefix(':')?.lines().next()?.parse().ok()
}

/// The epoch of the first partition, as it is recorded.
fn epoch(cluster: &RedisCluster) -> u64 {
    let owner = cluster.owner(slot(cluster, 0));
    let answer = cluster.ask(owner, "HGET {russet:0}:meta epoch");
    let number = answer.lines().nth(1).and_then(|line| line.parse().ok());
    number.unwrap_or_else(|| panic!("no epoch: {answer}"))
}
