//! What the examples put into a store.

use bytes::Bytes;
use russet_core::{
    Millis, PartitionId, QueueName, Resources, Status, Task, TaskId, TaskType, Timestamp,
};

/// A task that is ready in the queue `emails`, a hundred of them in each millisecond.
pub fn queued(n: u64, payload_bytes: usize) -> Task {
    let now = Timestamp::from_millis(1_760_000_000_000 + n / 100);
    let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let payload = Bytes::from(vec![n as u8; payload_bytes]);
    // Whoever submits goes on holding the payload for a moment, as the engine does.
    drop(payload.clone());
    Task {
        id: TaskId::new(now, PartitionId(0), random),
        kind: TaskType::new("send_email").expect("a task type"),
        queue: QueueName::new("emails").expect("a queue name"),
        payload,
        status: Status::Queued,
        priority: 4,
        rank: None,
        retry_count: 0,
        retry: Default::default(),
        attempt: 0,
        created_at: now,
        updated_at: now,
        scheduled_at: None,
        ready_at: Some(now),
        score: now.as_millis() as i64,
        started_at: None,
        completed_at: None,
        expires_at: None,
        due_at: None,
        purge_at: None,
        lease_duration: Millis::from_secs(30),
        timeout: None,
        retention: None,
        lease: None,
        dependencies: Default::default(),
        if_unsatisfied: Default::default(),
        dependents: Default::default(),
        resources: Resources::NONE,
        idempotency: None,
        partition_key: None,
        workflow: None,
        metadata: Bytes::new().into(),
        result: None,
        last_error: None,
        progress: None,
        cancel_requested: false,
        unsent: false,
        sends: 0,
        redriven_by: None,
    }
}

/// How much memory this process takes.
pub fn resident_bytes() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kib.ok_or("no VmRSS in /proc/self/status")?.parse::<u64>()? * 1024)
}
