//! Random worlds against the rules: every step is compared with a naive oracle, and every
//! promise of the design is checked by its name.
//!
//! `PROPTEST_CASES=2560 cargo nextest run -p russet-core --test properties` looks ten times as
//! long. A failure prints the story that led to it, and the command that runs it again: it is
//! kept in `core/proptest-regressions/`, which every later run begins with.

mod acts;
mod apart;
mod books;
mod commands;
mod fans;
mod forgetful;
mod harness;
mod heal;
mod oracle;
mod promises;
mod replay;
mod specs;
mod store;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::panic::{self, AssertUnwindSafe};

use commands::{Plan, STEP};
use harness::Checks;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, FileFailurePersistence, TestError, TestRunner};
use russet_core::{EventKind, TransactionLimit};

const STEPS: usize = 100;

fn plans(partitions: u16, split: bool) -> impl Strategy<Value = Plan> {
    plans_for(partitions, split, TransactionLimit::NONE)
}

/// Plans for a store of small transactions: few records at once.
fn small_plans(partitions: u16) -> impl Strategy<Value = Plan> {
    plans_for(partitions, false, specs::FEW_CHANGES)
}

/// Plans for a store of small transactions: few bytes at once.
fn light_plans(partitions: u16) -> impl Strategy<Value = Plan> {
    plans_for(partitions, false, specs::FEW_BYTES)
}

fn plans_for(
    partitions: u16,
    split: bool,
    transaction: TransactionLimit,
) -> impl Strategy<Value = Plan> {
    let steps = prop::collection::vec(any::<[u8; STEP]>(), 1..STEPS);
    (any::<u8>(), steps).prop_map(move |(settings, steps)| Plan {
        partitions,
        split,
        transaction,
        settings,
        steps,
    })
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Panics of the attempts to shrink a failure are not of interest.
fn be_quiet(quiet: bool) {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                default(info);
            }
        }));
    });
    QUIET.set(quiet);
}

/// Runs `play` on many values; the second argument of `play` asks it to tell its story.
fn check<T: Debug>(
    test: &str,
    cases: u32,
    values: impl Strategy<Value = T>,
    play: impl Fn(&T, bool),
) {
    let kept = format!(
        "{}/proptest-regressions/properties/{test}.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    let default = Config::default();
    let mut runner = TestRunner::new(Config {
        cases: (cases * default.cases / 256).max(1),
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(kept.leak()))),
        ..default
    });
    be_quiet(true);
    let result = runner.run(&values, |value| {
        play(&value, false);
        Ok(())
    });
    be_quiet(false);
    match result {
        Ok(()) => {}
        Err(TestError::Fail(_, value)) => {
            eprintln!("the shortest failure that was found, {value:?}:");
            let _ = panic::catch_unwind(AssertUnwindSafe(|| play(&value, true)));
            panic!("to run it again: cargo nextest run -p russet-core --test properties {test}");
        }
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

macro_rules! properties {
    ($($test:ident: $cases:literal cases of $plans:expr, $checks:expr;)*) => {
        $(#[test]
        fn $test() {
            check(stringify!($test), $cases, $plans, |plan, tell| {
                plan.play(Checks { tell, ..$checks });
            });
        })*
    };
}

properties! {
    one_partition_keeps_every_promise: 300 cases of plans(1, false), Checks::default();
    a_split_store_keeps_every_promise: 300 cases of plans(1, true), Checks::default();
    two_partitions_keep_every_promise_while_messages_are_lost_repeated_and_late:
        300 cases of plans(2, true), Checks::default();
    a_store_of_small_transactions_keeps_every_promise: 150 cases of small_plans(1), Checks::default();
    two_partitions_of_small_transactions_keep_every_promise:
        150 cases of small_plans(2), Checks::default();
    a_store_of_light_transactions_keeps_every_promise: 150 cases of light_plans(1), Checks::default();
    two_partitions_of_light_transactions_keep_every_promise:
        150 cases of light_plans(2), Checks::default();
    pieces_of_workflows_that_are_repeated_at_once_get_the_same_reply:
        75 cases of small_plans(1), Checks { repeat: true, replay: true, ..Checks::default() };
    every_command_that_is_repeated_at_once_gets_the_same_reply:
        150 cases of plans(2, false), Checks { repeat: true, ..Checks::default() };
    a_recording_of_views_and_commands_decides_the_same_again:
        100 cases of plans(2, false), Checks { replay: true, ..Checks::default() };
}

#[test]
fn one_holder_fencing_tokens_never_repeat_in_a_store_that_forgets() {
    let test = "one_holder_fencing_tokens_never_repeat_in_a_store_that_forgets";
    check(test, 300, forgetful::steps(), |steps, _| {
        forgetful::play(steps);
    });
}

#[test]
fn no_loss_a_child_hears_of_its_parent_elsewhere_whatever_either_store_forgets() {
    let test = "no_loss_a_child_hears_of_its_parent_elsewhere_whatever_either_store_forgets";
    check(test, 300, apart::steps(), |steps, _| apart::play(steps));
}

#[test]
fn bounded_a_child_and_its_parent_elsewhere_are_purged_whatever_either_store_forgets() {
    let test = "bounded_a_child_and_its_parent_elsewhere_are_purged_whatever_either_store_forgets";
    check(test, 300, apart::steps_to_the_end(), |steps, _| {
        apart::play_to_the_end(steps, 1);
    });
}

#[test]
fn bounded_many_children_and_their_parent_elsewhere_are_purged_whatever_either_store_forgets() {
    let test =
        "bounded_many_children_and_their_parent_elsewhere_are_purged_whatever_either_store_forgets";
    let many = russet_core::limits::INLINE_DEPENDENTS as u64 + 1;
    check(test, 50, apart::steps_to_the_end(), |steps, _| {
        apart::play_to_the_end(steps, many);
    });
}

#[test]
fn every_child_of_a_large_fan_is_told_once() {
    check(
        "every_child_of_a_large_fan_is_told_once",
        10,
        fans::lives(),
        |lives, _| {
            fans::every_child_is_told_once(lives);
        },
    );
}

#[test]
fn plans_meet_every_event_and_every_refusal() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..120 {
        let plan = plans(2, false)
            .new_tree(&mut runner)
            .expect("a plan")
            .current();
        seen.extend(plan.play(Checks::default()).seen);
    }
    let events = EventKind::ALL.map(EventKind::as_str);
    // No plan is as large as a limit.
    let refusals = [
        "invalid",
        "not_found",
        "stale_lease",
        "not_queued",
        "paused",
        "concurrency_limit",
        "cycle",
        "dependency_not_found",
        "idempotency_conflict",
        "wrong_status",
        "not_leader",
    ];
    let missing: Vec<_> = events
        .iter()
        .chain(&refusals)
        .filter(|name| !seen.contains(*name))
        .collect();
    assert!(missing.is_empty(), "no plan met {missing:?}");
}

#[test]
fn plans_for_small_transactions_meet_all_that_happens_at_a_gate() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..60 {
        let plan = small_plans(2)
            .new_tree(&mut runner)
            .expect("a plan")
            .current();
        seen.extend(plan.play(Checks::default()).seen);
    }
    let expected = [
        "began in pieces",
        "went on in pieces",
        "stored a piece",
        "opened a gate",
        "let some through",
        "let the last through",
        "removed some",
        "removed the last",
        "incomplete",
    ];
    let missing: Vec<_> = expected
        .iter()
        .filter(|name| !seen.contains(*name))
        .collect();
    assert!(missing.is_empty(), "no plan met {missing:?}");
}
