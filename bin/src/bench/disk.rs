//! What the disk itself does: appending and syncing.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Measured;

const BLOCK: usize = 4 * 1024;

/// Appends of 4 KiB, each followed by fdatasync, a second.
pub(super) fn appends(folder: &Path, time: Duration) -> Measured<f64> {
    let path = folder.join("appends");
    let mut file = File::create(&path)?;
    let (block, start, mut count) = (vec![7u8; BLOCK], Instant::now(), 0u64);
    while start.elapsed() < time {
        file.write_all(&block)?;
        file.sync_data()?;
        count += 1;
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}
