use crate::aws::Fault;

/// What goes otherwise than one would like, until it is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What becomes of whole requests.
    pub fault: Option<Fault>,
    /// An index follows a write after at most so many milliseconds, each index and item after
    /// another time. One item's writes are followed in their order.
    pub index_lag: u64,
    /// Items of a transaction that another one is writing to: the lowest bit is the first item,
    /// and the one of a write alone.
    pub conflicts: u128,
    /// Items of a transaction for which there is no capacity.
    pub starved: u128,
    /// Most items that one `BatchGetItem` reads; the others are left unprocessed.
    pub batch_reads: usize,
    /// Bytes after which a page of a query ends; 1 MiB at a real one.
    pub page_bytes: usize,
    /// How many milliseconds it takes until a table that is made can be used.
    pub making: u64,
    /// A transaction that has a token is still under way, and is not begun.
    pub in_progress: bool,
}

impl Default for Condition {
    /// Nothing goes wrong.
    fn default() -> Self {
        Self {
            fault: None,
            index_lag: 0,
            conflicts: 0,
            starved: 0,
            batch_reads: usize::MAX,
            page_bytes: 1024 * 1024,
            making: 0,
            in_progress: false,
        }
    }
}
