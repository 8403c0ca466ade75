//! The examples, run as a reader runs them: each has a scheduler of its own in its process.

use std::path::PathBuf;
use std::process::Command;

/// Where cargo puts an example that it builds along with this test.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test is a file");
    let folder = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let example = folder.join("examples").join(name);
    assert!(
        example.exists(),
        "no example {name}: `cargo build -p russet --examples` builds it"
    );
    example
}

/// What an example says that ends well.
fn said(name: &str) -> Vec<String> {
    let ran = Command::new(example(name)).output().expect("runs");
    assert!(ran.status.success(), "{name}: {ran:?}");
    let said = String::from_utf8(ran.stdout).expect("text");
    said.lines().map(str::to_owned).collect()
}

#[test]
fn the_example_of_a_typed_task_counts_its_words_with_the_second_attempt() {
    let said = said("typed_task");
    assert_eq!(said[0], "10 words");
    assert!(said[1].starts_with("attempt 2 did it, after: "), "{said:?}");
}

#[test]
fn the_example_of_exactly_once_pays_once() {
    let said = said("exactly_once");
    let paid = said
        .iter()
        .filter(|line| line.starts_with("paid 12900 cents"));
    assert_eq!(paid.count(), 1, "{said:?}");
    let booked = "booked 2026-0117: receipt 1".to_owned();
    assert_eq!(said.last(), Some(&booked));
}

#[test]
fn the_example_of_a_workflow_announces_what_was_compared() {
    let said = said("workflow");
    for line in [
        "announced: it is warmest in Lisbon",
        "compare succeeded",
        "announce succeeded",
    ] {
        assert!(said.iter().any(|known| known == line), "{line}: {said:?}");
    }
}
