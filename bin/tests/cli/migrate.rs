use serde_json::Value;

use crate::process::{Ran, Site, russet};

fn ids(site: &Site) -> Vec<String> {
    let listed = site.run(&["--quiet", "tasks", "list", "--limit", "1000"]);
    listed.good().lines().map(str::to_owned).collect()
}

/// Moves the stopped site's store to `new` in its folder.
fn migrate(site: &Site, more: &[&str]) -> Ran {
    let to = site.file("new.toml", "[store]\ndata_dir = 'new/data'\n");
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
    let task = site.submit(&["--type", "a"]);
    site.stop();
    let first = migrate(&site, &["--keep"]).json();
    assert_eq!(first["already_there"], 0);
    let second = migrate(&site, &["--keep"]).json();
    assert_eq!(second["already_there"], second["records"]);

    site.start_in("new");
    site.run(&["tasks", "cancel", &task]).good();
    site.stop();
    let refused = migrate(&site, &["--keep"]);
    assert!(
        refused.error(1).contains("is another record"),
        "{refused:?}"
    );
}
