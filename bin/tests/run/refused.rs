use crate::support::World;

const ONE: &str = "tasks: {a: {run: 'echo a >> ran'}}";

#[test]
fn a_file_that_is_missing_or_wrong() {
    let world =
        World::with("tasks: {a: {run: 'true', depends_on: [b]}, b: {sleep: 1, depends_on: [a]}}");
    world
        .run(&["none.yaml"])
        .refused("cannot read the workflow file none.yaml: No such file or directory (os error 2)");
    let ran = world.run(&["w.yaml"]).ended(2);
    assert!(
        ran.stderr.contains("a -> b -> a") || ran.stderr.contains("cycle"),
        "{}",
        ran.stderr
    );
    assert!(!world.path("w.russet-data").exists() && !world.path("none.russet-data").exists());
}

#[test]
fn numbers_that_cannot_be() {
    let world = World::with(ONE);
    let refusals = [
        (
            "--concurrency",
            "0",
            "--concurrency: 0 is not a number from 1 to 10000",
        ),
        (
            "--speedup",
            "0",
            "--speedup: 0 is not a number from 0.001 to 1000000000",
        ),
        (
            "--speedup",
            "NaN",
            "--speedup: NaN is not a number from 0.001 to 1000000000",
        ),
    ];
    for (option, value, message) in refusals {
        world.run(&["w.yaml", option, value]).refused(message);
    }
    world
        .run(&["w.yaml", "--speedup=-1"])
        .refused("--speedup: -1 is not a number from 0.001 to 1000000000");
    world.run(&["w.yaml", "--concurrency", "many"]).ended(2);
}

#[test]
fn a_workflow_that_has_changed() {
    let world = World::with(ONE);
    world.run(&["w.yaml"]).ended(0);
    world.write("w.yaml", "tasks: {a: {run: 'echo b >> ran'}}");
    world.run(&["w.yaml"]).refused(
        "w.russet-data does not hold this workflow: w.yaml has changed since it was started there, or is another file; --fresh forgets what was done and starts over, --data-dir names another directory",
    );
    // How it is written and run does not matter, only what it says.
    world.write(
        "w.yaml",
        "name: w\ntasks:\n  a:\n    run: echo a >> ran # the same\n",
    );
    world
        .run(&["w.yaml", "--concurrency", "7", "--speedup", "3"])
        .ended(0);
    assert_eq!(world.read("ran"), "a\n");
    world.write("w.yaml", "tasks: {a: {run: 'echo b >> ran'}}");
    world.run(&["w.yaml", "--fresh"]).ended(0);
    world.run(&["w.yaml", "--data-dir", "other"]).ended(0);
    assert_eq!(world.read("ran"), "a\nb\nb\n");
}

#[test]
fn a_data_directory_that_is_in_use() {
    let world = World::with(
        "tasks: {a: {run: 'echo up > up; until test -e go || ! test -e w.yaml; do sleep 0.01; done'}}",
    );
    let first = world.start(&["w.yaml"]);
    world.await_file("up");
    for more in [&["w.yaml"][..], &["w.yaml", "--fresh"]] {
        world.run(more).refused(&format!(
            "w.russet-data is in use by another `russet run` (process {}): wait until it ends, or name another directory with --data-dir",
            first.id()
        ));
    }
    world.write("go", "");
    first.end().ended(0);
}

#[test]
fn a_data_directory_that_is_damaged() {
    let world = World::with(ONE);
    let store = "w.russet-data/store/russet.redb";
    world.run(&["w.yaml"]).ended(0);
    let whole = std::fs::read(world.path(store)).expect("reads");
    let garbage = vec![0xa5; whole.len()];
    for content in [&garbage[..], b"", &whole[..whole.len() / 2]] {
        std::fs::write(world.path(store), content).expect("writes");
        let ran = world.run(&["w.yaml"]);
        if content.is_empty() {
            // Nothing is left: that is where a run begins.
            ran.ended(0);
            continue;
        }
        let ran = ran.ended(2);
        assert!(
            ran.stderr.starts_with("error: w.russet-data is damaged: "),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr.ends_with("; --fresh forgets what was done and starts over, --data-dir names another directory\n"),
            "{}",
            ran.stderr
        );
    }
    std::fs::write(world.path("w.russet-data/run.json"), "{").expect("writes");
    let ran = world.run(&["w.yaml"]).ended(2);
    assert!(
        ran.stderr
            .starts_with("error: w.russet-data is damaged: run.json cannot be read")
    );
    world.run(&["w.yaml", "--fresh"]).ended(0);
}

#[test]
fn a_directory_of_something_else() {
    let world = World::with(ONE);
    std::fs::create_dir(world.path("home")).expect("makes");
    world.write("home/diary.txt", "dear diary");
    for more in [
        &["w.yaml", "--data-dir", "home"][..],
        &["w.yaml", "--data-dir", "home", "--fresh"],
    ] {
        world.run(more).refused(
            "home is not the data directory of a `russet run`: it holds diary.txt; name another directory with --data-dir",
        );
    }
    assert_eq!(world.read("home/diary.txt"), "dear diary");
    assert!(!world.path("home/run.lock").exists());
    world.run(&["w.yaml", "--data-dir", "home/diary.txt"]).refused(
        "cannot use the data directory home/diary.txt: File exists (os error 17); name another with --data-dir",
    );
}

#[test]
fn an_events_file_of_something_else() {
    let world = World::with(ONE);
    world.run(&["w.yaml", "--events", "events"]).ended(0);
    world.write("diary.txt", "dear diary\n");
    world
        .run(&["w.yaml", "--events", "diary.txt"])
        .refused("--events: diary.txt holds something else (line 1); name another file");
    assert_eq!(world.read("diary.txt"), "dear diary\n");
    world.run(&["w.yaml", "--fresh"]).ended(0);
    world
        .run(&["w.yaml", "--events", "events"])
        .refused("--events: events is of another run (line 1); name another file");
    world.run(&["w.yaml", "--events", "no/such/dir"]).refused(
        "--events: no/such/dir cannot be read and written: No such file or directory (os error 2); name another file",
    );
}

#[test]
fn problems_are_json_for_who_asks_for_json() {
    let world = World::with("tasks: {}");
    let ran = world.run(&["w.yaml", "--json"]).ended(2);
    assert_eq!(ran.stdout, "");
    let problem: serde_json::Value = serde_json::from_str(&ran.stderr).expect("is JSON");
    assert_eq!(problem["code"], "invalid_workflow");
}

#[test]
fn resources_that_were_left_out_at_the_start() {
    let world = World::with(
        "tasks: {a: {run: 'echo up > up; test -e go || sleep 60', resources: {cpu: 1}}}",
    );
    let first = world.start(&["w.yaml"]);
    world.await_file("up");
    first.kill();
    world.run(&["w.yaml", "--capacity", "cpu=2"]).refused(
        "--capacity: this workflow was started without it, so its tasks' resources are not counted: go on without --capacity, or start over with --fresh",
    );
    world.write("go", "");
    world.run(&["w.yaml"]).ended(0);
}
