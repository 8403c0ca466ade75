use std::path::Path;

use russet_cli::workflow;

use crate::support::{World, check};

fn examples() -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let entries = std::fs::read_dir(folder).expect("is there");
    let files = entries.map(|entry| entry.expect("reads").path());
    let is_workflow = |path: &std::path::PathBuf| {
        path.extension()
            .is_some_and(|known| known == "yaml" || known == "json")
    };
    files.filter(is_workflow).collect()
}

#[test]
fn every_example_runs_to_its_end() {
    let examples = examples();
    assert!(examples.len() >= 4, "{examples:?}");
    for file in examples {
        let world = World::new();
        let name = file.to_str().expect("text");
        let more = ["--json", "--events", "events", "--speedup", "20"];
        let ran = world.run(&[&[name][..], &more].concat()).ended(0);
        let workflow = workflow::read(&file).expect("is a workflow");
        let totals = ran.totals();
        assert_eq!(totals.workflow, workflow.name);
        assert_eq!(totals.tasks, workflow.tasks.len());
        assert_eq!(totals.succeeded + totals.cancelled, totals.tasks, "{name}");
        check(&workflow, &world.events("events"));
    }
}

#[test]
fn the_report_is_a_useful_file() {
    let world = World::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/report.yaml");
    let ran = world.run(&[file.to_str().expect("text")]).ended(0);
    let report = world.read("report.md");
    for part in [
        "40000 orders",
        "## Regions",
        "## Products",
        "## Months",
        "| 12 |",
    ] {
        assert!(report.contains(part), "{report}");
    }
    assert!(
        ran.stdout
            .starts_with("report: 14 of 14 tasks succeeded; 14 attempts\nmakespan ")
    );
    assert!(
        world
            .read("report.russet-data/logs/verify.log")
            .contains("40000 orders, 40000 counted")
    );
}
