//! Servers that exchange their roles.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use russet_backends::redis::{Acknowledge, Connect, Redis, RedisOptions, Stream};
use russet_engine::{Outcome, Store, SystemClock};
use russet_servers::RedisServer;
use tokio::net::TcpStream;

use super::failing::{ALL, SOON, epoch, is_there, submit_soon, with_replica};
use super::nodes::{FIRST, submit};
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

/// Goes to one of two servers, as the test says.
struct Switch {
    ports: [u16; 2],
    to: AtomicUsize,
}

#[async_trait]
impl Connect for Switch {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let port = self.ports[self.to.load(Ordering::Relaxed)];
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        Ok(Box::new(stream))
    }

    fn describe(&self) -> String {
        "either server".to_owned()
    }
}

/// While the way to the primary changes, one of the two connections may lead to the server before.
/// What is read there is confirmed by no replica of the other one.
#[tokio::test]
async fn commits_that_wait_for_a_replica_go_to_the_server_that_is_read_from() {
    let [one, other] = [with_replica().await, with_replica().await];
    let ports = [&one[0], &other[0]].map(|server| server.process().port());
    let (ports, to) = (ports, AtomicUsize::new(0));
    let switch = Arc::new(Switch { ports, to });
    let mut options = RedisOptions::new(one[0].url());
    options.acknowledge = Acknowledge::Replica;
    let redis = Redis::open_with(options, switch.clone(), Arc::new(SystemClock)).await;
    let redis = redis.unwrap_or_else(|error| panic!("the store opens: {error}"));
    submit(&redis, 1).await.expect("it is committed");
    one[0].ask("CLIENT KILL TYPE normal").expect("it answers");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(is_there(&redis, 1).await, "it is read on a new connection");
    switch.to.store(1, Ordering::Relaxed);
    submit_soon(&redis, 2).await;
    assert!(
        is_there(&redis, 2).await,
        "it is read where it was committed"
    );
    assert!(!is_there(&redis, 1).await);
    let confirmed = redis.confirm(FIRST, redis.epoch(FIRST)).await;
    assert_eq!(confirmed, Ok(Outcome::Committed));
}

/// Has a server take over all that another one has, as a sentinel does it.
pub(super) async fn follow(replica: &RedisServer, primary: &RedisServer) {
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
