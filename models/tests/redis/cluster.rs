//! The models of a cluster's nodes beside real ones, while a slot is being moved.

use proptest::prelude::*;
use redis::{Connection, ConnectionLike, Value};
use russet_models::redis::{Membership, Redis, Session, slot};
use russet_servers::{RedisCluster, RedisVersion};

use super::{Words, value, words};

const NODES: usize = 3;
/// The keys of the slot that is moved.
const KEYS: [&str; 3] = ["{a}1", "{a}2", "{a}3"];

/// Connections to the nodes, and their models.
struct Nodes {
    real: Vec<Connection>,
    models: Vec<(Redis, Session)>,
}

/// What happens while the slot is being moved.
#[derive(Clone, Debug)]
enum Step {
    /// A client sends a command to a node, behind `ASKING` or not.
    Send(usize, bool, Words),
    /// One more key is moved.
    Move,
}

impl Nodes {
    fn of(cluster: &RedisCluster) -> Self {
        let ports = (0..NODES).map(|node| cluster.port(node));
        let places: Vec<_> = ports.map(|port| ("127.0.0.1".to_owned(), port)).collect();
        let real = cluster.servers().iter().map(|server| {
            let client = redis::Client::open(server.url()).expect("a URL");
            client.get_connection().expect("a connection")
        });
        let models = (0..NODES as u8).map(|number| {
            let mut model = Redis::new(number.into());
            model.join(Membership::new(places.clone(), number));
            let session = model.open();
            (model, session)
        });
        Self {
            real: real.collect(),
            models: models.collect(),
        }
    }

    fn agree(&mut self, node: usize, words: &Words) -> Result<(), TestCaseError> {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(word);
        }
        let real = self.real[node].req_packed_command(&command.get_packed_command());
        let real = match real.expect("an answer") {
            Value::ServerError(error) => {
                let details = error.details().unwrap_or_default();
                compared(&format!("{} {details}", error.code()))
            }
            answer => answer,
        };
        let (model, session) = &mut self.models[node];
        let model = match model.run(session, words) {
            russet_models::redis::Reply::Error(why) => compared(&why),
            reply => value(reply),
        };
        let shown = words.iter().map(|word| word.escape_ascii().to_string());
        let shown: Vec<_> = shown.collect();
        prop_assert_eq!(real, model, "real, then model, of {}: {:?}", node, shown);
        Ok(())
    }

    /// Sends what a step sends. Nobody asks for keys that the node `from` still has.
    fn take(&mut self, step: &Step, from: usize) -> Result<(), TestCaseError> {
        let Step::Send(node, asking, command) = step else {
            return Ok(());
        };
        let held = self.models[from].0.keys_in(slot(b"{a}"));
        if *asking && !command.iter().any(|word| held.contains(word)) {
            self.agree(*node, &words("ASKING", []))?;
        }
        self.agree(*node, command)
    }

    fn tell(&mut self, node: usize, news: impl FnOnce(&mut Membership)) {
        news(self.models[node].0.cluster().expect("a node of a cluster"));
    }

    fn move_key(&mut self, from: usize, to: usize, key: &[u8]) -> bool {
        let [from, to] = self.models.get_disjoint_mut([from, to]).expect("two nodes");
        from.0.move_key(key, &mut to.0)
    }
}

/// Moves the slot to the next node, and takes the steps meanwhile.
fn move_slot(
    cluster: &RedisCluster,
    nodes: &mut Nodes,
    steps: &[Step],
) -> Result<(), TestCaseError> {
    for node in 0..NODES {
        nodes.agree(node, &words("FLUSHALL", []))?;
    }
    let slot = slot(b"{a}");
    let from = cluster.owner(slot);
    let to = (from + 1) % NODES;
    for key in KEYS {
        let set = [key, "f", "v"].map(|word| word.as_bytes().to_vec());
        nodes.agree(from, &words("HSET", set))?;
    }
    nodes.tell(to, |known| known.import(slot, from as u8));
    nodes.tell(from, |known| known.migrate(slot, to as u8));
    let moving = cluster.move_slot(slot, to);
    let mut done = Ok(());
    for step in steps {
        done = done.and_then(|()| nodes.take(step, from));
        if let Step::Move = step {
            let line = format!("CLUSTER GETKEYSINSLOT {slot} 1");
            let answer = cluster.ask(from, &line);
            if let Some(key) = answer.lines().find(|line| line.starts_with('{')) {
                moving.move_key();
                nodes.move_key(from, to, key.as_bytes());
            }
        }
    }
    moving.finish();
    for key in nodes.models[from].0.keys_in(slot) {
        nodes.move_key(from, to, &key);
    }
    for node in 0..NODES {
        nodes.tell(node, |known| known.assign(slot, to as u8));
    }
    done
}

