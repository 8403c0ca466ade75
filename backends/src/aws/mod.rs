//! What the backends on AWS share: how they are reached, and what their errors mean.
//!
//! Credentials come from the standard AWS chain alone: the environment, the profile, web
//! identity, the container's or the machine's role. No setting of Russet holds one.

mod connect;
mod error;
mod fault;
mod pause;
mod permissions;

use std::fmt;
use std::sync::Arc;

pub use aws_credential_types::Credentials;
pub use aws_credential_types::provider::SharedCredentialsProvider;
pub use aws_smithy_runtime_api::client::http::SharedHttpClient;
use russet_engine::Entropy;

use crate::secret::Url;

pub(crate) use self::connect::connect;
pub use self::error::OpenError;
pub(crate) use self::fault::{Fault, fault};
pub(crate) use self::pause::Pauses;
pub use self::permissions::Permissions;
pub(crate) use self::permissions::Trials;

/// What whoever sets up logging adds to the filter: at `trace` these parts of the SDK log what
/// they sign and send, session tokens included.
pub const QUIET: &str = "aws_sigv4=debug,aws_smithy_runtime=debug";

/// How AWS is reached. What is left out is as the standard AWS chain says: `AWS_REGION`,
/// `AWS_PROFILE`, the files in `~/.aws`, the machine's role.
#[derive(Clone, Default)]
pub struct AwsOptions {
    /// The region, such as `eu-central-1`.
    pub region: Option<String>,
    /// Where requests go instead of to the region's own endpoint, such as
    /// `http://127.0.0.1:4566`.
    pub endpoint_url: Option<String>,
    /// The profile in `~/.aws/config` and `~/.aws/credentials`.
    pub profile: Option<String>,
    /// What a simulator or a test replaces.
    pub seams: Seams,
}

impl fmt::Debug for AwsOptions {
    /// Shows no credentials, also where only an address should stand.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.endpoint_url.clone().map(Url);
        f.debug_struct("AwsOptions")
            .field("region", &self.region)
            .field("endpoint_url", &url)
            .field("profile", &self.profile)
            .field("seams", &self.seams)
            .finish()
    }
}

/// What a simulator or a test replaces. Sleeping and the time always follow the engine's
/// [`Clock`](russet_engine::Clock).
#[derive(Clone, Default)]
pub struct Seams {
    /// Who carries requests; required where there are no real sockets.
    pub http_client: Option<SharedHttpClient>,
    /// Who knows the credentials, instead of the standard chain.
    pub credentials: Option<SharedCredentialsProvider>,
    /// Where the random share of pauses comes from; the system's generator unless given.
    pub entropy: Option<Arc<dyn Entropy>>,
}

impl fmt::Debug for Seams {
    /// Says what is replaced, and nothing about credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seams")
            .field("http_client", &self.http_client.is_some())
            .field("credentials", &self.credentials.is_some())
            .field("entropy", &self.entropy.is_some())
            .finish()
    }
}
