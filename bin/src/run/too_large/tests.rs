use std::path::Path;

use super::*;

const LIVE: Option<End> = None;
const OK: Option<End> = Some(End::Succeeded);
const DEAD: Option<End> = Some(End::Dead);

fn workflow(text: &str) -> Workflow {
    crate::workflow::parse(Path::new("w.yaml"), text.as_bytes()).expect("a workflow")
}

/// Whether nothing else is left of a workflow with so much, and what is not run.
fn left(text: &str, has: &[(&str, u64)], ends: &[Option<End>]) -> (bool, String) {
    let workflow = workflow(text);
    let has = has.iter().map(|(name, has)| ((*name).to_owned(), *has));
    let has: Vec<_> = has.collect();
    let too_large = TooLarge::new(&has, &workflow);
    let end = |task: usize| ends[task];
    let left = too_large.left(end);
    (too_large.is_all_that_is_left(end), left.to_string())
}

const CHAIN: &str = "tasks:
    small: {sleep: 1, resources: {cpu: 1}}
    big: {sleep: 1, depends_on: [small], resources: {cpu: 4, gpu: 1}}
    next: {sleep: 1, depends_on: [{task: big, on: completion}]}";

#[test]
fn what_waits_for_a_task_that_is_too_large_waits_for_ever() {
    let (is_all, left) = left(CHAIN, &[("cpu", 2)], &[OK, LIVE, LIVE]);
    let said = "not run, since nothing here can hold that: big (cpu=4); this run has cpu=2
not run, waiting for these: next\n";
    assert!(is_all);
    assert_eq!(left, said);
}

#[test]
fn a_task_that_can_run_is_waited_for() {
    assert!(!left(CHAIN, &[("cpu", 2)], &[LIVE, LIVE, LIVE]).0);
}

#[test]
fn what_fits_or_is_not_limited_is_not_too_large() {
    for has in [&[("cpu", 4)][..], &[("memory", 1)], &[]] {
        let nothing = (false, String::new());
        assert_eq!(left(CHAIN, has, &[OK, LIVE, LIVE]), nothing);
    }
}

#[test]
fn what_ended_with_more_is_not_held_up() {
    let (is_all, left) = left(CHAIN, &[("cpu", 2)], &[OK, OK, LIVE]);
    assert_eq!((is_all, left.as_str()), (false, ""));
}

#[test]
fn a_task_that_another_end_is_about_to_cancel_is_waited_for() {
    let text = |unsatisfied: &str| {
        format!(
            "tasks:
    fails: {{sleep: 1}}
    big: {{sleep: 1, resources: {{cpu: 4}}}}
    both: {{sleep: 1, depends_on: [fails, big], if_unsatisfied: {unsatisfied}}}
    alarm: {{sleep: 1, depends_on: [{{task: both, on: failure}}]}}"
        )
    };
    let ends = [DEAD, LIVE, LIVE, LIVE];
    assert!(!left(&text("cancel"), &[("cpu", 2)], &ends).0);
    assert!(left(&text("run"), &[("cpu", 2)], &ends).0);
}

#[test]
fn a_capacity_that_holds_everything_is_known() {
    let workflow = workflow(
        "tasks: {a: {sleep: 1, resources: {cpu: 9, gpu: 1}}, b: {sleep: 1, resources: {cpu: 8, gpu: 3}}}",
    );
    let has = [("cpu".to_owned(), 2), ("gpu".to_owned(), 2)];
    let left = TooLarge::new(&has, &workflow).left(|_| LIVE);
    assert_eq!(left.enough, "cpu=9,gpu=3");
    let said = "--capacity: nothing here can hold a (cpu=9), b (cpu=8,gpu=3), since this run has cpu=2,gpu=2: all else runs, and what is left is kept for a run that has more";
    assert_eq!(left.warning().as_deref(), Some(said));
}
