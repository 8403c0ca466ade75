//! One command, from its start to its end.

use std::fs::File;
use std::future::Future;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin};
use tokio::sync::oneshot;
use tokio::time::{Duration, sleep, timeout};

use super::group::Group;
use super::guard::Watch;
use super::output::{Head, Tail};
use super::{Guard, Program, limits};

/// What a command gets.
#[derive(Debug, Default)]
pub struct Job {
    /// Its standard input.
    pub input: Bytes,
    /// Variables beside those that it inherits.
    pub environment: Vec<(String, String)>,
    /// Where all of its output goes; `None`: it is kept.
    pub log: Option<File>,
    /// How long it may go on after it was asked to stop.
    pub grace: Duration,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output, at most [`limits::STDOUT_BYTES`].
    pub stdout: Vec<u8>,
    /// How long its standard output was, in bytes.
    pub stdout_total: u64,
    /// The end of its standard error, at most [`limits::STDERR_BYTES`].
    pub stderr: String,
    /// It was asked to stop.
    pub stopped: bool,
}

impl Ran {
    /// The exit status in words.
    pub fn how(&self) -> String {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("killed by signal {signal}"),
            (None, None) => self.status.to_string(),
        }
    }
}

/// As [`run`], in a task of its own: when this future is dropped the command is asked to stop,
/// and still has its grace. `held` is dropped when the command is gone.
///
/// # Errors
/// As [`run`].
pub async fn run_apart(
    program: Program,
    job: Job,
    guard: Arc<Guard>,
    held: impl Send + 'static,
    stop: impl Future<Output = ()>,
) -> io::Result<Ran> {
    let (teller, told) = oneshot::channel::<()>();
    let mut running = tokio::spawn(async move {
        let _held = held;
        let stopped = async {
            // Whether it is told or its teller is gone: it is to stop.
            let _ = told.await;
        };
        run(&program, job, Some(&guard), stopped).await
    });
    let ran = tokio::select! {
        ran = &mut running => ran,
        () = stop => {
            drop(teller);
            running.await
        }
    };
    ran.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Runs `program` in a process group of its own until it exits. When `stop` is ready the group
/// gets SIGTERM, and SIGKILL when it is still there after the grace. What a command leaves
/// behind in its group is killed with its end, also when this future is dropped.
///
/// # Errors
/// What the system says when the program cannot be started.
pub async fn run(
    program: &Program,
    mut job: Job,
    guard: Option<&Guard>,
    stop: impl Future<Output = ()>,
) -> io::Result<Ran> {
    let watched = guard.map(Guard::watch);
    let mut child = start(program, &mut job, watched.as_ref())?;
    let group = Group::led_by(child.id(), watched.as_ref());
    let (input, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut head, mut tail) = (Head::default(), Tail::default());
    let reading = async {
        let out = async {
            if let Some(stdout) = stdout {
                head.read(stdout, limits::STDOUT_BYTES).await;
            }
        };
        let err = async {
            if let Some(stderr) = stderr {
                tail.read(stderr, limits::STDERR_BYTES).await;
            }
        };
        tokio::join!(feed(input, program.opening(), &job.input), out, err)
    };
    let ending = async {
        let end = watch(&mut child, group.as_ref(), job.grace, stop).await;
        // Ends what the command left behind, so that its pipes close.
        drop(group);
        end
    };
    let (status, stopped) = {
        tokio::pin!(reading);
        let mut read = false;
        tokio::pin!(ending);
        let end = loop {
            tokio::select! {
                end = &mut ending => break end?,
                _ = &mut reading, if !read => read = true,
            }
        };
        if !read {
            // A process outside the group keeps a pipe open: what it says later is not ours.
            let _ = timeout(limits::OUTPUT_GRACE, reading).await;
        }
        end
    };
    Ok(Ran {
        status,
        stdout: head.kept,
        stdout_total: head.total,
        stderr: tail.into_text(),
        stopped,
    })
}

fn start(program: &Program, job: &mut Job, watch: Option<&Watch<'_>>) -> io::Result<Child> {
    let mut command = program.command();
    match job.log.take() {
        Some(log) => command.stdout(log.try_clone()?).stderr(log),
        None => command.stdout(Stdio::piped()).stderr(Stdio::piped()),
    };
    if let Some((name, value)) = watch.map(Watch::variable) {
        command.env(name, value);
    }
    command
        .envs(job.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// A command need not read its input.
async fn feed(input: Option<ChildStdin>, opening: &[u8], bytes: &[u8]) {
    if let Some(mut input) = input
        && input.write_all(opening).await.is_ok()
    {
        let _ = input.write_all(bytes).await;
    }
}

/// Waits for the end; says whether it was asked for.
async fn watch(
    child: &mut Child,
    group: Option<&Group<'_>>,
    grace: Duration,
    stop: impl Future<Output = ()>,
) -> io::Result<(ExitStatus, bool)> {
    tokio::select! {
        biased;
        status = child.wait() => return Ok((status?, false)),
        () = stop => {}
    }
    if let Some(group) = group {
        group.terminate();
    }
    tokio::select! {
        biased;
        status = child.wait() => return Ok((status?, true)),
        () = sleep(grace) => {}
    }
    if let Some(group) = group {
        group.kill();
    }
    Ok((child.wait().await?, true))
}
