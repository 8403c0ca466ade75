use russet_core::{Record, RecordKey, Status, Task, TaskId, Timestamp};

use super::super::facts::since_start;
use super::super::mirror::task;
use crate::history::Changed;

/// What became of a record, in words.
pub(super) fn change(change: &Changed) -> String {
    let (before, after) = (task(change.before.as_ref()), task(change.after.as_ref()));
    match (&change.key, &change.after) {
        (RecordKey::Task(id), _) => changed_task(*id, before, after),
        (RecordKey::Queue(name), Some(Record::Queue(queue))) => {
            let limit = queue.config.concurrency;
            let limit = limit.map_or("no limit".to_owned(), |limit| format!("limit {limit}"));
            let paused = if queue.config.paused { ", paused" } else { "" };
            format!("{name}: {} slots taken, {limit}{paused}", queue.running)
        }
        (key, Some(_)) if change.before.is_some() => format!("{key:?}"),
        (key, Some(_)) => format!("new {key:?}"),
        (key, None) => format!("{key:?} gone"),
    }
}

fn changed_task(id: TaskId, before: Option<&Task>, after: Option<&Task>) -> String {
    let Some(now) = after else {
        let was = before.map_or("", |before| before.status.as_str());
        return format!("task {id} {was} -> gone");
    };
    let mut text = match before {
        Some(before) if before.status != now.status => {
            format!("task {id} {} -> {}", before.status, now.status)
        }
        Some(_) => format!("task {id} still {}", now.status),
        None => format!("task {id} new as {}", now.status),
    };
    for detail in details(before, now) {
        text.push_str(", ");
        text.push_str(&detail);
    }
    text
}

/// What else of a task has changed, as far as it matters.
fn details(before: Option<&Task>, now: &Task) -> Vec<String> {
    let mut details = Vec::new();
    let mut say = |changed: bool, text: String| {
        if changed {
            details.push(text);
        }
    };
    say(
        before.map_or(0, |b| b.attempt) != now.attempt,
        format!("attempt {}", now.attempt),
    );
    say(
        before.map_or(0, |b| b.retry_count) != now.retry_count,
        format!("retry {}", now.retry_count),
    );
    let old = before.and_then(|before| before.lease.as_deref());
    if let Some(lease) = now.lease.as_deref().filter(|lease| old != Some(lease)) {
        let how = match lease.ended {
            Some(end) => format!("ended as {end:?}"),
            None => format!("until {}", time(lease.expires_at)),
        };
        say(
            true,
            format!("lease {} of {} {how}", lease.id, lease.worker.0),
        );
    }
    if let (Status::Scheduled, Some(at)) = (now.status, now.scheduled_at) {
        say(true, format!("due {}", time(at)));
    }
    let waits = now.dependencies.pending;
    say(now.status == Status::Blocked, format!("waits for {waits}"));
    let redriven = before.is_some_and(|before| before.redriven_by != now.redriven_by);
    say(redriven, "redriven".to_owned());
    say(now.cancel_requested, "to be cancelled".to_owned());
    if let Some(error) = now.last_error.as_deref() {
        let known = before.and_then(|before| before.last_error.as_deref());
        say(
            known != Some(error),
            format!("error {}", error.kind.as_str()),
        );
    }
    say(true, format!("at {} by its node", time(now.updated_at)));
    details
}

/// A node's time, in seconds since the world began.
fn time(at: Timestamp) -> String {
    let ms = since_start(at);
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}
