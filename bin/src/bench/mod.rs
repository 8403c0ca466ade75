//! `russet bench`: measures this machine's Russet beside yardsticks taken in the same run.
//! One suite a file.

mod core;
mod disk;
mod embedded;
mod figure;
mod http;
mod latency;
pub mod limits;
mod lives;
mod memory;
mod processes;
mod redis;
mod size;
mod wire;
mod workflow;

use std::path::PathBuf;
use std::time::Duration;

pub use figure::{Against, Figure, Target};
pub use processes::play;

/// What to measure, and how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// The suites; all of them when empty.
    pub suites: Vec<Suite>,
    /// How long each timed part runs.
    pub time: Duration,
    /// How many times each suite runs; the median of each figure is kept.
    pub repeats: u32,
    /// Tasks in the suite `size`.
    pub tasks: u64,
    /// Where temporary data goes; it decides which disk is measured.
    pub folder: PathBuf,
    /// The server of the suite `redis`.
    pub redis: Option<String>,
    /// With what all names begin that [`Role::ServeRedis`] makes there.
    pub prefix: String,
}

/// A group of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Suite {
    /// Decisions a second of the rules alone.
    Core,
    /// Task lives through the engine, in memory.
    Memory,
    /// Task lives and record writes on the embedded store, beside bare redb and fdatasync.
    Embedded,
    /// One wide workflow beside as many single tasks.
    Workflow,
    /// Memory and opening time of very many queued tasks.
    Size,
    /// Single-task producers and a worker process over HTTP, beside an empty endpoint.
    Http,
    /// Submit to start, and timers, at idle.
    Latency,
    /// Task lives on a Redis server, beside empty scripts; what they cost it.
    Redis,
}

impl Suite {
    /// Those that need nothing but this machine.
    const OWN: [Self; 7] = [
        Self::Core,
        Self::Memory,
        Self::Embedded,
        Self::Workflow,
        Self::Size,
        Self::Http,
        Self::Latency,
    ];
}

/// What another process of a benchmark does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Serves on the memory backend.
    ServeMemory,
    /// Serves on the embedded backend.
    ServeEmbedded,
    /// Serves on a Redis server.
    ServeRedis,
    /// Completes tasks at once.
    Worker,
    /// Measures the memory of queued tasks.
    MemorySize,
    /// Fills an embedded store.
    Fill,
    /// Opens an embedded store.
    Open,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::ServeMemory => "serve-memory",
            Self::ServeEmbedded => "serve-embedded",
            Self::ServeRedis => "serve-redis",
            Self::Worker => "worker",
            Self::MemorySize => "memory-size",
            Self::Fill => "fill",
            Self::Open => "open",
        }
    }
}

/// Why a benchmark could not be taken.
#[derive(Debug, thiserror::Error)]
#[error("the suite {suite:?} could not be measured: {why}")]
pub struct BenchError {
    /// The suite.
    pub suite: Suite,
    /// What went wrong.
    pub why: String,
}

/// Whatever goes wrong in a benchmark ends it.
type Measured<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Takes the figures, suite by suite; `each` is called with those of a suite when its
/// repeats are done.
///
/// # Errors
/// The first suite that could not be measured.
pub fn run(options: &Options, mut each: impl FnMut(Suite, &[Figure])) -> Result<(), BenchError> {
    let redis = options.redis.as_ref().map(|_| Suite::Redis);
    let all: Vec<Suite> = Suite::OWN.into_iter().chain(redis).collect();
    let suites = if options.suites.is_empty() {
        &all
    } else {
        &options.suites
    };
    for suite in suites {
        let mut runs = Vec::new();
        for _ in 0..options.repeats {
            let figures = measure(*suite, options);
            let why = |error: Box<dyn std::error::Error + Send + Sync>| error.to_string();
            runs.push(figures.map_err(|e| BenchError {
                suite: *suite,
                why: why(e),
            })?);
        }
        each(*suite, &figure::medians(runs));
    }
    Ok(())
}

fn measure(suite: Suite, options: &Options) -> Measured<Vec<Figure>> {
    match suite {
        Suite::Core => core::measure(options),
        Suite::Memory => memory::measure(options),
        Suite::Embedded => embedded::measure(options),
        Suite::Workflow => workflow::measure(options),
        Suite::Size => size::measure(options),
        Suite::Http => http::measure(options),
        Suite::Latency => latency::measure(options),
        Suite::Redis => redis::measure(options),
    }
}

/// A runtime as `russet serve` has it.
fn runtime() -> Measured<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}
