use serde::{Deserialize, Serialize};

use crate::aws::AwsOptions;
use crate::dynamodb::DynamoOptions;
use crate::secret::Url;
use crate::sqs::SqsOptions;

/// `[aws]`: how AWS is reached. Credentials come from where all AWS programs take them: the
/// environment, a profile, or the machine's role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AwsTable {
    /// The region, such as `eu-central-1`.
    pub region: Option<String>,
    /// Where requests go instead of to the region's own endpoint.
    pub endpoint_url: Option<Url>,
    /// The profile in `~/.aws/config` and `~/.aws/credentials`.
    pub profile: Option<String>,
}

/// `[dynamodb]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamoTable {
    /// The table; `russet` unless given.
    pub table: Option<String>,
}

/// `[sqs]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqsTable {
    /// With what the names of all queues begin; `russet` unless given.
    pub prefix: Option<String>,
    /// Whether the first message of a lane creates its queue.
    pub create: bool,
}

impl AwsTable {
    fn options(&self) -> AwsOptions {
        AwsOptions {
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.as_ref().map(|url| url.0.clone()),
            profile: self.profile.clone(),
            ..AwsOptions::default()
        }
    }
}

impl DynamoTable {
    /// The name of the table.
    pub fn name(&self) -> String {
        let options = DynamoOptions::default();
        self.table.clone().unwrap_or(options.table)
    }

    pub(super) fn options(&self, aws: &AwsTable, partitions: Option<u16>) -> DynamoOptions {
        DynamoOptions {
            table: self.name(),
            partitions,
            aws: aws.options(),
            ..DynamoOptions::default()
        }
    }
}

impl SqsTable {
    /// With what the names of all queues begin.
    pub fn name(&self) -> String {
        let options = SqsOptions::default();
        self.prefix.clone().unwrap_or(options.prefix)
    }

    pub(super) fn options(&self, aws: &AwsTable) -> SqsOptions {
        SqsOptions {
            prefix: self.name(),
            create: self.create,
            aws: aws.options(),
        }
    }
}
