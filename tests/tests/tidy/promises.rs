//! Each promise of the design has a test of its name.

use std::collections::BTreeSet;

use crate::tree;

/// As the design, the checkers and the documentation call them.
const PROMISES: [&str; 13] = [
    "no-loss",
    "no-ghost",
    "one-holder",
    "stale-refused",
    "lease-respected",
    "bounded-retry",
    "dead-once",
    "dedup",
    "order",
    "no-starvation",
    "limits-held",
    "indexes-agree",
    "bounded",
];

#[test]
fn every_promise_has_a_test_of_its_name() {
    let tests = tests();
    assert!(tests.len() > 100, "only {} tests were found", tests.len());
    let untested = PROMISES.iter().map(|promise| promise.replace('-', "_"));
    let untested = untested.filter(|promise| !tests.iter().any(|test| names(test, promise)));
    tree::none(untested.map(|promise| format!("no test is called {promise}…")));
}

/// Whether a test starts with the promise, or has it behind an `and`.
fn names(test: &str, promise: &str) -> bool {
    let parts = test
        .split("_and_")
        .filter_map(|part| part.strip_prefix(promise));
    let mut parts = parts.filter(|rest| rest.is_empty() || rest.starts_with('_'));
    // `bounded_retry` is another promise than `bounded`.
    parts.any(|rest| promise != "bounded" || !rest.starts_with("_retry"))
}

/// The names of all tests, of properties too.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in tree::ending(".rs") {
        let mut is_test = false;
        for line in file.text.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
                let name = rest
                    .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .next();
                names.extend(name.map(str::to_owned));
                is_test = false;
            }
        }
    }
    names
}

#[test]
fn a_promise_is_found_at_the_start_of_a_name_or_behind_an_and() {
    assert!(names(
        "no_loss_and_one_holder_while_it_crashes",
        "one_holder"
    ));
    assert!(names("bounded", "bounded") && names("bounded_memory", "bounded"));
    assert!(!names("bounded_retry_of_a_task", "bounded"));
    assert!(!names("keys_in_order_are_kept", "order") && !names("orderly", "order"));
}
