//! A server that comes back with nothing.

use std::time::Duration;

use russet_backends::redis::RedisOptions;
use russet_core::{Epoch, PartitionId};
use russet_engine::Store;
use russet_servers::RedisServer;

use super::failing::{ALL, SOON, is_there, submit_soon};
use super::log::Log;
use super::nodes::submit;
use super::open;

#[tokio::test]
async fn a_server_that_has_forgotten_everything_is_told_of_and_worked_on() {
    for version in ALL {
        let server = RedisServer::start(version);
        let redis = open(RedisOptions::new(server.url())).await;
        let (log, guard) = Log::of(tracing::Level::ERROR);
        submit(&redis, 1).await.expect("it is committed");
        server.ask("FLUSHALL").expect("it forgets");
        submit_soon(&redis, 2).await;
        tokio::time::timeout(SOON, async {
            while !log.says("has forgotten the partition") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("it is told of");
        drop(guard);
        assert!(!is_there(&redis, 1).await);
        assert!(is_there(&redis, 2).await);
    }
}

/// As after two failovers close together, of which the second one loses what the first began.
#[tokio::test]
async fn an_epoch_that_nobody_remembers_is_followed_by_a_higher_one() {
    for version in ALL {
        let server = RedisServer::start(version);
        let options = || RedisOptions::new(server.url());
        let epoch = async || open(options()).await.epoch(PartitionId(0));
        assert_eq!(epoch().await, Epoch(0), "nothing was forgotten yet");
        let forget = || {
            let meta = "{russet:0}:meta";
            let was = format!("HSET {meta} run_id another epoch 0");
            server.ask(&was).expect("it is as another server left it");
        };
        let mut before = Epoch(0);
        for _ in 0..3 {
            forget();
            let now = epoch().await;
            assert!(now > before, "{now:?} after {before:?}");
            before = now;
            tokio::time::sleep(Duration::from_millis(1_100)).await;
        }
    }
}
