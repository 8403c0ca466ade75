//! Task lives through the engine on the memory backend.

use std::sync::Arc;

use russet_backends::memory::Memory;
use russet_engine::{Backend, SystemClock};

use super::figure::Target;
use super::lives::{rate, scheduler};
use super::{Figure, Measured, Options, runtime};

const CALLERS: usize = 64;
const TARGET: f64 = 200_000.0;

pub(super) fn measure(options: &Options) -> Measured<Vec<Figure>> {
    let partitions = std::thread::available_parallelism()?.get() as u16;
    let lives = lives(options, partitions)?;
    let name = format!("memory: task lives, {CALLERS} callers, {partitions} partitions");
    let figure = Figure::new(name, lives, "/s");
    let single = self::lives(options, 1)?;
    let one = Figure::new(
        format!("memory: task lives, {CALLERS} callers, 1 partition"),
        single,
        "/s",
    );
    Ok(vec![
        figure.against("200,000 a second", TARGET, Target::AtLeast(1.0)),
        one,
    ])
}

fn lives(options: &Options, partitions: u16) -> Measured<f64> {
    let time = options.time;
    runtime()?.block_on(async move {
        let memory = Memory::new(partitions, Arc::new(SystemClock));
        let backend = Backend {
            store: memory.clone(),
            queue: memory,
        };
        let scheduler = scheduler(backend);
        let lives = rate(&scheduler, CALLERS, time).await?;
        scheduler.stop().await;
        Ok(lives)
    })
}
