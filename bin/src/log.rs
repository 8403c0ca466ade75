//! Structured logs, on standard error.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The variable that says what is logged, such as `info` or `russet_engine=debug,warn`.
pub const FILTER: &str = "RUSSET_LOG";

/// The levels, as people are told of them.
const LEVELS: &str = "error, warn, info, debug, trace or off";

/// What is logged from `info` on even where everything else is logged.
const QUIET: &str = "hyper=info,hyper_util=info";

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
    /// [`FILTER`] has a word that is no level.
    #[error(
        "{FILTER}={value:?}: {word:?} is not a level: write {LEVELS}, or a level for a part, as in {FILTER}=russet_engine=debug,info"
    )]
    Level {
        /// Its value.
        value: String,
        /// The word.
        word: String,
    },
}

/// What [`FILTER`] asks for. Below `info` the HTTP library tells of every byte: it does so only
/// where the filter names it. What the AWS library would tell of credentials is never logged.
fn filter(value: &str) -> Result<EnvFilter, LogError> {
    let wrong = |error: ParseError| LogError::Filter {
        value: value.to_owned(),
        why: error.to_string(),
    };
    // Checked as it was written, so that an error is about that.
    let asked: EnvFilter = value.parse().map_err(wrong)?;
    if let Some(word) = no_level(value) {
        return Err(LogError::Level {
            value: value.to_owned(),
            word: word.to_owned(),
        });
    }
    let secretive = match value.to_ascii_lowercase().contains("trace") {
        true => format!(",{}", russet_backends::aws::QUIET),
        false => String::new(),
    };
    let mut directives = value.split(',').map(str::trim);
    let is_deep = |level: &str| ["debug", "trace"].contains(&level.to_ascii_lowercase().as_str());
    match directives.any(is_deep) {
        true => format!("{QUIET},{value}{secretive}").parse().map_err(wrong),
        false if secretive.is_empty() => Ok(asked),
        false => format!("{value}{secretive}").parse().map_err(wrong),
    }
}

/// A word by itself that was meant as a level and is none. As a filter it would be a part of
/// that name, and nothing else would be logged.
fn no_level(value: &str) -> Option<&str> {
    let mut words = value.split(',').map(str::trim);
    words.find(|word| {
        let is_bare = !word.is_empty() && !word.contains(['=', '[']);
        let is_ours = *word == "russet" || word.starts_with("russet_") || word.contains("::");
        is_bare && !is_ours && word.parse::<LevelFilter>().is_err()
    })
}

/// Starts logging: what [`FILTER`] says, or `otherwise`, when it says nothing.
///
/// # Errors
/// A filter that cannot be read.
pub fn start(format: LogFormat, otherwise: &str) -> Result<(), LogError> {
    let filter = match std::env::var(FILTER) {
        Ok(value) if !value.trim().is_empty() => filter(&value)?,
        _ => EnvFilter::new(otherwise),
    };
    let registry = tracing_subscriber::registry().with(filter);
    // A line that cannot be written would be complained of where it could not be written either.
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(stderr)
        .log_internal_errors(false);
    // A second start in one process (as in tests) keeps the first.
    let _ = match format {
        LogFormat::Text => registry
            .with(lines.with_ansi(stderr().is_terminal()))
            .try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_http_library_is_quiet_unless_it_is_named() {
        let filter = |value| filter(value).expect("is a filter").to_string();
        for value in ["debug", "russet=info,TRACE"] {
            let text = filter(value);
            assert!(text.contains("hyper=info"), "{value}: {text}");
        }
        assert!(!filter("debug,hyper=trace").contains("hyper=info"));
        assert!(!filter("warn").contains("hyper"));
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_and_a_part_of_russet_is_none() {
        for (value, word) in [
            ("verbose", "verbose"),
            ("russet_engine=debug,warning", "warning"),
            ("hyper , info", "hyper"),
        ] {
            let refused = filter(value).expect_err("no level").to_string();
            assert!(
                refused.contains(&format!("{word:?} is not a level")),
                "{refused}"
            );
        }
        for value in [
            "info",
            "OFF",
            "russet_engine=debug,info",
            "russet_engine, warn",
            "russet::worker",
            "debug,",
            "[request]=debug,warn",
            "russet[task{id}]=debug",
        ] {
            filter(value).expect(value);
        }
    }

    #[test]
    fn credentials_are_not_logged_whatever_is_asked_for() {
        for value in ["trace", "warn,aws_sigv4=trace", "aws_smithy_runtime=TRACE"] {
            let filter = filter(value).expect("is a filter").to_string();
            for part in russet_backends::aws::QUIET.split(',') {
                assert!(filter.contains(part), "{value}: {filter}");
            }
            assert!(!filter.contains("aws_sigv4=trace"), "{filter}");
        }
    }
}
