//! Tasks that need more than the run has.

use crate::support::{Ran, World};

/// `big` needs more than most runs here have; the rest can be done, but for what waits for it.
const BIG: &str = "
defaults: {max_retries: 0, resources: {cpu: 1}}
tasks:
  first: {run: echo first >> ran}
  big: {run: echo big >> ran, depends_on: [first], resources: {cpu: 4, gpu: 1}}
  next: {run: echo next >> ran, depends_on: [big]}
  other: {run: echo other >> ran, depends_on: [first]}
  later: {run: echo later >> ran, delay: 300ms}";

fn ran(world: &World) -> Vec<String> {
    let mut ran: Vec<_> = world.read("ran").lines().map(str::to_owned).collect();
    ran.sort_unstable();
    ran
}

#[track_caller]
fn says(ran: &Ran, text: &str) {
    assert!(ran.stderr.contains(text), "no {text:?} in {}", ran.stderr);
}

#[test]
fn what_no_run_here_can_hold_is_warned_of_and_all_else_runs() {
    let world = World::with(BIG);
    let ended = world.run(&["w.yaml", "--json", "--capacity", "cpu=2"]);
    let ended = ended.ended(1);
    says(
        &ended,
        "\nwarning: --capacity: nothing here can hold big (cpu=4), since this run has cpu=2: all else runs, and what is left is kept for a run that has more\n",
    );
    says(
        &ended,
        "w: 3 of 5 tasks succeeded, 2 not ended; 3 attempts\n",
    );
    says(
        &ended,
        "\nnot run, since nothing here can hold that: big (cpu=4); this run has cpu=2\nnot run, waiting for these: next\n",
    );
    assert!(
        ended
            .stderr
            .ends_with("run w.yaml --json --capacity 'cpu=4'\n"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("--retry-failed"), "nothing failed");
    let totals = ended.totals();
    assert_eq!(
        (totals.tasks, totals.succeeded, totals.not_ended),
        (5, 3, 2)
    );
    assert_eq!((totals.dead, totals.cancelled), (0, 0));
    assert_eq!(ran(&world), ["first", "later", "other"]);
}

#[test]
fn a_run_that_has_more_goes_on_and_repeats_nothing() {
    let world = World::with(BIG);
    let less = ["w.yaml", "--capacity", "cpu=2", "--events", "events"];
    world.run(&less).ended(1);
    let again = world.run(&less).ended(1);
    says(&again, "w: going on with 3 of 5 tasks done");
    says(&again, "nothing here can hold big (cpu=4)");
    let more = ["w.yaml", "--capacity", "cpu=4", "--events", "events"];
    let ended = world.run(&[&more[..], &["--json"]].concat()).ended(0);
    assert!(!ended.stderr.contains("warning"), "{}", ended.stderr);
    let totals = ended.totals();
    assert_eq!((totals.succeeded, totals.not_ended), (5, 0));
    assert_eq!(totals.attempts, 5);
    assert_eq!(ran(&world), ["big", "first", "later", "next", "other"]);
    let workflow = russet_cli::workflow::read(&world.path("w.yaml"));
    crate::support::check(&workflow.expect("reads"), &world.events("events"));
}

#[test]
fn what_is_done_is_not_warned_of_when_the_next_run_has_less() {
    let world = World::with(BIG);
    world.write(
        "w.yaml",
        "tasks:
  big: {run: echo big >> ran, resources: {cpu: 4}}
  stops: {run: echo up > up; test -e go, depends_on: [big], max_retries: 0}",
    );
    world.run(&["w.yaml", "--capacity", "cpu=4"]).ended(1);
    world.write("go", "");
    let ended = world
        .run(&["w.yaml", "--capacity", "cpu=2", "--retry-failed"])
        .ended(0);
    assert!(!ended.stderr.contains("warning"), "{}", ended.stderr);
    assert_eq!(ran(&world), ["big"]);
}

#[test]
fn a_run_of_which_nothing_fits_ends_at_once() {
    let world = World::with("tasks: {a: {sleep: 1ms, resources: {cpu: 2}}}");
    let ended = world.run(&["w.yaml", "--json", "--capacity", "cpu=1"]);
    let totals = ended.ended(1).totals();
    assert_eq!((totals.not_ended, totals.attempts), (1, 0));
    let totals = world.run(&["w.yaml", "--json"]).ended(0).totals();
    assert_eq!((totals.succeeded, totals.attempts), (1, 1));
}

#[test]
fn what_a_failure_starts_runs_although_the_same_task_waits_for_one_that_is_too_large() {
    let world = World::with(
        "defaults: {max_retries: 0}
tasks:
  fails: {run: exit 1}
  big: {run: 'true', resources: {cpu: 4}}
  both: {run: 'true', depends_on: [big, fails]}
  alarm: {run: echo alarm >> ran, depends_on: [{task: both, on: failure}]}",
    );
    let ended = world.run(&["w.yaml", "--json", "--capacity", "cpu=2"]);
    let ended = ended.ended(1);
    let totals = ended.totals();
    assert_eq!((totals.succeeded, totals.dead), (1, 1));
    assert_eq!((totals.cancelled, totals.not_ended), (1, 1));
    assert_eq!(ran(&world), ["alarm"]);
    says(&ended, "cancelled: both\nnot run, since nothing here");
    says(
        &ended,
        "run w.yaml --json --capacity 'cpu=2' --retry-failed",
    );
}

#[test]
fn what_failed_and_what_was_too_large_run_once_more_together() {
    let world = World::with(
        "defaults: {max_retries: 0}
tasks:
  done: {run: echo done >> ran}
  fails: {run: 'test -e go && echo fixed >> ran'}
  big: {run: echo big >> ran, resources: {cpu: 4}}",
    );
    world.run(&["w.yaml", "--capacity", "cpu=2"]).ended(1);
    world.write("go", "");
    let more = ["w.yaml", "--capacity", "cpu=4", "--retry-failed"];
    world.run(&more).ended(0);
    assert_eq!(ran(&world), ["big", "done", "fixed"]);
}

#[test]
fn many_tasks_that_are_too_large_are_counted_beyond_the_first() {
    let tasks: Vec<_> = (0..12).map(|n| format!("t{n}: {{sleep: 1ms}}")).collect();
    let world = World::with(&format!(
        "defaults: {{resources: {{cpu: 2}}}}\ntasks: {{{}}}",
        tasks.join(", ")
    ));
    let ended = world.run(&["w.yaml", "--capacity", "cpu=1"]).ended(1);
    let warnings = ended.stderr.lines().filter(|line| line.contains("warning"));
    let warnings: Vec<_> = warnings.collect();
    assert_eq!(warnings.len(), 1, "{}", ended.stderr);
    assert!(
        warnings[0].contains("t7 (cpu=2) and 4 more, since"),
        "{}",
        warnings[0]
    );
}
