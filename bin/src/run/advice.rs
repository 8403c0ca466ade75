//! What can be done about a run that did not do everything.

use std::path::Path;

use super::summary::Summary;
use crate::text::aside;

/// How to go on with a run that was stopped.
pub(super) fn stopped() {
    aside(format_args!("stopped; to go on: {}", command(None)));
}

/// That there was nothing to do.
pub(super) fn had_ended(name: &str, dir: &Path, summary: &Summary) {
    let dir = dir.display();
    if summary.is_success() {
        return aside(format_args!(
            "{name}: already done in {dir}; --fresh starts over"
        ));
    }
    aside(format_args!(
        "{name}: already ended in {dir}: {}; fix the cause and run again with --retry-failed (finished tasks are kept), or --fresh to start over",
        summary.unsuccessful()
    ));
}

/// How to go on when everything is done that could be.
pub(super) fn unsuccessful(summary: &Summary) {
    if summary.has_failures() {
        aside(format_args!(
            "to run what did not succeed once more, when the cause is gone: {} --retry-failed",
            command(None)
        ));
    }
    let left = summary.left();
    if !left.is_empty() {
        aside(format_args!(
            "to go on where there is more: {}",
            command(Some(&left.enough))
        ));
    }
}

/// The command line that goes on with this run, with another capacity if need be.
fn command(capacity: Option<&str>) -> String {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let words = again(words, capacity);
    let words = words.iter().map(String::as_str);
    shlex::try_join(words).unwrap_or_else(|_| "the same command".to_owned())
}

/// The words of a command line but for what is to be done once, and with another capacity if
/// need be.
fn again(mut words: impl Iterator<Item = String>, capacity: Option<&str>) -> Vec<String> {
    let mut again = Vec::new();
    while let Some(word) = words.next() {
        let is_capacity = word == "--capacity" || word.starts_with("--capacity=");
        match (word.as_str(), capacity) {
            ("--fresh" | "--retry-failed", _) => {}
            (_, Some(capacity)) if is_capacity => {
                if word == "--capacity" {
                    words.next();
                }
                again.extend(["--capacity".to_owned(), capacity.to_owned()]);
            }
            _ => again.push(word),
        }
    }
    again
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_goes_on_without_what_is_done_once() {
        for (given, capacity, expected) in [
            ("russet run --fresh w", None, "russet run w"),
            (
                "russet run w --retry-failed --json",
                None,
                "russet run w --json",
            ),
            (
                "russet run w --capacity cpu=1",
                None,
                "russet run w --capacity cpu=1",
            ),
            (
                "russet run --capacity cpu=1 --fresh w",
                Some("cpu=2"),
                "russet run --capacity cpu=2 w",
            ),
            (
                "russet run --capacity=cpu=1 w",
                Some("cpu=2"),
                "russet run --capacity cpu=2 w",
            ),
        ] {
            let words = given.split(' ').map(str::to_owned);
            assert_eq!(again(words, capacity).join(" "), expected);
        }
    }
}
