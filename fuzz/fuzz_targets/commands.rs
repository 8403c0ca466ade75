//! Any bytes are a plan of commands, which must keep every promise of the design. The code is
//! that of the property tests in `core/tests/properties`.
#![no_main]

#[path = "../../core/tests/properties/acts.rs"]
mod acts;
#[path = "../../core/tests/properties/books.rs"]
mod books;
#[path = "../../core/tests/properties/commands.rs"]
mod commands;
#[path = "../../core/tests/properties/harness.rs"]
mod harness;
#[path = "../../core/tests/properties/heal.rs"]
mod heal;
#[path = "../../core/tests/properties/oracle/mod.rs"]
mod oracle;
#[path = "../../core/tests/properties/promises.rs"]
mod promises;
#[path = "../../core/tests/properties/replay.rs"]
mod replay;
#[path = "../../core/tests/properties/specs.rs"]
mod specs;
#[path = "../../core/tests/properties/store.rs"]
mod store;

use commands::{Plan, STEP};
use harness::Checks;
use libfuzzer_sys::fuzz_target;
use russet_core::TransactionLimit;

/// Longer plans take long to run and find no more.
const MOST_STEPS: usize = 150;

fuzz_target!(|bytes: &[u8]| {
    let [shape, settings, steps @ ..] = bytes else {
        return;
    };
    let padded = |step: &[u8]| {
        let mut padded = [0; STEP];
        padded[..step.len()].copy_from_slice(step);
        padded
    };
    let plan = Plan {
        partitions: 1 + u16::from(shape % 2),
        split: shape / 2 % 2 == 1,
        transaction: match shape / 64 {
            2 => specs::FEW_CHANGES,
            3 => specs::FEW_BYTES,
            _ => TransactionLimit::NONE,
        },
        settings: *settings,
        steps: steps.chunks(STEP).take(MOST_STEPS).map(padded).collect(),
    };
    plan.play(Checks {
        repeat: shape / 4 % 2 == 1,
        replay: shape / 8 % 4 == 3,
        // `TELL=1 fuzz/run.sh 0 commands FILE` tells the story of a file.
        tell: std::env::var_os("TELL").is_some(),
    });
});
