//! `WAIT`, on the model and on a real server with replicas that come and go.

use std::thread::sleep;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use redis::Value;
use russet_models::redis::Condition;
use russet_servers::{RedisServer, RedisVersion};

use super::{Pair, Words, words};

/// How long a replica may take to come or to go.
const PATIENCE: Duration = Duration::from_secs(20);
const REPLICAS: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    /// Something is written.
    Write,
    /// A client waits for so many replicas, for so many milliseconds.
    Wait(i64, i64),
    /// So many replicas are there from now on.
    Replicas(usize),
}

fn line(line: &str) -> Words {
    line.split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect()
}

struct Family {
    pair: Pair,
    replicas: Vec<RedisServer>,
    there: usize,
}

impl Family {
    fn new() -> Self {
        let pair = Pair::with(RedisVersion::Redis7, &["--repl-diskless-sync-delay", "0"]);
        let replicas = (0..REPLICAS).map(|_| RedisServer::start(RedisVersion::Redis7));
        Self {
            pair,
            replicas: replicas.collect(),
            there: 0,
        }
    }

    /// Replicas come or go, until so many are there and have everything.
    fn set(&mut self, there: usize) {
        let port = self.pair.server.process().port();
        for (number, replica) in self.replicas.iter().enumerate() {
            let follow = match number < there {
                true => format!("REPLICAOF 127.0.0.1 {port}"),
                false => "REPLICAOF NO ONE".to_owned(),
            };
            replica.ask(&follow).expect("an answer");
        }
        let until = Instant::now() + PATIENCE;
        while self.known() != there && Instant::now() < until {
            sleep(Duration::from_millis(10));
        }
        self.there = there;
        let replicas = there as u32;
        self.pair.model.set_condition(Condition {
            replicas,
            ..Condition::default()
        });
    }

    /// How many replicas are there and have everything.
    fn known(&mut self) -> usize {
        let connected = self.pair.server.info("connected_slaves");
        let connected: usize = connected.expect("a count").parse().expect("a number");
        self.pair.ask(&line("HSET seen now 1"));
        match self.pair.ask(&line(&format!("WAIT {connected} 200"))).0 {
            Value::Int(count) if count as usize == connected => connected,
            _ => usize::MAX,
        }
    }

    /// A server may say how many it needs as soon as it has heard of them, and does not wait for
    /// more.
    fn wait(&mut self, count: i64, millis: i64) -> Result<(), TestCaseError> {
        let (real, model) = self.pair.ask(&line(&format!("WAIT {count} {millis}")));
        match (&real, &model) {
            (Value::Int(real), Value::Int(model)) if count <= *model => {
                prop_assert!((count.max(0)..=*model).contains(real), "{real} of {model}");
            }
            _ => prop_assert_eq!(real, model, "WAIT {} {}", count, millis),
        }
        Ok(())
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Write),
        6 => (0..4i64, prop::sample::select(vec![-1, 20, 50])).prop_map(|(n, ms)| Step::Wait(n, ms)),
        1 => (0..REPLICAS + 1).prop_map(Step::Replicas),
    ]
}

#[test]
fn as_many_replicas_acknowledge_as_there_are() {
    let family = std::cell::RefCell::new(Family::new());
    let config = ProptestConfig {
        cases: 12,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(steps in prop::collection::vec(step(), 5..25))| {
        let mut family = family.borrow_mut();
        for step in &steps {
            match step {
                Step::Write => family.pair.agree(&line("HSET k f v")),
                Step::Wait(count, millis) => family.wait(*count, *millis)?,
                Step::Replicas(count) => family.set(*count),
            }
        }
    });
}

#[test]
fn a_replica_waits_for_nobody_and_writes_nothing() {
    let primary = RedisServer::start(RedisVersion::Redis7);
    let mut pair = Pair::new(RedisVersion::Redis7);
    let follow = format!("REPLICAOF 127.0.0.1 {}", primary.process().port());
    pair.server.ask(&follow).expect("an answer");
    pair.model.set_condition(Condition {
        replica: true,
        ..Condition::default()
    });
    for asked in [
        "WAIT 1 10",
        "WAIT 0 0",
        "HSET k f v",
        "HDEL k f",
        "ZREM k f",
    ] {
        pair.agree(&line(asked));
    }
    pair.agree(&words("WAIT", [b"many".to_vec(), b"10".to_vec()]));
}
