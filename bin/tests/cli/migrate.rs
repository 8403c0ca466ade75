use std::path::Path;

use serde_json::Value;

use crate::process::{Ran, Site, russet};

fn ids(site: &Site) -> Vec<String> {
    let listed = site.run(&["--quiet", "tasks", "list", "--limit", "1000"]);
    listed.good().lines().map(str::to_owned).collect()
}

/// Moves the stopped site's store to `new` in its folder.
fn migrate(site: &Site, more: &[&str]) -> Ran {
    let to = "[store]\nbackend = 'embedded'\ndata_dir = 'new/data'\n";
    migrate_to(site, &site.file("new.toml", to), more)
}

fn migrate_to(site: &Site, to: &Path, more: &[&str]) -> Ran {
    let mut command = russet();
    command
        .args(["--json", "migrate", "--data-dir", "data", "--to"])
        .arg(to)
        .args(more)
        .current_dir(site.folder.path());
    command.output().expect("runs").into()
}

#[test]
fn no_loss_everything_goes_on_in_the_new_store_and_the_old_one_is_given_up() {
    let mut site = Site::start();
    let parent = site.submit(&["--type", "a", "--payload", "1", "--key", "order-66"]);
    let delayed = site.submit(&["--type", "a", "--delay", "1h"]);
    let leased = site.run(&["--quiet", "tasks", "lease", "--for", "1h"]);
    let (task, lease) = leased.good().split_once(' ').expect("a task and its lease");
    assert_eq!(task, parent);
    let before: Vec<Value> = ids(&site).iter().map(|id| site.task(id)).collect();
    site.stop();

    let moved = migrate(&site, &[]);
    moved.good();
    let again = migrate(&site, &[]);
    assert!(again.error(2).contains("was moved to"), "{again:?}");

    site.start_in("new");
    let after: Vec<Value> = ids(&site).iter().map(|id| site.task(id)).collect();
    assert_eq!(after, before);
    let repeated = site.submit(&["--type", "a", "--payload", "1", "--key", "order-66"]);
    assert_eq!(repeated, parent, "its key still names it");
    site.run(&["tasks", "complete", &parent, lease]).good();
    assert_eq!(site.task(&parent)["status"], "succeeded");
    assert_eq!(site.task(&delayed)["status"], "scheduled");
    site.stop();
}

#[test]
fn a_move_that_was_cut_short_goes_on_and_one_onto_other_records_is_refused() {
    let mut site = Site::start();
    site.submit(&["--type", "a"]);
    site.stop();
    let first = migrate(&site, &["--keep"]).json();
    assert_eq!(first["already_there"], 0);
    let second = migrate(&site, &["--keep"]).json();
    assert_eq!(second["already_there"], second["records"]);

    site.start_in("new");
    site.stop();
    let refused = migrate(&site, &["--keep"]);
    assert!(refused.error(1).contains("a node leads"), "{refused:?}");
    assert!(refused.error(1).contains("Nothing was written"));
}

#[test]
fn a_copy_onto_other_records_is_refused() {
    let mut site = Site::start();
    let task = site.submit(&["--type", "a"]);
    site.stop();
    migrate(&site, &["--keep"]).good();
    site.start_in(".");
    site.run(&["tasks", "cancel", &task]).good();
    site.stop();
    let refused = migrate(&site, &["--keep"]);
    assert!(
        refused.error(1).contains("is another record"),
        "{refused:?}"
    );
}

#[test]
fn a_store_that_holds_something_is_not_moved_to_and_nothing_is_written_there() {
    let mut first = Site::start();
    let theirs = first.submit(&["--type", "a"]);
    first.stop();
    migrate(&first, &[]).good();
    let mut second = Site::start();
    let ours = second.submit(&["--type", "a"]);
    second.stop();
    let new = first.folder.path().join("new/data");
    let to = format!("[store]\nbackend = 'embedded'\ndata_dir = {new:?}\n");
    let refused = migrate_to(&second, &second.file("new.toml", &to), &[]);
    assert!(refused.error(1).contains("is not empty"), "{refused:?}");
    first.start_in("new");
    assert_eq!(ids(&first), [theirs]);
    first.stop();
    second.start_in(".");
    assert_eq!(ids(&second), [ours], "the old store is as it was");
    second.stop();
}

#[test]
fn a_move_from_nowhere_or_to_a_store_that_is_not_named_or_forgets_is_refused() {
    let mut site = Site::start();
    let task = site.submit(&["--type", "a"]);
    site.stop();
    let refused = |status: i32, from: &str, text: &str| {
        let to = site.file("to.toml", text);
        let mut command = russet();
        command
            .args(["migrate", "--data-dir", from, "--to"])
            .arg(to)
            .current_dir(site.folder.path());
        let ran: Ran = command.output().expect("runs").into();
        ran.error(status).to_owned()
    };
    let named = "[store]\nbackend = 'embedded'\ndata_dir = 'new'\n";
    assert!(refused(2, "nothing", named).contains("there is no store"));
    assert!(!site.folder.path().join("nothing").exists());
    let unnamed = refused(2, "data", "[redis]\nprefix = 'a'\n");
    assert!(unnamed.contains("[store] backend"), "{unnamed}");
    let memory = refused(2, "data", "[store]\nbackend = 'memory'\n");
    assert!(memory.contains("forgets"), "{memory}");
    let many = refused(1, "data", &format!("{named}partitions = 4\n"));
    assert!(many.contains("partitions = 1"), "{many}");
    assert!(
        !site.folder.path().join("new").exists(),
        "no store was made"
    );
    site.start_in(".");
    assert_eq!(ids(&site), [task]);
    site.stop();
}
