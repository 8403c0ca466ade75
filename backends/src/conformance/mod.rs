//! What a store and a queue are, as tests that every backend must pass.
//!
//! A backend implements [`Factory`] and instantiates the suite with [`crate::conformance!`]:
//!
//! ```ignore
//! russet_backends::conformance! { memory: Memories => store, queue, ordered, fused }
//! ```
//!
//! Each part is a module of `async fn test(factory)` that panics when the backend does not
//! do what the test's name says. They run on the real thing: files and servers. The simulator uses
//! the [`fixtures`] alone, and checks what is promised of the whole.

pub mod durable;
pub mod fixtures;
pub mod fused;
mod model;
pub mod ordered;
pub mod queue;
pub mod store;
mod world;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::LocalBoxFuture;
use russet_engine::{Backend, Clock};

/// Makes the backend that is to be tested.
#[async_trait]
pub trait Factory: Send + Sync {
    /// An empty backend with this many partitions, which shares nothing with earlier ones.
    async fn create(&self, partitions: u16) -> Backend;

    /// The clock that the backend goes by.
    fn clock(&self) -> Arc<dyn Clock>;

    /// How exactly the backend tells time.
    fn timing(&self) -> Timing {
        Timing::default()
    }
}

/// A factory whose backends survive the process.
#[async_trait]
pub trait Durable: Factory {
    /// Closes a backend, of which no other handle is left, and opens it again.
    async fn reopen(&self, backend: Backend) -> Backend;
}

/// How exactly a backend tells time.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A short visibility or delay that the backend keeps exactly.
    pub short: Duration,
    /// How late something may happen on a busy machine.
    pub late: Duration,
    /// How soon a waiting receiver is told of an arrival when the machine has time.
    pub prompt: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            short: Duration::from_millis(200),
            late: Duration::from_secs(10),
            prompt: Duration::from_millis(50),
        }
    }
}

/// A test of the suite, for callers that have a runtime of their own.
#[derive(Clone, Copy)]
pub struct Test {
    /// `store`, `queue`, `ordered` or `fused`.
    pub part: &'static str,
    /// What is true of the backend when the test passes.
    pub name: &'static str,
    /// Panics when the backend does not do it.
    pub run: for<'a> fn(&'a dyn Factory) -> LocalBoxFuture<'a, ()>,
}

/// Instantiates parts of the suite as tests in a module: `name: factory => part, part`.
///
/// The parts are `store`; `queue`; `ordered`, for a queue that delivers by score exactly;
/// `fused`, for a store that is its own queue; and `durable`, for a [`Durable`] factory.
/// The factory is an expression that is evaluated once per test.
#[macro_export]
macro_rules! conformance {
    ($name:ident: $factory:expr => $($part:ident),+ $(,)?) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $(mod $part {
                #[allow(unused_imports)]
                use super::*;
                $crate::conformance_part! { $part [$crate::conformance_tests] $factory }
            })+
        }
    };
}

