//! A workflow file may hold anything: it is read, or refused with a reason, and what is read
//! is a workflow that can run. The first byte chooses the file's name and whether the others
//! are the file, or patches of one that is sound.
#![no_main]

mod patched;
#[path = "../../bin/src/text/spelling.rs"]
mod spelling;
#[allow(dead_code, unused_imports)]
#[path = "../../bin/src/workflow/mod.rs"]
mod workflow;

/// As the files of workflows find it.
mod text {
    pub use crate::spelling::spelt_like;
}

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use workflow::{TaskSpec, Workflow, WorkflowError, limits};

const NAMES: [&str; 3] = ["w.yaml", "w.json", "w"];

const SOUND: [&str; 6] = [
    include_str!("../../examples/hello.yaml"),
    include_str!("../../examples/diamond.json"),
    include_str!("../../examples/report.yaml"),
    "name: all
defaults: {priority: 3, delay: 1s, env: {A: x}, resources: {cpu: 1}}
tasks:
  a: &a {run: x, if_unsatisfied: run, retry_delay: 1m, timeout: 1h30m, expected: 2.5}
  b: {<<: *a, max_retries: 0, depends_on: [a, {task: c, on: failure}]}
  c: {sleep: 1d, depends_on: [{task: a, on: completion}], resources: {gpu: 2}}
",
    "{tasks: {a: {sleep: 1, depends_on: [c]}, b: {sleep: 2, depends_on: [a]}, \
     c: {sleep: 3, depends_on: [d]}, d: {sleep: 4}, e: {sleep: 5, depends_on: [b, d]}}}",
    r#"{"name": "recorded", "schemaVersion": "1.5", "workflow": {
"specification": {"tasks": [{"id": "a", "children": ["b", "c"]}, {"id": "b", "parents": ["a"]},
{"id": "c"}, {"id": "d", "parents": ["c", "b", "c"]}]},
"execution": {"tasks": [{"id": "a", "runtimeInSeconds": 1}, {"id": "c", "runtimeInSeconds": 1e-3},
{"id": "b", "runtimeInSeconds": 0.054023, "coreCount": 1.5, "memoryInBytes": 3000000},
{"id": "d", "runtimeInSeconds": 2.0, "memoryInBytes": null}]}}}"#,
];

const PIECES: [&str; 44] = [
    " ",
    "\n",
    "\n  ",
    "{}",
    "[]",
    "[a]",
    "[b, c]",
    "[d]",
    "[{task: b, on: failure}]",
    "\"a\"",
    "\"b\"",
    "\"e\"",
    "[\"a\"]",
    "[\"d\"]",
    "null",
    "~",
    "true",
    "0",
    "-1",
    "1.5",
    "1e308",
    "-0.0",
    ".nan",
    ".inf",
    "0x7f",
    "007",
    "3650d",
    "1h30m",
    "9ms",
    "18446744073709551616",
    "-170141183460469231731687303715884105729",
    "&a",
    "*a",
    "<<: *a",
    "- ",
    ": ",
    "? ",
    "!!str ",
    "%YAML 1.2",
    "---\n",
    "|\n",
    ">-\n",
    "\u{feff}",
    "\u{1b}[31m\u{85}é",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else {
        return;
    };
    let file = Path::new(NAMES[usize::from(*choice) % NAMES.len()]);
    let text = match SOUND.get(usize::from(*choice) / NAMES.len()) {
        Some(sound) => patched::patched(sound, bytes, &PIECES),
        None => bytes.to_vec(),
    };
    let read = workflow::parse(file, &text);
    if std::env::var_os("TELL").is_some() {
        println!("{}\n{read:#?}", String::from_utf8_lossy(&text));
    }
    match read {
        Ok(workflow) => holds(&workflow),
        Err(error) => tells(&error),
    }
});

fn tells(error: &WorkflowError) {
    let text = error.to_string();
    assert!(
        !text.chars().any(|c| c.is_control() && c != '\n'),
        "{text:?}"
    );
    match error {
        WorkflowError::Syntax {
            line,
            column,
            message,
            ..
        } => {
            assert!(
                *line > 0 && *column > 0 && !message.trim().is_empty(),
                "{text}"
            );
        }
        WorkflowError::Problems { problems, .. } => {
            assert!(!problems.is_empty());
            assert!(
                problems.iter().all(|problem| !problem.message.is_empty()),
                "{text}"
            );
        }
        other => panic!("{other}"),
    }
}

fn holds(workflow: &Workflow) {
    let tasks = &workflow.tasks;
    assert!((1..=limits::TASKS).contains(&tasks.len()));
    assert!(!workflow.name.is_empty());
    let names: BTreeSet<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names.len(), tasks.len());
    tasks.iter().for_each(fits);

    let mut at = vec![None; tasks.len()];
    for (position, task) in workflow.order().into_iter().enumerate() {
        assert_eq!(at[task].replace(position), None);
    }
    assert!(at.iter().all(Option::is_some));
    for (position, task) in tasks.iter().enumerate() {
        let on: BTreeSet<usize> = task.depends_on.iter().map(|on| on.task).collect();
        assert_eq!(on.len(), task.depends_on.len());
        assert!(on.iter().all(|on| at[*on] < at[position]));
    }
    assert!(workflow::cycles(tasks).is_empty());
    let dependents: usize = workflow.dependents().iter().map(Vec::len).sum();
    assert_eq!(dependents, workflow.edges());
    assert!(workflow.widest_fan_in() < tasks.len());

    let path = workflow.critical_path();
    let run_time = |task: &usize| tasks[*task].run_time().unwrap_or_default();
    assert_eq!(
        path.run_time,
        path.tasks.iter().map(run_time).sum::<Duration>()
    );
    assert!(path.run_time <= workflow.total_run_time());
    let longest = workflow.longest_remaining_path().into_iter().max();
    assert_eq!(longest, Some(path.run_time));
    for pair in path.tasks.windows(2) {
        let depends_on = &tasks[pair[1]].depends_on;
        assert!(depends_on.iter().any(|on| on.task == pair[0]));
    }
}

fn fits(task: &TaskSpec) {
    assert!(!task.name.is_empty());
    let times = [
        task.run_time(),
        task.retry_delay,
        task.timeout,
        task.delay,
        task.expected,
    ];
    assert!(
        times
            .into_iter()
            .flatten()
            .all(|time| time <= limits::DURATION)
    );
    assert!(
        task.priority
            .is_none_or(|priority| priority <= limits::PRIORITY)
    );
    assert!(
        task.max_retries
            .is_none_or(|retries| retries <= limits::RETRIES)
    );
    assert!(
        task.resources
            .values()
            .all(|n| (1..=limits::RESOURCE_AMOUNT).contains(n))
    );
    assert!(task.resources.len() <= limits::RESOURCES && task.env.len() <= limits::ENV_VARS);
}
