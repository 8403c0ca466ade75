//! Workers over HTTP: some are quick, some fail, some stall, and some are never seen again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use russet_tests::{Chance, eventually};
use serde_json::{Value, json};

use crate::history::{Intent, Kind, Leased, Report};
use crate::producers::QUEUES;
use crate::world::{Answer, Caller, World};

struct Worker {
    name: String,
    caller: Caller,
    chance: Chance,
}

/// Works until all is finished.
pub fn work(world: &Arc<World>, name: usize, chance: Chance) {
    let mut worker = Worker {
        name: format!("w{name}"),
        caller: world.caller(),
        chance,
    };
    while !world.over.load(Ordering::SeqCst) {
        for task in worker.lease() {
            worker.handle(&task);
        }
    }
}

impl Worker {
    fn lease(&mut self) -> Vec<Leased> {
        let request = json!({
            "queues": QUEUES,
            "worker": self.name,
            "max": 1 + self.chance.below(3),
            "wait_ms": 100,
        });
        let (reply, span) = self.caller.once("POST", "/v1/leases", &request);
        let Ok(reply) = reply else {
            // The server is away; what it leased and could not say runs out.
            thread::sleep(Duration::from_millis(3));
            return Vec::new();
        };
        if reply.status == 503 {
            return Vec::new();
        }
        let reply = reply.good();
        let tasks = reply["tasks"].as_array().expect("lists tasks");
        let text = |value: &Value| value.as_str().expect("is a text").to_owned();
        let leased = tasks.iter().map(|task| Leased {
            task: text(&task["id"]),
            label: text(&task["payload"]["label"]),
            queue: text(&task["queue"]),
            attempt: task["attempt"].as_u64().expect("is a number"),
            lease: text(&task["lease_id"]),
            started_at: text(&task["started_at"]),
            span,
        });
        let leased: Vec<_> = leased.collect();
        self.caller
            .world
            .history()
            .leases
            .extend(leased.iter().cloned());
        leased
    }

    fn handle(&mut self, task: &Leased) {
        if self.caller.world.is_draining() {
            self.complete(task, 0);
            return;
        }
        match self.chance.below(100) {
            0..40 => self.complete(task, 0),
            40..55 => self.extend_and_complete(task),
            55..65 => {
                let follow_ups = 1 + self.chance.below(2);
                self.complete(task, follow_ups);
            }
            65..80 => self.fail(task, "failed"),
            80..83 => self.fail(task, "final"),
            83..91 => self.release(task),
            91..97 => self.stall(task),
            _ => {}
        }
    }

    /// Reports and notes what came of it.
    fn report(&mut self, task: &Leased, kind: Kind, more: Value, late: bool) -> Answer {
        let mut body = json!({"task": task.task, "lease_id": task.lease});
        let more = more.as_object().cloned().unwrap_or_default();
        body.as_object_mut().expect("is an object").extend(more);
        let answer = self.caller.surely("POST", kind.path(), &body);
        let reply = answer.reply.json();
        let mut history = self.caller.world.history();
        history.reports.push(Report {
            kind,
            task: task.task.clone(),
            attempt: task.attempt,
            span: answer.span,
            accepted: answer.is_good(),
            code: answer.reply.code(),
            late,
            not_before: reply["scheduled_at"].as_str().map(str::to_owned),
            dead: reply["status"] == "dead",
        });
        let status = reply["status"].as_str().unwrap_or_default();
        if matches!(status, "succeeded" | "dead" | "cancelled") {
            history.ends.push((task.task.clone(), status.to_owned()));
        }
        drop(history);
        answer
    }

    fn complete(&mut self, task: &Leased, follow_ups: u64) {
        let mut bodies = Vec::new();
        for number in 0..follow_ups {
            let label = format!("{}/{}.{number}", task.label, task.attempt);
            bodies.push(json!({
                "type": "crash", "queue": QUEUES[0], "payload": {"label": label},
                "max_retries": 3, "retry": {"backoff_ms": 10}, "visibility_timeout_ms": 500,
            }));
            let intent = Intent {
                max_retries: 3,
                follows: Some((task.task.clone(), task.attempt)),
                ..Intent::default()
            };
            self.caller.world.history().intents.insert(label, intent);
        }
        let more = json!({"result": {"attempt": task.attempt}, "follow_ups": bodies});
        self.report(task, Kind::Complete, more, false);
    }

    fn extend_and_complete(&mut self, task: &Leased) {
        let progress = json!({"progress": {"percent": 50, "checkpoint": {"by": self.name}}});
        let answer = self.report(task, Kind::Extend, progress, false);
        if !answer.is_good() {
            return;
        }
        if answer.reply.json()["cancel_requested"] == json!(true) {
            self.fail(task, "failed");
        } else {
            self.complete(task, 0);
        }
    }

    fn fail(&mut self, task: &Leased, kind: &str) {
        let more = json!({"message": format!("{} had enough", self.name), "kind": kind});
        self.report(task, Kind::Fail, more, false);
    }

    fn release(&mut self, task: &Leased) {
        let more = json!({"delay_ms": self.chance.below(30)});
        self.report(task, Kind::Release, more, false);
    }

    /// Sleeps through its lease, and then goes on as if nothing had happened.
    fn stall(&mut self, task: &Leased) {
        let path = format!("/v1/tasks/{}", task.task);
        eventually("the lease of a stalled worker runs out", || {
            let (reply, _) = self.caller.once("GET", &path, &Value::Null);
            let failed = self.caller.world.over.load(Ordering::SeqCst);
            let now = reply
                .ok()
                .filter(|reply| reply.status == 200)
                .map(|reply| reply.json());
            let is = |now: &Value| now["status"] == "running" && now["attempt"] == task.attempt;
            (failed || now.is_some_and(|now| !is(&now))).then_some(())
        });
        let (kind, more) = match self.chance.below(4) {
            0 => (Kind::Extend, json!({})),
            1 => (Kind::Fail, json!({"message": "too late"})),
            2 => (Kind::Release, json!({})),
            _ => (Kind::Complete, json!({"result": "too late"})),
        };
        self.report(task, kind, more, true);
    }
}
