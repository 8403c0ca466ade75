//! Very many queued tasks: what each takes of a process's memory, and how long a file of
//! them takes to open. Each is measured in a process of its own.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use russet_backends::embedded::{Embedded, EmbeddedOptions};
use russet_backends::memory::Memory;
use russet_core::NewTask;
use russet_engine::{Backend, Scheduler, SystemClock};

use super::figure::Target;
use super::lives::{Maker, scheduler};
use super::{Figure, Measured, Options, Role, runtime};

const BATCH: u64 = 1_000;
const MEMORY_TARGET: f64 = 1_024.0;
const OPEN_TARGET: f64 = 10.0;

pub(super) fn measure(options: &Options) -> Measured<Vec<Figure>> {
    let folder = tempfile::tempdir_in(&options.folder)?;
    let (tasks, data) = (options.tasks, folder.path());
    let bytes = in_process(Role::MemorySize, tasks, data)?;
    let filled = in_process(Role::Fill, tasks, data)?;
    let opened = in_process(Role::Open, tasks, data)?;
    let file = std::fs::read_dir(data)?
        .flatten()
        .filter_map(|f| Some(f.metadata().ok()?.len()));
    let file: u64 = file.sum();
    let per_task = |total: f64| total / tasks as f64;
    Ok(vec![
        Figure::new(
            format!("size: memory of each of {tasks} queued tasks"),
            bytes,
            "bytes",
        )
        .against("1 KiB", MEMORY_TARGET, Target::AtMost(1.0)),
        Figure::new(
            format!("size: embedded, filled with {tasks} tasks in"),
            filled,
            "s",
        ),
        Figure::new(
            format!("size: embedded, opened with {tasks} tasks in"),
            opened,
            "s",
        )
        .against("10 s", OPEN_TARGET, Target::AtMost(1.0)),
        Figure::new(
            "size: embedded, file for each task",
            per_task(file as f64),
            "bytes",
        ),
    ])
}

/// Runs a role in a process of its own and reads the number that it prints.
fn in_process(role: Role, tasks: u64, data: &Path) -> Measured<f64> {
    let (name, tasks) = (role.name(), tasks.to_string());
    let output = Command::new(std::env::current_exe()?)
        .args(["bench", "--role", name, "--tasks", &tasks, "--folder"])
        .arg(data)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Bytes of memory that each of very many queued tasks takes.
pub(super) fn memory_size(options: &Options) -> Measured<f64> {
    runtime()?.block_on(async {
        let before = resident()?;
        let memory = Memory::new(1, Arc::new(SystemClock));
        let scheduler = scheduler(Backend {
            store: memory.clone(),
            queue: memory,
        });
        fill(&scheduler, options.tasks).await?;
        Ok((resident()? - before) / options.tasks as f64)
    })
}

/// Seconds to fill an embedded store.
pub(super) fn fill_store(options: &Options) -> Measured<f64> {
    runtime()?.block_on(async {
        let start = Instant::now();
        let embedded = open(options)?;
        let scheduler = scheduler(Backend {
            store: embedded.clone(),
            queue: embedded,
        });
        fill(&scheduler, options.tasks).await?;
        scheduler.stop().await;
        Ok(start.elapsed().as_secs_f64())
    })
}

/// Seconds to open an embedded store.
pub(super) fn open_store(options: &Options) -> Measured<f64> {
    let start = Instant::now();
    let embedded = open(options)?;
    let elapsed = start.elapsed().as_secs_f64();
    drop(embedded);
    Ok(elapsed)
}

fn open(options: &Options) -> Measured<Arc<Embedded>> {
    let clock = Arc::new(SystemClock);
    Ok(Embedded::open(
        &options.folder,
        EmbeddedOptions::default(),
        clock,
    )?)
}

async fn fill(scheduler: &Scheduler, tasks: u64) -> Measured<()> {
    let maker = Maker::new()?;
    for _ in 0..tasks.div_ceil(BATCH) {
        let batch = (0..BATCH).map(|_| {
            // As they come over HTTP, payloads share nothing.
            let task = maker.task(scheduler);
            NewTask {
                payload: task.payload.to_vec().into(),
                ..task
            }
        });
        for result in scheduler.submit_each(batch.collect()).await {
            result?;
        }
    }
    Ok(())
}

/// The resident memory of this process, in bytes.
fn resident() -> Measured<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .and_then(|text| text.split_whitespace().next())
        .ok_or("no VmRSS")?;
    Ok(kib.parse::<f64>()? * 1_024.0)
}
