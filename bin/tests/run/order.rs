//! The order of a workflow's tasks, by itself: with machines that take no time but what the tasks
//! take, it comes close to what no order can beat.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;
use std::time::Duration;

use russet_cli::workflow::{self, Workflow};

use crate::files::wide;
use crate::support::{World, data};

/// The makespan when of all ready tasks those with the greatest `rank` go first.
fn makespan(workflow: &Workflow, rank: &[Duration], at_once: usize) -> Duration {
    let dependents = workflow.dependents();
    let parents = workflow.tasks.iter().map(|task| task.depends_on.len());
    let mut missing: Vec<usize> = parents.collect();
    let ranked = |task: usize| (rank[task], Reverse(task));
    let roots = (0..missing.len()).filter(|task| missing[*task] == 0);
    let mut ready: BinaryHeap<_> = roots.map(ranked).collect();
    let mut running = BinaryHeap::new();
    let mut now = Duration::ZERO;
    loop {
        while running.len() < at_once
            && let Some((_, Reverse(task))) = ready.pop()
        {
            let takes = workflow.tasks[task].run_time().unwrap_or_default();
            running.push(Reverse((now + takes, task)));
        }
        let Some(Reverse((end, task))) = running.pop() else {
            return now;
        };
        now = end;
        for dependent in &dependents[task] {
            missing[*dependent] -= 1;
            if missing[*dependent] == 0 {
                ready.push(ranked(*dependent));
            }
        }
    }
}

/// How the makespan of our order compares with what no order can beat, and with that of the order
/// of the file.
fn ratios(workflow: &Workflow, at_once: usize) -> (f64, f64) {
    let ours = makespan(workflow, &workflow.longest_remaining_path(), at_once);
    let of_file = vec![Duration::ZERO; workflow.tasks.len()];
    let of_file = makespan(workflow, &of_file, at_once);
    let path = workflow.critical_path().run_time;
    let bound = path.max(workflow.total_run_time() / at_once as u32);
    let ratio = |other: Duration| ours.as_secs_f64() / other.as_secs_f64();
    (ratio(bound), ratio(of_file))
}

#[test]
fn the_longest_remaining_path_first_comes_close_to_the_bound() {
    let made = workflow::parse(Path::new("wide.json"), wide().as_bytes());
    let made = made.expect("is a workflow");
    for at_once in [2, 4, 8, 16, 32] {
        let (of_bound, _) = ratios(&made, at_once);
        assert!(of_bound < 1.06, "{at_once} at once: {of_bound}");
    }
}

#[test]
fn the_longest_remaining_path_first_is_not_slower_than_the_order_of_a_recorded_file() {
    let Some(data) = data() else {
        eprintln!("RUSSET_DATA is not set: no recorded workflows to order");
        return;
    };
    for entry in std::fs::read_dir(data.join("workflows")).expect("is there") {
        let file = entry.expect("reads").path();
        let workflow = workflow::read(&file).expect("is a workflow");
        for at_once in [2, 8, 32, 128] {
            let (of_bound, of_file) = ratios(&workflow, at_once);
            let name = &workflow.name;
            println!(
                "{name}, {at_once} at once: {of_bound:.3} times the bound, {of_file:.3} times the order of the file"
            );
            assert!(of_file < 1.01, "{name}, {at_once} at once: {of_file}");
        }
    }
}

/// How many times the makespan of this order a run may take: less than that of the order of the
/// file, and far more than what a run costs beside its tasks.
const SLACK: f64 = 1.5;
/// How often it is run until it takes no longer: what else the machine does may slow down some.
const RUNS: usize = 3;

#[test]
fn a_run_takes_little_longer_than_with_the_longest_remaining_path_first() {
    let short = (0..28).map(|n| format!("  short-{n}: {{sleep: 1s}}\n"));
    let chain =
        (1..4).map(|n| format!("  link-{n}: {{sleep: 1s, depends_on: [link-{}]}}\n", n - 1));
    let text: String = ["tasks:\n".to_owned()]
        .into_iter()
        .chain(short)
        .chain(["  link-0: {sleep: 1s}\n".to_owned()])
        .chain(chain)
        .collect();
    let workflow = workflow::parse(Path::new("w.yaml"), text.as_bytes());
    let workflow = workflow.expect("is a workflow");
    let (ours, of_file) = ratios(&workflow, 8);
    assert!(ours < 1.01 && of_file < 1.0 / SLACK, "{ours}, {of_file}");
    let ideal = makespan(&workflow, &workflow.longest_remaining_path(), 8);

    let world = World::with(&text);
    let run = |_| {
        let ran = world.run(&["w.yaml", "--fresh", "--concurrency", "8", "--json"]);
        let taken = Duration::from_millis(ran.ended(0).totals().makespan_ms);
        println!("{taken:?}; by itself the order takes {ideal:?}");
        taken
    };
    let mut runs = (0..RUNS).map(run);
    assert!(runs.any(|taken| taken < ideal.mul_f64(SLACK)));
}
