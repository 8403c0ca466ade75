use proptest::prelude::*;
use russet_models::sqs::Reply;
use russet_servers::Fauxqs;
use serde_json::{Value as Json, json};

use super::ask::Ask;
use super::model::{BASE, Model, code, messages};
use crate::http::{Http, json};

/// A message that both have delivered.
struct Delivered {
    queue: usize,
    /// Which it is, as the server says.
    id: Json,
    real: String,
    model: String,
    /// Whether it was released, and not received since.
    released: bool,
}

/// A server and a model of one.
pub(super) struct Pair {
    _server: Fauxqs,
    real: Http,
    /// With what its URLs of queues begin.
    base: String,
    model: Model,
    /// Which sequence of requests this is: queues are new in each.
    case: u32,
    delivered: Vec<Delivered>,
}

impl Pair {
    pub(super) fn new() -> Self {
        let server = Fauxqs::start();
        let mut real = Http::open(&server.url());
        let body = json!({ "QueueName": "first" });
        let first = json(&real.call("sqs", "AmazonSQS.CreateQueue", &body));
        let url = first["QueueUrl"].as_str().expect("a URL");
        Self {
            _server: server,
            base: url.trim_end_matches("first").to_owned(),
            real,
            model: Model::new(),
            case: 0,
            delivered: Vec::new(),
        }
    }

    /// Begins another sequence of requests, with queues of its own.
    pub(super) fn begin(&mut self) {
        self.case += 1;
        self.delivered.clear();
    }

    pub(super) fn compare(&mut self, queue: usize, ask: &Ask) -> Result<(), TestCaseError> {
        self.model.now += 1;
        let name = format!("case{}-{queue}", self.case);
        let (operation, real, model) = self.bodies(queue, ask);
        let address = |mut body: Json, base: &str| {
            match operation {
                "CreateQueue" | "GetQueueUrl" => body["QueueName"] = name.clone().into(),
                "ListQueues" => body["QueueNamePrefix"] = format!("case{}-", self.case).into(),
                _ => body["QueueUrl"] = format!("{base}{name}").into(),
            }
            body
        };
        let model = address(model, &format!("{BASE}/000000000000/"));
        let real = address(real, &self.base);
        let target = format!("AmazonSQS.{operation}");
        let real = self.real.call("sqs", &target, &real);
        let model = self.model.ask(operation, &model);
        prop_assert_eq!(
            (real.status, code(&real), said(operation, &real)),
            (model.status, code(&model), said(operation, &model)),
            "real, then model: {} {:?}",
            name,
            ask
        );
        self.learn(queue, ask, &json(&real), &json(&model));
        Ok(())
    }

    /// The operation, and its parameters for both.
    fn bodies(&self, queue: usize, ask: &Ask) -> (&'static str, Json, Json) {
        let own = |at: &usize| {
            let own = self.delivered.iter().filter(|d| d.queue == queue);
            let own: Vec<_> = own.collect();
            own.get(at % own.len().max(1)).copied()
        };
        let (mut real, mut model) = (Vec::new(), Vec::new());
        let mut put = |delivered: &Delivered, mut entry: Json| {
            entry["Id"] = real.len().to_string().into();
            entry["ReceiptHandle"] = delivered.real.clone().into();
            real.push(entry.clone());
            entry["ReceiptHandle"] = delivered.model.clone().into();
            model.push(entry);
        };
        let operation = match ask {
            Ask::Plain(operation, body) => return (operation, body.clone(), body.clone()),
            Ask::Delete(which) => {
                let which = which.iter().filter_map(own).filter(|d| !d.released);
                which.for_each(|delivered| put(delivered, json!({})));
                "DeleteMessageBatch"
            }
            Ask::Change(which) => {
                for (at, seconds) in which {
                    if let Some(delivered) = own(at) {
                        put(delivered, json!({ "VisibilityTimeout": seconds }));
                    }
                }
                "ChangeMessageVisibilityBatch"
            }
        };
        (
            operation,
            json!({ "Entries": real }),
            json!({ "Entries": model }),
        )
    }

    fn learn(&mut self, queue: usize, ask: &Ask, real: &Json, model: &Json) {
        if let Ask::Change(which) = ask {
            let own = self.delivered.iter_mut().filter(|d| d.queue == queue);
            let mut own: Vec<_> = own.collect();
            let all = own.len().max(1);
            for (at, _) in which.iter().filter(|(_, seconds)| *seconds == 0) {
                if let Some(delivered) = own.get_mut(at % all) {
                    delivered.released = true;
                }
            }
        }
        let found = real["Messages"].as_array().into_iter().flatten();
        let handles = messages(real).into_iter().zip(messages(model));
        for (message, ((_, real), (_, model))) in found.zip(handles) {
            let id = message["MessageId"].clone();
            let same = self.delivered.iter_mut().filter(|d| d.id == id);
            same.for_each(|delivered| delivered.released = false);
            let released = false;
            self.delivered.push(Delivered {
                queue,
                id,
                real,
                model,
                released,
            });
        }
    }
}

/// What a reply says that both must say.
fn said(operation: &str, reply: &Reply) -> Json {
    let body = json(reply);
    let list = |name: &str| body[name].as_array().cloned().unwrap_or_default();
    if reply.status != 200 {
        return Json::Null;
    }
    let pick = |entries: Vec<Json>, names: &[&str]| {
        let pick = |entry: &Json| {
            names
                .iter()
                .map(|name| entry[name].clone())
                .collect::<Json>()
        };
        entries.iter().map(pick).collect::<Json>()
    };
    let name = |url: &Json| {
        url.as_str()
            .and_then(|url| Some(url.rsplit_once('/')?.1.to_owned()))
    };
    match operation {
        "CreateQueue" | "GetQueueUrl" => json!(name(&body["QueueUrl"])),
        "ListQueues" => {
            let mut names: Vec<_> = list("QueueUrls").iter().map(name).collect();
            names.sort();
            json!(names)
        }
        "ListQueueTags" => json!(body["Tags"].as_object().cloned().unwrap_or_default()),
        "SendMessage" => body["MD5OfMessageBody"].clone(),
        "ReceiveMessage" => pick(list("Messages"), &["Body", "MD5OfBody"]),
        "SendMessageBatch" => json!([
            pick(list("Successful"), &["Id", "MD5OfMessageBody"]),
            pick(list("Failed"), &["Id", "Code", "SenderFault"]),
        ]),
        "DeleteMessageBatch" | "ChangeMessageVisibilityBatch" => json!([
            pick(list("Successful"), &["Id"]),
            pick(list("Failed"), &["Id", "SenderFault"]),
        ]),
        _ => body,
    }
}
