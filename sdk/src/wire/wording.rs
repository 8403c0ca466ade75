//! What the JSON reader says about a value, in the words of the API.

use russet_core::limits as core;

use super::Problem;
use super::names::nearest;
use crate::limits;

/// The problem of a value that is not what its field takes. `path` is where it stands, empty at
/// the top, and `message` what serde says of it, without a position.
pub(super) fn misfit(path: &str, message: &str) -> Problem {
    let Said {
        field,
        problem,
        limit,
        hint,
    } = said(path, message);
    let detail = match (&field, hint.as_ref().or(limit.as_ref())) {
        (Some(field), Some(more)) => format!("{field}: {problem} ({more})"),
        (Some(field), None) => format!("{field}: {problem}"),
        (None, Some(more)) => format!("{problem} ({more})"),
        (None, None) => problem,
    };
    let mut told = Problem::new("invalid", 422, detail);
    told.field = field;
    told.limit = limit;
    told
}

struct Said {
    field: Option<String>,
    problem: String,
    /// What would be accepted.
    limit: Option<String>,
    /// What was probably meant, told in place of the limit.
    hint: Option<String>,
}

fn said(path: &str, message: &str) -> Said {
    let here = Some(path).filter(|path| !path.is_empty());
    let at = |field: Option<String>, problem: String, limit| Said {
        field,
        problem,
        limit,
        hint: None,
    };
    if let Some((name, rest)) = named(message, "unknown field `") {
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        let problem = format!("unknown field `{name}`");
        let limit = Some(known_fields(&known));
        return Said {
            hint: meant(name, &known),
            ..at(unknown_at(here, name), problem, limit)
        };
    }
    if let Some((name, _)) = named(message, "missing field `") {
        let problem = "is missing, and it is required".to_owned();
        return at(below(here, name), problem, None);
    }
    if let Some((name, _)) = named(message, "duplicate field `") {
        return at(
            below(here, name),
            "stands there twice".to_owned(),
            Some("once".to_owned()),
        );
    }
    let field = here.map(str::to_owned);
    let mismatch = ["invalid type: ", "invalid value: "];
    let rest = mismatch
        .iter()
        .find_map(|start| message.strip_prefix(start));
    if let Some((found, wanted)) = rest.and_then(|rest| rest.rsplit_once(", expected ")) {
        let found = value(found);
        return at(
            field,
            format!("{found} will not do"),
            Some(range(path, wanted)),
        );
    }
    if let Some((found, wanted)) = message
        .strip_prefix("unknown variant ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        return at(
            field,
            format!("{found} is unknown"),
            Some(choices(path, wanted).to_owned()),
        );
    }
    if let Some((count, wanted)) = message
        .strip_prefix("invalid length ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        let problem = format!("has {count} items");
        return at(field, problem, Some(wanted.to_owned()));
    }
    if is_number_error(message) {
        let problem = "is not a number that it can be".to_owned();
        return at(field, problem, Some(range(path, "u64")));
    }
    at(field, message.to_owned(), None)
}

/// The name behind `start` and before a backtick, and what follows.
fn named<'a>(message: &'a str, start: &str) -> Option<(&'a str, &'a str)> {
    message.strip_prefix(start)?.split_once('`')
}

/// An unknown field's own path, which the reader may or may not have gone into.
fn unknown_at(here: Option<&str>, name: &str) -> Option<String> {
    let inside = here.filter(|path| {
        let before = path.strip_suffix(name);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    });
    match inside {
        Some(path) if !name.is_empty() => Some(path.to_owned()),
        _ => below(here, name),
    }
}

fn below(here: Option<&str>, name: &str) -> Option<String> {
    match here {
        _ if name.is_empty() => None,
        Some(path) => Some(format!("{path}.{name}")),
        None => Some(name.to_owned()),
    }
}

/// What may stand in place of an unknown field.
fn known_fields(known: &[&str]) -> String {
    match known {
        [] => "nothing is expected here".to_owned(),
        [one] => format!("only `{one}` is expected here"),
        all => format!("known are {}", quoted(all)),
    }
}

/// The known fields that an unknown one was probably meant to be.
fn meant(name: &str, known: &[&str]) -> Option<String> {
    let near = nearest(name, known.iter().copied());
    match near.as_slice() {
        [] => None,
        [near] => Some(format!("did you mean `{near}`?")),
        near => Some(format!("did you mean one of {}?", quoted(near))),
    }
}

fn quoted(names: &[&str]) -> String {
    let each: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    each.join(", ")
}

/// A value as it stands in the request.
fn value(found: &str) -> String {
    let plain = ["integer `", "floating point `", "boolean `", "character `"];
    let inner = plain
        .iter()
        .find_map(|start| found.strip_prefix(start)?.strip_suffix('`'));
    match (inner, found.strip_prefix("string ")) {
        (Some(inner), _) => inner.to_owned(),
        (None, Some(text)) => format!("the text {text}"),
        (None, None) => match found {
            "sequence" => "a list".to_owned(),
            "map" => "an object".to_owned(),
            other => other.to_owned(),
        },
    }
}

