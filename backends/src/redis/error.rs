use std::path::PathBuf;

/// Why a store in Redis cannot be opened. No message shows a password.
#[derive(Debug, thiserror::Error)]
pub enum RedisOpenError {
    /// The URL cannot be used.
    #[error(
        "the url of Redis cannot be used: {why}; write it as redis://user:password@host:port/db, \
         or with rediss:// for TLS, and encode special characters of the password"
    )]
    Url {
        /// What is wrong with it.
        why: String,
    },
    /// A setting is out of its range.
    #[error("{setting} is {value}: set it to {range}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it can be.
        range: String,
    },
    /// The certificates that a server must be vouched for by cannot be used.
    #[error(
        "the certificates {} cannot be used: {why}; set ca_file to a file with the certificate \
         of the authority that signed the server's",
        .file.as_ref().map_or("of the operating system".to_owned(), |f| format!("in {f:?}"))
    )]
    Certificates {
        /// The file, unless they are those of the operating system.
        file: Option<PathBuf>,
        /// What is wrong.
        why: String,
    },
    /// Nobody answers.
    #[error(
        "Redis at {address} cannot be reached: {why}; check the url (rediss:// where the server \
         expects TLS, redis:// where it does not), and that the server runs and can be reached from here"
    )]
    Unreachable {
        /// Where.
        address: String,
        /// What happened.
        why: String,
    },
    /// A node of a cluster does not answer.
    #[error(
        "the node {address} of the Redis Cluster, which has the slots {slots}, cannot be reached: \
         {why}; the cluster is not whole: start the node, or let a replica take over, and check that \
         it can be reached from here"
    )]
    NotWhole {
        /// Where.
        address: String,
        /// What it has.
        slots: String,
        /// What happened.
        why: String,
    },
    /// The user or the password is wrong.
    #[error(
        "Redis at {address} refuses the login: {why}; set the right user and password in the url"
    )]
    Login {
        /// Where.
        address: String,
        /// What the server said.
        why: String,
    },
    /// The user may not use a command.
    #[error(
        "Redis at {address} refuses {command} to the user of the url: {why}; allow it, for \
         example with ACL SETUSER <user> +@read +@write +@scripting +@connection +@pubsub \
         +info +role +time +wait resetchannels ~{{{prefix}* &{{{prefix}*, and in a cluster +asking \
         +cluster|info +cluster|slots"
    )]
    Forbidden {
        /// Where.
        address: String,
        /// What is refused.
        command: String,
        /// What the server said.
        why: String,
        /// With what all names begin.
        prefix: String,
    },
    /// The server is too old.
    #[error("Redis at {address} has version {found}: upgrade it to 6.2 or newer")]
    Version {
        /// Where.
        address: String,
        /// Its version.
        found: String,
    },
    /// The server throws data away when its memory is full.
    #[error(
        "Redis at {address} has maxmemory-policy {policy}, which throws away tasks when memory \
         is full: set maxmemory-policy noeviction"
    )]
    Evicts {
        /// Where.
        address: String,
        /// The policy.
        policy: String,
    },
    /// The server is a replica.
    #[error(
        "Redis at {address} is a read-only replica: set the url to its primary, or use Sentinel"
    )]
    Replica {
        /// Where.
        address: String,
    },
    /// The server is a sentinel.
    #[error(
        "Redis at {address} is a sentinel, which has no data: set sentinel_master to what it \
         calls the primary, such as \"mymaster\""
    )]
    Sentinel {
        /// Where.
        address: String,
    },
    /// Commits are to wait for a replica, and there is none.
    #[error(
        "Redis at {address} has no replica, and acknowledge is \"replica\": connect a replica, \
         or set acknowledge to \"primary\""
    )]
    NoReplica {
        /// Where.
        address: String,
    },
    /// The server is a node of a cluster, and not used as such.
    #[error(
        "Redis at {address} is a node of a cluster: set cluster to true, or the url to a server \
         that is none"
    )]
    Cluster {
        /// Where.
        address: String,
    },
    /// A cluster is to be used, and the server is no node of one.
    #[error(
        "Redis at {address} is no node of a cluster: set cluster to false, or the url to a node \
         of one"
    )]
    NoCluster {
        /// Where.
        address: String,
    },
    /// The store was made with another number of partitions.
    #[error(
        "the store {prefix:?} in Redis at {address} has {found} partitions, and {asked} are asked \
         for: set partitions to {found}, or use another prefix to start empty"
    )]
    Partitions {
        /// Where.
        address: String,
        /// With what all names begin.
        prefix: String,
        /// How many there are.
        found: String,
        /// How many were asked for.
        asked: u16,
    },
    /// The store was written by a newer version.
    #[error(
        "the store {prefix:?} in Redis at {address} was written by a newer version (format \
         {found}, this version reads up to {known}): upgrade russet"
    )]
    Newer {
        /// Where.
        address: String,
        /// With what all names begin.
        prefix: String,
        /// Its format.
        found: String,
        /// The newest format that this version reads.
        known: u64,
    },
    /// A new store needs memory, and the server has none.
    #[error(
        "Redis at {address} has reached its maxmemory, and a new store needs some: raise \
         maxmemory, or remove what is not needed"
    )]
    Full {
        /// Where.
        address: String,
    },
    /// The server answers with an error.
    #[error("Redis at {address} cannot be used: {why}")]
    Refused {
        /// Where.
        address: String,
        /// What the server said.
        why: String,
    },
}
