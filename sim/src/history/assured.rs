use russet_core::TaskId;

/// What the adapter of a queue told its node, beside what the queue itself shows at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assured {
    /// Messages were sent: for each task how many messages the queue took meanwhile.
    Sent(Vec<(TaskId, u64)>),
    /// Deliveries are settled: the tasks of those whose message is there, to come again.
    Deleted {
        /// How many were to be settled.
        count: usize,
        /// Those that will come again.
        left: Vec<TaskId>,
    },
    /// Deliveries were given back, to come again after a while.
    Released {
        /// After how long, in milliseconds.
        delay_ms: u64,
        /// For how long each is hidden from now on, in milliseconds. One that was delivered again
        /// since, or is gone, is left out.
        hidden_ms: Vec<(TaskId, u64)>,
    },
    /// Deliveries were received.
    Received {
        /// For how long they were to be hidden, in milliseconds.
        visibility_ms: u64,
        /// For how long each was hidden, in milliseconds. One that was delivered again since, or
        /// is gone, is left out.
        hidden_ms: Vec<(TaskId, u64)>,
    },
}
