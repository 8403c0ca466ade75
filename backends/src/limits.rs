//! Every bound of the backends, in one place.

use std::time::Duration;

use russet_core::Millis;

/// Lanes that are remembered before those that hold nothing are forgotten.
pub const LANES_REMEMBERED: usize = 16_384;
/// Known queues before those that hold nothing are struck off.
pub const KNOWN_QUEUES: usize = 4_096;
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
/// Room that the disk of the embedded backend must have for a new task: what is left below that is
/// for the tasks that are there, whose lives go on.
pub const TASK_FREE_BYTES: u64 = 64 * 1024 * 1024;
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
/// How often all records are moved when the new store may have lost some of them meanwhile.
pub const MIGRATE_PASSES: u32 = 3;
/// How long a call to Redis may take before its connection is given up, unless configured.
pub const REDIS_CALL: Duration = Duration::from_secs(5);
/// How many epochs there are for each second, of which one server process may begin one: so that
/// two whose clocks differ do not begin the same, but for one in so many.
pub const REDIS_EPOCHS_A_SECOND: u32 = 10;
/// The second from which epochs are counted: the first of 2026.
pub const REDIS_EPOCHS_SINCE: u64 = 1_767_225_600;
/// Connections to Redis that calls share, unless configured; one more waits for arrivals.
pub const REDIS_CONNECTIONS: usize = 2;
/// Most connections to Redis that calls share.
pub const REDIS_CONNECTIONS_MAX: usize = 64;
/// The wait after a connection to Redis could not be made; later ones are twice as long.
pub const REDIS_BACKOFF: Duration = Duration::from_millis(10);
/// Longest wait after a connection to Redis could not be made.
pub const REDIS_BACKOFF_MAX: Duration = Duration::from_millis(500);
/// How often a call is sent on to another node of a Redis Cluster.
pub const REDIS_REDIRECTS: u32 = 5;
/// The pause after the nodes of a Redis Cluster were found to have other slots than before;
/// while they have not, or none of them says so, it is [`REDIS_BACKOFF_MAX`].
pub const REDIS_TOPOLOGY: Duration = Duration::from_millis(100);
/// How many nodes of a Redis Cluster are asked at the same time which one has which slot.
pub const REDIS_ASKED_AT_ONCE: usize = 3;
/// Partitions of a server in which it is tried whether commands work, when some are being moved.
pub const REDIS_PROBES: usize = 3;
/// Nodes of a Redis Cluster that are remembered before those without slots are forgotten.
pub const REDIS_CLUSTER_NODES: usize = 1_024;
/// Largest record of the Redis backend, in bytes; larger than any that core allows.
pub const REDIS_RECORD_BYTES: usize = 16 * 1024 * 1024;
/// Most changes in one transaction of the Redis backend: the server does nothing else meanwhile.
pub const REDIS_TRANSACTION_CHANGES: usize = 4_000;
/// Most changes that are committed in one call to Redis, unless one transaction has more.
pub const REDIS_CALL_CHANGES: usize = 1_000;
/// Most bytes of records that are committed in one call to Redis, unless one transaction has
/// more.
pub const REDIS_CALL_BYTES: usize = 4 * 1024 * 1024;
/// Of how many bytes the payload and the metadata of a task must be together to be written once,
/// and not with every step of its life.
pub const REDIS_BODY_BYTES: usize = 1_024;
/// For how long an embedded store that had no room for a commit is said to be full although others
/// are written.
pub const FULL_REMEMBERED: Millis = Millis::from_secs(30);
/// Room on its disk below which `russet config check` warns of an embedded store, in bytes.
pub const DISK_LOW_BYTES: u64 = 64 * 1024 * 1024;
/// Most index entries of a store that cannot be read and are told apart; further ones are left out
/// without a word.
pub const UNREADABLE_ENTRIES: usize = 1_000;
/// Most bytes of such an entry that are shown.
pub const UNREADABLE_SHOWN: usize = 128;
/// For how long a place of a lane that cannot be read is hidden before it is met again.
pub const REDIS_UNREADABLE_HIDDEN: Duration = Duration::from_secs(60);
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
/// How long it is waited for other partitions once one has said what is ready in it.
pub const REDIS_PEEK_PATIENCE: Duration = Duration::from_secs(1);
/// How long a commit waits for a replica when one has to have it.
pub const REDIS_REPLICA: Duration = Duration::from_secs(1);
/// Most commits that wait for a replica one behind the other on a connection.
pub const REDIS_WAITS: usize = 4;
/// How often a connection for commits and the one for reads are made anew when they turn out to go
/// to different servers.
pub const REDIS_REUNIONS: u32 = 2;
/// Hidden deliveries of a lane among which its oldest task is looked for.
pub const REDIS_HIDDEN_LOOKED_AT: usize = 100;
/// Tasks of the same millisecond that a page reads at once to find where it goes on.
pub const REDIS_SAME_TIME: usize = 16;
/// How long a connection to AWS may take.
pub const AWS_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The first pause after an AWS service had no capacity; later ones are twice as long.
pub const AWS_BACKOFF: Duration = Duration::from_millis(20);
/// The longest such pause.
pub const AWS_BACKOFF_MOST: Duration = Duration::from_secs(2);
/// Most bytes of what an AWS service said that are repeated in an error.
pub const AWS_MESSAGE_BYTES: usize = 300;
/// Places that are named where one action is not allowed; of more, the first and their number.
pub const AWS_PLACES_NAMED: usize = 2;
/// How long DynamoDB may take to answer.
pub const DYNAMO_TIMEOUT: Duration = Duration::from_secs(5);
/// Most items in one transaction of DynamoDB.
pub const DYNAMO_TRANSACTION_CHANGES: usize = 100;
/// Most bytes of all items in one transaction of DynamoDB.
pub const DYNAMO_TRANSACTION_BYTES: usize = 4 * 1024 * 1024;
/// Most bytes that the rules let one transaction of DynamoDB change: they weigh records roughly.
pub const DYNAMO_DECIDED_BYTES: usize = 3 * 1024 * 1024;
/// Largest item of DynamoDB, in bytes: the names and values of all its attributes.
pub const DYNAMO_ITEM_BYTES: usize = 400 * 1024;
/// Largest record in DynamoDB, in bytes: what an item holds beside its key and index entries.
pub const DYNAMO_RECORD_BYTES: usize = DYNAMO_ITEM_BYTES - 2 * 1024;
/// Most items that one request to DynamoDB reads.
pub const DYNAMO_READS_PER_CALL: usize = 100;
/// Most reads that one caller has under way.
pub const DYNAMO_READS_AT_ONCE: usize = 16;
/// Most transactions of one commit that are under way.
pub const DYNAMO_WRITES_AT_ONCE: usize = 64;
/// How often a request is tried while DynamoDB has no capacity, or others write to the same
/// items.
pub const DYNAMO_TRIES: u32 = 6;
/// Parts of a partition's timers. DynamoDB writes at most about 1,000 units a second to one
/// part.
pub const DYNAMO_TIMER_SHARDS: u8 = 4;
/// Most parts of the tasks of one queue and status; there is at most one for each partition.
/// DynamoDB writes at most about 1,000 units a second to one part.
pub const DYNAMO_LISTING_SHARDS: u16 = 8;
/// Names of queues that are remembered as registered in the table.
pub const DYNAMO_QUEUES_REMEMBERED: usize = 65_536;
/// How long a caller waits for a count of DynamoDB when there is an earlier one.
pub const DYNAMO_COUNT_PATIENCE: Duration = Duration::from_secs(3);
/// How long the counters of DynamoDB are good once they are counted, unless configured: counting
/// costs reads.
pub const DYNAMO_STATS_FRESH: Duration = Duration::from_secs(15);
/// How long a table may take until it can be used.
pub const DYNAMO_CREATE_TIMEOUT: Duration = Duration::from_secs(300);
/// How often it is looked whether a table can be used.
pub const DYNAMO_CREATE_POLL: Duration = Duration::from_secs(1);
/// How long SQS may take to answer, beside the time that it was asked to wait.
pub const SQS_TIMEOUT: Duration = Duration::from_secs(10);
/// Most messages in one request to SQS.
pub const SQS_BATCH: usize = 10;
/// Most batches of one call that are under way.
pub const SQS_BATCHES_AT_ONCE: usize = 8;
/// How often a batch, or what failed of it, is sent.
pub const SQS_TRIES: u32 = 5;
/// The longest that SQS is asked to wait for a message.
pub const SQS_LONG_POLL: Duration = Duration::from_secs(20);
/// The longest that SQS hides a message.
pub const SQS_HIDDEN_MOST: Duration = Duration::from_secs(12 * 3_600);
/// The longest that SQS goes on hiding a message that is given back: it counts from when the
/// message was received, and refuses what goes beyond [`SQS_HIDDEN_MOST`].
pub const SQS_RELEASE_MOST: Duration = Duration::from_secs(11 * 3_600);
/// Most requests for messages of one SQS queue that a node has under way.
pub const SQS_POLLS_AT_ONCE: usize = 4;
/// The pause before an SQS queue is asked for messages again after that failed.
pub const SQS_FAILED_PAUSE: Millis = Millis::from_secs(1);
/// Of so many times that something is handed out, one begins with the least urgent band.
pub const SQS_TURNS: usize = 8;
/// How long a receiver waits for a request that should end at once, before it takes what is there
/// and has other queues asked.
pub const SQS_SOON: Duration = Duration::from_millis(250);
/// How long messages that nobody waits for any more are kept for the next one who does, before
/// they are given back.
pub const SQS_KEPT: Duration = Duration::from_secs(1);
/// How long somebody must not have asked for a lane before short waits are tried first again.
pub const SQS_PATIENCE_KEPT: Duration = Duration::from_secs(5);
/// How often queues that other nodes created are looked for.
pub const SQS_LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked whether an SQS queue that was none of ours is one now, as when its tags
/// were set right.
pub const SQS_STRANGERS_EVERY: Duration = Duration::from_secs(60);
/// Most SQS queues that are used with one prefix.
pub const SQS_QUEUES: usize = 1_000;
/// On how many SQS queues `russet config check` tries what the credentials may do, when there are
/// more: policies name queues by their prefix.
pub const SQS_QUEUES_TRIED: usize = 24;
/// How long SQS keeps a message: longer than the longest watchdog of a queued task, which sends
/// it again.
pub const SQS_RETENTION: Duration = Duration::from_secs(24 * 3_600);
/// Longest prefix of the names of SQS queues.
pub const SQS_PREFIX_LEN: usize = 32;
/// How long a message is hidden that cannot be decoded and could not be set aside.
pub const SQS_SET_ASIDE_AGAIN: Duration = Duration::from_secs(3_600);
/// How long a message of a newer version stays hidden from those that cannot read it.
pub const SQS_NEWER_AGAIN: Duration = Duration::from_secs(30);
