//! `russet.toml`: how the server is reached, and where it keeps its tasks.
//!
//! ```toml
//! [server]
//! listen = "127.0.0.1:7718"
//! tokens = []                # who may come in; needed beyond this machine
//! max_clock_skew_ms = 0      # how far the clocks of the nodes of one store may be apart
//! ```
//!
//! `[store]`, `[queue]` and what they use are described at [`russet_backends::config`]. The environment goes
//! before the file, and flags go before both.

mod layers;
mod templates;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use russet_backends::config::{
    AwsTable, DynamoTable, QueueConfig, RedisTable, SqsTable, StoreConfig, mistake,
};
use russet_core::Millis;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};

pub use layers::Setting;
pub use templates::Template;

/// Where the server listens unless it is told otherwise: reached from this machine alone.
pub const LISTEN: &str = "127.0.0.1:7718";
/// Largest configuration file, in bytes.
const FILE_BYTES: u64 = 1024 * 1024;
/// Most tokens.
const TOKENS: usize = 1_000;
/// Shortest token, in characters: shorter ones can be guessed.
const TOKEN_CHARS: usize = 16;
/// Furthest apart that clocks may be allowed to be: whoever is further is not synchronised.
const CLOCK_SKEW_MS: u64 = 60_000;
/// How far they may be apart unless configured, when nodes can share the store.
const SHARED_CLOCK_SKEW_MS: u64 = 500;

/// What a configuration file says; what is left out has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the server is reached.
    pub server: ServerTable,
    /// Where it keeps its tasks.
    pub store: StoreConfig,
    /// How it announces those that are ready.
    pub queue: QueueConfig,
    /// Where Redis is.
    pub redis: RedisTable,
    /// How AWS is reached.
    pub aws: AwsTable,
    /// Which table of DynamoDB it is.
    pub dynamodb: DynamoTable,
    /// Which queues of SQS they are.
    pub sqs: SqsTable,
}

/// `[server]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerTable {
    /// Where it listens.
    pub listen: Option<String>,
    /// Who may come in. They are never shown.
    #[serde(serialize_with = "masked")]
    pub tokens: Vec<String>,
    /// How far the clocks of the nodes that share the store may be apart: a lease that another
    /// node granted is expired this much later, and no earlier than its holder thinks. 0 when
    /// absent, which is right for one node, as with the embedded store.
    pub max_clock_skew_ms: Option<u64>,
}

/// Why a configuration cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {why}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The file is not TOML, or has a setting that does not exist.
    #[error("{}: {why}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// A setting has a value that cannot be.
    #[error("{setting}: {problem}; {remedy}")]
    Setting {
        /// Its name.
        setting: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: String,
    },
}

impl ConfigError {
    fn setting(setting: &str, problem: impl Into<String>, remedy: &str) -> Self {
        Self::Setting {
            setting: setting.to_owned(),
            problem: problem.into(),
            remedy: remedy.to_owned(),
        }
    }
}

impl Config {
    /// Whether a file says something of the key.
    ///
    /// # Errors
    /// A file that cannot be read or is not TOML.
    pub fn names(file: &Path, table: &str, key: &str) -> Result<bool, ConfigError> {
        let read = Self::read(file)?;
        let table = read.get(table).and_then(toml::Value::as_table);
        Ok(table.is_some_and(|table| table.contains_key(key)))
    }

    /// Reads a file, if there is one, and lays settings over it, the last one on top.
    ///
    /// # Errors
    /// A file that cannot be read or is not TOML; settings that do not exist or cannot be.
    pub fn load(file: Option<&Path>, settings: &[Setting]) -> Result<Self, ConfigError> {
        let mut table = match file {
            Some(file) => Self::read(file)?,
            None => toml::Table::new(),
        };
        for setting in settings {
            setting.lay_over(&mut table)?;
        }
        // Each of its parts was tried before.
        let malformed = |error: toml::de::Error| ConfigError::Malformed {
            file: file.unwrap_or(Path::new("the configuration")).to_owned(),
            why: mistake(&error, None),
        };
        table.try_into().map_err(malformed)
    }

