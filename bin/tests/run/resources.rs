use crate::support::{Event, World, is_terminal};

/// Most tasks that ran at once.
fn most_at_once(events: &[Event]) -> usize {
    let (mut now, mut most) = (0, 0);
    for event in events {
        if event.event == "leased" {
            now += 1;
        } else if event.event == "released" || is_terminal(event) && event.attempt > 0 {
            now -= 1;
        }
        most = most.max(now);
    }
    most
}

const FOUR: &str = "
defaults: {resources: {cpu: 2, gpu: 5}}
tasks: {a: {sleep: 30ms}, b: {sleep: 30ms}, c: {sleep: 30ms}, d: {sleep: 30ms}}";

#[test]
fn tasks_share_what_they_are_given() {
    let world = World::with(FOUR);
    for (capacity, most) in [
        ("cpu=2", 1),
        ("cpu=5", 2),
        ("cpu=5,gpu=9", 1),
        ("gpu=100", 4),
    ] {
        world
            .run(&[
                "w.yaml",
                "--fresh",
                "--capacity",
                capacity,
                "--events",
                "events",
            ])
            .ended(0);
        assert_eq!(most_at_once(&world.events("events")), most, "{capacity}");
    }
    world
        .run(&["w.yaml", "--fresh", "--events", "events"])
        .ended(0);
    assert_eq!(most_at_once(&world.events("events")), 4, "not counted");
}

#[test]
fn a_small_task_may_go_before_a_large_one_that_has_no_room() {
    let world = World::with(
        "tasks:
  holds: {run: 'until test -e small-ran || ! test -e w.yaml; do sleep 0.01; done', resources: {cpu: 3}, priority: 9}
  large: {run: 'test -e small-ran', resources: {cpu: 4}, priority: 8}
  small: {run: 'touch small-ran', resources: {cpu: 1}, priority: 0}",
    );
    world
        .run(&["w.yaml", "--capacity", "cpu=4", "--concurrency", "3"])
        .ended(0);
}

#[test]
fn only_so_many_tasks_run_at_once_and_the_longest_path_goes_first() {
    let world = World::with(
        "tasks:
  short-1: {sleep: 10ms}
  short-2: {sleep: 10ms}
  long: {sleep: 10ms}
  longer: {sleep: 500ms, depends_on: [long]}",
    );
    world
        .run(&["w.yaml", "--concurrency", "1", "--events", "events"])
        .ended(0);
    let events = world.events("events");
    assert_eq!(most_at_once(&events), 1);
    let started = events.iter().filter(|event| event.event == "leased");
    let order: Vec<_> = started.map(|event| event.task.as_str()).collect();
    assert_eq!(order[..2], ["long", "longer"]);
}

#[test]
fn what_was_observed_decides_what_goes_first_the_next_time() {
    let world = World::with(
        "tasks:
  quick: {run: 'true'}
  quick-next: {run: 'echo', depends_on: [quick]}
  slow: {run: 'sleep 0.2'}",
    );
    let order = |more: &[&str]| {
        let arguments = [
            &["w.yaml", "--concurrency", "1", "--events", "events"],
            more,
        ]
        .concat();
        world.run(&arguments).ended(0);
        let events = world.events("events");
        let started = events.into_iter().filter(|event| event.event == "leased");
        started.map(|event| event.task).collect::<Vec<_>>()
    };
    assert_eq!(
        order(&[])[0],
        "quick",
        "the longer path, as far as is known"
    );
    assert_eq!(order(&["--fresh"])[0], "slow");
}

#[test]
fn resources_can_be_counted_from_any_session_on() {
    let world = World::with(
        "defaults: {resources: {cpu: 2}}
tasks:
  first: {run: 'echo up > up; until test -e go || ! test -e w.yaml; do sleep 0.01; done'}
  a: {run: sleep 0.05, depends_on: [first]}
  b: {run: sleep 0.05, depends_on: [first]}
  c: {run: sleep 0.05, depends_on: [first]}",
    );
    let run = world.start(&["w.yaml"]);
    world.await_file("up");
    assert!(run.kill());
    world.write("go", "");
    let more = [
        "--capacity",
        "cpu=3",
        "--concurrency",
        "3",
        "--events",
        "events",
    ];
    world.run(&[&["w.yaml"][..], &more].concat()).ended(0);
    assert_eq!(most_at_once(&world.events("events")), 1);
}

#[test]
fn a_capacity_that_no_task_needs_is_told() {
    let world = World::with(FOUR);
    let ran = world
        .run(&["w.yaml", "--capacity", "cpus=4,gpu=5"])
        .ended(0);
    let said = "warning: --capacity: no task needs cpus; they need cpu, gpu\n";
    assert!(ran.stderr.starts_with(said), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("warning").count(), 1);
}
