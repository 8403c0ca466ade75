use russet_models::sqs::{Answer, Event, Fault, What};
use serde_json::{Value as Json, json};

use super::model::{BASE, Model, at, bodies, code, messages};
use crate::http::json;

#[test]
fn a_message_is_hidden_for_its_time_and_only_its_last_receipt_deletes_it() {
    let mut model = Model::with(&["a"]);
    let first = model.receive();
    assert_eq!(model.receive(), []);
    model.now += 30_000;
    let second = model.receive();
    assert_eq!(bodies(&second), ["a"]);
    let delete = |handle: &str| at(json!({ "Entries": [{ "Id": "0", "ReceiptHandle": handle }] }));
    let stale = model.done("DeleteMessageBatch", &delete(&first[0].1));
    assert_eq!(stale["Failed"], json!([]));
    model.now += 30_000;
    let third = model.receive();
    model.now += 30_000;
    model.done("DeleteMessageBatch", &delete(&third[0].1));
    assert_eq!(model.receive(), []);
    let garbage = model.done("DeleteMessageBatch", &delete("garbage"));
    assert_eq!(garbage["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    assert_eq!(garbage["Failed"][0]["SenderFault"], true);
    let what: Vec<What> = model.sqs.events().iter().map(|event| event.what).collect();
    let delivered = |times| What::Delivered {
        times,
        duplicate: false,
    };
    let expected = [
        What::Sent,
        delivered(1),
        delivered(2),
        delivered(3),
        What::Deleted,
    ];
    assert_eq!(what, expected);
}

#[test]
fn whoever_waits_for_messages_is_told_when_to_look_again() {
    let mut model = Model::with(&[]);
    let (came, wait) = (model.now, at(json!({ "WaitTimeSeconds": 20 })));
    let again = came + 20_000;
    assert_eq!(model.call("ReceiveMessage", &wait), Answer::Wait { again });
    let late = at(json!({ "MessageBody": "late", "DelaySeconds": 5 }));
    model.done("SendMessage", &late);
    model.now += 1;
    let delayed = Answer::Wait {
        again: came + 5_000,
    };
    assert_eq!(model.call_since(came, "ReceiveMessage", &wait), delayed);
    model.now = came + 5_000;
    match model.call_since(came, "ReceiveMessage", &wait) {
        Answer::Reply(reply) => assert_eq!(bodies(&messages(&json(&reply))), ["late"]),
        Answer::Wait { .. } => panic!("it is there"),
    }
    let came = model.now;
    model.now += 20_000;
    match model.call_since(came, "ReceiveMessage", &wait) {
        Answer::Reply(reply) => assert_eq!(json(&reply), json!({})),
        Answer::Wait { .. } => panic!("it is over"),
    }
}

#[test]
fn messages_come_twice_and_out_of_order_and_not_at_all_when_they_are_to() {
    let mut model = Model::with(&["a", "b", "c", "d"]);
    model.set(|condition| condition.blind = true);
    assert_eq!(model.receive(), []);
    let wait = at(json!({ "WaitTimeSeconds": 20 }));
    assert_eq!(model.done("ReceiveMessage", &wait), json!({}));
    model.set(|condition| {
        condition.blind = false;
        condition.reordered = true;
    });
    let found = model.receive();
    let mut sorted = bodies(&found);
    assert_ne!(sorted, ["a", "b", "c", "d"]);
    sorted.sort_unstable();
    assert_eq!(sorted, ["a", "b", "c", "d"]);
    assert_eq!(model.receive(), []);
    model.sqs.events();
    model.set(|condition| condition.duplicates = true);
    assert_eq!(model.receive().len(), 4);
    let is_twice = |event: &Event| {
        event.what
            == What::Delivered {
                times: 2,
                duplicate: true,
            }
    };
    assert!(model.sqs.events().iter().all(is_twice));
}

#[test]
fn entries_of_a_batch_fail_alone_and_deletes_do_nothing_when_they_are_to() {
    let mut model = Model::with(&[]);
    model.set(|condition| condition.failing = 0b010);
    let entries = ["a", "b", "c"].map(|body| json!({ "Id": body, "MessageBody": body }));
    let sent = model.done("SendMessageBatch", &at(json!({ "Entries": entries })));
    let failed = &sent["Failed"][0];
    assert_eq!(
        (&failed["Id"], &failed["SenderFault"]),
        (&json!("b"), &json!(false))
    );
    assert_eq!(failed["Code"], "InternalError");
    let found = model.receive();
    assert_eq!(bodies(&found), ["a", "c"]);
    model.set(|condition| {
        condition.failing = 0;
        condition.undeleted = true;
    });
    let entry = json!({ "Id": "0", "ReceiptHandle": found[0].1 });
    model.done("DeleteMessageBatch", &at(json!({ "Entries": [entry] })));
    model.now += 30_000;
    assert_eq!(bodies(&model.receive()), ["a", "c"]);
}

#[test]
fn whole_requests_fail_when_they_are_to() {
    let mut model = Model::with(&[]);
    let send = at(json!({ "MessageBody": "a" }));
    for (fault, status, name, there) in [
        (Fault::Throttled, 400, "RequestThrottled", 0),
        (Fault::Limited, 400, "ThrottlingException", 0),
        (Fault::Denied, 403, "AccessDenied", 0),
        (Fault::Unavailable, 503, "ServiceUnavailable", 0),
        (
            Fault::Internal { applied: false },
            500,
            "InternalFailure",
            0,
        ),
        (Fault::Internal { applied: true }, 500, "InternalFailure", 1),
    ] {
        model.set(|condition| condition.fault = Some(fault));
        let reply = model.ask("SendMessage", &send);
        assert_eq!((reply.status, code(&reply).as_str()), (status, name));
        model.set(|condition| condition.fault = None);
        assert_eq!(model.receive().len(), there);
    }
}

#[test]
fn queues_are_listed_by_pages_and_their_names_are_free_only_a_minute_after_they_went() {
    let mut model = Model::new();
    for name in ["p-a", "p-b", "p-c", "other"] {
        model.done("CreateQueue", &json!({ "QueueName": name }));
    }
    let list = |model: &mut Model, token: &Json| {
        let body = json!({ "QueueNamePrefix": "p-", "MaxResults": 2, "NextToken": token });
        let page = model.done("ListQueues", &body);
        (
            page["QueueUrls"].as_array().map_or(0, Vec::len),
            page["NextToken"].clone(),
        )
    };
    let (first, token) = list(&mut model, &Json::Null);
    let (second, end) = list(&mut model, &token);
    assert_eq!((first, second, end), (2, 1, Json::Null));
    let url = format!("{BASE}/000000000000/p-a");
    model.done("DeleteQueue", &json!({ "QueueUrl": url }));
    let gone = model.ask(
        "SendMessage",
        &json!({ "QueueUrl": url, "MessageBody": "a" }),
    );
    assert_eq!(code(&gone), "NonExistentQueue");
    let create = json!({ "QueueName": "p-a" });
    assert_eq!(
        code(&model.ask("CreateQueue", &create)),
        "QueueDeletedRecently"
    );
    model.now += 60_000;
    model.done("CreateQueue", &create);
}

#[test]
fn messages_are_lost_when_they_were_kept_for_long_enough() {
    let mut model = Model::with(&["a"]);
    model.now += 4 * 24 * 3_600_000;
    assert_eq!(model.receive(), []);
    let last = model.sqs.events().pop().map(|event| event.what);
    assert_eq!(last, Some(What::Lost));
}

#[test]
fn what_the_model_does_not_know_is_refused_by_name() {
    let mut model = Model::with(&[]);
    for (operation, body, what) in [
        ("PurgeQueue", json!({}), "PurgeQueue"),
        (
            "SendMessage",
            json!({ "MessageBody": "a", "MessageGroupId": "g" }),
            "MessageGroupId",
        ),
        (
            "GetQueueAttributes",
            json!({ "AttributeNames": ["All"] }),
            "All",
        ),
    ] {
        let reply = model.ask(operation, &at(body));
        assert_eq!(
            (reply.status, code(&reply).as_str()),
            (400, "UnsupportedOperation")
        );
        assert!(json(&reply).to_string().contains(what));
    }
}
