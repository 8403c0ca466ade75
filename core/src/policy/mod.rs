//! The numbers behind the rules, each a plain function.

mod autoscale;
mod backoff;
mod cron;
mod cut;
mod fingerprint;
mod fits;
mod order;
mod score;
mod watchdog;

pub use autoscale::{Load, desired_workers};
pub use backoff::backoff;
pub use cron::{CronError, CronField, Schedule, next_fire};
pub use cut::cut_error;
pub use fingerprint::{Fingerprint, partition_of_key};
pub use fits::{fits, take};
pub use order::{Stuck, behind, order, ranks, stuck};
pub use score::ready_score;
pub use watchdog::{RELAY_AFTER, ask_after, relay_backoff, resend_after, unsent_backoff};
