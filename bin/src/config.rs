//! `russet.toml`: how the server is reached, and where it keeps its tasks.
//!
//! ```toml
//! [server]
//! listen = "127.0.0.1:7718"
//! tokens = []                # who may come in; needed beyond this machine
//! max_clock_skew_ms = 0      # how far the clocks of the nodes of one store may be apart
//! ```
//!
//! `[store]` and `[queue]` are described at [`russet_backends::config`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use russet_backends::config::{QueueConfig, StoreConfig};
use russet_core::Millis;
use serde::Deserialize;

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

/// What a configuration file says; what is left out has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the server is reached.
    pub server: ServerTable,
    /// Where it keeps its tasks.
    pub store: StoreConfig,
    /// How it announces those that are ready.
    pub queue: QueueConfig,
}

/// `[server]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerTable {
    /// Where it listens.
    pub listen: Option<String>,
    /// Who may come in.
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
    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read, is not TOML or has unknown settings.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
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
        Self::parse(&text).map_err(|error| ConfigError::Malformed {
            file: file.to_owned(),
            why: error.to_string().trim_end().to_owned(),
        })
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
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
        }
    }
}

impl ServerTable {
    /// How far the clocks of two nodes may be apart.
    ///
    /// # Errors
    /// More than clocks that are synchronised ever are.
    pub fn max_clock_skew(&self) -> Result<Millis, ConfigError> {
        let ms = self.max_clock_skew_ms.unwrap_or(0);
        if ms > CLOCK_SKEW_MS {
            let problem = format!("{ms} is more than {CLOCK_SKEW_MS}");
            let remedy = "synchronise the clocks of the nodes, such as by NTP, and allow the few milliseconds that remain";
            return Err(ConfigError::setting("max_clock_skew_ms", problem, remedy));
        }
        Ok(Millis::new(ms))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_read_and_a_flag_goes_before_the_file() {
        let text = "[server]\nlisten = '127.0.0.1:1'\n[store]\ndata_dir = 'a'\npartitions = 2\n";
        let config = Config::parse(text).expect("is a configuration");
        assert_eq!(config.server.listen.as_deref(), Some("127.0.0.1:1"));
        assert_eq!(config.backend(None).store.data_dir, Some("a".into()));
        let store = config.backend(Some(Path::new("b"))).store;
        assert_eq!(
            (store.data_dir, store.partitions),
            (Some("b".into()), Some(2))
        );
    }

    #[test]
    fn an_unknown_setting_is_refused_with_its_place() {
        for (text, unknown) in [
            ("[server]\nlissten = '127.0.0.1:1'\n", "lissten"),
            ("[store]\ndata_dri = 'x'\n", "data_dri"),
        ] {
            let text = Config::parse(text).expect_err("unknown").to_string();
            assert!(text.contains("line 2") && text.contains(unknown), "{text}");
        }
    }

    #[test]
    fn clocks_may_be_apart_as_configured_up_to_a_minute() {
        let skew = |text: &str| {
            let config = Config::parse(text).expect("is a configuration");
            config.server.max_clock_skew()
        };
        assert_eq!(skew("").ok(), Some(Millis::ZERO));
        let configured = skew("[server]\nmax_clock_skew_ms = 250\n");
        assert_eq!(configured.ok(), Some(Millis::new(250)));
        let absurd = skew("[server]\nmax_clock_skew_ms = 60001\n").expect_err("is absurd");
        let start = "max_clock_skew_ms: 60001 is more than 60000; synchronise the clocks";
        assert!(absurd.to_string().starts_with(start), "{absurd}");
    }

    #[test]
    fn a_token_that_can_be_guessed_is_refused() {
        assert!(tokens(vec!["secret".into()]).is_err());
        assert!(tokens(vec!["with a space in the middle".into()]).is_err());
        assert!(tokens(vec!["0123456789abcdef".into()]).is_ok());
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_an_example() {
        let text = listen("7718").expect_err("no address").to_string();
        assert!(
            text.starts_with("listen: \"7718\" is not an address; write"),
            "{text}"
        );
        assert!(listen("localhost:0").is_ok());
    }
}
