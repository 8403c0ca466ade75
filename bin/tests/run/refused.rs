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
fn a_configuration_of_the_server() {
    let world = World::new();
    for tables in [
        "[server]\nlisten = '127.0.0.1:1'\n",
        "[store]\npartitons = 2\n",
    ] {
        world.write("russet.toml", tables);
        world.run(&["russet.toml"]).refused(
            "russet.toml is a configuration, not a workflow: `russet serve --config russet.toml` starts a server with it",
        );
    }
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
        .run(&["w.yaml", "--speedup", "-1"])
        .refused("--speedup: -1 is not a number from 0.001 to 1000000000");
    for number in ["many", "-1"] {
        let ran = world.run(&["w.yaml", "--concurrency", number]).ended(2);
        let said = format!(
            "error: invalid value '{number}' for '--concurrency <N>': it is not a number from 1 to 10000\n"
        );
        assert!(ran.stderr.starts_with(&said), "{}", ran.stderr);
    }
}

#[test]
fn a_workflow_that_has_changed() {
    let world = World::with(ONE);
    world.run(&["w.yaml"]).ended(0);
    world.write("w.yaml", "tasks: {a: {run: 'echo b >> ran'}}");
    world.run(&["w.yaml"]).refused(
        "w.russet-data holds w.yaml as it was when it was started there, and it has changed since: --retry-failed runs what did not succeed as the file now says, where what succeeded is as it was; --fresh forgets what was done and starts over, --data-dir names another directory",
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
        let ran = world.run(more).ended(2);
        let used = format!(
            "w.russet-data is in use by another `russet run` (process {})",
            first.id()
        );
        assert_eq!(
            ran.stderr,
            format!(
                "{used}: waiting up to 3s\nerror: {used}: wait until it ends, or name another directory with --data-dir\n"
            )
        );
    }
    world.write("go", "");
    first.end().ended(0);
}

#[test]
fn a_data_directory_that_is_damaged() {
    let world = World::with(ONE);
    let store = world.path("w.russet-data/store/russet.redb");
    world.run(&["w.yaml"]).ended(0);
    let whole = std::fs::read(&store).expect("reads");
    let garbage = vec![0xa5; whole.len()];
    for content in [&garbage[..], b"", &whole[..whole.len() / 2]] {
        std::fs::write(&store, content).expect("writes");
        is_damaged(&world, "");
    }
    std::fs::remove_file(&store).expect("removes");
    is_damaged(
        &world,
        "store/russet.redb, which says what was done, is missing or empty",
    );
    assert!(!store.exists());
    world.write("w.russet-data/run.json", "{");
    is_damaged(&world, "run.json cannot be read");
    assert_eq!(world.read("ran"), "a\n", "nothing was done again");
    world.run(&["w.yaml", "--fresh"]).ended(0);
    assert_eq!(world.read("ran"), "a\na\n");
}

#[test]
fn tasks_that_nothing_says_whose_they_are() {
    let world = World::with(ONE);
    world.run(&["w.yaml"]).ended(0);
    std::fs::remove_file(world.path("w.russet-data/run.json")).expect("removes");
    let why = "run.json, which says whose tasks these are, is missing";
    is_damaged(&world, why);
    is_damaged(&world, why);
    assert_eq!(world.read("ran"), "a\n");
    world.run(&["w.yaml", "--fresh"]).ended(0);
    assert_eq!(world.read("ran"), "a\na\n");
}

#[track_caller]
fn is_damaged(world: &World, why: &str) {
    let ran = world.run(&["w.yaml"]).ended(2);
    let said = format!("error: w.russet-data is damaged: {why}");
    assert!(ran.stderr.starts_with(&said), "{}", ran.stderr);
    let rest =
        "; --fresh forgets what was done and starts over, --data-dir names another directory\n";
    assert!(ran.stderr.ends_with(rest), "{}", ran.stderr);
}

