//! Structured logs, on standard error.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The variable that says what is logged, such as `info` or `russet_engine=debug,warn`.
pub const FILTER: &str = "RUSSET_LOG";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people on a terminal, plain lines elsewhere.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// [`FILTER`] has a value that cannot be.
    #[error(
        "{FILTER}={value:?} is not a filter: {why}; write for example {FILTER}=info or {FILTER}=russet_engine=debug,warn"
    )]
    Filter {
        /// Its value.
        value: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Starts logging: what [`FILTER`] says, or `otherwise`, when it says nothing.
///
/// # Errors
/// A filter that cannot be read.
pub fn start(format: LogFormat, otherwise: &str) -> Result<(), LogError> {
    let filter = match std::env::var(FILTER) {
        Ok(value) if !value.trim().is_empty() => {
            value
                .parse::<EnvFilter>()
                .map_err(|error| LogError::Filter {
                    why: error.to_string(),
                    value,
                })?
        }
        _ => EnvFilter::new(otherwise),
    };
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr);
    // A second start in one process (as in tests) keeps the first.
    let _ = match format {
        LogFormat::Text => registry
            .with(lines.with_ansi(stderr().is_terminal()))
            .try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
    Ok(())
}