/// An error as it is compared: redirects to the letter, of others the code.
fn compared(why: &str) -> Value {
    let code = why.split(' ').next().unwrap_or_default();
    match code {
        "MOVED" | "ASK" => Value::SimpleString(why.to_owned()),
        code => Value::SimpleString(format!("error {code}")),
    }
}

/// Commands with one key or several, most of them of the slot.
fn command() -> impl Strategy<Value = Words> {
    let key = || prop::sample::select(["{a}1", "{a}2", "{a}3", "{a}4", "{b}1"].as_slice());
    let own = || prop::sample::select(KEYS.as_slice());
    let bodies = [
        "return 1",
        "return redis.call('EXISTS', KEYS[1], KEYS[2])",
        "return redis.call('HSET', KEYS[1], 'f', '1')",
        "redis.call('HDEL', KEYS[1], 'f') return redis.call('EXISTS', KEYS[1])",
        "redis.call('HDEL', KEYS[1], 'f') return redis.call('HSET', KEYS[1], 'f', '2')",
        "redis.call('DEL', KEYS[2]) return redis.call('HGET', KEYS[1], 'f')",
        "local r = redis.pcall('HGET', KEYS[2], 'f') return r and r.err and 'refused'",
    ];
    let body = prop::sample::select(bodies.to_vec());
    let line = prop_oneof![
        2 => key().prop_map(|key| vec!["HGET", key, "f"]),
        2 => key().prop_map(|key| vec!["HSET", key, "f", "w"]),
        1 => own().prop_map(|key| vec!["DEL", key]),
        2 => (own(), key()).prop_map(|(one, two)| vec!["EXISTS", one, two]),
        4 => (body, own(), key()).prop_map(|(body, one, two)| vec!["EVAL", body, "2", one, two]),
        1 => own().prop_map(|key| vec!["EVALSHA", "0000", "1", key]),
        1 => Just(vec!["PING"]),
    ];
    line.prop_map(|line| {
        line.into_iter()
            .map(|word| word.as_bytes().to_vec())
            .collect()
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0..NODES, any::<bool>(), command())
            .prop_map(|(node, asking, command)| Step::Send(node, asking, command)),
        1 => Just(Step::Move),
    ]
}

#[test]
fn the_nodes_of_a_cluster_send_clients_on_as_real_ones_do() {
    let cluster = RedisCluster::start(RedisVersion::Redis7, &[]);
    let nodes = std::cell::RefCell::new(Nodes::of(&cluster));
    let config = ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(steps in prop::collection::vec(step(), 40..160))| {
        move_slot(&cluster, &mut nodes.borrow_mut(), &steps)?;
    });
}

/// Ranges of slots and where they are, without what names the node.
fn ranges(slots: Value) -> Vec<[Value; 4]> {
    let items = |value| match value {
        Value::Array(items) => items,
        other => vec![other],
    };
    let ranges = items(slots).into_iter().map(|range| {
        let mut range = items(range).into_iter();
        let mut next = || range.next().unwrap_or(Value::Nil);
        let (first, last) = (next(), next());
        let mut node = items(next()).into_iter();
        let mut next = || node.next().unwrap_or(Value::Nil);
        [first, last, next(), next()]
    });
    let mut ranges: Vec<_> = ranges.collect();
    ranges.sort_by_key(|[first, ..]| match first {
        Value::Int(slot) => *slot,
        _ => -1,
    });
    ranges
}

#[test]
fn nodes_say_which_one_has_which_slots_as_real_ones_do() {
    let cluster = RedisCluster::start(RedisVersion::Redis7, &[]);
    let mut nodes = Nodes::of(&cluster);
    move_slot(&cluster, &mut nodes, &[]).expect("they agree");
    let asked = words("CLUSTER", [b"SLOTS".to_vec()]);
    for node in 0..NODES {
        let command = redis::cmd("CLUSTER").arg("SLOTS").clone();
        let real = nodes.real[node].req_command(&command).expect("an answer");
        let (model, session) = &mut nodes.models[node];
        assert_eq!(ranges(real), ranges(value(model.run(session, &asked))));
    }
}
