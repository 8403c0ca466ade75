//! One command, from its start to its end.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin};
use tokio::time::{Duration, sleep, timeout};

use super::group::Group;
use super::guard::Watch;
use super::output::{Head, Tail};
use super::{Guard, Program, limits};

/// What a command gets.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// Its standard input.
    pub input: Bytes,
    /// Variables beside those that it inherits.
    pub environment: Vec<(String, String)>,
    /// Where it runs; `None`: where this process runs.
    pub directory: Option<PathBuf>,
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

/// Runs `program` in a process group of its own until it exits. When `stop` is ready the group
/// gets SIGTERM, and SIGKILL when it is still there after the grace. What a command leaves
/// behind in its group is killed with its end, also when this future is dropped.
///
/// # Errors
/// What the system says when the program cannot be started.
pub async fn run(
    program: &Program,
    job: Job,
    guard: Option<&Guard>,
    stop: impl Future<Output = ()>,
) -> io::Result<Ran> {
    let watched = guard.map(Guard::watch);
    let mut child = start(program, &job, watched.as_ref())?;
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
        tokio::join!(feed(input, &job.input), out, err)
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

fn start(program: &Program, job: &Job, watch: Option<&Watch<'_>>) -> io::Result<Child> {
    let mut command = program.command();
    if let Some(directory) = &job.directory {
        command.current_dir(directory);
    }
    if let Some((name, value)) = watch.map(Watch::variable) {
        command.env(name, value);
    }
    command
        .envs(job.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// A command need not read its input.
async fn feed(input: Option<ChildStdin>, bytes: &[u8]) {
    if let Some(mut input) = input {
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
