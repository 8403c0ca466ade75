use std::time::{Duration, Instant};

use russet::wire::SubmitTask;
use russet_servers::RedisVersion;
use tokio::time::timeout;

use crate::any_node;
use crate::cluster::Nodes;
use crate::history::{ALWAYS, History, KEPT, one_holder_an_epoch};
use crate::sentinel::Pair;
use crate::stage::Stage;
use crate::wait;

const BY_SENTINEL: &str = "redis.sentinel_master=main";
const REPLICA: &str = "redis.acknowledge=replica";
/// How long it is looked whether something is acknowledged: longer than a commit waits for a
/// replica.
const UNANSWERED: Duration = Duration::from_secs(3);

on_each_server! {
    no_loss_what_a_replica_has_acknowledged_survives_failovers: synced
}

fn synced(version: RedisVersion) {
    let mut pair = Pair::start(version);
    let nodes = Nodes::start(2, &pair.url(), &[BY_SENTINEL, REPLICA]);
    let mut stage = Stage::start("synced failover", 74, nodes, 2);
    stage.random.pause(2_000, 3_000);
    pair.switch();
    pair.wait_until_attached();
    stage.random.pause(2_000, 3_000);
    let killed = pair.kill_primary();
    stage.random.pause(500, 1_500);
    pair.servers[killed].restart();
    pair.wait_until_attached();
    stage.random.pause(1_500, 2_500);
    let history = stage.finish();
    history.check(&ALWAYS);
    history.check(&KEPT);
}

on_each_server! {
    no_loss_what_no_replica_has_is_not_acknowledged_when_it_is_asked_for_again: asked_for_again
}

/// Whoever asks again, and whichever node: what only the primary has is not acknowledged.
fn asked_for_again(version: RedisVersion) {
    let pair = Pair::start(version);
    let nodes = Nodes::start(2, &pair.url(), &[BY_SENTINEL, REPLICA]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let clients = [0, 1].map(|node| any_node::client(&nodes.urls()[node..=node], 0, None));
    let submit = |node: usize, key: &str| {
        let task = SubmitTask::new("a").with_idempotency_key(key);
        let submitted = async { timeout(UNANSWERED, clients[node].submit(task)).await };
        runtime.block_on(submitted).ok()?.ok()
    };
    assert!(submit(0, "both").is_some(), "both servers have it");
    pair.servers[1].process().signal("STOP");
    for node in [0, 1, 0] {
        let answer = submit(node, "one");
        assert!(answer.is_none(), "only one server has it: {answer:?}");
    }
    pair.servers[1].process().signal("CONT");
    let mut known = None;
    wait::until("the replica has it", || {
        known = submit(1, "one");
        known.is_some()
    });
    assert_eq!(
        submit(0, "one").map(|view| view.task),
        known.map(|view| view.task)
    );
}

on_each_server! {
    an_unsynced_failover_loses_what_was_acknowledged_since_and_nothing_else: unsynced
}

/// The replica is cut off for a moment, then the primary is killed: what was acknowledged in
/// between is lost, as `acknowledge = "primary"` says. Nothing else is.
fn unsynced(version: RedisVersion) {
    let mut pair = Pair::start(version);
    let nodes = Nodes::start(2, &pair.url(), &[BY_SENTINEL]);
    let mut stage = Stage::start("unsynced failover", 75, nodes, 2);
    stage.random.pause(3_000, 4_000);
    let synced = Instant::now();
    pair.wait_until_synced();
    // Nobody answers there: it keeps what it has, and gets nothing more.
    let cut = pair.servers[1].ask("REPLICAOF 127.0.0.1 1");
    assert!(cut.is_ok_and(|answer| answer.starts_with("+OK")));
    let unsynced = stage.random.millis(1_000, 2_000);
    std::thread::sleep(unsynced);
    let killed = Instant::now();
    pair.kill_primary();
    println!(
        "unsynced failover: another primary after {:?}",
        killed.elapsed()
    );
    std::thread::sleep(Duration::from_secs(3));
    let history = stage.finish();
    report(&history, unsynced);
    history.check(&ALWAYS);
    history.check(&[one_holder_an_epoch]);
    let lost = history.lost();
    assert!(
        !lost.is_empty(),
        "the replica was cut off and nothing is lost"
    );
    for submission in &history.submissions {
        for (id, at) in &submission.acknowledged {
            let kept = *at > synced || !lost.contains(id);
            assert!(kept, "{id} was acknowledged before the replica was cut off");
        }
    }
}

fn report(history: &History, unsynced: Duration) {
    let again = history.completions().into_values();
    let again = again.filter(|attempts| attempts.len() > 1).count();
    println!(
        "unsynced failover: {} of {} acknowledged submissions lost, those of {unsynced:?}; \
         {again} tasks that had ended ran again",
        history.lost().len(),
        history.submissions.len(),
    );
}
