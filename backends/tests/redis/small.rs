//! Sets that are small, and into which many tasks come at once.

use std::time::Duration;

use russet_backends::redis::RedisOptions;
use russet_engine::{Outcome, Queue, Store};
use russet_servers::RedisServer;

use super::failing::ALL;
use super::nodes::{FIRST, lane, submission};
use super::open;

const TASKS: u64 = 20;

/// How a server keeps a sorted set.
fn kept(server: &RedisServer, name: &str) -> String {
    let said = server.ask(&format!("OBJECT ENCODING {name}"));
    let said = said.expect("it answers");
    said.lines().nth(1).unwrap_or_default().to_owned()
}

/// A small set is a list to the server, in which each member is looked for from the front.
#[tokio::test]
async fn many_tasks_at_once_do_not_come_into_lists_that_are_looked_through() {
    for version in ALL {
        let server = RedisServer::start(version);
        let redis = open(RedisOptions::new(server.url())).await;
        let mut batch: Vec<_> = (0..TASKS).map(|n| submission(n).1).collect();
        for transaction in &mut batch {
            transaction.epoch = redis.epoch(FIRST);
        }
        let outcomes = redis.commit(FIRST, batch).await.expect("it is committed");
        assert!(outcomes.iter().all(|one| *one == Outcome::Committed));
        for name in ["ready:emails", "queue:emails"] {
            let name = format!("{{russet:0}}:{name}");
            assert_eq!(kept(&server, &name), "skiplist", "{version:?} {name}");
        }
        let (few, wait) = (usize::try_from(TASKS).expect("few") - 1, Duration::ZERO);
        let lanes = [lane()];
        let taken = redis.receive(&lanes, few, Duration::from_secs(60), wait);
        assert_eq!(taken.await.expect("the queue delivers").len(), few);
        assert_eq!(kept(&server, "{russet:0}:hidden:emails"), "skiplist");
        for (name, count) in [("ready", 1), ("hidden", few)] {
            let count = format!(":{count}\r\n");
            let said = server.ask(&format!("ZCARD {{russet:0}}:{name}:emails"));
            assert!(said.expect("it answers").starts_with(&count), "{name}");
        }
    }
}