/// Gives the tests of a part to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_part {
    (store [$($then:tt)*] $with:expr) => {
        $($then)*! { store $with =>
            cas: a_record_is_created_once,
            cas: an_update_needs_the_current_version,
            cas: a_record_that_is_absent_cannot_be_updated,
            cas: a_record_is_removed_by_its_current_version,
            cas: a_record_that_was_removed_and_made_again_has_another_version,
            cas: every_kind_of_record_is_kept,
            cas: a_record_with_the_largest_payload_is_kept,
            cas: records_are_loaded_in_the_order_of_their_keys,
            cas: partitions_have_records_of_their_own,
            transactions: a_transaction_is_all_or_nothing,
            transactions: a_transaction_of_the_largest_size_is_committed,
            transactions: transactions_of_a_batch_are_independent,
            transactions: of_two_transactions_on_one_record_one_wins,
            transactions: a_batch_may_be_empty,
            transactions: of_many_writers_of_one_record_exactly_one_wins,
            transactions: no_update_is_lost_among_many_writers,
            timers: timers_are_due_earliest_first,
            timers: due_timers_are_bounded_by_the_limit,
            timers: a_timer_changes_and_goes_with_its_record,
            timers: messages_have_timers_too,
            timers: workflows_behind_a_gate_have_timers_too,
            listings: listings_filter_by_queue_status_and_workflow,
            listings: pages_cover_everything_once_in_both_directions,
            listings: pages_have_no_gaps_and_no_duplicates_while_others_commit,
            stats: stats_count_by_queue_and_status,
            stats: the_oldest_ready_task_of_a_queue_is_known,
            stats: indexes_and_counters_agree_with_the_records,
        }
    };
    (queue [$($then:tt)*] $with:expr) => {
        $($then)*! { queue $with =>
            delivery: a_task_is_delivered_with_its_lane,
            delivery: at_most_max_are_delivered,
            delivery: a_delivery_is_hidden_until_its_visibility_is_over,
            delivery: a_settled_delivery_does_not_come_again,
            delivery: a_released_delivery_comes_again_at_once,
            delivery: a_released_delivery_comes_again_after_its_delay,
            delivery: receipts_of_nobody_are_ignored,
            delivery: depth_counts_visible_and_hidden,
            waiting: an_empty_lane_answers_at_once_when_nobody_waits,
            waiting: an_empty_lane_is_waited_for_as_long_as_asked,
            waiting: a_waiting_receiver_is_woken_by_an_arrival,
            waiting: a_waiting_receiver_gets_what_becomes_visible_again,
            waiting: many_receivers_share_what_arrives,
            waiting: a_receiver_that_goes_away_takes_no_wake_up_with_it,
            lanes: receivers_get_nothing_from_other_lanes,
            lanes: several_lanes_are_received_from_at_once,
            lanes: lanes_become_known_with_their_first_task,
            lanes: a_receiver_may_wait_for_a_lane_that_is_not_known_yet,
        }
    };
    (ordered [$($then:tt)*] $with:expr) => {
        $($then)*! { ordered $with =>
            self: the_lowest_score_comes_first,
            self: the_lowest_score_of_all_lanes_comes_first,
            self: of_equal_scores_the_older_task_comes_first,
            self: what_was_released_keeps_its_place,
        }
    };
    (fused [$($then:tt)*] $with:expr) => {
        $($then)*! { fused $with =>
            self: a_commit_announces_what_it_makes_ready,
            self: a_conflict_announces_nothing,
            self: a_commit_takes_back_what_is_no_longer_ready,
            self: a_commit_takes_back_what_is_hidden,
            self: a_delivered_task_is_loaded_as_ready,
            self: a_stale_receipt_leaves_a_newer_delivery_alone,
            self: a_task_moves_with_its_score_and_its_lane,
            self: exactly_the_ready_tasks_are_delivered,
        }
    };
    (durable [$($then:tt)*] $with:expr) => {
        $($then)*! { durable $with =>
            self: records_and_versions_survive,
            self: what_was_removed_stays_removed,
            self: indexes_are_the_same_after_opening_again,
            self: ready_tasks_are_delivered_after_opening_again,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($part:ident $factory:expr => $($module:ident: $test:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::conformance_call!($part $module $test)(&$factory).await;
            }
        )+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_table {
    ($part:ident $table:expr => $($module:ident: $test:ident,)+) => {
        $table.extend([$($crate::conformance::Test {
            part: stringify!($part),
            name: stringify!($test),
            run: |factory| Box::pin($crate::conformance_call!($part $module $test)(factory)),
        },)+])
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_call {
    ($part:ident self $test:ident) => {
        $crate::conformance::$part::$test
    };
    ($part:ident $module:ident $test:ident) => {
        $crate::conformance::$part::$module::$test
    };
}

/// All tests of the parts `store`, `queue`, `ordered` and `fused`.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    conformance_part! { store [crate::conformance_table] tests }
    conformance_part! { queue [crate::conformance_table] tests }
    conformance_part! { ordered [crate::conformance_table] tests }
    conformance_part! { fused [crate::conformance_table] tests }
    tests
}
