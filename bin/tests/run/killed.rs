use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::support::{Random, World, check};

/// Kills that end a run.
const KILLS: usize = 50;
const TASKS: u64 = 30;

/// Tasks that say in a file that they run, with up to three dependencies each.
fn workflow(random: &mut Random) -> String {
    let mut text = "defaults: {retry_delay: 5ms, max_retries: 0}\ntasks:\n".to_owned();
    for task in 0..TASKS {
        let parents: BTreeSet<u64> = (0..random.below(4))
            .filter(|_| task > 0)
            .map(|_| random.below(task.max(1)))
            .collect();
        let parents: Vec<_> = parents.iter().map(|parent| format!("t{parent}")).collect();
        let pause = random.below(4);
        writeln!(
            text,
            "  t{task}: {{run: 'echo $RUSSET_TASK >> ran; sleep 0.00{pause}', depends_on: [{}]}}",
            parents.join(", ")
        )
        .expect("writes");
    }
    text
}

/// How often each task ran.
fn ran(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in world.read("ran").lines() {
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

/// The tasks whose success is recorded, and how often each of them ran.
fn finished(world: &World) -> BTreeMap<String, usize> {
    let counts = ran(world);
    let events = world.events("events");
    let ended = events.iter().filter(|event| event.event == "succeeded");
    ended
        .map(|event| (event.task.clone(), counts[&event.task]))
        .collect()
}

/// Starts the run and kills it, half of the time when it has told a few more events, and else
/// at any time at all. Returns whether the kill came before its end.
fn start_and_kill(world: &World, random: &mut Random) -> bool {
    let before = world.events("events").len();
    let mut run = world.start(&["w.yaml", "--events", "events", "--concurrency", "4"]);
    let start = Instant::now();
    let wait = Duration::from_micros(random.below(150_000));
    let lines = (random.below(2) == 0).then(|| before + 1 + random.below(30) as usize);
    loop {
        let is_time = match lines {
            Some(lines) => world.events("events").len() >= lines,
            None => start.elapsed() >= wait,
        };
        if run.has_ended() {
            run.end().ended(0);
            return false;
        }
        if is_time {
            return run.kill();
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

#[test]
fn killed_at_any_moment_a_run_goes_on_and_repeats_nothing() {
    // Another seed tries other moments.
    let seed = std::env::var("SEED").map_or(2, |seed| seed.parse().expect("a number"));
    let mut random = Random(seed);
    let (mut kills, mut runs) = (0, 0);
    while kills < KILLS {
        let world = World::with(&workflow(&mut random));
        let mut known = BTreeMap::new();
        while start_and_kill(&world, &mut random) {
            kills += 1;
            let finished = finished(&world);
            for (task, count) in &known {
                assert_eq!(finished.get(task), Some(count), "{task} ran again");
            }
            known = finished;
        }
        runs += 1;
        let events = world.events("events");
        let workflow = russet_cli::workflow::read(&world.path("w.yaml"));
        check(&workflow.expect("reads"), &events);
        let counts = ran(&world);
        for (task, count) in &known {
            assert_eq!(counts[task], *count, "{task} ran again");
        }
        for task in (0..TASKS).map(|task| format!("t{task}")) {
            let of_task = events.iter().filter(|event| event.task == task);
            let attempts = of_task
                .clone()
                .filter(|event| event.event == "leased")
                .count();
            assert!(
                (1..=attempts).contains(&counts[&task]),
                "{task}: {attempts} {counts:?}"
            );
            assert!(
                of_task.clone().any(|event| event.event == "succeeded"),
                "{task}"
            );
            assert!(
                of_task.clone().all(|event| event.event != "failed"),
                "{task}"
            );
        }
    }
    assert!(kills >= KILLS);
    println!("{kills} kills over {runs} runs");
}
