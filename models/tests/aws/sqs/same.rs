use proptest::prelude::*;
use serde_json::json;

use super::ask::{Ask, ask};
use super::pair::Pair;

#[test]
fn the_model_answers_every_sequence_of_requests_as_the_server_does() {
    let pair = std::cell::RefCell::new(Pair::new());
    let sequences = prop::collection::vec(ask(), 1..60);
    let config = ProptestConfig {
        failure_persistence: None,
        cases: 100,
        ..ProptestConfig::default()
    };
    proptest!(config, |(sequence in sequences)| {
        let mut pair = pair.borrow_mut();
        pair.begin();
        for queue in 0..2 {
            pair.compare(queue, &Ask::Plain("CreateQueue", json!({})))?;
        }
        for (queue, ask) in &sequence {
            pair.compare(*queue, ask)?;
        }
    });
}

#[test]
fn batches_that_are_too_long_are_refused_as_the_server_does() {
    let mut pair = Pair::new();
    let half = "x".repeat(512 * 1024);
    let batch = |last: &str| {
        let bodies = [half.as_str(), last];
        let entries = bodies
            .iter()
            .enumerate()
            .map(|(at, body)| json!({ "Id": at.to_string(), "MessageBody": body }));
        Ask::Plain(
            "SendMessageBatch",
            json!({ "Entries": entries.collect::<Vec<_>>() }),
        )
    };
    let more = format!("{half}y");
    let alone = Ask::Plain(
        "SendMessage",
        json!({ "MessageBody": format!("{half}{more}") }),
    );
    let create = Ask::Plain("CreateQueue", json!({}));
    for ask in [create, batch(&half), batch(&more), alone] {
        pair.compare(0, &ask).expect("the same");
    }
}
