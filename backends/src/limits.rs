//! Every bound of the backends, in one place.

use std::time::Duration;

/// Lanes that are remembered before those that hold nothing are forgotten.
pub const LANES_REMEMBERED: usize = 16_384;
/// Known lanes of one queue before those that hold nothing are struck off.
pub const QUEUE_LANES: usize = 256;
/// How long a waiting receiver sleeps at most before it looks again for deliveries whose
/// time hidden is over.
pub const RECEIVE_RECHECK: Duration = Duration::from_millis(500);
/// Largest record of the memory backend, in bytes; larger than any that core allows.
pub const MEMORY_RECORD_BYTES: usize = 16 * 1024 * 1024;
/// Most changes in one transaction of the memory backend.
pub const MEMORY_TRANSACTION_CHANGES: usize = 1_000_000;
/// Largest record of the embedded backend, in bytes; larger than any that core allows.
pub const EMBEDDED_RECORD_BYTES: usize = 16 * 1024 * 1024;
/// Most changes in one transaction of the embedded backend.
pub const EMBEDDED_TRANSACTION_CHANGES: usize = 1_000_000;
/// Commits that wait for the embedded backend's writer; more wait for a place.
pub const WAITING_COMMITS: usize = 1_024;
/// Most bytes of records that are written and synced together, unless one commit is larger.
pub const GROUP_BYTES: usize = 32 * 1024 * 1024;
/// Memory for decoded records that were used lately, over all partitions.
pub const HOT_BYTES: usize = 64 * 1024 * 1024;
/// Memory for the pages of the embedded backend's file, unless configured.
pub const PAGE_CACHE_BYTES: usize = 128 * 1024 * 1024;
/// Ready tasks that are entered into their lanes at once while a file is opened.
pub const REBUILD_MOVES: usize = 4_096;
/// Room that a full disk must have again before the embedded backend tries another commit.
pub const FREE_BYTES: u64 = 4 * 1024 * 1024;
/// Most records that are read from the embedded backend's file on the caller's thread; more
/// are read on a thread that may block.
pub const READS_INLINE: usize = 64;
/// Most memory for the pages of the embedded backend's file, in MiB.
pub const CACHE_MB_MAX: usize = 1024 * 1024;
/// Most records that are moved to another store at once.
pub const MIGRATE_RECORDS: usize = 500;
/// Bytes of records that are moved to another store at once; the last one may go beyond.
pub const MIGRATE_BYTES: usize = 4 * 1024 * 1024;
/// How often a batch of moved records is tried again when the new store is unavailable.
pub const MIGRATE_TRIES: u32 = 20;
/// The pause before that.
pub const MIGRATE_PAUSE: Duration = Duration::from_millis(500);
/// How long a call to Redis may take before its connection is given up, unless configured.
pub const REDIS_CALL: Duration = Duration::from_secs(5);
/// Connections to Redis that calls share, unless configured; one more waits for arrivals.
pub const REDIS_CONNECTIONS: usize = 2;
/// Most connections to Redis that calls share.
pub const REDIS_CONNECTIONS_MAX: usize = 64;
/// The wait after a connection to Redis could not be made; later ones are twice as long.
pub const REDIS_BACKOFF: Duration = Duration::from_millis(10);
/// Longest wait after a connection to Redis could not be made.
pub const REDIS_BACKOFF_MAX: Duration = Duration::from_millis(500);
/// Largest record of the Redis backend, in bytes; larger than any that core allows.
pub const REDIS_RECORD_BYTES: usize = 16 * 1024 * 1024;
/// Most changes in one transaction of the Redis backend: the server does nothing else meanwhile.
pub const REDIS_TRANSACTION_CHANGES: usize = 4_000;
/// Most changes that are committed in one call to Redis, unless one transaction has more.
pub const REDIS_CALL_CHANGES: usize = 1_000;
/// Most bytes of records that are committed in one call to Redis, unless one transaction has
/// more.
pub const REDIS_CALL_BYTES: usize = 4 * 1024 * 1024;
/// Most records that are loaded in one call to Redis.
pub const REDIS_LOADS: usize = 1_000;
/// Most deliveries that are taken in one call to Redis.
pub const REDIS_TAKEN: usize = 1_000;
/// Lanes that one call to Redis looks at.
pub const REDIS_CALL_LANES: usize = 256;
/// Groups of receivers that are remembered while nobody of them waits.
pub const REDIS_GROUPS: usize = 256;
/// How often receivers that wait look at all partitions, in case that they were not told of an
/// arrival.
pub const REDIS_RECHECK: Duration = Duration::from_secs(2);
/// How long nothing may come on the connection that waits for arrivals before it is asked
/// whether it still works.
pub const REDIS_SILENCE: Duration = Duration::from_secs(5);
/// How often the lanes that other nodes made are read, in case that nobody told of them.
pub const REDIS_LANES: Duration = Duration::from_secs(10);
/// How long a commit waits for a replica when one has to have it.
pub const REDIS_REPLICA: Duration = Duration::from_secs(1);
/// Hidden deliveries of a lane among which its oldest task is looked for.
pub const REDIS_HIDDEN_LOOKED_AT: usize = 100;
/// Tasks of the same millisecond that a page reads at once to find where it goes on.
pub const REDIS_SAME_TIME: usize = 16;
