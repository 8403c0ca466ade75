use rustix::process::Signal;

use crate::support::{Event, World, check, eventually, is_terminal};

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// The events of the last life of each task.
fn last_lives(events: Vec<Event>) -> Vec<Event> {
    let begins = |event: &Event| event.event == "submitted";
    let last = |event: &Event| {
        let same = |other: &Event| begins(other) && other.task == event.task;
        events.iter().rposition(same)
    };
    let each = events.iter().enumerate();
    let kept = each.filter(|(at, event)| last(event).is_some_and(|begin| begin <= *at));
    kept.map(|(_, event)| event.clone()).collect()
}

const BROKEN: &str = "
defaults: {max_retries: 0}
tasks:
  fetch: {run: echo fetch >> ran}
  load: {run: 'echo broken; test -e fixed && echo load >> ran', depends_on: [fetch]}
  tell: {run: echo tell >> ran, depends_on: [load]}
  alarm: {run: echo alarm >> ran, depends_on: [{task: load, on: failure}]}
  unneeded: {run: echo unneeded >> ran, depends_on: [{task: fetch, on: failure}]}
  after: {run: echo after >> ran, depends_on: [fetch, tell]}";

#[test]
fn what_failed_and_what_was_cancelled_by_it_runs_once_more() {
    let world = World::with(BROKEN);
    let ran = world.run(&["w.yaml", "--events", "events"]).ended(1);
    assert!(
        ran.stderr
            .ends_with(" run w.yaml --events events --retry-failed\n"),
        "{}",
        ran.stderr
    );
    let again = ["w.yaml", "--json", "--events", "events"];
    let ran = world.run(&again).ended(1);
    let said = "w: already ended in w.russet-data: 1 dead, 2 cancelled; fix the cause and run again with --retry-failed (finished tasks are kept), or --fresh to start over\n";
    assert!(ran.stderr.starts_with(said), "{}", ran.stderr);
    assert_eq!(sorted(&world.read("ran")), ["alarm", "fetch"]);

    world.write("fixed", "");
    let ran = world
        .run(&[&again[..], &["--retry-failed"]].concat())
        .ended(0);
    assert!(
        ran.stderr.starts_with("w: going on with 3 of 6 tasks done"),
        "{}",
        ran.stderr
    );
    let totals = ran.totals();
    assert_eq!((totals.succeeded, totals.dead, totals.cancelled), (5, 0, 1));
    assert_eq!(
        sorted(&world.read("ran")),
        ["after", "alarm", "fetch", "load", "tell"]
    );
    let log = world.read("w.russet-data/logs/load.log");
    assert_eq!(log, "broken\n--- run again\nbroken\n");
    let events = world.events("events");
    let lives = |task: &str| {
        let ends = events
            .iter()
            .filter(|event| event.task == task && is_terminal(event));
        ends.map(|event| event.event.clone()).collect::<Vec<_>>()
    };
    assert_eq!(lives("fetch"), ["succeeded"]);
    assert_eq!(lives("load"), ["dead_lettered", "succeeded"]);
    assert_eq!(lives("tell"), ["cancelled", "succeeded"]);

    // Nothing is left to be run again.
    for more in [&[][..], &["--retry-failed"]] {
        let ran = world.run(&[&again[..], more].concat()).ended(0);
        assert!(
            ran.stderr.starts_with("w: already done in w.russet-data"),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.totals(), totals);
    }
    assert_eq!(world.events("events"), events);
    assert_eq!(world.read("ran").lines().count(), 5);
}

#[test]
fn a_wrong_command_can_be_put_right_and_what_succeeded_is_kept() {
    let world = World::with(
        "tasks:
  a: {run: echo a >> ran}
  b: {run: 'exit 3', depends_on: [a], max_retries: 0}
  c: {run: echo c >> ran, depends_on: [b]}",
    );
    world.run(&["w.yaml"]).ended(1);
    // Tasks may come, go and move, too.
    world.write(
        "w.yaml",
        "tasks:
  setup: {run: echo setup >> ran}
  b: {run: echo b >> ran, depends_on: [a, setup]}
  a: {run: echo a >> ran}
  last: {run: 'echo last >> ran; exit 1', depends_on: [b], max_retries: 0}",
    );
    let ran = world.run(&["w.yaml", "--retry-failed", "--json"]).ended(1);
    assert_eq!((ran.totals().tasks, ran.totals().succeeded), (4, 3));
    assert_eq!(world.read("ran"), "a\nsetup\nb\nlast\n");

    // Over and over, and seen the same by a later look.
    world.write("w.yaml", &world.read("w.yaml").replace("exit 1", "exit 0"));
    world.run(&["w.yaml", "--retry-failed"]).ended(0);
    assert_eq!(world.read("ran"), "a\nsetup\nb\nlast\nlast\n");
    let totals = world.run(&["w.yaml", "--json"]).ended(0).totals();
    assert_eq!((totals.tasks, totals.succeeded), (4, 4));
}

