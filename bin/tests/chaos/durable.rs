use std::time::Duration;

use russet_servers::{RedisServer, RedisVersion};

use crate::cluster::Nodes;
use crate::history::{ALWAYS, KEPT};
use crate::stage::Stage;

/// How long each server is killed.
const LOAD: Duration = Duration::from_secs(6);

on_each_server! {
    no_loss_a_redis_that_syncs_always_is_killed_and_keeps_what_it_acknowledged: killed
}

fn killed(version: RedisVersion) {
    let synced = ["--appendonly", "yes", "--appendfsync", "always"];
    let mut redis = RedisServer::start_with(version, &synced);
    let nodes = Nodes::start(2, &redis.url(), &[]);
    let mut stage = Stage::start("redis killed", 71, nodes, 2);
    let mut kills = 0;
    while stage.elapsed() < LOAD {
        stage.random.pause(800, 2_500);
        redis.process_mut().kill();
        stage.random.pause(0, 700);
        redis.restart();
        kills += 1;
    }
    println!("redis killed: {kills} times");
    let history = stage.finish();
    history.check(&ALWAYS);
    history.check(&KEPT);
}
