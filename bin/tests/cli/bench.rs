//! `russet bench`: that it measures, and how it says what; never how fast.

use serde_json::Value;

use crate::process::{Ran, russet};

/// The figures of the suites that take least.
fn figures(folder: &std::path::Path) -> Vec<Value> {
    let mut command = russet();
    command
        .args(["bench", "core", "memory", "size", "--json"])
        .args(["--seconds", "0.1", "--tasks", "1000", "--folder"])
        .arg(folder);
    let ran = Ran::from(command.output().expect("runs"));
    ran.good();
    ran.lines()
}

#[test]
fn the_figures_of_each_suite_are_named_and_stand_beside_their_yardsticks() {
    let folder = tempfile::tempdir().expect("a folder");
    let figures = figures(folder.path());
    let expected = [
        (
            "core: decisions on one core",
            "/s",
            Some("1,000,000 a second"),
        ),
        (
            "memory: task lives, 64 callers, ",
            "/s",
            Some("200,000 a second"),
        ),
        ("memory: task lives, 64 callers, 1 partition", "/s", None),
        (
            "size: memory of each of 1000 queued tasks",
            "bytes",
            Some("1 KiB"),
        ),
        ("size: embedded, filled with 1000 tasks in", "s", None),
        (
            "size: embedded, opened with 1000 tasks in",
            "s",
            Some("10 s"),
        ),
        ("size: embedded, file for each task", "bytes", None),
    ];
    assert_eq!(figures.len(), expected.len(), "{figures:#?}");
    for (figure, (name, unit, against)) in figures.iter().zip(expected) {
        let named = figure["name"].as_str().expect("a name");
        assert!(named.starts_with(name), "{named}");
        assert_eq!(figure["unit"], unit, "{named}");
        let value = figure["value"].as_f64().expect("a number");
        assert!(value > 0.0, "{named}: {value}");
        let yardstick = figure.get("against");
        let beside = yardstick.and_then(|beside| beside["name"].as_str());
        assert_eq!(beside, against, "{named}");
        let Some(yardstick) = yardstick else { continue };
        assert!(yardstick["ratio"].as_f64() > Some(0.0), "{yardstick}");
        let target = yardstick["target"].as_object().expect("a target");
        let kinds: Vec<_> = target.keys().map(String::as_str).collect();
        assert!(kinds == ["at_least"] || kinds == ["at_most"], "{kinds:?}");
    }
    let left = std::fs::read_dir(folder.path()).expect("is there").count();
    assert_eq!(left, 0, "temporary data is removed");
}
