//! Prints how much memory a queued task takes in the memory backend:
//! `memory_size [TASKS] [PAYLOAD_BYTES]`.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use russet_backends::memory::Memory;
use russet_core::{Epoch, PartitionId, Record, RecordKey, Task};
use russet_engine::{Change, Store, SystemClock, Transaction, Version};

#[path = "shared/tasks.rs"]
mod tasks;

const BATCH: u64 = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let payload: usize = arguments.next().map_or(Ok(256), |n| n.parse())?;
    let before = tasks::resident_bytes()?;
    let store = Memory::new(1, Arc::new(SystemClock));
    let start = Instant::now();
    for batch in 0..count / BATCH {
        let changes = (0..BATCH).map(|n| {
            let task = tasks::queued(batch * BATCH + n, payload);
            Change {
                key: RecordKey::Task(task.id),
                before: None,
                after: Some(Record::Task(Arc::new(task))),
            }
        });
        let transaction = Transaction {
            epoch: Epoch::default(),
            version: Version(batch),
            changes: changes.collect(),
        };
        store.commit(PartitionId(0), vec![transaction]).await?;
    }
    let took = start.elapsed();
    let used = tasks::resident_bytes()? - before;
    println!("size of a task record: {} bytes", size_of::<Task>());
    println!(
        "{count} queued tasks with {payload} bytes of payload: {} MiB, {} bytes each, in {took:?}",
        used >> 20,
        used / count
    );
    Ok(())
}
