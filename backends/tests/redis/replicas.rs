//! Servers that exchange their roles.

use std::time::Duration;

use russet_backends::redis::RedisOptions;
use russet_servers::RedisServer;

use super::failing::{ALL, SOON, epoch, is_there, submit_soon};
use super::nodes::submit;
use super::open;

/// It has gone back to what the other one had when that one took over.
#[tokio::test]
async fn an_epoch_begins_with_a_primary_that_was_a_replica_meanwhile() {
    for version in ALL {
        let at_once = ["--repl-diskless-sync-delay", "0"];
        let [server, other] = [(); 2].map(|()| RedisServer::start_with(version, &at_once));
        let redis = open(RedisOptions::new(server.url())).await;
        submit(&redis, 1).await.expect("it is committed");
        follow(&other, &server).await;
        other.ask("REPLICAOF NO ONE").expect("it answers");
        submit(&redis, 2).await.expect("it is committed");
        let before = epoch(&server);
        follow(&server, &other).await;
        server.ask("REPLICAOF NO ONE").expect("it answers");
        submit_soon(&redis, 3).await;
        assert!(!is_there(&redis, 2).await, "it has gone back");
        let begun = epoch(&server);
        assert!(begun > before, "{begun} after {before}");
        let later = open(RedisOptions::new(server.url())).await;
        submit_soon(&later, 4).await;
        assert_eq!(epoch(&server), begun, "it is known now");
    }
}

/// Has a server take over all that another one has, as a sentinel does it.
async fn follow(replica: &RedisServer, primary: &RedisServer) {
    let line = format!("REPLICAOF 127.0.0.1 {}", primary.process().port());
    replica.ask(&line).expect("it answers");
    replica.ask("CLIENT KILL TYPE normal").expect("it answers");
    let attached = async {
        while replica.info("master_link_status").expect("it answers") != "up" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, attached)
        .await
        .expect("it is attached");
}
