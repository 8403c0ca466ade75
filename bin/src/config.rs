//! `russet.toml`: how the server is reached, and where it keeps its tasks.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where the server listens unless it is told otherwise: reached from this machine alone.
pub const LISTEN: &str = "127.0.0.1:7718";
/// Where the embedded store is kept unless it is told otherwise.
pub const DATA_DIR: &str = "./russet-data";
/// Largest configuration file, in bytes.
const FILE_BYTES: u64 = 1024 * 1024;
/// Most tokens.
const TOKENS: usize = 1_000;
/// Shortest token, in characters: shorter ones can be guessed.
const TOKEN_CHARS: usize = 16;

/// What a configuration file says.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `[server]`
    pub server: ServerTable,
    /// The other tables: the store and the queue, as [`russet_backends`] reads them.
    pub backend: toml::Table,
}

/// `[server]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerTable {
    /// Where it listens.
    pub listen: Option<String>,
    /// Who may come in.
    pub tokens: Vec<String>,
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
        /// The first reading keeps places for errors; the second keeps the other tables.
        #[derive(Deserialize)]
        struct Known {
            #[serde(default)]
            server: ServerTable,
        }
        let Known { server } = toml::from_str(text)?;
        let mut backend: toml::Table = toml::from_str(text)?;
        backend.remove("server");
        Ok(Self { server, backend })
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
    fn the_server_and_the_backend_have_tables_of_their_own() {
        let text = "[server]\nlisten = '127.0.0.1:1'\n[store]\nkind = 'memory'\n";
        let config = Config::parse(text).expect("is a configuration");
        assert_eq!(config.server.listen.as_deref(), Some("127.0.0.1:1"));
        assert_eq!(config.backend.keys().collect::<Vec<_>>(), ["store"]);
    }

    #[test]
    fn an_unknown_setting_is_refused_with_its_place() {
        let error = Config::parse("[server]\nlissten = '127.0.0.1:1'\n").expect_err("unknown");
        let text = error.to_string();
        assert!(
            text.contains("line 2") && text.contains("lissten"),
            "{text}"
        );
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
