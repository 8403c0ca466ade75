//! What a scenario looks at.
//!
//! ```text
//! then a is queued                 its status; or `gone` when it is not stored
//!     attempt=1 retries=0          counters
//!     scheduled=5s due=5s lease_ends=35s expires=1m completed=3s purge=1h      times
//!     error="text" error_kind=timed_out result=4 percent=50 message=hi checkpoint=x
//!     cancel=requested worker=ann waits_for=2
//! then it is refused "text"        the last command; names stand for ids
//! then it means a, b               the tasks of the last submission, or its follow-ups
//! then it is new | known           whether that submission was the first of its kind
//! then it redrives queued, "refused: text"     each task of a workflow, in order
//! then it says stop | go on        what the last heartbeat was told
//! then what happened is a succeeded, b queued
//! then the order is a, b           ready tasks, first first
//! ```

use std::collections::BTreeMap;

use russet_core::{Reply, Task, TaskId, entries};

use crate::line::Line;
use crate::stage::{Stage, seconds};

type Seen = Result<(), String>;

impl Stage {
    pub fn look(&mut self, line: Line) -> Seen {
        let words = line.words.clone();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let list = |words: &[&str]| words.join(" ");
        match words.as_slice() {
            ["it", "is", "refused", text] => self.look_at_refusal(text),
            ["it", "means", names @ ..] => same(&self.submitted()?, &list(names)),
            ["it", "is", known @ ("new" | "known")] => match self.reply()? {
                Reply::Submitted { existing, .. } => {
                    same(known, if *existing { "known" } else { "new" })
                }
                other => Err(format!("no submission: {other:?}")),
            },
            ["it", "says", words @ ..] => match self.reply()? {
                Reply::Extended {
                    cancel_requested, ..
                } => same(
                    if *cancel_requested { "stop" } else { "go on" },
                    &list(words),
                ),
                other => Err(format!("no heartbeat: {other:?}")),
            },
            ["it", "redrives", tasks @ ..] => same(&self.redriven()?, &list(tasks)),
            [count, "piece" | "pieces", "is" | "are", "missing"] => self.look_at_missing(count),
            ["what", "happened", "is", events @ ..] => same(&self.happened()?, &list(events)),
            ["the", "order", "is", names @ ..] => same(&self.order(), &list(names)),
            [name, "is", "gone"] => match self.task(name)? {
                None => Ok(()),
                Some(task) => Err(format!("{name} is {}", task.status)),
            },
            [name, "is", status] => {
                let task = self.task(name)?.ok_or(format!("{name} is gone"))?;
                same(task.status.as_str(), status)?;
                let mut seen = seen(task);
                if let Some(error) = seen.get_mut("error") {
                    *error = self.named(std::mem::take(error));
                }
                for (field, expected) in line.rest() {
                    let known = seen
                        .get(field.as_str())
                        .ok_or(format!("{field}= is nothing"))?;
                    same(known, &expected).map_err(|problem| format!("{field}: {problem}"))?;
                }
                Ok(())
            }
            _ => Err("there is nothing to see like this".into()),
        }
    }

    fn task(&self, name: &str) -> Result<Option<&Task>, String> {
        let id = *self.names.get(name).ok_or(format!("who is {name}?"))?;
        let home = self.partitions.get(usize::from(id.partition().0));
        Ok(home.and_then(|stored| stored.task(id)))
    }

    fn reply(&self) -> Result<&Reply, String> {
        match &self.last {
            Some(Ok(decision)) => Ok(&decision.reply),
            Some(Err(rejection)) => Err(format!("it was refused: {rejection}")),
            None => Err("nothing was done".into()),
        }
    }

    fn look_at_refusal(&mut self, expected: &str) -> Seen {
        match self.last.take() {
            Some(Err(rejection)) => {
                let text = self.named(rejection.to_string());
                same(&text, expected)
            }
            _ => Err("it was accepted".into()),
        }
    }

