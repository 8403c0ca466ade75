use std::path::PathBuf;
use std::time::{Duration, Instant};

use russet::wire::{Json, ListTasks, StatusCounts, TaskView};
use russet::{Client, Error};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::any_node;
use crate::cluster::Nodes;
use crate::history::{Found, History};
use crate::load::{Load, QUEUE, Tasks};
use crate::random::Random;
use crate::wait::{self, PATIENCE};
use crate::{journal, worker::Workers};

/// Fewest submissions that a scenario is to have: with fewer it shows nothing.
const LEAST: usize = 50;

/// Nodes and workers under load.
pub struct Stage {
    pub nodes: Nodes,
    pub workers: Workers,
    pub random: Random,
    what: &'static str,
    started: Instant,
    load: Load,
    runtime: Runtime,
    folder: TempDir,
}

impl Stage {
    /// Starts workers and clients for these nodes.
    pub fn start(what: &'static str, seed: u64, nodes: Nodes, workers: usize) -> Self {
        Self::start_with(what, seed, nodes, workers, Tasks::Apart)
    }

    /// The same with tasks of this kind.
    pub fn start_with(
        what: &'static str,
        seed: u64,
        nodes: Nodes,
        workers: usize,
        tasks: Tasks,
    ) -> Self {
        let mut random = Random::seeded(what, seed);
        let folder = tempfile::tempdir().expect("a folder");
        let urls = nodes.urls();
        let runtime = Runtime::new().expect("a runtime");
        Self {
            workers: Workers::start(workers, &urls, &path(&folder)),
            load: Load::start(&runtime, 3, &urls, tasks, &mut random),
            started: Instant::now(),
            what,
            nodes,
            random,
            runtime,
            folder,
        }
    }

    /// How long the load has lasted.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Stops the load, waits until everything has ended, and collects what is known.
    pub fn finish(self) -> History {
        let submissions = self.load.stop(&self.runtime);
        let client = any_node::client(&self.nodes.urls(), 0, None);
        wait::until("every task ends", || {
            let counts = self.runtime.block_on(counts(&client));
            counts.is_ok_and(|c| c.blocked + c.scheduled + c.queued + c.running == 0)
        });
        let found = self.runtime.block_on(tasks(&client));
        let counts = self.runtime.block_on(counts(&client)).expect("counters");
        drop(self.workers);
        let (begun, accepted) = journal::read(&path(&self.folder));
        let history = History {
            submissions,
            begun,
            accepted,
            found: found.into_iter().map(found_task).collect(),
            counted: by_name(counts),
        };
        println!(
            "{}: {} submissions, {} tasks, {} attempts, {} completions in {:?}",
            self.what,
            history.submissions.len(),
            history.found.len(),
            history.begun.len(),
            history.completions().len(),
            self.started.elapsed()
        );
        assert!(history.submissions.len() >= LEAST, "hardly any load");
        history
    }
}

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("journal")
}

async fn counts(client: &Client) -> Result<StatusCounts, Error> {
    Ok(client.queue(QUEUE).await?.counts)
}

async fn tasks(client: &Client) -> Vec<TaskView> {
    let (mut all, mut after) = (Vec::new(), None);
    let until = Instant::now() + PATIENCE;
    loop {
        let request = ListTasks {
            queue: Some(QUEUE.to_owned()),
            limit: Some(1_000),
            after: after.clone(),
            ..ListTasks::default()
        };
        let page = match client.list(request).await {
            Ok(page) => page,
            Err(error) => {
                assert!(Instant::now() < until, "tasks cannot be listed: {error}");
                continue;
            }
        };
        all.extend(page.items);
        match page.next {
            Some(next) => after = Some(next.to_string()),
            None => return all,
        }
    }
}

fn found_task(view: TaskView) -> Found {
    let read = |json: &Json| serde_json::from_str(json.as_str()).expect("the attempt");
    Found {
        id: view.id,
        status: view.status,
        attempt: view.attempt,
        script: view.payload.expect("a payload").parse().expect("a script"),
        result: view.result.as_ref().map(read),
        submitted: view.created_at.timestamp().as_millis(),
        ended: view.completed_at.map(|at| at.timestamp().as_millis()),
    }
}

fn by_name(counts: StatusCounts) -> std::collections::BTreeMap<&'static str, u64> {
    [
        ("blocked", counts.blocked),
        ("scheduled", counts.scheduled),
        ("queued", counts.queued),
        ("running", counts.running),
        ("succeeded", counts.succeeded),
        ("dead", counts.dead),
        ("cancelled", counts.cancelled),
    ]
    .into()
}
