//! What there is of a table, without changing anything.

use super::DynamoOptions;
use super::open::{self, Reached};
use super::permissions;
use crate::aws::{OpenError, Permissions};

/// What there is of a table, and what the credentials may not do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamoFound {
    /// How many partitions it has; or why it cannot be opened.
    pub partitions: Result<u16, OpenError>,
    /// What is not allowed.
    pub permissions: Permissions,
}

pub(super) async fn examine(
    reached: &Reached,
    options: &DynamoOptions,
) -> Result<DynamoFound, OpenError> {
    let partitions = match open::check(reached, options).await {
        Ok(meta) => open::partitions(&meta, options),
        Err(error @ (OpenError::NoTable { .. } | OpenError::Unreachable { .. })) => {
            return Err(error);
        }
        Err(error) => Err(error),
    };
    let permissions = permissions::tried(reached, &options.table).await;
    match partitions {
        // Nobody knows the credentials, or the service does not say.
        Err(error @ OpenError::Denied { .. }) if permissions.denied.is_none() => Err(error),
        partitions => Ok(DynamoFound {
            partitions,
            permissions,
        }),
    }
}
