//! The conformance suite on the memory backends.

use std::sync::Arc;

use async_trait::async_trait;
use russet_backends::conformance::{self, Factory};
use russet_backends::memory::{Memory, MemoryQueue};
use russet_engine::{Backend, Clock, SystemClock};

/// A memory store that is its own queue.
struct Fused;

#[async_trait]
impl Factory for Fused {
    async fn create(&self, partitions: u16) -> Backend {
        let memory = Memory::new(partitions, self.clock());
        Backend {
            store: memory.clone(),
            queue: memory,
        }
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

/// A memory store with a memory queue beside it.
struct Split;

#[async_trait]
impl Factory for Split {
    async fn create(&self, partitions: u16) -> Backend {
        Backend {
            store: Memory::new(partitions, self.clock()),
            queue: MemoryQueue::new(self.clock()),
        }
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

russet_backends::conformance! { fused_pair: Fused => store, queue, ordered, fused }
russet_backends::conformance! { split_pair: Split => store, queue, ordered }

#[test]
fn the_suite_lists_each_of_its_tests_once() {
    let mut names: Vec<_> = conformance::tests()
        .iter()
        .map(|test| (test.part, test.name))
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(names.contains(&("fused", "a_conflict_announces_nothing")));
}

/// The simulator, which has a runtime of its own, calls them in this way.
#[tokio::test]
async fn tests_of_the_suite_can_be_called_by_hand() {
    let tests = conformance::tests();
    for test in tests.iter().filter(|test| test.part == "ordered") {
        (test.run)(&Fused).await;
    }
}
