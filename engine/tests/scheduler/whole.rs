//! A node of which a part meets a broken invariant.

use std::sync::Arc;
use std::time::Duration;

use russet_backends::memory::Memory;
use russet_engine::core::*;
use russet_engine::*;
use tokio::time::timeout;

use crate::world::{Seeded, TokioClock, one, queue};

/// Panics when a task of this type is decided about, as a broken invariant does.
struct Bug(TaskType);

impl Recorder for Bug {
    fn record(&self, recorded: Recorded) {
        if let Command::Submit(submit) = recorded.command {
            let met = submit.tasks.iter().any(|task| task.kind == self.0);
            assert!(!met, "broken invariant: this is a test of one");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_met_a_broken_invariant_says_so_and_is_not_ready() {
    let clock = Arc::new(TokioClock(tokio::time::Instant::now()));
    let memory = Memory::new(1, clock.clone());
    let backend = Backend {
        store: memory.clone(),
        queue: memory,
    };
    let kind = |name| TaskType::new(name).expect("a name");
    let start = |bug: Option<Arc<dyn Recorder>>| {
        let configuration = Configuration {
            recorder: bug,
            ..Configuration::default()
        };
        let entropy = Arc::new(Seeded::new(1));
        Scheduler::start(backend.clone(), configuration, clock.clone(), entropy)
    };
    let node = start(Some(Arc::new(Bug(kind("bad")))));
    let task = |name| {
        let id = node.new_task_id(None, None);
        one(NewTask::new(
            id,
            kind(name),
            queue(),
            b"{}".as_slice().into(),
        ))
    };
    let good = node.submit(task("good")).await.expect("is accepted").tasks[0];
    node.ready().await.expect("it is whole");
    let soon = Duration::from_secs(1);
    assert!(timeout(soon, node.broken()).await.is_err());

    let bad = task("bad");
    node.submit(bad.clone()).await.expect_err("nobody answers");
    timeout(soon, node.broken()).await.expect("it is told");
    assert!(node.is_broken());
    assert_eq!(node.ready().await, Err(EngineError::Broken));
    timeout(soon, node.stop()).await.expect("it can be stopped");

    let next = start(None);
    let kept = next.get(good).await.expect("answers").expect("is kept");
    assert_eq!(kept.status, Status::Queued);
    next.submit(bad).await.expect("another node goes on");
}