/// What a field takes: by its name where it has a limit of its own, by its type otherwise.
fn range(path: &str, wanted: &str) -> String {
    let number = |least: u64, most: u64| format!("a whole number from {least} to {most}");
    let name = path.rsplit('.').next().unwrap_or(path);
    if path.contains("resource_requirements.") {
        return number(1, core::RESOURCE_AMOUNT);
    }
    if path.starts_with("capacity.") {
        return number(0, core::RESOURCE_AMOUNT);
    }
    let most = match wanted {
        "u8" => u64::from(u8::MAX),
        "u16" => u64::from(u16::MAX),
        "u32" => u64::from(u32::MAX),
        "u64" | "usize" => u64::MAX,
        "a string" | "a borrowed string" => return "a text".to_owned(),
        "a boolean" => return "true or false".to_owned(),
        "a sequence" => return "a list".to_owned(),
        "a map" => return "an object".to_owned(),
        "any valid JSON value" => return "any JSON".to_owned(),
        other if other.starts_with("struct ") => return "an object".to_owned(),
        other => return other.to_owned(),
    };
    match name {
        "priority" => number(0, u64::from(core::PRIORITY_MAX)),
        "max_retries" => number(0, u64::from(core::RETRIES_MAX)),
        "percent" | "jitter_percent" => number(0, 100),
        "concurrency" => number(1, u64::from(core::CONCURRENCY_MAX)),
        "max" => number(1, limits::LEASE_TASKS as u64),
        "limit" => number(1, limits::PAGE_TASKS_MAX as u64),
        "wait_ms" => number(0, limits::LEASE_WAIT_MS),
        "visibility_timeout_ms" => number(core::LEASE_MIN.as_millis(), core::LEASE_MAX.as_millis()),
        _ if name.ends_with("_ms") => number(0, core::DURATION_MAX.as_millis()),
        _ => number(0, most),
    }
}

/// What a field takes of a few names. Of the kinds of failures a worker reports only its own.
fn choices<'a>(path: &str, wanted: &'a str) -> &'a str {
    match path.rsplit('.').next() {
        Some("kind") => "failed, final, panicked or timed_out",
        _ => wanted,
    }
}

/// How Rust says that a text is no number: queries are texts.
fn is_number_error(message: &str) -> bool {
    [
        "invalid digit found in string",
        "number too large to fit in target type",
        "cannot parse integer from empty string",
    ]
    .contains(&message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(path: &str, message: &str) -> String {
        misfit(path, message).detail.clone()
    }

    #[test]
    fn a_number_that_cannot_be_is_refused_with_the_limit_of_its_field() {
        assert_eq!(
            detail("max_retries", "invalid value: integer `-1`, expected u32"),
            "max_retries: -1 will not do (a whole number from 0 to 10000)"
        );
        let problem = misfit("priority", "invalid type: string \"9\", expected u8");
        assert_eq!(
            problem.detail,
            "priority: the text \"9\" will not do (a whole number from 0 to 9)"
        );
        assert_eq!(problem.field.as_deref(), Some("priority"));
        let limit = "a whole number from 0 to 9";
        assert_eq!(problem.limit.as_deref(), Some(limit));
        let limited = detail("limit", "invalid digit found in string");
        assert!(
            limited.ends_with("(a whole number from 1 to 1000)"),
            "{limited}"
        );
    }

    #[test]
    fn an_unknown_field_is_answered_with_the_one_that_was_meant() {
        let message = "unknown field `queu`, expected one of `type`, `queue`, `payload`";
        let problem = misfit("", message);
        assert_eq!(
            problem.detail,
            "queu: unknown field `queu` (did you mean `queue`?)"
        );
        let limit = "known are `type`, `queue`, `payload`";
        assert_eq!(problem.limit.as_deref(), Some(limit));
        let message = "unknown field `colour`, expected `type` or `queue`";
        assert_eq!(
            detail("tasks[1].colour", message),
            "tasks[1].colour: unknown field `colour` (known are `type`, `queue`)"
        );
        let message = "unknown field ``, expected `type` or `queue`";
        assert_eq!(misfit("", message).field, None);
    }

    #[test]
    fn of_the_kinds_of_failures_those_are_offered_that_a_worker_may_report() {
        let message = "unknown variant `bad`, expected one of `failed`, `final`, `expired`";
        assert_eq!(
            detail("items[0].kind", message),
            "items[0].kind: `bad` is unknown (failed, final, panicked or timed_out)"
        );
    }

    #[test]
    fn a_missing_field_is_named_with_where_it_is_missing() {
        let problem = misfit("tasks[1]", "missing field `type`");
        assert_eq!(problem.field.as_deref(), Some("tasks[1].type"));
    }

    #[test]
    fn no_type_of_the_implementation_is_named() {
        for (found, wanted, expected) in [
            (
                "sequence",
                "struct SubmitTask",
                "a list will not do (an object)",
            ),
            ("null", "a string", "null will not do (a text)"),
            (
                "boolean `true`",
                "u64",
                "true will not do (a whole number from 0 to 18446744073709551615)",
            ),
        ] {
            let message = format!("invalid type: {found}, expected {wanted}");
            assert_eq!(detail("", &message), expected);
        }
    }
}
