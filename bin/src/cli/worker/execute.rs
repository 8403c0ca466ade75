//! One task: the command is run, payload on standard input, result from standard output, and
//! its exit status is the verdict. The command is the operator's; nothing of a task ever becomes
//! part of it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use russet::wire::{Json, Time};
use russet::{BoxError, TaskContext, TaskFailure, TaskOutput};
use russet_core::limits::PAYLOAD_BYTES;
use tower::Service;

use crate::exec::{self, Guard, Job, Program, Ran};
use crate::text::grouped;

/// Exit status of a command whose task failed for good: EX_DATAERR of `sysexits.h`.
const FINAL: i32 = 65;
/// Exit status of a command whose task comes too early: EX_TEMPFAIL of `sysexits.h`.
const TOO_EARLY: i32 = 75;

/// Runs the command for every task. Clones are the same.
#[derive(Clone)]
pub(super) struct Execute(Arc<Shared>);

struct Shared {
    program: Program,
    guard: Arc<Guard>,
    grace: Duration,
    snooze: Duration,
}

impl Execute {
    pub fn new(program: Program, guard: Guard, grace: Duration, snooze: Duration) -> Self {
        Self(Arc::new(Shared {
            program,
            guard: Arc::new(guard),
            grace,
            snooze,
        }))
    }
}

impl Service<TaskContext> for Execute {
    type Response = TaskOutput;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<TaskOutput, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: TaskContext) -> Self::Future {
        let shared = self.0.clone();
        Box::pin(async move {
            let ran = run(&shared, &task).await;
            Ok(verdict(&shared, ran)?)
        })
    }
}

/// Runs the command. It has its grace, and keeps the task's room, also when the attempt is over
/// and this future is dropped.
async fn run(shared: &Shared, task: &TaskContext) -> io::Result<Ran> {
    let job = Job {
        input: task
            .task()
            .payload
            .clone()
            .map(Bytes::from)
            .unwrap_or_default(),
        environment: environment(task),
        log: None,
        grace: shared.grace,
    };
    let (program, guard) = (shared.program.clone(), shared.guard.clone());
    exec::run_apart(program, job, guard, task.room(), task.cancelled()).await
}

fn environment(task: &TaskContext) -> Vec<(String, String)> {
    let view = task.task();
    let deadline = view.started_at.zip(view.timeout_ms).map(|(start, ms)| {
        Time::from(start.timestamp() + russet_core::Millis::new(ms)).to_string()
    });
    let checkpoint = view
        .progress
        .as_ref()
        .and_then(|progress| progress.checkpoint.as_ref());
    let known = [
        ("TASK_ID", Some(view.id.to_string())),
        ("ATTEMPT", Some(view.attempt.to_string())),
        ("TYPE", Some(view.kind.to_string())),
        ("QUEUE", Some(view.queue.to_string())),
        ("PRIORITY", Some(view.priority.to_string())),
        ("RETRY_COUNT", Some(view.retry_count.to_string())),
        ("MAX_RETRIES", Some(view.max_retries.to_string())),
        ("DEADLINE", deadline),
        ("WORKFLOW_ID", view.workflow_id.map(|id| id.to_string())),
        ("TASK_NAME", view.name()),
        ("CHECKPOINT", checkpoint.map(Json::to_string)),
    ];
    let set = known
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    // A variable cannot hold a NUL, and the largest is 128 KiB on Linux.
    let fits = set.filter(|(_, value)| !value.contains('\0') && value.len() < 120 * 1024);
    fits.map(|(name, value)| (format!("RUSSET_{name}"), value))
        .collect()
}

fn verdict(shared: &Shared, ran: io::Result<Ran>) -> Result<TaskOutput, TaskFailure> {
    let ran = ran.map_err(|error| {
        let name = shared.program.name();
        TaskFailure::retry(format!("the command {name:?} cannot be run: {error}"))
    })?;
    match ran.status.code() {
        _ if ran.stopped => Err(TaskFailure::cancelled()),
        Some(0) => Ok(TaskOutput {
            result: result(&ran)?,
            follow_ups: Vec::new(),
        }),
        Some(TOO_EARLY) => Err(TaskFailure::snooze(shared.snooze)),
        Some(FINAL) => Err(TaskFailure::final_(failure(&ran))),
        _ => Err(TaskFailure::retry(failure(&ran))),
    }
}

fn failure(ran: &Ran) -> String {
    match ran.stderr.is_empty() {
        true => ran.how(),
        false => format!("{}: {}", ran.how(), ran.stderr),
    }
}

/// Standard output as the task's result: JSON as it is, text otherwise, nothing when there is
/// none. A result that cannot be kept is a final failure, since another try would print as much.
fn result(ran: &Ran) -> Result<Option<Json>, TaskFailure> {
    let output = ran.stdout.trim_ascii();
    if output.is_empty() {
        return Ok(None);
    }
    if ran.stdout_total > ran.stdout.len() as u64 {
        return Err(too_large(ran.stdout_total));
    }
    let json = Json::from_bytes(output);
    match json.as_str().len() {
        0..=PAYLOAD_BYTES => Ok(Some(json)),
        more => Err(too_large(more as u64)),
    }
}

fn too_large(bytes: u64) -> TaskFailure {
    TaskFailure::final_(format!(
        "the result is {} bytes, and the limit is {} MiB: write it to a file or a store, and print its name",
        grouped(bytes),
        PAYLOAD_BYTES >> 20
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn ran(status: i32, stdout: &[u8], stderr: &str) -> Ran {
        Ran {
            status: std::process::ExitStatus::from_raw(status),
            stdout: stdout.to_vec(),
            stdout_total: stdout.len() as u64,
            stderr: stderr.to_owned(),
            stopped: false,
        }
    }

    #[test]
    fn output_that_is_json_is_the_result_and_other_output_is_a_text() {
        let text = |stdout: &[u8]| {
            let result = result(&ran(0, stdout, "")).expect("fits");
            result.map(|json| json.to_string())
        };
        assert_eq!(text(b" {\"a\": 1}\n").as_deref(), Some("{\"a\": 1}"));
        assert_eq!(text(b"done\n").as_deref(), Some("\"done\""));
        assert_eq!(text(b"\n"), None);
    }

    #[test]
    fn output_that_is_too_long_for_a_result_fails_with_its_size() {
        let mut long = ran(0, &vec![b'x'; PAYLOAD_BYTES], "");
        long.stdout_total = 2_000_000;
        // A control character takes six characters in JSON.
        for (ran, size) in [
            (long, "2,000,000 bytes"),
            (ran(0, &vec![0x1b; PAYLOAD_BYTES], ""), "6,291,458 bytes"),
        ] {
            let failure = result(&ran).expect_err("is too large");
            let failure = format!("{failure:?}");
            assert!(failure.starts_with("TaskFailure(Final("), "{failure}");
            assert!(failure.contains(size), "{failure}");
        }
    }

    #[test]
    fn a_failure_says_how_the_command_ended_and_what_it_said() {
        assert_eq!(
            failure(&ran(3 << 8, b"", "no disk")),
            "exit status 3: no disk"
        );
        assert_eq!(failure(&ran(9, b"", "")), "killed by signal 9");
    }
}
