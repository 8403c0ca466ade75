use std::time::Duration;

use russet_servers::{RedisServer, RedisVersion};

use crate::cluster::Nodes;
use crate::history::{ALWAYS, KEPT};
use crate::stage::Stage;

on_each_server! {
    one_holder_a_redis_is_frozen_for_longer_than_leases_last_and_clients_wait: frozen
}

fn frozen(version: RedisVersion) {
    let redis = RedisServer::start(version);
    let nodes = Nodes::start(2, &redis.url(), &[]);
    let mut stage = Stage::start("redis frozen", 72, nodes, 2);
    stage.random.pause(1_500, 2_500);
    redis.process().signal("STOP");
    stage.random.pause(4_500, 5_500);
    redis.process().signal("CONT");
    std::thread::sleep(Duration::from_secs(2));
    let history = stage.finish();
    history.check(&ALWAYS);
    history.check(&KEPT);
}
