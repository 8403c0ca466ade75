use super::Fault;

/// Why a backend on AWS cannot be opened. Each says which setting it hangs on and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A setting cannot be used.
    #[error("{setting} {problem}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is wrong, and what to do.
        problem: &'static str,
    },
    /// There is no region.
    #[error("no region is configured: set region, or AWS_REGION, or a profile that has one")]
    NoRegion,
    /// There are no credentials.
    #[error(
        "there are no credentials ({why}): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
         profile, or give the machine a role"
    )]
    NoCredentials {
        /// What the chain said.
        why: String,
    },
    /// The service was not reached.
    #[error("{endpoint} does not answer ({why}): check endpoint_url, region and the network")]
    Unreachable {
        /// Where requests went.
        endpoint: String,
        /// What happened.
        why: String,
    },
    /// The service does not let this caller in.
    #[error("{action} is not allowed ({why}): check the credentials, and grant {action}")]
    Denied {
        /// What was asked, as policies name it.
        action: &'static str,
        /// What the service said.
        why: String,
    },
    /// The service refused what was asked.
    #[error("{action} was refused: {why}")]
    Refused {
        /// What was asked, as policies name it.
        action: &'static str,
        /// What the service said.
        why: String,
    },
    /// The table does not exist.
    #[error("there is no table {table:?}: check table and the region, or make it with {create}")]
    NoTable {
        /// Its name.
        table: String,
        /// The command that makes it.
        create: &'static str,
    },
    /// The table is not one of ours, or not finished.
    #[error("the table {table:?} {problem}")]
    Shape {
        /// Its name.
        table: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The table has another number of partitions.
    #[error(
        "the table {table:?} has {stored} partitions, not {wanted}: set partitions to {stored}, \
         or use another table; the number is fixed when a table is made"
    )]
    Partitions {
        /// Its name.
        table: String,
        /// What it was made with.
        stored: u16,
        /// What was asked for.
        wanted: u16,
    },
    /// The table was made by a newer version.
    #[error(
        "the table {table:?} has format {found}, this version reads up to {known}: upgrade russet"
    )]
    Newer {
        /// Its name.
        table: String,
        /// Its format.
        found: u64,
        /// The newest one that is known.
        known: u64,
    },
}

impl OpenError {
    /// What a fault while opening means.
    pub(crate) fn of(fault: Fault, action: &'static str, endpoint: &str) -> Self {
        match fault {
            fault if fault.is_denied() => Self::Denied {
                action,
                why: fault.to_string(),
            },
            Fault::Refused { .. } => Self::Refused {
                action,
                why: fault.to_string(),
            },
            fault => Self::Unreachable {
                endpoint: endpoint.to_owned(),
                why: fault.to_string(),
            },
        }
    }
}
