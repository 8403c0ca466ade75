//! Clients that submit, submit again, and cancel.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use russet_core::{PartitionId, TaskId, Timestamp};
use russet_tests::Chance;
use serde_json::{Value, json};

use crate::history::Intent;
use crate::world::{Caller, World};

/// The queues that workers serve; the last one has a concurrency limit.
pub const QUEUES: [&str; 3] = ["steady", "other", "limited"];

struct Producer {
    name: usize,
    count: u64,
    caller: Caller,
    chance: Chance,
}

/// Submits as fast as is allowed until the load is over.
pub fn produce(world: &Arc<World>, name: usize, chance: Chance) {
    let mut producer = Producer {
        name,
        count: 0,
        caller: world.caller(),
        chance,
    };
    while !world.is_draining() {
        if world.history().wanted() >= world.allowed.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(2));
            continue;
        }
        match producer.chance.below(100) {
            0..28 => producer.keyed(),
            28..42 => producer.with_an_id(),
            42..52 => producer.once_and_never_again(),
            52..64 => producer.batch(),
            64..74 => producer.workflow(),
            74..80 => producer.behind_another(),
            80..91 => producer.again(),
            _ => producer.cancel(),
        }
    }
}

impl Producer {
    fn label(&mut self) -> String {
        self.count += 1;
        format!("p{}-{}", self.name, self.count)
    }

    /// The request for a task of its own.
    fn task(&mut self, label: &str) -> Value {
        let queue = match self.chance.below(20) {
            0 => QUEUES[2],
            1..6 => QUEUES[1],
            _ => QUEUES[0],
        };
        json!({
            "type": "crash",
            "queue": queue,
            "payload": {"label": label},
            "priority": self.chance.below(10),
            "max_retries": self.chance.below(4),
            "retry": {"backoff_ms": 10 + self.chance.below(40), "backoff_cap_ms": 100},
            "visibility_timeout_ms": 500 + self.chance.below(700),
        })
    }

    fn intend(&self, label: &str, body: &Value, parents: Vec<String>) {
        let intent = Intent {
            key: body["idempotency_key"].as_str().map(str::to_owned),
            max_retries: body["max_retries"].as_u64().unwrap_or(10),
            body: body.clone(),
            follows: None,
            parents,
        };
        self.caller
            .world
            .history()
            .intents
            .insert(label.to_owned(), intent);
    }

    fn acknowledged(&self, label: &str, id: &Value) {
        let id = id
            .as_str()
            .expect("an acknowledgement names the task")
            .to_owned();
        self.caller
            .world
            .history()
            .acknowledged
            .push((label.to_owned(), id));
    }

    fn submit(&mut self, label: &str, body: &Value) {
        let answer = self.caller.surely("POST", "/v1/tasks", body);
        self.acknowledged(label, &answer.reply.good()["task"]);
    }

    fn keyed(&mut self) {
        let label = self.label();
        let mut body = self.task(&label);
        body["idempotency_key"] = json!(label);
        self.intend(&label, &body, Vec::new());
        self.submit(&label, &body);
    }

    fn with_an_id(&mut self) {
        let label = self.label();
        let mut body = self.task(&label);
        let made = Timestamp::from_millis(1_769_846_400_000 + self.count);
        let partitions = u64::from(self.caller.world.partitions);
        let partition = PartitionId(self.chance.below(partitions) as u16);
        let id = TaskId::new(made, partition, self.chance.next());
        body["id"] = json!(id.to_string());
        self.intend(&label, &body, Vec::new());
        self.submit(&label, &body);
    }

    /// Without an identity of its own, a submission without an answer cannot be repeated.
    fn once_and_never_again(&mut self) {
        let label = self.label();
        let body = self.task(&label);
        self.intend(&label, &body, Vec::new());
        if let (Ok(reply), _) = self.caller.once("POST", "/v1/tasks", &body)
            && reply.status == 201
        {
            self.acknowledged(&label, &reply.json()["task"]);
        }
    }