#[test]
fn a_data_directory_of_another_file() {
    let world = World::with(ONE);
    world.run(&["w.yaml"]).ended(0);
    world.write("w.json", r#"{"tasks": {"b": {"run": "true"}}}"#);
    for more in [&["w.json"][..], &["w.json", "--retry-failed"]] {
        world.run(more).refused(
            "w.russet-data belongs to w.yaml, which is not w.json: name another directory with --data-dir; --fresh would forget what was done for w.yaml",
        );
    }
    world.run(&["w.json", "--data-dir", "w2"]).ended(0);
    let here = world.path("w.yaml");
    let here = here.to_str().expect("text");
    world.run(&[here, "--data-dir", "w.russet-data"]).ended(0);
    assert_eq!(world.read("ran"), "a\n");
}

#[test]
fn a_workflow_from_standard_input_without_a_directory() {
    let world = World::new();
    let ran = world.run_with(ONE, &["-"]);
    ran.refused("--data-dir: name a directory for the workflow that comes from standard input, which has no file's name to go by");
    for _ in 0..2 {
        world.run_with(ONE, &["-", "--data-dir", "here"]).ended(0);
    }
    assert_eq!(world.read("ran"), "a\n");
    let ran = world
        .run_with("tasks:\n  - [", &["-", "--data-dir", "here"])
        .ended(2);
    assert!(
        ran.stderr.starts_with("error: stdin: line "),
        "{}",
        ran.stderr
    );
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
    world.write("note.txt", "no line");
    world
        .run(&["w.yaml", "--events", "note.txt"])
        .refused("--events: note.txt holds something else (line 1); name another file");
    assert_eq!(world.read("note.txt"), "no line");
    world.run(&["w.yaml", "--fresh"]).ended(0);
    world
        .run(&["w.yaml", "--events", "events"])
        .refused("--events: events is of another run (line 1); name another file");
    world.run(&["w.yaml", "--events", "no/such/dir"]).refused(
        "--events: no/such/dir cannot be read and written: No such file or directory (os error 2); name another file",
    );
}

#[test]
fn a_run_that_begins_overwrites_nothing_but_events() {
    let world = World::with(ONE);
    let begin = ["w.yaml", "--events", "w.yaml"];
    for content in [&format!("{ONE}\n")[..], ONE] {
        world.write("w.yaml", content);
        for more in [&begin[..], &["w.yaml", "--fresh", "--events", "w.yaml"]] {
            world
                .run(more)
                .refused("--events: w.yaml holds something else (line 1); name another file");
            assert_eq!(world.read("w.yaml"), content);
        }
    }
    world.run(&["w.yaml", "--events", "events"]).ended(0);
    let forgotten = ["w.yaml", "--fresh", "--events", "w.yaml"];
    world.run(&forgotten).ended(2);
    world.run(&["w.yaml"]).ended(0);
    assert_eq!(world.read("ran"), "a\n", "what was done is not forgotten");
    let earlier = world.read("events");
    world
        .run(&["w.yaml", "--fresh", "--events", "events"])
        .ended(0);
    assert_eq!(world.read("ran"), "a\na\n");
    let events = world.read("events");
    assert_eq!(events.lines().count(), earlier.lines().count());
    assert_ne!(events, earlier, "begun anew");
    let cut = &events[..7];
    world.write("events", cut);
    world
        .run(&["w.yaml", "--fresh", "--events", "events"])
        .ended(0);
    assert!(world.read("events").ends_with("}\n"));
}

#[test]
fn problems_are_json_for_who_asks_for_json() {
    let world = World::with("tasks: {}");
    let ran = world.run(&["w.yaml", "--json"]).ended(2);
    assert_eq!(ran.stdout, "");
    let problem: serde_json::Value = serde_json::from_str(&ran.stderr).expect("is JSON");
    assert_eq!(problem["code"], "invalid_workflow");
}
