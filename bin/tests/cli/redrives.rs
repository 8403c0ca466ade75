use std::time::Instant;

use crate::process::{PATIENCE, Site};

/// More tasks than one request redrives.
const TASKS: usize = russet::limits::PAGE_TASKS_MAX + 100;

fn dead(site: &Site, queue: &str) -> u64 {
    let ran = site.run(&["--json", "queues", "inspect", queue]);
    ran.json()["counts"]["dead"].as_u64().expect("a number")
}

#[test]
fn all_dead_tasks_of_a_queue_are_redriven_also_when_they_are_more_than_one_page() {
    let site = Site::start();
    let expires = |queue: &str| {
        format!("{{\"type\": \"a\", \"queue\": \"{queue}\", \"expires_in_ms\": 1}}\n")
    };
    let lines = expires("many").repeat(TASKS) + &expires("other");
    site.feed(&["submit", "-f", "-"], &lines).good();
    let start = Instant::now();
    while dead(&site, "many") < TASKS as u64 || dead(&site, "other") < 1 {
        assert!(start.elapsed() < PATIENCE, "they do not expire");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let ran = site.run(&["tasks", "redrive", "--all", "--queue", "many"]);
    assert_eq!(ran.good(), format!("{TASKS} redriven"));
    assert_eq!((dead(&site, "many"), dead(&site, "other")), (0, 1));
    let ran = site.run(&["--json", "tasks", "redrive", "--all"]);
    assert_eq!(ran.json()["redriven"], 1, "{ran:?}");
}
