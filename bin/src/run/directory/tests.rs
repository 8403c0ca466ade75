use russet_core::WorkflowId;

use super::*;
use crate::run::conditions::Conditions;
use crate::run::identity::Round;

#[test]
fn a_directory_is_named_after_the_file() {
    let path = Directory::default_path(Path::new("a/b/report.v2.yaml"));
    assert_eq!(path, Path::new("report.v2.russet-data"));
}

fn identity() -> Identity {
    let id = WorkflowId::from_u128(7 << 80);
    let conditions = Conditions {
        concurrency: 4,
        speedup: 1.5,
    };
    let round = Round { id, tasks: 3 };
    Identity::new(round, "w", Path::new("w.yaml"), "f".into(), conditions)
}

/// A directory in which a run has begun.
fn begun(path: &Path) -> Directory {
    let directory = Directory::lock(path, |_| {}).expect("locks");
    fs::create_dir(directory.store()).expect("makes");
    fs::write(directory.store().join(RECORDS), "records").expect("writes");
    identity().write(directory.path()).expect("writes");
    directory
}

#[test]
fn an_identity_is_kept_and_clearing_removes_what_was_done() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("new");
    let directory = Directory::lock(&path, |_| {}).expect("locks");
    assert_eq!(directory.identity().expect("reads"), None);
    drop(directory);
    let directory = begun(&path);
    assert_eq!(directory.identity().expect("reads"), Some(identity()));
    directory.clear().expect("clears");
    assert!(!directory.store().exists() && !path.join(FORGET).exists());
    assert_eq!(directory.identity().expect("reads"), None);
    drop(directory);
    Directory::lock(&path, |_| {}).expect("is still ours");
}

#[test]
fn records_that_are_gone_are_damage() {
    let dir = tempfile::tempdir().expect("a directory");
    let directory = begun(&dir.path().join("new"));
    let records = directory.store().join(RECORDS);
    fs::write(&records, "").expect("writes");
    let why = "store/russet.redb, which says what was done, is missing or empty";
    for _ in 0..2 {
        let text = directory.identity().expect_err("is damaged").to_string();
        assert!(text.contains(why), "{text}");
        let _ = fs::remove_file(&records);
    }
}

#[test]
fn what_was_left_while_it_was_being_forgotten_is_not_damage() {
    let dir = tempfile::tempdir().expect("a directory");
    let directory = begun(&dir.path().join("new"));
    fs::write(directory.path().join(FORGET), "").expect("writes");
    assert_eq!(directory.identity().expect("reads"), None);
    assert!(!directory.has_records().expect("reads"));
    directory.clear().expect("clears");
    assert!(!directory.store().exists());
}

#[test]
fn what_belongs_to_something_else_is_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join(STORE)).expect("makes");
    let refused = Directory::lock(dir.path(), |_| {}).expect_err("is refused");
    assert!(refused.to_string().contains("it holds store"), "{refused}");
    let entries = fs::read_dir(dir.path()).expect("reads").count();
    assert_eq!(entries, 1, "nothing was added");
}

#[test]
fn an_identity_that_cannot_be_read_is_damage() {
    let dir = tempfile::tempdir().expect("a directory");
    let directory = Directory::lock(dir.path(), |_| {}).expect("locks");
    fs::write(dir.path().join("run.json"), "{").expect("writes");
    let text = directory.identity().expect_err("is damaged").to_string();
    assert!(
        text.contains("is damaged: run.json cannot be read"),
        "{text}"
    );
    directory.clear().expect("can be cleared");
}
