/// A configuration file to begin with: every setting, with its default and what it is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    /// One file on this machine, no server.
    #[default]
    Embedded,
    /// Nothing survives the process: for trying things out.
    Memory,
    /// Redis or Valkey: several nodes on one server.
    Redis,
    /// DynamoDB and SQS: several nodes on AWS.
    Aws,
}

impl Template {
    /// The text of the file.
    pub fn text(self) -> String {
        let backend = match self {
            Self::Embedded => include_str!("templates/embedded.toml"),
            Self::Memory => include_str!("templates/memory.toml"),
            Self::Redis => include_str!("templates/redis.toml"),
            Self::Aws => include_str!("templates/aws.toml"),
        };
        format!("{}\n{backend}", include_str!("templates/server.toml"))
    }
}
