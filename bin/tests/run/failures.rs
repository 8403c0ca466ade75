use russet_cli::workflow;

use crate::support::{World, check, ends, eventually, is_running};

#[test]
fn what_depends_on_a_failure_does_as_it_says() {
    let world = World::with(
        "defaults: {max_retries: 1, retry_delay: 10ms}
tasks:
  fails: {run: 'echo first; echo the reason >&2; exit 7'}
  cancelled: {run: echo cancelled >> ran, depends_on: [fails]}
  after-cancelled: {run: echo after >> ran, depends_on: [cancelled]}
  dead: {run: echo dead >> ran, depends_on: [fails], if_unsatisfied: dead}
  anyway: {run: echo anyway >> ran, depends_on: [fails], if_unsatisfied: run}
  completion: {run: echo completion >> ran, depends_on: [{task: fails, on: completion}]}
  alarm: {run: echo alarm >> ran, depends_on: [{task: fails, on: failure}]}
  unneeded: {run: echo unneeded >> ran, depends_on: [{task: alarm, on: failure}]}",
    );
    let ran = world
        .run(&["w.yaml", "--json", "--events", "events"])
        .ended(1);
    let totals = ran.totals();
    assert_eq!(
        (
            totals.tasks,
            totals.succeeded,
            totals.dead,
            totals.cancelled
        ),
        (8, 3, 2, 3)
    );
    assert_eq!(totals.attempts, 5);
    let mut done: Vec<_> = world.read("ran").lines().map(str::to_owned).collect();
    done.sort_unstable();
    assert_eq!(done, ["alarm", "anyway", "completion"]);
    let said = [
        "w: 3 of 8 tasks succeeded, 2 dead, 3 cancelled (1 not needed); 5 attempts",
        "failed: fails (2 attempts): exit status 7: the reason",
        "    log: w.russet-data/logs/fails.log",
        "failed: dead (0 attempts): fails is dead",
        "cancelled: cancelled, after-cancelled",
        "fails: failed, attempt 1: exit status 7: the reason; again in 1",
        "fails: failed for good: exit status 7: the reason",
        "dead: failed, since fails is dead",
        "cancelled: cancelled, since fails is dead",
        "after-cancelled: cancelled, since cancelled was cancelled",
        "unneeded: not needed, since alarm succeeded",
    ];
    for line in said {
        assert!(
            ran.stderr.contains(line),
            "{line:?} is not in {}",
            ran.stderr
        );
    }
    let log = "first\nthe reason\n--- attempt 2\nfirst\nthe reason\n";
    assert_eq!(world.read("w.russet-data/logs/fails.log"), log);
    let events = world.events("events");
    check(
        &workflow::read(&world.path("w.yaml")).expect("reads"),
        &events,
    );
    let ends = ends(&events);
    assert_eq!(ends["fails"].reason.as_deref(), Some("failed"));
    assert_eq!(ends["unneeded"].reason.as_deref(), Some("not_needed"));
}

#[test]
fn what_is_not_needed_is_no_failure() {
    let world = World::with(
        "tasks:
  work: {run: 'true'}
  alarm: {run: exit 1, depends_on: [{task: work, on: failure}]}
  after: {run: exit 1, depends_on: [alarm]}",
    );
    let ran = world.run(&["w.yaml"]).ended(0);
    let said = "w: 1 of 3 tasks succeeded, 2 cancelled (2 not needed); 1 attempt\n";
    assert!(ran.stdout.starts_with(said), "{}", ran.stdout);
}

#[test]
fn a_task_is_tried_again_and_knows_which_attempt_it_is() {
    let world = World::with(
        "tasks:
  flaky:
    run: 'echo $RUSSET_TASK $RUSSET_ATTEMPT $EXTRA >> ran; read x; test \"$RUSSET_ATTEMPT\" = 3'
    retry_delay: 10ms
    env: {EXTRA: more}",
    );
    let ran = world
        .run(&["w.yaml", "--json", "--events", "events"])
        .ended(0);
    assert_eq!(ran.totals().attempts, 3);
    assert_eq!(
        world.read("ran"),
        "flaky 1 more\nflaky 2 more\nflaky 3 more\n"
    );
    let events = world.events("events");
    check(
        &workflow::read(&world.path("w.yaml")).expect("reads"),
        &events,
    );
    let kinds: Vec<_> = events.iter().map(|event| event.event.as_str()).collect();
    let again = ["failed", "retried", "queued", "leased"];
    let expected = [
        &["submitted", "queued", "leased"][..],
        &again,
        &again,
        &["succeeded"],
    ];
    assert_eq!(kinds, expected.concat());
}

#[test]
fn a_timeout_ends_the_whole_process_group() {
    let world = World::with(
        "tasks:
  stuck: {run: 'trap \"\" TERM; sleep 1000 & echo $! > child; echo $$ > parent; wait; wait', timeout: 300ms, max_retries: 0}
  obeys: {run: 'sleep 1000 & echo $! > obeying; wait', timeout: 300ms, max_retries: 1, retry_delay: 10ms}
  sleeps: {sleep: 1000s, timeout: 100ms, max_retries: 0}",
    );
    let ran = world.run(&[
        "w.yaml",
        "--json",
        "--concurrency",
        "3",
        "--events",
        "events",
    ]);
    let ran = ran.ended(1);
    assert_eq!((ran.totals().dead, ran.totals().attempts), (3, 4));
    let said = "failed: stuck (1 attempt): the attempt took longer than the task's timeout";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert!(!ran.stderr.contains("WARN"), "{}", ran.stderr);
    for name in ["child", "parent", "obeying"] {
        let pid = world.await_file(name);
        eventually("the end of a process", || (!is_running(&pid)).then_some(()));
    }
    let events = world.events("events");
    check(
        &workflow::read(&world.path("w.yaml")).expect("reads"),
        &events,
    );
    assert!(
        ends(&events)
            .values()
            .all(|end| end.reason.as_deref() == Some("timed_out"))
    );
}

#[test]
fn a_command_that_is_being_stopped_still_counts_as_running() {
    let world = World::with(
        "tasks:
  stuck: {run: 'trap \"sleep 0.5; echo stopped >> order; exit\" TERM; while :; do sleep 0.01; done', timeout: 100ms, max_retries: 0, priority: 9}
  next: {run: 'echo next >> order'}",
    );
    world.run(&["w.yaml", "--concurrency", "1"]).ended(1);
    assert_eq!(world.read("order"), "stopped\nnext\n");
}

#[test]
fn what_a_command_leaves_behind_ends_with_it() {
    let world = World::with("tasks: {a: {run: 'sleep 1000 & echo $! > left'}}");
    world.run(&["w.yaml"]).ended(0);
    let pid = world.await_file("left");
    eventually("the end of a process", || (!is_running(&pid)).then_some(()));
}

#[test]
fn a_run_whose_outputs_nobody_reads_ends_as_its_tasks_do() {
    for (command, code) in [("exit 1", 1), ("true", 0)] {
        let world = World::with(&format!(
            "defaults: {{max_retries: 0}}\ntasks: {{a: {{run: '{command}'}}}}"
        ));
        for more in [&[][..], &["--json"], &["--fresh"]] {
            let arguments = [&["w.yaml"], more].concat();
            assert_eq!(world.run_unread(&arguments), Some(code), "{arguments:?}");
        }
    }
}
