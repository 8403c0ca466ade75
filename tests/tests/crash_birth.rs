//! `russet serve` is killed while it makes its data: nothing was promised yet, so the next
//! start must simply work.

use std::time::{Duration, Instant};

use russet_tests::Settings;

const RUSSET: &str = env!("CARGO_BIN_EXE_russet-under-test");
const ROUNDS: u32 = 15;

#[test]
fn a_server_that_was_killed_while_it_made_its_data_starts_again() {
    for round in 0..ROUNDS {
        let folder = tempfile::tempdir().expect("makes a folder");
        let data = folder.path().join("data");
        let settings = Settings::new(RUSSET, &data);
        let mut killed = settings.spawn();
        let start = Instant::now();
        let is_there = || std::fs::read_dir(&data).is_ok_and(|mut files| files.next().is_some());
        while !is_there() && start.elapsed() < Duration::from_secs(10) {
            std::hint::spin_loop();
        }
        std::thread::sleep(Duration::from_micros(u64::from(round) * 300));
        killed.kill();
        let again = settings.start();
        let ready = again.client().get("/readyz").expect("answers");
        assert_eq!(ready.status, 200, "round {round}");
    }
}
