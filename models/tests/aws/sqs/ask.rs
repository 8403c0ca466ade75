use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};

/// A request, with handles as numbers of deliveries.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Plain(&'static str, Json),
    /// A delivery ends.
    Delete(Vec<usize>),
    Change(Vec<(usize, i64)>),
}

/// A queue, by number, and what is asked of it.
pub(super) fn ask() -> impl Strategy<Value = (usize, Ask)> {
    let plain = |name: &'static str, body: Json| Ask::Plain(name, body);
    let body = || prop_oneof![9 => "[a-c]{1,3}|ü\t", 1 => Just("\u{1}".to_owned())];
    let id = || prop_oneof![9 => "[a-f]", 1 => select(vec!["", "no id", "x-_9"]).prop_map(str::to_owned)];
    let retention = prop_oneof![
        Just(json!({})),
        select(vec![60, 345_600, 59])
            .prop_map(|seconds| { json!({ "MessageRetentionPeriod": seconds.to_string() }) })
    ];
    let hidden = prop_oneof![4 => 30..43_200i64, 1 => select(vec![-1, 43_201])];
    let asked = prop_oneof![
        1 => retention.prop_map(move |attributes| {
            plain("CreateQueue", json!({ "Attributes": attributes, "tags": { "a": "b" } }))
        }),
        1 => select(vec!["GetQueueUrl", "ListQueueTags"]).prop_map(move |name| plain(name, json!({}))),
        1 => Just(plain("ListQueues", json!({}))),
        2 => Just(plain("GetQueueAttributes", json!({ "AttributeNames": [
            "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]}))),
        2 => (body(), select(vec![0, 900])).prop_map(move |(body, delay)| {
            plain("SendMessage", json!({ "MessageBody": body, "DelaySeconds": delay }))
        }),
        4 => prop::collection::vec((id(), body()), 0..12).prop_map(move |entries| {
            let entries = entries.iter().map(|(id, body)| json!({ "Id": id, "MessageBody": body }));
            plain("SendMessageBatch", json!({ "Entries": entries.collect::<Vec<_>>() }))
        }),
        5 => (0..12, hidden).prop_map(move |(most, hidden)| {
            let body = json!({ "MaxNumberOfMessages": most, "VisibilityTimeout": hidden });
            plain("ReceiveMessage", body)
        }),
        3 => prop::collection::vec(0..1_000usize, 0..12).prop_map(Ask::Delete),
        3 => prop::collection::vec((0..1_000usize, select(vec![0, 0, 9, 40_000, -1, 43_201])), 1..5)
            .prop_map(Ask::Change),
    ];
    (0..3usize, asked)
}
