//! One workflow of 10,000 tasks with a fan-out and a fan-in of nearly as many, beside as many
//! single tasks, both through the memory backend in large batches.

use std::sync::Arc;
use std::time::Instant;

use russet_backends::memory::Memory;
use russet_core::{Dependency, DependencyOn, NewTask, NewWorkflow, Submit, TaskId};
use russet_engine::{Backend, Scheduler, SystemClock};

use super::figure::{Target, percentile};
use super::lives::{Maker, drain, scheduler};
use super::{Figure, Measured, Options, runtime};

const TASKS: usize = 10_000;
/// How often both are measured, in turn; the medians count.
const ROUNDS: usize = 9;

pub(super) fn measure(_: &Options) -> Measured<Vec<Figure>> {
    runtime()?.block_on(async {
        let maker = Maker::new()?;
        let (mut single, mut wide) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let times = [
                timed(&maker, Shape::Single).await?,
                timed(&maker, Shape::Wide).await?,
            ];
            // In the first round memory is new to the process.
            if round > 0 {
                single.push(times[0]);
                wide.push(times[1]);
            }
        }
        let (single, wide) = (percentile(&mut single, 0.5), percentile(&mut wide, 0.5));
        let per_task = |seconds: f64| seconds * 1e6 / TASKS as f64;
        Ok(vec![
            Figure::new(
                "workflow: 10,000 single tasks, each",
                per_task(single),
                "µs",
            ),
            Figure::new(
                "workflow: fan-out and fan-in of 9,998, each task",
                per_task(wide),
                "µs",
            )
            .against("single tasks", per_task(single), Target::AtMost(2.0)),
        ])
    })
}

#[derive(Clone, Copy)]
enum Shape {
    Single,
    Wide,
}

async fn timed(maker: &Maker, shape: Shape) -> Measured<f64> {
    let memory = Memory::new(1, Arc::new(SystemClock));
    let scheduler = scheduler(Backend {
        store: memory.clone(),
        queue: memory,
    });
    let start = Instant::now();
    match shape {
        Shape::Single => singles(&scheduler, maker).await?,
        Shape::Wide => {
            scheduler.submit(wide(&scheduler, maker)).await?;
        }
    }
    drain(&scheduler, maker, TASKS).await?;
    let elapsed = start.elapsed().as_secs_f64();
    scheduler.stop().await;
    Ok(elapsed)
}

async fn singles(scheduler: &Scheduler, maker: &Maker) -> Measured<()> {
    for _ in 0..TASKS / 1_000 {
        let tasks = (0..1_000).map(|_| maker.task(scheduler)).collect();
        for result in scheduler.submit_each(tasks).await {
            result?;
        }
    }
    Ok(())
}

fn wide(scheduler: &Scheduler, maker: &Maker) -> Submit {
    let id = scheduler.new_workflow_id(None, None);
    let task = || NewTask {
        id: scheduler.new_task_id_in(id.partition()),
        ..maker.task(scheduler)
    };
    let after = |task: TaskId| Dependency {
        task,
        on: DependencyOn::Success,
    };
    let root = task();
    let middle = (0..TASKS - 2).map(|_| NewTask {
        dependencies: vec![after(root.id)],
        ..task()
    });
    let middle: Vec<_> = middle.collect();
    let last = NewTask {
        dependencies: middle.iter().map(|t| after(t.id)).collect(),
        ..task()
    };
    let tasks = [root].into_iter().chain(middle).chain([last]).collect();
    Submit {
        workflow: Some(NewWorkflow {
            id,
            name: None,
            idempotency: None,
        }),
        tasks,
    }
}
