//! Values that no task can have.

use serde_json::{Value, json};

use super::case::check;
use super::server;
use super::tasks::bad;

#[test]
fn a_name_that_cannot_be_is_refused_with_what_a_name_is() {
    let name = "use 1 to 128 of A-Z a-z 0-9 . _ : -";
    let key = "use 1 to 256 bytes without control characters";
    let (long_name, long_key) = ("n".repeat(129), "k".repeat(257));
    check(
        &mut server().serve.client(),
        vec![
            bad(
                json!({"queue": ""}),
                "queue",
                &["\"\" is not a queue name", name],
            ),
            bad(
                json!({"queue": "two words"}),
                "queue",
                &["\"two words\"", name],
            ),
            bad(json!({"queue": "ünï"}), "queue", &[name]),
            bad(json!({"queue": long_name}), "queue", &[name]),
            bad(json!({"type": ""}), "type", &["is missing or empty", name]),
            bad(json!({"type": "a/b"}), "type", &["\"a/b\"", name]),
            bad(json!({"name": ""}), "name", &["is not a task label", key]),
            bad(json!({"name": long_key}), "name", &[key]),
            bad(json!({"idempotency_key": ""}), "idempotency_key", &[key]),
            bad(
                json!({"idempotency_key": "a\nb"}),
                "idempotency_key",
                &["\"a\\nb\"", key],
            ),
            bad(
                json!({"idempotency_key": long_key}),
                "idempotency_key",
                &[key],
            ),
            bad(json!({"partition_key": ""}), "partition_key", &[key]),
            bad(json!({"partition_key": long_key}), "partition_key", &[key]),
            bad(
                json!({"resource_requirements": {"g p u": 1}}),
                "resource_requirements",
                &["\"g p u\"", name],
            ),
        ],
    );
}

#[test]
fn a_number_that_cannot_be_is_refused_with_the_limit() {
    let amount = 1_u64 << 53;
    let many: Value = (0..17)
        .map(|n| (format!("r{n}"), json!(1)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    check(
        &mut server().serve.client(),
        vec![
            bad(
                json!({"priority": 10}),
                "priority",
                &["10 is too much", "at most 9"],
            ),
            bad(json!({"priority": -1}), "priority", &["-1"]),
            bad(json!({"priority": 4.5}), "priority", &["4.5"]),
            bad(
                json!({"max_retries": 10_001}),
                "max_retries",
                &["at most 10000"],
            ),
            bad(
                json!({"retry": {"jitter_percent": 101}}),
                "retry.jitter_percent",
                &["at most 100"],
            ),
            bad(
                json!({"resource_requirements": many}),
                "resource_requirements",
                &["17 is too much", "at most 16"],
            ),
            bad(
                json!({"resource_requirements": {"gpu": amount + 1}}),
                "resource_requirements.gpu",
                &["at most 9007199254740992"],
            ),
            bad(
                json!({"resource_requirements": {"gpu": -1}}),
                "resource_requirements.gpu",
                &["-1"],
            ),
        ],
    );
}

#[test]
fn a_duration_of_nothing_or_of_ages_is_refused_with_the_range() {
    let ages = 315_360_000_001_u64;
    let years = &["at most 3650 days ahead"];
    check(
        &mut server().serve.client(),
        vec![
            bad(
                json!({"visibility_timeout_ms": 0}),
                "visibility_timeout_ms",
                &["100 ms to 43200000 ms"],
            ),
            bad(
                json!({"visibility_timeout_ms": 99}),
                "visibility_timeout_ms",
                &["100 ms to 43200000 ms"],
            ),
            bad(
                json!({"visibility_timeout_ms": 43_200_001}),
                "visibility_timeout_ms",
                &["100 ms to 43200000 ms"],
            ),
            bad(
                json!({"timeout_ms": 0}),
                "timeout_ms",
                &["1 ms to 315360000000 ms"],
            ),
            bad(
                json!({"timeout_ms": ages}),
                "timeout_ms",
                &["1 ms to 315360000000 ms"],
            ),
            bad(
                json!({"expected_ms": ages}),
                "expected_ms",
                &["to 315360000000 ms"],
            ),
            bad(
                json!({"retention_ms": ages}),
                "retention_ms",
                &["to 315360000000 ms"],
            ),
            bad(
                json!({"retry": {"backoff_ms": ages}}),
                "retry.backoff_ms",
                &["to 315360000000 ms"],
            ),
            bad(
                json!({"retry": {"backoff_cap_ms": ages}}),
                "retry.backoff_cap_ms",
                &["to 315360000000 ms"],
            ),
            bad(json!({"delay_ms": ages}), "delay_ms", years),
            bad(json!({"delay_ms": u64::MAX}), "delay_ms", years),
            bad(
                json!({"scheduled_at": "9999-01-01T00:00:00Z"}),
                "scheduled_at",
                years,
            ),
            bad(
                json!({"scheduled_at": "tomorrow"}),
                "scheduled_at",
                &["\"tomorrow\" is not a time", "RFC 3339"],
            ),
            bad(
                json!({"expires_in_ms": 0}),
                "expires_in_ms",
                &["a time to come"],
            ),
            bad(json!({"expires_in_ms": ages}), "expires_in_ms", years),
            bad(
                json!({"expires_at": "2001-01-01T00:00:00Z"}),
                "expires_at",
                &["in the past"],
            ),
            bad(
                json!({"delay_ms": 10, "scheduled_at": "2001-01-01T00:00:00Z"}),
                "scheduled_at",
                &["delay_ms", "one of the two"],
            ),
            bad(
                json!({"delay_ms": 2_000, "expires_in_ms": 1_000}),
                "expires_in_ms",
                &["could never start"],
            ),
            bad(
                json!({"idempotency_key": "k", "idempotency_window_ms": 0}),
                "idempotency_window_ms",
                &["1 ms to 315360000000 ms"],
            ),
            bad(
                json!({"idempotency_window_ms": 5}),
                "idempotency_window_ms",
                &["without an idempotency_key"],
            ),
            bad(
                json!({"idempotency_key": "k", "idempotency_window_ms": "forever"}),
                "idempotency_window_ms",
                &["\"forever\"", "while_live"],
            ),
        ],
    );
}