    fn batch(&mut self) {
        let size = 2 + self.chance.below(9);
        let labels: Vec<_> = (0..size).map(|_| self.label()).collect();
        let task = |label: &String| {
            let mut body = self.task(label);
            body["idempotency_key"] = json!(label);
            body
        };
        let tasks: Vec<_> = labels.iter().map(task).collect();
        for (label, body) in labels.iter().zip(&tasks) {
            self.intend(label, body, Vec::new());
        }
        let answer = self
            .caller
            .surely("POST", "/v1/tasks", &json!({"tasks": tasks}));
        let reply = answer.reply.good();
        let results = reply["results"].as_array().expect("one result for each");
        assert_eq!(results.len(), labels.len());
        for (label, result) in labels.iter().zip(results) {
            self.acknowledged(label, &result["task"]);
        }
    }

    /// `a` before `b` and `c`, and `d` behind both.
    fn workflow(&mut self) {
        let key = self.label();
        let names = ["a", "b", "c", "d"];
        let parents: [&[&str]; 4] = [&[], &["a"], &["a"], &["b", "c"]];
        let label = |name: &str| format!("{key}-{name}");
        let mut tasks = Vec::new();
        for (name, parents) in names.iter().zip(parents) {
            let mut body = self.task(&label(name));
            body["name"] = json!(name);
            body["depends_on"] = json!(parents);
            tasks.push(body);
        }
        for ((name, parents), body) in names.iter().zip(parents).zip(&tasks) {
            let parents = parents.iter().map(|parent| label(parent)).collect();
            self.intend(&label(name), body, parents);
        }
        let body = json!({"name": key, "idempotency_key": key, "tasks": tasks});
        let answer = self.caller.surely("POST", "/v1/workflows", &body);
        let reply = answer.reply.good();
        for name in names {
            self.acknowledged(&label(name), &reply["tasks"][name]);
        }
        if self.chance.happens(50) {
            let again = self
                .caller
                .surely("POST", "/v1/workflows", &body)
                .reply
                .good();
            assert_eq!(again["existing"], json!(true), "{again}");
            assert_eq!(again["tasks"], reply["tasks"]);
        }
    }

    /// Waits for one of any partition, which may have ended.
    fn behind_another(&mut self) {
        let Some((parent, id)) = self.known() else {
            return;
        };
        let label = self.label();
        let mut body = self.task(&label);
        body["idempotency_key"] = json!(label);
        body["dependencies"] = json!([id]);
        self.intend(&label, &body, vec![parent]);
        self.submit(&label, &body);
    }

    /// One that was acknowledged before, chosen at random.
    fn known(&mut self) -> Option<(String, String)> {
        let choice = self.chance.next();
        let history = self.caller.world.history();
        let known = &history.acknowledged;
        let at = choice.checked_rem(known.len() as u64)?;
        Some(known[at as usize].clone())
    }

    /// The same request again, long after it was acknowledged.
    fn again(&mut self) {
        let Some((label, _)) = self.known() else {
            return;
        };
        let intent = self.caller.world.history().intents[&label].clone();
        if intent.key.is_some() {
            self.submit(&label, &intent.body);
        }
    }

    fn cancel(&mut self) {
        let Some((_, id)) = self.known() else { return };
        let body = json!({"reason": "it is not needed any more"});
        let answer = self
            .caller
            .surely("POST", &format!("/v1/tasks/{id}/cancel"), &body);
        let good = answer.is_good();
        let reply = answer.reply.json();
        let status = reply[if good { "status" } else { "task_status" }].as_str();
        let status = status
            .unwrap_or_else(|| panic!("cancel: {reply}"))
            .to_owned();
        if matches!(status.as_str(), "succeeded" | "dead" | "cancelled") {
            self.caller.world.history().ends.push((id, status));
        }
    }
}
