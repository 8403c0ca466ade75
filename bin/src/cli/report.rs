//! What commands print on standard output.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde::Serialize;

use super::{CliError, Global};
use crate::text::aside;

/// Whether whoever read standard output has gone.
static UNREAD: AtomicBool = AtomicBool::new(false);

/// Prints a line.
pub(super) fn line(text: impl std::fmt::Display) -> Result<(), CliError> {
    self::text(format_args!("{text}\n"))
}

/// Prints text that ends its own lines. What a command does, and how it ends, does not depend on
/// somebody reading it: where nobody does any more, nothing is printed. See [`while_read`].
pub(super) fn text(text: impl std::fmt::Display) -> Result<(), CliError> {
    if UNREAD.load(Ordering::Relaxed) {
        return Ok(());
    }
    match write!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            UNREAD.store(true, Ordering::Relaxed);
            Ok(())
        }
        told => told.map_err(CliError::Output),
    }
}

/// Ends a command that is there for what it prints alone, once nobody reads it any more.
pub(super) fn while_read() -> Result<(), CliError> {
    match UNREAD.load(Ordering::Relaxed) {
        true => Err(CliError::Output(io::ErrorKind::BrokenPipe.into())),
        false => Ok(()),
    }
}

/// Prints one JSON document on one line.
pub(super) fn json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value).map_err(|error| CliError::Output(error.into()))?;
    line(text)
}

/// Prints `value` as JSON if that was asked for, nothing if silence was, or else `plain`.
pub(super) fn either<T: Serialize>(
    global: &Global,
    value: &T,
    plain: impl FnOnce(&T) -> String,
) -> Result<(), CliError> {
    if global.json {
        return json(value);
    }
    if global.quiet {
        return Ok(());
    }
    text(plain(value))
}

/// Tells on standard error what keeps accepted tasks from running.
pub(super) fn warnings(warnings: &[String]) {
    for warning in warnings {
        aside(format_args!("warning: {warning}"));
    }
}

/// What became of a submission, in words.
pub(super) const fn submitted(existing: bool) -> &'static str {
    match existing {
        false => "submitted",
        true => "had been submitted before",
    }
}

/// Says what is submitted and waited for, before the wait: whoever stops waiting can still find
/// it.
pub(super) fn waiting_for(
    global: &Global,
    id: impl std::fmt::Display,
    existing: bool,
) -> Result<(), CliError> {
    let submitted = submitted(existing);
    match (global.json, global.quiet) {
        (true, _) => {}
        (false, true) => line(id)?,
        (false, false) => aside(format_args!("{id} {submitted}, waiting for its end")),
    }
    Ok(())
}

/// The time by which relative times are said.
pub(super) fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// How far long work is, on a terminal and for people only.
pub(super) fn progress(global: &Global, total: u64, what: &str) -> ProgressBar {
    if global.json || global.quiet || total == 0 || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template =
        format!("{{wide_bar}} {{human_pos}}/{{human_len}} {what}, {{rate}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // Writing to a terminal's buffer does not fail.
        let _ = write!(out, "{:.0}/s", state.per_sec());
    };
    ProgressBar::new(total).with_style(style.with_key("rate", rate))
}
