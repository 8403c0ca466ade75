//! Tasks as text.

use std::fmt::Write;
use std::time::Duration;

use russet::wire::{TaskNowView, TaskView, Time};
use russet_core::Status;

use crate::text::{attempt, gist, indented, lasting, on_one_line, relative};

/// Longest value on a line, in characters.
const VALUE_CHARS: usize = 2_000;
/// Most dependencies that are shown.
const DEPENDENCIES: usize = 10;

/// Everything about a task, a line each.
pub(super) fn whole(task: &TaskView, now_ms: u64) -> String {
    let mut out = String::new();
    let mut put = |name: &str, value: String| {
        let value = on_one_line(&value, VALUE_CHARS);
        // Writing into a String does not fail.
        let _ = writeln!(out, "{name:<14}{value}");
    };
    let at = |time: Time| {
        format!(
            "{} ({time})",
            relative(time.timestamp().as_millis(), now_ms)
        )
    };
    put("task", task.id.to_string());
    put("type", task.kind.to_string());
    put("queue", task.queue.to_string());
    let cancel = match task.cancel_requested {
        true => ", its worker is asked to stop",
        false => "",
    };
    put("status", format!("{}{cancel}", task.status));
    put(
        "priority",
        format!("{} (0 to 9, 9 most urgent)", task.priority),
    );
    put("attempt", attempt(task.attempt));
    put(
        "retries",
        format!("{} of {}", task.retry_count, task.max_retries),
    );
    put("created", at(task.created_at));
    let times = [
        ("scheduled", task.scheduled_at),
        ("started", task.started_at),
        ("completed", task.completed_at),
        ("expires", task.expires_at),
        ("lease until", task.lease_expires_at),
    ];
    for (name, time) in times {
        if let Some(time) = time {
            put(name, at(time));
        }
    }
    if let Some(ms) = task.timeout_ms {
        put("timeout", lasting(Duration::from_millis(ms)));
    }
    if !task.resource_requirements.is_empty() {
        let each = task.resource_requirements.iter();
        let each: Vec<_> = each.map(|(name, n)| format!("{name}={n}")).collect();
        put("needs", each.join(", "));
    }
    if !task.dependencies.is_empty() {
        put("depends on", dependencies(task));
    }
    let texts = [
        ("workflow", task.workflow_id.map(|id| id.to_string())),
        (
            "key",
            task.idempotency_key.as_ref().map(ToString::to_string),
        ),
        ("metadata", task.metadata.as_ref().map(ToString::to_string)),
        ("payload", task.payload.as_ref().map(ToString::to_string)),
        ("progress", progress(task)),
        ("result", task.result.as_ref().map(ToString::to_string)),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            put(name, text);
        }
    }
    if let Some(error) = &task.last_error {
        let (kind, attempt) = (error.kind.as_str(), attempt(error.attempt));
        put("last error", format!("{kind}, attempt {attempt}:"));
        out.push_str(&indented(&error.message, 4));
    }
    out
}

fn dependencies(task: &TaskView) -> String {
    let all = &task.dependencies;
    let shown = all
        .iter()
        .take(DEPENDENCIES)
        .map(|edge| edge.task.to_string());
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if all.len() > DEPENDENCIES {
        text.push_str(&format!(" and {} more", all.len() - DEPENDENCIES));
    }
    text
}

fn progress(task: &TaskView) -> Option<String> {
    let progress = task.progress.as_ref()?;
    let percent = progress.percent.map(|percent| format!("{percent} %"));
    let checkpoint = progress
        .checkpoint
        .as_ref()
        .map(|json| format!("checkpoint {json}"));
    let parts = [percent, progress.message.clone(), checkpoint];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// How a task ended, and what came of it.
pub(in crate::cli) fn outcome(task: &TaskView) -> String {
    let took = task.started_at.zip(task.completed_at).map(|(start, end)| {
        let ms = end.timestamp().since(start.timestamp()).as_millis();
        format!(" after {}", lasting(Duration::from_millis(ms)))
    });
    let (id, status, took) = (task.id, task.status, took.unwrap_or_default());
    let error = task.cause().map(|error| gist(&error.message));
    match status {
        Status::Succeeded => {
            let result = task.result.as_ref();
            let result =
                result.map(|json| format!(": {}", on_one_line(json.as_str(), VALUE_CHARS)));
            format!("{id} succeeded{took}{}\n", result.unwrap_or_default())
        }
        Status::Dead | Status::Cancelled => {
            format!(
                "{id} is {status}{took}: {}\n",
                error.unwrap_or_else(|| "no reason was given".to_owned())
            )
        }
        _ => format!(
            "{id} is {status} and has not ended in time; `russet tasks explain {id}` says why\n"
        ),
    }
}

/// Where a task is after a command.
pub(super) fn now(now: &TaskNowView) -> String {
    let (id, status) = (now.task, now.status);
    match now.cancel_requested {
        true => format!("{id} is {status}: its worker is asked to stop\n"),
        false => format!("{id} is {status}\n"),
    }
}
