//! Values of options that cannot be: each is refused with what it may be, before any server is
//! asked.

use crate::process::{Ran, Site, russet};

/// A task or a lease that there may be.
const ID: &str = "01JH00000000000000000000AA";

/// What is said of a value that an option does not take.
fn refused(command: &[&str], option: &str, value: &str) -> String {
    let ran = russet().args(command).args([option, value]).output();
    let ran = Ran::from(ran.expect("runs"));
    let said = ran.error(2);
    let begins = format!("error: invalid value '{value}' for '{option} <");
    assert!(said.starts_with(&begins), "{command:?} {option}: {said}");
    let line = said.lines().next().unwrap_or_default();
    line.split_once(">': ").expect("a reason").1.to_owned()
}

#[test]
fn a_negative_duration_is_refused_as_such_wherever_one_is_given() {
    let submit: &[&str] = &["submit", "--type", "a", "--key", "k"];
    let worker: &[&str] = &["worker", "--exec", "true"];
    let configure: &[&str] = &["queues", "configure", "q"];
    let lease: &[&str] = &["tasks", "lease"];
    let any = "a duration cannot be negative; it is at most 3650 days";
    let some = "a duration cannot be negative: it must be longer than zero, and at most 3650 days";
    for (command, option, why) in [
        (submit, "--delay", any),
        (submit, "--expires-in", some),
        (submit, "--retry-delay", any),
        (submit, "--max-retry-delay", any),
        (submit, "--timeout", some),
        (submit, "--visibility-timeout", some),
        (submit, "--retention", any),
        (worker, "--drain", any),
        (worker, "--grace", any),
        (worker, "--snooze", any),
        (configure, "--aging", any),
        (configure, "--keep-finished", any),
        (configure, "--keep-dead", any),
        (&["tasks", "wait", ID], "--timeout", any),
        (lease, "--wait", any),
        (lease, "--for", some),
        (&["tasks", "extend", ID, ID], "--for", some),
        (
            &["tasks", "fail", ID, ID, "--message", "m"],
            "--retry-after",
            any,
        ),
        (&["tasks", "release", ID, ID], "--delay", any),
    ] {
        assert_eq!(refused(command, option, "-5s"), why, "{command:?} {option}");
        assert_eq!(refused(command, option, "-5"), why, "{command:?} {option}");
    }
    let window = refused(submit, "--key-window", "-1h");
    assert!(window.starts_with(some), "{window}");
}

#[test]
fn a_duration_that_is_too_long_or_none_is_told_what_it_may_be() {
    let submit: &[&str] = &["submit", "--type", "a"];
    for (value, why) in [
        ("3651d", "a duration is at most 3650 days"),
        ("--wait", "write a duration as 500ms, 2s"),
    ] {
        let said = refused(submit, "--delay", value);
        assert!(said.starts_with(why), "{said}");
    }
}

#[test]
fn a_number_that_cannot_be_is_told_its_bounds() {
    let submit: &[&str] = &["submit", "--type", "a"];
    let bench: &[&str] = &["bench", "core"];
    let fraction = |bounds: &str| format!("it is not a number from {bounds}");
    let whole = |bounds: &str| format!("it is not a whole number from {bounds}");
    for (command, option, why, beyond) in [
        (submit, "--priority", whole("0 to 9"), "10"),
        (submit, "--max-retries", whole("0 to 10000"), "10001"),
        (submit, "--retry-jitter", whole("0 to 100"), "101"),
        (
            &["worker", "--exec", "true"],
            "--concurrency",
            whole("1 to 10000"),
            "0",
        ),
        (
            &["queues", "configure", "q"],
            "--concurrency",
            whole("1 to 1000000, or none"),
            "0",
        ),
        (&["tasks", "lease"], "--max", whole("1 to 1000"), "1001"),
        (
            &["tasks", "extend", ID, ID],
            "--percent",
            whole("0 to 100"),
            "101",
        ),
        (
            &["workflows", "get", ID],
            "--limit",
            whole("1 to 1000"),
            "0",
        ),
        (bench, "--seconds", fraction("0.1 to 3600"), "0"),
        (bench, "--repeats", whole("1 to 1000"), "0"),
        (bench, "--tasks", whole("1 to 1000000000"), "0"),
    ] {
        for value in ["x", "-1", beyond] {
            assert_eq!(refused(command, option, value), why, "{option} {value}");
        }
    }
    let speedup = refused(&["run", "w.yaml"], "--speedup", "abc");
    assert_eq!(speedup, fraction("0.001 to 1000000000"));
}

#[test]
fn the_command_line_takes_what_the_server_takes_at_most() {
    let site = Site::start();
    let most = site.submit(&[
        "--type",
        "a",
        "--retention",
        "3650d",
        "--timeout",
        "3650d",
        "--need",
        "cpu=9007199254740992",
    ]);
    let task = site.task(&most);
    assert_eq!(task["timeout_ms"], 315_360_000_000_u64);
    assert_eq!(task["resource_requirements"]["cpu"], 1_u64 << 53);
}
