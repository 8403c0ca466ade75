use rustix::process::Signal;

use crate::support::{World, check, eventually, is_running};

const WAITS: &str = "
tasks:
  waits: {run: 'echo $$ > up; until test -e go || ! test -e w.yaml; do sleep 0.01; done', max_retries: 0}
  next: {run: 'echo next > next', depends_on: [waits]}";

#[test]
fn the_first_interrupt_lets_running_tasks_end_and_starts_no_more() {
    let world = World::with(WAITS);
    let mut run = world.start(&["w.yaml", "--json", "--events", "events"]);
    world.await_file("up");
    run.signal(Signal::INT);
    let said = run.await_line("stopping");
    assert_eq!(
        said,
        "stopping: waiting up to 30s for a running task; Ctrl-C again ends it\n"
    );
    world.write("go", "");
    let ran = run.end().ended(130);
    let totals = ran.totals();
    assert_eq!((totals.tasks, totals.succeeded, totals.attempts), (2, 1, 1));
    assert!(
        ran.stderr
            .contains("w: 1 of 2 tasks succeeded, 1 not ended; 1 attempt\n")
    );
    assert!(ran.stderr.contains("stopped; to go on: "), "{}", ran.stderr);
    assert!(
        ran.stderr.ends_with(" run w.yaml --json --events events\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(world.read("next"), "");

    let totals = world
        .run(&["w.yaml", "--json", "--events", "events"])
        .ended(0)
        .totals();
    assert_eq!((totals.succeeded, totals.attempts), (2, 2));
    let workflow = russet_cli::workflow::read(&world.path("w.yaml"));
    check(&workflow.expect("reads"), &world.events("events"));
}

#[test]
fn the_second_interrupt_ends_running_tasks_and_costs_them_no_retry() {
    for signal in [Signal::INT, Signal::TERM] {
        let world = World::with(WAITS);
        let mut run = world.start(&["w.yaml", "--fresh", "--events", "events"]);
        let pid = world.await_file("up");
        run.signal(signal);
        run.await_line("stopping");
        run.signal(signal);
        run.await_line("ending the running tasks");
        let ran = run.end().ended(130);
        assert!(
            !ran.stderr.contains("--fresh"),
            "would start over: {}",
            ran.stderr
        );
        assert!(!is_running(&pid));
        world.write("go", "");
        let totals = world
            .run(&["w.yaml", "--json", "--events", "events"])
            .ended(0)
            .totals();
        assert_eq!((totals.succeeded, totals.attempts), (2, 3));
        let events = world.events("events");
        let workflow = russet_cli::workflow::read(&world.path("w.yaml"));
        check(&workflow.expect("reads"), &events);
        assert!(events.iter().any(|event| event.event == "released"));
    }
}

#[test]
fn no_command_outlives_a_run_that_is_killed() {
    let world = World::with(WAITS);
    let run = world.start(&["w.yaml"]);
    let pid = world.await_file("up");
    assert!(is_running(&pid));
    assert!(run.kill());
    eventually("the end of a process", || (!is_running(&pid)).then_some(()));
    world.write("go", "");
    let totals = world.run(&["w.yaml", "--json"]).ended(0).totals();
    assert_eq!((totals.succeeded, totals.attempts), (2, 3));
}

#[cfg(target_os = "linux")]
#[test]
fn no_command_that_left_its_group_outlives_a_run_that_is_killed() {
    let world = World::with(
        "tasks: {a: {run: 'setsid sh -c \"echo \\$\\$ > up; exec sleep 300\" & wait'}}",
    );
    let run = world.start(&["w.yaml"]);
    let pid = world.await_file("up");
    run.kill();
    eventually("the end of a process", || (!is_running(&pid)).then_some(()));
}
