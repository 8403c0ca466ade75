//! Bad input is refused: every refusal names the field, what is wrong and what is allowed.

mod case;
mod damage;
mod fuzz;
mod leases;
mod places;
mod reads;
mod tasks;
mod values;
mod workflows;

use russet_tests::{Serve, Settings};
use tempfile::TempDir;

/// The program under test.
const RUSSET: &str = env!("CARGO_BIN_EXE_russet-under-test");

/// A server with a data directory of its own.
struct Server {
    serve: Serve,
    _folder: TempDir,
}

fn server() -> Server {
    let folder = tempfile::tempdir().expect("makes a folder");
    let serve = Settings::new(RUSSET, folder.path()).start();
    Server {
        serve,
        _folder: folder,
    }
}
