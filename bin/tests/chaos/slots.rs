use std::time::Duration;

use russet::core::Epoch;
use russet_servers::{RedisCluster, RedisVersion};

use crate::cluster::{Nodes, PARTITIONS};
use crate::history::{ALWAYS, History, KEPT};
use crate::load::Tasks;
use crate::random::Random;
use crate::stage::Stage;

/// How long slots of each cluster move at least, and how often.
const LOAD: Duration = Duration::from_secs(4);
const MOVES: u16 = 3 * PARTITIONS;
/// Nodes of the cluster that have slots.
const PRIMARIES: usize = 3;

on_each_server! {
    no_loss_slots_of_a_redis_cluster_move_under_load_and_nothing_is_done_twice: slots_moved
}

fn slots_moved(version: RedisVersion) {
    let cluster = RedisCluster::start(version, &[]);
    let nodes = Nodes::start(2, &cluster.servers()[0].url(), &["redis.cluster=true"]);
    let mut stage = Stage::start_with("slots moved", 77, nodes, 2, Tasks::Linked);
    let mut moves = 0;
    while stage.elapsed() < LOAD || moves < MOVES {
        stage.random.pause(200, 700);
        let partition = moves % PARTITIONS;
        move_slot(&cluster, slot(&cluster, partition), &mut stage.random);
        moves += 1;
    }
    println!("slots moved: {moves} times");
    let history = stage.finish();
    has_all_kinds(&history);
    history.check(&ALWAYS);
    history.check(&KEPT);
}

/// The slot of a partition, as a node says it.
fn slot(cluster: &RedisCluster, partition: u16) -> u16 {
    let answer = cluster.ask(0, &format!("CLUSTER KEYSLOT {{russet:{partition}}}"));
    let number = answer
        .strip_prefix(':')
        .and_then(|rest| rest.lines().next());
    number.and_then(|n| n.parse().ok()).expect("a slot")
}

/// Moves it to another node, one key after the other: for a while it is on two.
fn move_slot(cluster: &RedisCluster, slot: u16, random: &mut Random) {
    let to = (cluster.owner(slot) + 1 + random.below(2) as usize) % PRIMARIES;
    let moving = cluster.move_slot(slot, to);
    random.pause(0, 30);
    while moving.move_key() {
        random.pause(0, 30);
    }
    moving.finish();
}

/// There were tasks of each kind, and attempts after a move.
fn has_all_kinds(history: &History) {
    let count = |is: fn(&crate::history::Found) -> bool| {
        let found = history.found.iter().filter(|found| is(found));
        found.count()
    };
    let retried = count(|found| found.script.failures > 0);
    let delayed = count(|found| found.script.delay_ms > 0);
    let linked = count(|found| found.script.after.is_some());
    let across = count(|found| {
        let parent = found.script.after.map(|parent| parent.partition());
        parent.is_some_and(|parent| parent != found.id.partition())
    });
    let sent_again = history.submissions.iter();
    let sent_again = sent_again.filter(|one| one.acknowledged.len() > 1).count();
    println!(
        "slots moved: {retried} tasks that fail first, {delayed} delayed, {linked} that wait for \
         another, {across} of them for one of another partition, {sent_again} sent again"
    );
    for kind in [retried, delayed, linked, across, sent_again] {
        assert!(kind > 0, "a kind of task is missing");
    }
    let later = history.begun.iter().map(|begun| begun.attempt);
    let later = later.filter(|attempt| *attempt > Epoch::ATTEMPTS).count();
    assert!(
        later > 0,
        "no attempt was granted where a slot had moved to"
    );
}
