use super::super::{Redis, Session};
use super::*;

const KEYS: [&str; 2] = ["{a}1", "{a}2"];

/// Two nodes, the first of which has the slot of the keys.
fn nodes() -> [(Redis, Session); 2] {
    let own = u8::from(slot(b"{a}") >= SLOTS / 2);
    [own, 1 - own].map(|number| {
        let mut redis = Redis::new(number.into());
        let places = ["one", "two"].map(|host| (host.to_owned(), 6379));
        redis.join(Membership::new(places.into(), number));
        let session = redis.open();
        (redis, session)
    })
}

fn run((redis, session): &mut (Redis, Session), line: &str) -> Reply {
    let words = line.split(' ').map(|word| word.as_bytes().to_vec());
    redis.run(session, &words.collect::<Vec<_>>())
}

fn code(reply: &Reply) -> &str {
    match reply {
        Reply::Error(text) => text.split(' ').next().unwrap_or_default(),
        _ => "done",
    }
}

/// Begins to move the slot from the first node to the second.
fn begin(nodes: &mut [(Redis, Session); 2]) -> u16 {
    let slot = slot(b"{a}");
    let [from, to] = nodes;
    let (Some(from), Some(to)) = (from.0.cluster(), to.0.cluster()) else {
        return slot;
    };
    to.import(slot, from.own());
    from.migrate(slot, to.own());
    slot
}

#[test]
fn who_asks_another_node_is_told_which_one_has_the_slot() {
    let mut nodes = nodes();
    assert_eq!(code(&run(&mut nodes[0], "HSET {a}1 f v")), "done");
    assert_eq!(code(&run(&mut nodes[1], "HGET {a}1 f")), "MOVED");
    assert_eq!(code(&run(&mut nodes[1], "PING")), "done");
    assert_eq!(code(&run(&mut nodes[0], "EXISTS {a}1 {b}1")), "CROSSSLOT");
}

#[test]
fn what_has_moved_already_is_asked_for_at_the_new_node() {
    let mut nodes = nodes();
    for key in KEYS {
        run(&mut nodes[0], &format!("HSET {key} f v"));
    }
    begin(&mut nodes);
    let [from, to] = &mut nodes;
    assert_eq!(code(&run(from, "EXISTS {a}1 {a}2")), "done");
    assert!(from.0.move_key(b"{a}1", &mut to.0));
    assert_eq!(code(&run(from, "HGET {a}1 f")), "ASK");
    assert_eq!(code(&run(from, "EXISTS {a}1 {a}2")), "TRYAGAIN");
    assert_eq!(code(&run(to, "HGET {a}1 f")), "MOVED");
    run(to, "ASKING");
    assert_eq!(run(to, "HGET {a}1 f"), Reply::text("v"));
    assert_eq!(code(&run(to, "HGET {a}1 f")), "MOVED", "it holds for one");
    run(to, "ASKING");
    assert_eq!(code(&run(to, "EXISTS {a}1 {a}2")), "TRYAGAIN");
}

#[test]
fn a_script_that_empties_a_key_of_a_slot_under_way_stops_half_way() {
    let mut nodes = nodes();
    for key in KEYS {
        run(&mut nodes[0], &format!("HSET {key} f v"));
    }
    begin(&mut nodes);
    let body = "redis.call('HDEL',KEYS[1],'f')redis.call('EXISTS',KEYS[1])";
    let stopped = run(&mut nodes[0], &format!("EVAL {body} 2 {{a}}1 {{a}}2"));
    assert_eq!(stopped, error(ELSEWHERE));
    assert_eq!(
        code(&run(&mut nodes[0], "HGET {a}1 f")),
        "ASK",
        "it is gone"
    );
}

#[test]
fn no_slot_is_served_while_a_node_is_missing() {
    let mut nodes = nodes();
    for down in [true, false] {
        if let Some(known) = nodes[0].0.cluster() {
            known.set_down(down);
        }
        let served = code(&run(&mut nodes[0], "HGET {a}1 f")) == "done";
        assert_eq!(served, !down);
    }
}

#[test]
fn a_slot_that_was_handed_over_is_the_new_nodes() {
    let mut nodes = nodes();
    let slot = begin(&mut nodes);
    for number in [1, 0] {
        if let Some(known) = nodes[number].0.cluster() {
            known.assign(slot, 1 - u8::from(slot >= SLOTS / 2));
        }
    }
    assert_eq!(code(&run(&mut nodes[0], "HSET {a}1 f v")), "MOVED");
    assert_eq!(code(&run(&mut nodes[1], "HSET {a}1 f v")), "done");
}

#[test]
fn a_server_that_is_in_no_cluster_says_so() {
    let mut redis = Redis::new(1);
    let session = redis.open();
    let mut alone = (redis, session);
    for line in ["CLUSTER SLOTS", "ASKING"] {
        assert_eq!(run(&mut alone, line), error(DISABLED));
    }
}