#[test]
fn a_task_that_succeeded_cannot_be_changed() {
    let world = World::with(BROKEN);
    world.run(&["w.yaml"]).ended(1);
    world.write("w.yaml", &BROKEN.replace("echo fetch", "echo other"));
    world.run(&["w.yaml", "--retry-failed"]).refused(
        "--retry-failed keeps what succeeded, but w.yaml now says otherwise about fetch: put it back as it was, or start over with --fresh",
    );
    world.write("w.yaml", "tasks: {tell: {run: 'true'}}");
    world.run(&["w.yaml", "--retry-failed"]).refused(
        "--retry-failed keeps what succeeded, but w.yaml now says otherwise about fetch, alarm: put it back as it was, or start over with --fresh",
    );
    world.write("w.yaml", BROKEN);
    world.write("fixed", "");
    world.run(&["w.yaml", "--retry-failed"]).ended(0);
}

#[test]
fn what_has_not_ended_can_be_changed_too() {
    let world = World::with(
        "tasks:
  a: {run: echo a >> ran}
  waits: {run: 'echo up > up; sleep 60', depends_on: [a]}
  next: {run: exit 1, depends_on: [waits]}
  anyway: {run: echo anyway >> ran, depends_on: [waits], if_unsatisfied: run}",
    );
    let mut run = world.start(&["w.yaml", "--events", "events"]);
    world.await_file("up");
    run.signal(Signal::INT);
    run.await_line("stopping");
    run.signal(Signal::INT);
    run.end().ended(130);
    let text = world.read("w.yaml").replace("sleep 60", "true");
    world.write("w.yaml", &text.replace("exit 1", "echo next >> ran"));
    let more = ["w.yaml", "--retry-failed", "--events", "events", "--json"];
    let totals = world.run(&more).ended(0).totals();
    assert_eq!((totals.succeeded, totals.cancelled), (4, 0));
    assert_eq!(sorted(&world.read("ran")), ["a", "anyway", "next"]);
    let workflow = russet_cli::workflow::read(&world.path("w.yaml")).expect("reads");
    check(&workflow, &last_lives(world.events("events")));
}

#[test]
fn a_new_try_that_was_killed_is_gone_on_with() {
    let world = World::with(
        "defaults: {max_retries: 0}
tasks:
  a: {run: echo a >> ran}
  b: {run: 'test -e fixed || exit 1; echo up > up; until test -e go || ! test -e w.yaml; do sleep 0.01; done', depends_on: [a]}
  c: {run: 'test -e fixed && echo c >> ran', depends_on: [a]}
  d: {run: echo d >> ran, depends_on: [b, c]}",
    );
    world.run(&["w.yaml", "--events", "events"]).ended(1);
    world.write("fixed", "");
    let run = world.start(&["w.yaml", "--retry-failed", "--events", "events"]);
    world.await_file("up");
    eventually("the end of c", || {
        let events = world.events("events");
        let is_end = |event: &Event| event.task == "c" && event.event == "succeeded";
        events.iter().any(is_end).then_some(())
    });
    assert!(run.kill());
    world.write("go", "");
    world.run(&["w.yaml", "--events", "events"]).ended(0);
    assert_eq!(world.read("ran"), "a\nc\nd\n");
    let workflow = russet_cli::workflow::read(&world.path("w.yaml")).expect("reads");
    check(&workflow, &last_lives(world.events("events")));
}

#[test]
fn a_new_try_that_was_noted_and_not_begun_is_begun() {
    let world =
        World::with("tasks: {a: {run: echo a >> ran}, b: {run: 'test -e fixed', max_retries: 0}}");
    world.run(&["w.yaml"]).ended(1);
    let path = world.path("w.russet-data/run.json");
    let text = std::fs::read_to_string(&path).expect("reads");
    let mut identity: serde_json::Value = serde_json::from_str(&text).expect("is JSON");
    let mut round = identity["rounds"][0].clone();
    let id = round["id"].as_str().expect("an id").replacen('0', "1", 1);
    round["id"] = id.into();
    identity["rounds"]
        .as_array_mut()
        .expect("a list")
        .push(round);
    std::fs::write(&path, identity.to_string()).expect("writes");
    world.write("fixed", "");
    let totals = world.run(&["w.yaml", "--json"]).ended(0).totals();
    assert_eq!((totals.succeeded, totals.attempts), (2, 2));
    assert_eq!(world.read("ran"), "a\n");
}

#[test]
fn retry_failed_starts_what_was_never_started() {
    let world = World::with("tasks: {a: {run: echo a >> ran}}");
    world.run(&["w.yaml", "--retry-failed"]).ended(0);
    assert_eq!(world.read("ran"), "a\n");
    let ran = world.run(&["w.yaml", "--retry-failed", "--fresh"]).ended(2);
    assert!(ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
}