    /// A text with names for ids.
    fn named(&self, text: String) -> String {
        self.names
            .iter()
            .fold(text, |text, (name, id)| text.replace(&id.to_string(), name))
    }

    fn redriven(&self) -> Result<String, String> {
        match self.reply()? {
            Reply::Redriven { tasks } => {
                let told = tasks.iter().map(|task| match task {
                    Ok(status) => status.to_string(),
                    Err(rejection) => self.named(format!("refused: {rejection}")),
                });
                Ok(told.collect::<Vec<_>>().join(", "))
            }
            other => Err(format!("no redrive of a workflow: {other:?}")),
        }
    }

    fn submitted(&self) -> Result<String, String> {
        match self.reply()? {
            Reply::Submitted { tasks, .. } => Ok(self.called(tasks)),
            Reply::Now { follow_ups, .. } => Ok(self.called(follow_ups)),
            other => Err(format!("no submission: {other:?}")),
        }
    }

    fn called(&self, ids: &[TaskId]) -> String {
        let name = |id: &TaskId| {
            let known = self.names.iter().find(|(_, known)| *known == id);
            known.map_or(id.to_string(), |(name, _)| name.clone())
        };
        ids.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    fn happened(&self) -> Result<String, String> {
        let Some(Ok(decision)) = &self.last else {
            return Err("nothing happened".into());
        };
        let events = decision
            .events
            .iter()
            .map(|event| format!("{} {}", self.called(&[event.task]), event.kind.as_str()));
        Ok(events.collect::<Vec<_>>().join(", "))
    }

    fn order(&self) -> String {
        let records = self
            .partitions
            .iter()
            .flat_map(|stored| stored.records.values());
        let mut ready: Vec<_> = records.filter_map(|record| entries(record).ready).collect();
        ready.sort_by_key(|ready| (ready.score, ready.task));
        self.called(&ready.iter().map(|ready| ready.task).collect::<Vec<_>>())
    }
}

fn same(seen: &str, expected: &str) -> Seen {
    if seen == expected {
        Ok(())
    } else {
        Err(format!("it is {seen:?}, not {expected:?}"))
    }
}

fn text(bytes: Option<&bytes::Bytes>) -> String {
    bytes.map_or("none".into(), |bytes| {
        String::from_utf8_lossy(bytes).into_owned()
    })
}

/// What can be seen of a task.
fn seen(task: &Task) -> BTreeMap<&'static str, String> {
    let time = |time: Option<russet_core::Timestamp>| time.map_or("none".into(), seconds);
    let error = task.last_error.as_deref();
    let progress = task.progress.as_deref();
    let lease = task.lease.as_deref();
    let none = || String::from("none");
    BTreeMap::from([
        ("attempt", task.attempt.to_string()),
        ("retries", task.retry_count.to_string()),
        ("waits_for", task.dependencies.pending.to_string()),
        ("scheduled", time(task.scheduled_at)),
        ("due", time(task.due_at)),
        ("expires", time(task.expires_at)),
        ("completed", time(task.completed_at)),
        ("purge", time(task.purge_at)),
        ("lease_ends", time(lease.map(|lease| lease.expires_at))),
        (
            "worker",
            lease.map_or_else(none, |lease| lease.worker.0.to_string()),
        ),
        (
            "error",
            error.map_or_else(none, |error| error.message.clone()),
        ),
        (
            "error_kind",
            error.map_or_else(none, |error| error.kind.as_str().into()),
        ),
        ("result", text(task.result.as_deref())),
        (
            "percent",
            progress
                .and_then(|p| p.percent)
                .map_or_else(none, |n| n.to_string()),
        ),
        (
            "message",
            progress
                .and_then(|p| p.message.clone())
                .unwrap_or_else(none),
        ),
        (
            "checkpoint",
            text(progress.and_then(|p| p.checkpoint.as_ref())),
        ),
        (
            "cancel",
            if task.cancel_requested {
                "requested".into()
            } else {
                none()
            },
        ),
    ])
}
