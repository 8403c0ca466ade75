/// What happened to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The name of the queue.
    pub queue: String,
    /// The id of the message.
    pub message: String,
    /// What it says.
    pub body: String,
    /// What happened.
    pub what: What,
}

/// What can happen to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It was sent.
    Sent,
    /// It was delivered.
    Delivered {
        /// How often it was delivered by now.
        times: u32,
        /// Whether it was hidden, and so delivered twice.
        duplicate: bool,
    },
    /// It was deleted by whoever received it last.
    Deleted,
    /// It went away with its queue, or because it was kept for long enough.
    Lost,
}

/// What a receipt handle was given for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The id of the message.
    pub message: String,
    /// What it says.
    pub body: String,
    /// It was not received again since.
    pub is_latest: bool,
    /// When it was received last, in milliseconds since the Unix epoch.
    pub received_ms: u64,
    /// When it is, or was, visible again.
    pub visible_ms: u64,
}
