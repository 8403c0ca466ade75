//! Workers in processes of their own: this test binary, started once more.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use russet::{BoxError, TaskContext, TaskFailure, TaskOutput, Worker};

use crate::any_node;
use crate::journal::{Begun, Journal};
use crate::load::{QUEUE, Script};

/// Addresses of the nodes, for a worker process.
const NODES: &str = "CHAOS_NODES";
/// Where a worker process writes.
const JOURNAL: &str = "CHAOS_JOURNAL";

/// What the other tests start; by itself it has nobody to work for.
#[tokio::test]
async fn a_worker_process() {
    let Ok(nodes) = std::env::var(NODES) else {
        return;
    };
    let nodes: Vec<String> = nodes.split(',').map(str::to_owned).collect();
    let path = PathBuf::from(std::env::var_os(JOURNAL).expect("a journal"));
    let journal = Journal::open(&path);
    let first = std::process::id() as usize;
    let client = any_node::client(&nodes, first, Some(journal.clone()));
    let worker = Worker::new(client)
        .queue(QUEUE)
        .concurrency(8)
        .poll_wait(Duration::from_secs(1))
        .service_for_others(tower::service_fn(move |task| handle(journal.clone(), task)));
    worker.run_until(owner_gone()).await.expect("works");
}

async fn handle(journal: Journal, task: TaskContext) -> Result<TaskOutput, BoxError> {
    let script: Script = task.payload()?;
    let view = task.task();
    let granted = view.started_at.expect("it has been started");
    journal.begun(&Begun {
        task: task.id(),
        attempt: task.attempt(),
        name: script.name.clone(),
        granted: granted.timestamp().as_millis(),
    });
    tokio::time::sleep(Duration::from_millis(script.work_ms)).await;
    if view.retry_count < script.failures {
        return Err(TaskFailure::retry_after("as it says", Duration::from_millis(50)).into());
    }
    if script.dies {
        return Err(TaskFailure::final_("as it says").into());
    }
    Ok(TaskOutput::of(&task.attempt())?)
}

/// Waits until whoever started this process has ended.
async fn owner_gone() {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    // However it ends, nobody is there any more.
    let _ = read.await;
}

/// Worker processes.
pub struct Workers {
    nodes: String,
    journal: PathBuf,
    processes: Vec<Child>,
}

impl Workers {
    pub fn start(count: usize, nodes: &[String], journal: &Path) -> Self {
        let (nodes, journal) = (nodes.join(","), journal.to_owned());
        let processes = (0..count).map(|_| spawn(&nodes, &journal)).collect();
        Self {
            nodes,
            journal,
            processes,
        }
    }

    /// Ends one as `kill -9` does, and starts another.
    pub fn replace(&mut self, at: usize) {
        let at = at % self.processes.len();
        kill(&mut self.processes[at]);
        self.processes[at] = spawn(&self.nodes, &self.journal);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.processes.iter_mut().for_each(kill);
    }
}

fn spawn(nodes: &str, journal: &Path) -> Child {
    let own = std::env::current_exe().expect("this test binary");
    let mut command = Command::new(own);
    command
        .args(["--exact", "worker::a_worker_process"])
        .env(NODES, nodes)
        .env(JOURNAL, journal)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().expect("a worker starts")
}

fn kill(process: &mut Child) {
    // It may have ended by itself.
    let _ = process.kill();
    let _ = process.wait();
}
