use std::fmt::Write;

use russet_cli::workflow;

use crate::support::{World, check, data};

/// Runs a WfFormat file, checks everything that does not depend on how fast this machine is,
/// and prints how far from the bound it was.
fn run_recorded(world: &World, file: &std::path::Path, speedup: &str) {
    let name = file.to_str().expect("text");
    let ran = world.run(&[name, "--speedup", speedup, "--json", "--events", "events"]);
    let ran = ran.ended(0);
    let workflow = workflow::read(file).expect("is a workflow");
    let totals = ran.totals();
    let tasks = workflow.tasks.len();
    assert_eq!((totals.tasks, totals.succeeded), (tasks, tasks));
    assert_eq!(
        (totals.attempts, totals.dead, totals.cancelled),
        (tasks as u64, 0, 0)
    );
    check(&workflow, &world.events("events"));
    let path = workflow.critical_path().run_time.as_secs_f64();
    let speedup: f64 = speedup.parse().expect("a number");
    assert!(totals.makespan_ms as f64 + 1.0 >= path / speedup * 1_000.0);
    let bound = ran.stderr.lines().find(|line| line.starts_with("makespan"));
    println!("{}: {}", workflow.name, bound.expect("the summary"));
}

#[test]
fn recorded_workflows_run_in_order() {
    let Some(data) = data() else {
        eprintln!("RUSSET_DATA is not set: no recorded workflows to run");
        return;
    };
    let entries = std::fs::read_dir(data.join("workflows")).expect("is there");
    let mut files = 0;
    for entry in entries {
        run_recorded(&World::new(), &entry.expect("reads").path(), "1000");
        files += 1;
    }
    assert!(files >= 6);
}

#[test]
fn a_fan_in_of_1000_among_1300_tasks() {
    let world = World::new();
    let file = world.path("wide.json");
    std::fs::write(&file, wide()).expect("writes");
    run_recorded(&world, &file, "100");
}

/// 1 task, then 1,000, then 1 that waits for all of them, then 298 in chains of two.
pub fn wide() -> String {
    let mut tasks = vec![("start".to_owned(), Vec::new(), 1.0)];
    for n in 0..1_000 {
        tasks.push((
            format!("wide {n}"),
            vec!["start".to_owned()],
            0.5 + n as f64 / 500.0,
        ));
    }
    tasks.push((
        "gather".to_owned(),
        (0..1_000).map(|n| format!("wide {n}")).collect(),
        2.0,
    ));
    for n in 0..149 {
        tasks.push((format!("first/{n}"), vec!["gather".to_owned()], 1.5));
        tasks.push((format!("second/{n}"), vec![format!("first/{n}")], 0.7));
    }
    let (mut specified, mut executed) = (String::new(), String::new());
    for (id, parents, seconds) in &tasks {
        write!(
            specified,
            "{{\"id\": {id:?}, \"parents\": {parents:?}, \"children\": []}},"
        )
        .expect("writes");
        write!(
            executed,
            "{{\"id\": {id:?}, \"runtimeInSeconds\": {seconds}, \"coreCount\": 1}},"
        )
        .expect("writes");
    }
    assert_eq!(tasks.len(), 1_300);
    format!(
        r#"{{"name": "wide", "schemaVersion": "1.5", "workflow": {{
            "specification": {{"tasks": [{}]}}, "execution": {{"tasks": [{}]}} }} }}"#,
        specified.trim_end_matches(','),
        executed.trim_end_matches(',')
    )
}

#[test]
fn a_file_may_say_as_much_as_the_scheduler_takes() {
    let world = World::with(
        "tasks:
  a: {run: 'true', timeout: 3650d, expected: 3650d, resources: {cpu: 9007199254740992}}
  b: {run: 'false', retry_delay: 3650d, max_retries: 0}
  c: {run: 'true', delay: 3650d, depends_on: [b]}",
    );
    let totals = world.run(&["w.yaml", "--json"]).ended(1).totals();
    assert_eq!((totals.succeeded, totals.dead, totals.cancelled), (1, 1, 1));
    world.write("more.yaml", "tasks: {a: {run: 'true', timeout: 3650d1ms}}");
    let said = "task \"a\": timeout: \"3650d1ms\" will not do: a duration is at most 3650 days";
    let ran = world.run(&["more.yaml"]).ended(2);
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}

