//! What the tests across crates share: real processes, and a small HTTP client.

mod chance;
mod http;
mod process;
mod serve;
mod waiting;

pub use chance::Chance;
pub use http::{Address, Http, Reply};
pub use process::Process;
pub use serve::{Serve, Settings, listens_on};
pub use waiting::{eventually, within};

/// Whether this run writes the fixtures of the newest format anew.
pub fn writes_fixtures() -> bool {
    std::env::var_os("RUSSET_WRITE_FIXTURES").is_some_and(|value| value == "1")
}
