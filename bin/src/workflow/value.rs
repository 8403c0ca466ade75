use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::limits;
use super::node::{Node, quoted};
use super::parse_duration;

/// A value as wanted, or what is wrong with the one that was found.
pub(super) type Read<T> = Result<T, String>;

pub(super) fn wanted<T>(what: impl fmt::Display, found: impl fmt::Display) -> Read<T> {
    Err(format!("must be {what}, not {found}"))
}

pub(super) fn whole(node: &Node, range: RangeInclusive<u64>, note: &str) -> Read<u64> {
    let (low, high) = (*range.start(), *range.end());
    match node {
        Node::Int(value) => u64::try_from(*value)
            .ok()
            .filter(|value| range.contains(value)),
        _ => None,
    }
    .map_or_else(
        || {
            wanted(
                format_args!("a whole number from {low} to {high}{note}"),
                node,
            )
        },
        Ok,
    )
}

/// A text. A number or truth value must be quoted, as its spelling is lost in YAML (`1.10` is 1.1).
pub(super) fn text(node: &Node) -> Read<&str> {
    match node {
        Node::Text(text) => Ok(text),
        Node::Bool(_) | Node::Int(_) | Node::Float(_) => {
            Err(format!("must be a text: put quotes around {node}"))
        }
        _ => wanted("a text", node),
    }
}

pub(super) fn name(text: &str) -> Read<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    let fits = (1..=limits::NAME_CHARS).contains(&text.len());
    if fits && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    wanted(
        format_args!(
            "1 to {} of the characters A-Z a-z 0-9 . _ : -",
            limits::NAME_CHARS
        ),
        quoted(text),
    )
}

pub(super) fn command(node: &Node) -> Read<String> {
    let command = match node {
        // `run: true` means the shell's `true`.
        Node::Bool(value) => return Ok(value.to_string()),
        Node::Text(text) => text,
        _ => return wanted("a shell command", node),
    };
    if command.trim().is_empty() {
        return Err("is empty: give a shell command".to_owned());
    }
    if command.contains('\0') {
        return Err("has a NUL character, which no shell command can hold".to_owned());
    }
    if command.len() > limits::COMMAND_BYTES {
        return Err(format!(
            "is {} bytes long; the limit is {}: put it into a script and run that",
            command.len(),
            limits::COMMAND_BYTES
        ));
    }
    Ok(command.clone())
}

/// A duration, zero included.
pub(super) fn duration(node: &Node) -> Read<Duration> {
    let parsed = match node {
        Node::Text(text) => parse_duration(text),
        Node::Int(value) => parse_duration(&value.to_string()),
        Node::Float(value) => parse_duration(&value.to_string()),
        _ => return wanted("a duration such as 1.5s or 5m", node),
    };
    parsed.map_err(|error| format!("{node} will not do: {error}"))
}

/// A duration above zero.
pub(super) fn some_duration(node: &Node) -> Read<Duration> {
    let duration = duration(node)?;
    if duration.is_zero() {
        return Err("must be longer than zero; the shortest is 1ms".to_owned());
    }
    Ok(duration)
}

pub(super) fn choice<T: Copy>(node: &Node, choices: &[(&str, T)]) -> Read<T> {
    let found = match node {
        Node::Text(text) => choices.iter().find(|(name, _)| name == text),
        _ => None,
    };
    if let Some((_, value)) = found {
        return Ok(*value);
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    wanted(format_args!("one of {}", names.join(", ")), node)
}

pub(super) fn env_name(text: &str) -> Read<()> {
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if starts && text.bytes().all(allowed) {
        return Ok(());
    }
    Err(
        "is no name of an environment variable: use A-Z a-z 0-9 _, not starting with a digit"
            .to_owned(),
    )
}

pub(super) fn env_value(node: &Node) -> Read<String> {
    let text = text(node)?;
    if text.contains('\0') {
        return Err("has a NUL character, which no environment variable can hold".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        Node::Text(text.to_owned())
    }

    #[test]
    fn a_refused_value_is_named_with_what_is_allowed() {
        assert_eq!(
            whole(&Node::Int(12), 0..=9, " (9 is the most urgent)"),
            Err("must be a whole number from 0 to 9 (9 is the most urgent), not 12".to_owned())
        );
        assert_eq!(
            whole(&Node::Float(2.0), 1..=9, ""),
            Err("must be a whole number from 1 to 9, not 2.0".to_owned())
        );
        assert_eq!(
            text(&Node::Int(8080)),
            Err("must be a text: put quotes around 8080".to_owned())
        );
        assert_eq!(
            duration(&node("5 minutes")),
            Err("\"5 minutes\" will not do: write a duration as 500ms, 2s, 1.5s, 5m, 1h30m, 2d, or a number of seconds".to_owned())
        );
        assert_eq!(
            duration(&Node::Int(999_999_999)),
            Err("999999999 will not do: a duration is at most 3650 days".to_owned())
        );
        assert_eq!(
            duration(&Node::Int(-5)),
            Err(
                "-5 will not do: a duration cannot be negative; it is at most 3650 days".to_owned()
            )
        );
        assert_eq!(
            choice(&node("sucess"), &[("success", 1), ("failure", 2)]),
            Err("must be one of success, failure, not \"sucess\"".to_owned())
        );
        assert_eq!(
            name("a b"),
            Err("must be 1 to 128 of the characters A-Z a-z 0-9 . _ : -, not \"a b\"".to_owned())
        );
    }

    #[test]
    fn only_waiting_times_may_be_zero() {
        assert_eq!(duration(&Node::Int(0)), Ok(Duration::ZERO));
        assert_eq!(
            some_duration(&node("0ms")),
            Err("must be longer than zero; the shortest is 1ms".to_owned())
        );
        assert_eq!(
            some_duration(&Node::Float(0.0005)),
            Ok(Duration::from_millis(1))
        );
    }

    #[test]
    fn a_command_is_a_text_that_a_shell_can_take() {
        assert_eq!(command(&Node::Bool(true)), Ok("true".to_owned()));
        assert_eq!(
            command(&node(" \n")),
            Err("is empty: give a shell command".to_owned())
        );
        assert!(command(&node("a\0b")).is_err());
        assert!(command(&node(&"x".repeat(limits::COMMAND_BYTES))).is_ok());
        assert!(command(&node(&"x".repeat(limits::COMMAND_BYTES + 1))).is_err());
    }

    #[test]
    fn a_long_or_wild_text_is_shown_cut_and_escaped() {
        let shown = quoted(&"é\u{1b}".repeat(100));
        assert!(shown.ends_with("\"…") && !shown.contains('\u{1b}'));
    }
}
