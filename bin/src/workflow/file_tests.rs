//! Whole files: the examples, and recorded workflows of production systems.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Format, Work, read};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(name)
}

#[test]
fn every_example_is_a_valid_workflow() {
    let cases = [
        ("hello.yaml", "hello", 3, 2),
        ("diamond.json", "diamond", 5, 2),
        ("report.yaml", "report", 14, 4),
    ];
    for (file, name, tasks, fan_in) in cases {
        let workflow = read(&example(file)).expect(file);
        assert_eq!(workflow.name, name);
        assert_eq!(workflow.tasks.len(), tasks, "{file}");
        assert_eq!(workflow.widest_fan_in(), fan_in, "{file}");
        assert_eq!(workflow.format, Format::Russet);
    }
}

#[test]
fn the_report_example_makes_the_same_report_each_time() {
    let workflow = read(&example("report.yaml")).expect("is valid");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut reports = Vec::new();
    for _ in 0..2 {
        for index in workflow.order() {
            let task = &workflow.tasks[index];
            let Work::Run(command) = &task.work else {
                continue;
            };
            let mut shell = std::process::Command::new("sh");
            shell
                .args(["-c", command])
                .envs(&task.env)
                .current_dir(folder.path());
            let output = shell.output().expect("sh starts");
            assert!(output.status.success(), "{}: {output:?}", task.name);
        }
        reports.push(std::fs::read_to_string(folder.path().join("report.md")).expect("is written"));
    }
    assert_eq!(reports[0], reports[1]);
    assert!(reports[0].contains("40000 orders"), "{}", reports[0]);
}

/// Tasks, edges, widest fan-in, sum of run times and critical path in seconds, as the data's README gives them.
const RECORDED: [(&str, usize, usize, usize, u64, u64); 6] = [
    ("1000genome-chameleon-2ch-100k-001", 52, 76, 10, 2771, 205),
    ("blast-chameleon-small-001", 43, 120, 40, 383, 10),
    ("bwa-chameleon-small-001", 104, 400, 100, 380, 91),
    ("montage-chameleon-2mass-005d-001", 58, 114, 6, 222, 21),
    ("sarek-dirt02-001", 26, 50, 12, 393, 310),
    ("srasearch-chameleon-10a-001", 22, 30, 10, 6997, 1006),
];

#[test]
fn recorded_workflows_have_the_shape_that_their_readme_gives() {
    // The repository's tests pass without the data.
    let Some(data) = std::env::var_os("RUSSET_DATA") else {
        return;
    };
    let folder = Path::new(&data).join("workflows");
    let seconds = |time: Duration| (time.as_millis() as u64 + 500) / 1_000;
    for (name, tasks, edges, fan_in, total, critical) in RECORDED {
        let workflow = read(&folder.join(format!("{name}.json"))).expect(name);
        assert_eq!(workflow.format, Format::WfFormat, "{name}");
        assert_eq!(workflow.tasks.len(), tasks, "{name}");
        assert_eq!(workflow.edges(), edges, "{name}");
        assert_eq!(workflow.widest_fan_in(), fan_in, "{name}");
        assert_eq!(seconds(workflow.total_run_time()), total, "{name}");
        assert_eq!(
            seconds(workflow.critical_path().run_time),
            critical,
            "{name}"
        );
    }
    let files = std::fs::read_dir(&folder).expect("the folder of workflows");
    for file in files {
        let file = file.expect("an entry").path();
        assert!(read(&file).is_ok(), "{}", file.display());
    }
}
