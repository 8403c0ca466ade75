use serde::{Deserialize, Serialize};

use super::Time;

/// What a server says about itself: `GET /v1/info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Info {
    /// Its version.
    pub version: String,
    /// How many partitions its store has; clients that make task ids choose one of them.
    pub partitions: u16,
    /// Its time, so that ids made by clients sort by its clock.
    pub now: Time,
}
