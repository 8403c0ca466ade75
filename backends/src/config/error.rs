use std::path::PathBuf;

use russet_engine::QueueError;

use crate::aws::OpenError as AwsError;
use crate::embedded::OpenError;
use crate::redis::RedisOpenError;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The text is not a configuration.
    #[error("the configuration cannot be read: {0}")]
    Text(String),
    /// A setting is out of its range.
    #[error("{setting} is {value}: set it to {range}")]
    Range {
        /// The setting.
        setting: &'static str,
        /// What it is.
        value: usize,
        /// What it can be.
        range: String,
    },
    /// The store announces nothing, and no queue that does is configured.
    #[error(
        "[queue] backend: DynamoDB does not announce its ready tasks; set it to \"sqs\", or to \
         \"memory\" when there is only one node"
    )]
    NoQueue,
    /// A cluster has no sentinels.
    #[error(
        "[redis] cluster is true and sentinel_master is set: keep one of them, a cluster has no \
         sentinels"
    )]
    ClusterAndSentinel,
    /// Sentinels are named, and not what they call the primary.
    #[error(
        "[redis] sentinels are named and sentinel_master is not set: set it to what they call \
         the primary, such as \"mymaster\""
    )]
    NoSentinelMaster,
    /// Nodes of a cluster are named, and it is said to be none.
    #[error("[redis] cluster_nodes are named and cluster is not true: set it, or name no nodes")]
    NoCluster,
    /// Redis cannot be used.
    #[error("{setting}{0}", setting = redis_setting(.0))]
    Redis(#[from] RedisOpenError),
    /// DynamoDB cannot be used.
    #[error("{setting}{0}", setting = aws_setting("[dynamodb]", .0))]
    Dynamo(#[source] AwsError),
    /// SQS cannot be used.
    #[error("{setting}{0}", setting = aws_setting("[sqs]", .0))]
    Sqs(#[source] AwsError),
    /// SQS did not create a queue.
    #[error("[sqs] {0}")]
    Queue(#[from] QueueError),
    /// Not all is there.
    #[error(
        "[store] another store is being copied into this one, and not all is there: run `russet \
         migrate` again, which goes on where it stopped"
    )]
    Unfinished,
    /// There is nothing to create.
    #[error(
        "nothing is to be created: only DynamoDB and SQS are, all others make what they need by \
         themselves"
    )]
    NothingToCreate,
    /// The embedded store's directory cannot be made.
    #[error(
        "[store] data_dir: {} cannot be made, {} is not writable; choose another, or allow it",
        directory.display(), parent.display()
    )]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What there is of its path.
        parent: PathBuf,
    },
    /// The store cannot be opened.
    #[error("{setting}: {source}")]
    Open {
        /// The setting that it hangs on.
        setting: &'static str,
        /// Why, and what to do.
        source: OpenError,
    },
}

impl ConfigError {
    /// Whether a server was not reached, which may be there later; no setting need be wrong.
    pub const fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Redis(RedisOpenError::Unreachable { .. })
                | Self::Dynamo(AwsError::Unreachable { .. })
                | Self::Sqs(AwsError::Unreachable { .. })
        )
    }
}

/// The setting that an error of Redis hangs on, or its table.
fn redis_setting(error: &RedisOpenError) -> &'static str {
    match error {
        RedisOpenError::Partitions { .. } => "[store] partitions: ",
        _ => "[redis] ",
    }
}

/// The setting that an error of AWS hangs on, or its table: `own` is that of the service.
fn aws_setting(own: &str, error: &AwsError) -> String {
    let table = match error {
        AwsError::Partitions { .. } => return "[store] partitions: ".to_owned(),
        AwsError::Setting { setting, .. } if *setting == "endpoint_url" => "[aws]",
        AwsError::NoRegion | AwsError::NoCredentials { .. } | AwsError::Unreachable { .. } => {
            "[aws]"
        }
        _ => own,
    };
    format!("{table} ")
}