#[test]
fn a_finished_run_is_not_run_again() {
    let world =
        World::with("tasks: {a: {run: 'echo a >> ran'}, b: {run: 'exit 3', max_retries: 0}}");
    let first = world.run(&["w.yaml", "--json"]).ended(1);
    let second = world
        .run(&["w.yaml", "--json", "--events", "late"])
        .ended(1);
    assert_eq!(first.totals(), second.totals());
    let said = "w: already ended in w.russet-data: 1 dead; fix the cause and run again with --retry-failed (finished tasks are kept), or --fresh to start over\n";
    assert!(second.stderr.starts_with(said), "{}", second.stderr);
    let summary = |stderr: &str| {
        stderr
            .lines()
            .skip_while(|line| !line.starts_with("w: 1 of 2"))
            .take_while(|line| !line.starts_with("to run what did not succeed"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(summary(&first.stderr), summary(&second.stderr));
    assert_eq!(world.read("ran"), "a\n");
    // Events that were never asked for are told as far as the records tell.
    check(
        &workflow::read(&world.path("w.yaml")).expect("reads"),
        &world.events("late"),
    );
    world.run(&["w.yaml", "--fresh"]).ended(1);
    assert_eq!(world.read("ran"), "a\na\n");
}

#[test]
fn the_json_line_is_as_documented() {
    let world = World::with("name: x\ntasks: {a: {sleep: 0}}");
    let ran = world.run(&["w.yaml", "--json"]).ended(0);
    let makespan = ran.totals().makespan_ms;
    let line = format!(
        r#"{{"workflow":"x","tasks":1,"succeeded":1,"dead":0,"cancelled":0,"not_ended":0,"attempts":1,"makespan_ms":{makespan}}}"#
    );
    assert_eq!(ran.stdout, format!("{line}\n"));
    let quiet = world.run(&["w.yaml", "--json", "--quiet"]).ended(0);
    assert_eq!(
        (quiet.stdout.trim_end(), quiet.stderr.as_str()),
        (line.as_str(), "")
    );
}

#[test]
fn the_bound_is_that_of_what_was_run() {
    let world = World::with("tasks: {a: {sleep: 300ms}, b: {sleep: 300ms, depends_on: [a]}}");
    let first = world.run(&["w.yaml", "--speedup", "3"]).ended(0);
    assert!(
        first
            .stdout
            .contains(" times the bound 0.200 s; longest path 0.200 s: a, then b\n"),
        "{}",
        first.stdout
    );
    for more in [
        &["w.yaml"][..],
        &["w.yaml", "--speedup", "30", "--concurrency", "1"],
    ] {
        let again = world.run(more).ended(0);
        assert_eq!(again.stdout, first.stdout);
        assert_eq!(
            again.stderr,
            "w: already done in w.russet-data; --fresh starts over\n"
        );
    }
}

#[test]
fn a_failed_run_is_compared_with_no_bound() {
    let world = World::with("tasks: {a: {sleep: 10ms}, b: {run: 'false', max_retries: 0}}");
    let ran = world.run(&["w.yaml"]).ended(1);
    assert!(!ran.stdout.contains("bound"), "{}", ran.stdout);
    let said = "\noutput of the commands: w.russet-data/logs/*.log\n";
    assert!(ran.stdout.contains(said), "{}", ran.stdout);
}

#[test]
fn one_task_is_no_plural() {
    let world = World::with("tasks: {a: {sleep: 0}}");
    let ran = world.run(&["w.yaml"]).ended(0);
    assert!(
        ran.stderr.starts_with("w: 1 task, 64 at once"),
        "{}",
        ran.stderr
    );
    let said = "w: 1 of 1 task succeeded; 1 attempt\n";
    assert!(ran.stdout.starts_with(said), "{}", ran.stdout);
}
