use russet_models::sqs::{Answer, Condition, Reply, Request, Sqs};
use serde_json::{Value as Json, json};

use crate::http::json;

/// A model, and what it needs of the world.
pub(super) struct Model {
    pub(super) sqs: Sqs,
    pub(super) now: u64,
    random: u64,
}

pub(super) const BASE: &str = "http://sqs";

impl Model {
    pub(super) fn new() -> Self {
        Self {
            sqs: Sqs::new(BASE),
            now: 1_700_000_000_000,
            random: 0,
        }
    }

    pub(super) fn call(&mut self, operation: &str, body: &Json) -> Answer {
        self.call_since(self.now, operation, body)
    }

    pub(super) fn call_since(&mut self, came: u64, operation: &str, body: &Json) -> Answer {
        let target = format!("AmazonSQS.{operation}");
        let body = body.to_string();
        let request = Request {
            target: &target,
            body: body.as_bytes(),
            came,
        };
        let mut random = || {
            self.random = self
                .random
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(1);
            self.random >> 20
        };
        self.sqs.call(self.now, &mut random, request)
    }

    pub(super) fn ask(&mut self, operation: &str, body: &Json) -> Reply {
        match self.call(operation, body) {
            Answer::Reply(reply) => reply,
            Answer::Wait { again } => panic!("it waits until {again}"),
        }
    }

    pub(super) fn done(&mut self, operation: &str, body: &Json) -> Json {
        let reply = self.ask(operation, body);
        assert_eq!(reply.status, 200, "{operation} {body}: {}", json(&reply));
        json(&reply)
    }

    pub(super) fn set(&mut self, change: impl FnOnce(&mut Condition)) {
        let mut condition = self.sqs.condition();
        change(&mut condition);
        self.sqs.set_condition(condition);
    }

    /// With one queue, and these messages in it.
    pub(super) fn with(bodies: &[&str]) -> Self {
        let mut model = Self::new();
        model.done("CreateQueue", &json!({ "QueueName": "q" }));
        for body in bodies {
            model.done("SendMessage", &at(json!({ "MessageBody": body })));
        }
        model
    }

    /// Receives up to ten messages: what they say, and their handles.
    pub(super) fn receive(&mut self) -> Vec<(String, String)> {
        let body = at(json!({ "MaxNumberOfMessages": 10 }));
        messages(&self.done("ReceiveMessage", &body))
    }
}

/// Parameters for the one queue.
pub(super) fn at(mut body: Json) -> Json {
    body["QueueUrl"] = format!("{BASE}/000000000000/q").into();
    body
}

pub(super) fn messages(reply: &Json) -> Vec<(String, String)> {
    let messages = reply["Messages"].as_array().into_iter().flatten();
    let text = |message: &Json, name: &str| message[name].as_str().unwrap_or_default().to_owned();
    messages
        .map(|message| (text(message, "Body"), text(message, "ReceiptHandle")))
        .collect()
}

pub(super) fn bodies(messages: &[(String, String)]) -> Vec<&str> {
    messages.iter().map(|(body, _)| body.as_str()).collect()
}

/// The older name of the error of a reply.
pub(super) fn code(reply: &Reply) -> String {
    let mut headers = reply.headers.iter();
    let header = headers.find(|(name, _)| *name == "x-amzn-query-error");
    let code = header.map_or("", |(_, value)| value);
    let code = code.split(';').next().unwrap_or_default();
    let code = code.rsplit('.').next().unwrap_or_default();
    // The server uses the name of the newer protocol.
    code.replace("QueueNameExists", "QueueAlreadyExists")
}
