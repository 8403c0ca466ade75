use proptest::prelude::*;

use super::*;
use crate::workflow::testing::sleepers;

const MANY: usize = 10_000;

#[test]
fn a_diamond_has_its_slower_side_as_critical_path() {
    let workflow = sleepers(&[(1, &[]), (5, &[0]), (2, &[0]), (1, &[1, 2])]);
    assert_eq!(workflow.total_run_time(), Duration::from_secs(9));
    assert_eq!(workflow.edges(), 4);
    assert_eq!(workflow.widest_fan_in(), 2);
    assert_eq!(workflow.order(), [0, 1, 2, 3]);
    let critical = CriticalPath {
        tasks: vec![0, 1, 3],
        run_time: Duration::from_secs(7),
    };
    assert_eq!(workflow.critical_path(), critical);
    let remaining = [7, 6, 3, 1].map(Duration::from_secs);
    assert_eq!(workflow.longest_remaining_path(), remaining);
}

#[test]
fn of_equal_paths_the_one_with_most_tasks_and_then_the_earliest_is_critical() {
    let workflow = sleepers(&[(0, &[]), (0, &[]), (0, &[1]), (0, &[0]), (0, &[0])]);
    assert_eq!(workflow.critical_path().tasks, [0, 3]);
}

#[test]
fn a_workflow_without_tasks_has_an_empty_critical_path() {
    let workflow = sleepers(&[]);
    assert_eq!(workflow.critical_path().tasks, [] as [usize; 0]);
    assert_eq!(workflow.widest_fan_in(), 0);
}

#[test]
fn a_circle_is_found_from_its_earliest_task_on() {
    let workflow = sleepers(&[(0, &[1]), (0, &[3]), (0, &[1]), (0, &[2])]);
    assert_eq!(cycles(&workflow.tasks), [[1, 3, 2]]);
    assert_eq!(workflow.order(), [] as [usize; 0]);
}

#[test]
fn a_task_that_waits_for_itself_is_a_circle_of_one() {
    let workflow = sleepers(&[(0, &[]), (0, &[0, 1])]);
    assert_eq!(cycles(&workflow.tasks), [[1]]);
}

#[test]
fn separate_circles_are_all_found_and_touching_ones_once() {
    let separate: &[(u64, &[usize])] = &[(0, &[1]), (0, &[0, 2]), (0, &[3]), (0, &[2])];
    assert_eq!(cycles(&sleepers(separate).tasks), [[0, 1], [2, 3]]);
    let touching: &[(u64, &[usize])] = &[(0, &[1]), (0, &[2, 0]), (0, &[0, 1])];
    assert_eq!(cycles(&sleepers(touching).tasks), [vec![0, 1, 2]]);
}

#[test]
fn ten_thousand_tasks_in_a_chain_need_no_deep_stack() {
    let waits: Vec<[usize; 1]> = (1..=MANY).map(|next| [next % MANY]).collect();
    let mut chain: Vec<(u64, &[usize])> = waits.iter().map(|wait| (1, &wait[..])).collect();
    let circle = cycles(&sleepers(&chain).tasks);
    assert_eq!(circle.iter().map(Vec::len).collect::<Vec<_>>(), [MANY]);

    chain[MANY - 1].1 = &[];
    let workflow = sleepers(&chain);
    assert!(cycles(&workflow.tasks).is_empty());
    let critical = workflow.critical_path();
    assert_eq!(critical.run_time, Duration::from_secs(MANY as u64));
    assert_eq!(critical.tasks.first(), Some(&(MANY - 1)));
    assert_eq!(critical.tasks.len(), MANY);
}

fn any_graph() -> impl Strategy<Value = Vec<(u64, Vec<usize>)>> {
    (1usize..9).prop_flat_map(|size| {
        let waits = prop::collection::btree_set(0..size, 0..3);
        let task = (0u64..5, waits.prop_map(|waits| waits.into_iter().collect()));
        prop::collection::vec(task, size)
    })
}

fn build(graph: &[(u64, Vec<usize>)]) -> Workflow {
    let tasks: Vec<(u64, &[usize])> = graph
        .iter()
        .map(|(time, waits)| (*time, &waits[..]))
        .collect();
    sleepers(&tasks)
}

/// Which tasks can be reached from which, over at least one dependency.
fn reachable(graph: &[(u64, Vec<usize>)]) -> Vec<Vec<bool>> {
    let size = graph.len();
    let mut reach = vec![vec![false; size]; size];
    for (task, (_, waits)) in graph.iter().enumerate() {
        waits.iter().for_each(|&on| reach[task][on] = true);
    }
    for via in 0..size {
        for from in 0..size {
            for to in 0..size {
                reach[from][to] |= reach[from][via] && reach[via][to];
            }
        }
    }
    reach
}

fn longest_by_recursion(graph: &[(u64, Vec<usize>)], task: usize) -> u64 {
    let rest = graph[task]
        .1
        .iter()
        .map(|&on| longest_by_recursion(graph, on));
    graph[task].0 + rest.max().unwrap_or(0)
}

proptest! {
    #[test]
    fn every_knot_of_circles_is_reported_and_nothing_else(graph in any_graph()) {
        let found = cycles(&build(&graph).tasks);
        let reach = reachable(&graph);
        let mut used = vec![false; graph.len()];
        for cycle in &found {
            for (at, &task) in cycle.iter().enumerate() {
                let next = cycle[(at + 1) % cycle.len()];
                prop_assert!(graph[task].1.contains(&next), "{cycle:?} is no circle");
                prop_assert!(!std::mem::replace(&mut used[task], true), "{task} is in two circles");
            }
        }
        for task in (0..graph.len()).filter(|&task| reach[task][task]) {
            let in_knot = |&other: &usize| other == task || (reach[task][other] && reach[other][task]);
            prop_assert!(found.iter().flatten().any(in_knot), "the circle of {task} was missed");
        }
    }

    #[test]
    fn without_circles_order_and_paths_are_right(mut graph in any_graph()) {
        for (task, (_, waits)) in graph.iter_mut().enumerate() {
            waits.retain(|&on| on < task);
        }
        let workflow = build(&graph);
        let order = workflow.order();
        prop_assert_eq!(order.len(), graph.len());
        let place = |task| order.iter().position(|&at| at == task);
        for (task, (_, waits)) in graph.iter().enumerate() {
            prop_assert!(waits.iter().all(|&on| place(on) < place(task)));
        }
        let longest = (0..graph.len()).map(|task| longest_by_recursion(&graph, task)).max();
        let critical = workflow.critical_path();
        prop_assert_eq!(Some(critical.run_time.as_secs()), longest);
        let along: u64 = critical.tasks.iter().map(|&task| graph[task].0).sum();
        prop_assert_eq!(Some(along), longest);
        prop_assert!(critical.tasks.windows(2).all(|pair| graph[pair[1]].1.contains(&pair[0])));
        let remaining = workflow.longest_remaining_path().into_iter().max();
        prop_assert_eq!(remaining.map(|time| time.as_secs()), longest);
    }
}