    fn read(file: &Path) -> Result<toml::Table, ConfigError> {
        let unreadable = |why: String| ConfigError::Unreadable {
            file: file.to_owned(),
            why,
        };
        let size = std::fs::metadata(file).map_err(|error| unreadable(error.to_string()))?;
        if size.len() > FILE_BYTES {
            let why = format!("it has {} bytes, and {FILE_BYTES} are allowed", size.len());
            return Err(unreadable(why));
        }
        let text = std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
        // Read as a configuration first: these errors name the line.
        let read = Self::parse(&text).and_then(|_| parse(&text));
        read.map_err(|why| ConfigError::Malformed {
            file: file.to_owned(),
            why,
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        parse(text)
    }

    /// Where the server listens.
    pub fn listen(&self) -> &str {
        self.server.listen.as_deref().unwrap_or(LISTEN)
    }

    /// Whether the server can be started like this.
    ///
    /// # Errors
    /// The setting that cannot be, and what to do.
    pub fn check(&self) -> Result<(), ConfigError> {
        listen(self.listen())?;
        tokens(self.server.tokens.clone())?;
        self.max_clock_skew()?;
        Ok(())
    }

    /// The store and the queue; `data_dir` goes before what the file says.
    pub fn backend(&self, data_dir: Option<&Path>) -> russet_backends::config::Config {
        let mut store = self.store.clone();
        if let Some(data_dir) = data_dir {
            store.data_dir = Some(data_dir.to_owned());
        }
        russet_backends::config::Config {
            store,
            queue: self.queue.clone(),
            redis: self.redis.clone(),
            aws: self.aws.clone(),
            dynamodb: self.dynamodb.clone(),
            sqs: self.sqs.clone(),
        }
    }

    /// With the defaults of what is used, where nothing is said; `data_dir` goes before what the
    /// file says.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn settled(&self, data_dir: Option<&Path>) -> Result<Self, ConfigError> {
        let russet_backends::config::Config {
            store,
            queue,
            redis,
            aws,
            dynamodb,
            sqs,
        } = self.backend(data_dir).settled();
        let server = ServerTable {
            listen: Some(self.listen().to_owned()),
            tokens: self.server.tokens.clone(),
            max_clock_skew_ms: Some(self.max_clock_skew()?.as_millis()),
        };
        Ok(Self {
            server,
            store,
            queue,
            redis,
            aws,
            dynamodb,
            sqs,
        })
    }

    /// How far the clocks of two nodes may be apart.
    ///
    /// # Errors
    /// More than clocks that are synchronised ever are.
    pub fn max_clock_skew(&self) -> Result<Millis, ConfigError> {
        let default = match self.store.backend.is_shared() {
            true => SHARED_CLOCK_SKEW_MS,
            false => 0,
        };
        let ms = self.server.max_clock_skew_ms.unwrap_or(default);
        if ms > CLOCK_SKEW_MS {
            let problem = format!("{ms} is more than {CLOCK_SKEW_MS}");
            let remedy = "synchronise the clocks of the nodes, such as by NTP, and allow the few milliseconds that remain";
            return Err(ConfigError::setting("max_clock_skew_ms", problem, remedy));
        }
        Ok(Millis::new(ms))
    }
}

/// Reads TOML. What is wrong is said without any value, which may be a secret.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| mistake(&error, Some(text)))
}

/// An address to listen on.
///
/// # Errors
/// A text that is not one.
pub fn listen(text: &str) -> Result<SocketAddr, ConfigError> {
    let text = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    text.parse().map_err(|_| {
        let remedy = "write ADDRESS:PORT, such as 127.0.0.1:7718 or [::1]:7718";
        ConfigError::setting("listen", format!("{text:?} is not an address"), remedy)
    })
}

/// Tokens, checked.
///
/// # Errors
/// Tokens that are too short, too many, or cannot stand in a header.
pub fn tokens(tokens: Vec<String>) -> Result<Vec<String>, ConfigError> {
    let remedy = "make one with `openssl rand -hex 32`";
    if tokens.len() > TOKENS {
        let problem = format!("there are {}, and {TOKENS} are allowed", tokens.len());
        return Err(ConfigError::setting("tokens", problem, "remove some"));
    }
    for (at, token) in tokens.iter().enumerate() {
        if token.len() < TOKEN_CHARS {
            let problem = format!("token {} is shorter than {TOKEN_CHARS} characters", at + 1);
            return Err(ConfigError::setting("tokens", problem, remedy));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let problem = format!("token {} has characters other than visible ASCII", at + 1);
            return Err(ConfigError::setting("tokens", problem, remedy));
        }
    }
    Ok(tokens)
}

fn masked<S: Serializer>(secrets: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(secrets.iter().map(|_| "***"))
}
