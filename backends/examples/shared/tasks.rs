//! What the examples put into a store.

use bytes::Bytes;
use russet_backends::conformance::fixtures;
use russet_core::{PartitionId, Task, TaskId, Timestamp};

/// A task that is ready in the queue `emails`, a hundred of them in each millisecond.
pub fn queued(n: u64, payload_bytes: usize) -> Task {
    let now = Timestamp::from_millis(1_760_000_000_000 + n / 100);
    let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let payload = Bytes::from(vec![n as u8; payload_bytes]);
    // Whoever submits goes on holding the payload for a moment, as the engine does.
    drop(payload.clone());
    let id = TaskId::new(now, PartitionId(0), random);
    Task {
        payload,
        score: now.as_millis() as i64,
        ..fixtures::queued(id, now)
    }
}

/// How much memory this process takes.
pub fn resident_bytes() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kib.ok_or("no VmRSS in /proc/self/status")?.parse::<u64>()? * 1024)
}
