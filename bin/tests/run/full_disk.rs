use std::fmt::Write;

use serde_json::Value;

use crate::support::World;

const TASKS: usize = 400;
/// Room for a file that has just been made, and not for all of these tasks.
const BLOCKS: u64 = 1_200;

#[test]
fn no_loss_a_run_on_a_full_disk_says_so_and_goes_on_when_there_is_room() {
    let mut text = "defaults: {max_retries: 0}\ntasks:\n".to_owned();
    let long = "x".repeat(3_000);
    for task in 0..TASKS {
        writeln!(text, "  t{task}: {{run: 'echo t{task} >> ran # {long}'}}").expect("writes");
    }
    let world = World::with(&text);
    let full = world.run_within(BLOCKS, &["w.yaml", "--json"]).ended(1);
    let problem = full.stderr.lines().last().expect("it says why");
    let problem: Value = serde_json::from_str(problem).expect("a problem");
    assert_eq!(
        (&problem["code"], &problem["status"]),
        (&"store_full".into(), &507.into())
    );
    let detail = problem["detail"].as_str().expect("text");
    for said in ["full", "free some room", "run the same command again"] {
        assert!(detail.contains(said), "{said} is not in: {detail}");
    }

    let done = world.run(&["w.yaml", "--json"]).ended(0);
    let summary: Value = serde_json::from_str(&done.stdout).expect("a summary");
    assert_eq!(summary["succeeded"], TASKS);
    assert_eq!(world.read("ran").lines().count(), TASKS, "each ran once");
}
