use std::time::Duration;

use russet_servers::{RedisServer, RedisVersion};

use crate::cluster::Nodes;
use crate::history::{ALWAYS, KEPT};
use crate::stage::Stage;

/// How long processes are killed at least, on each server.
const LOAD: Duration = Duration::from_secs(6);

on_each_server! {
    no_loss_nodes_and_workers_are_killed_at_any_moment: killed
}

fn killed(version: RedisVersion) {
    let redis = RedisServer::start(version);
    let nodes = Nodes::start(3, &redis.url(), &[]);
    let mut stage = Stage::start("processes killed", 73, nodes, 3);
    let (mut nodes, mut workers) = (0, 0);
    while stage.elapsed() < LOAD || nodes == 0 || workers == 0 {
        stage.random.pause(200, 900);
        let which = stage.random.below(3) as usize;
        if stage.random.percent(50) {
            stage.nodes.kill(which);
            stage.random.pause(0, 600);
            stage.nodes.restart(which);
            nodes += 1;
        } else {
            stage.workers.replace(which);
            workers += 1;
        }
    }
    println!("processes killed: {nodes} nodes, {workers} workers");
    let history = stage.finish();
    history.check(&ALWAYS);
    history.check(&KEPT);
}
