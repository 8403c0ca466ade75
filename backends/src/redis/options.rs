use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use redis::{IntoConnectionInfo, RedisConnectionInfo};
use russet_core::limits::PARTITIONS_MAX;
use serde::{Deserialize, Serialize};

use super::error::RedisOpenError;
use crate::limits::{REDIS_CALL, REDIS_CONNECTIONS, REDIS_CONNECTIONS_MAX};
use crate::secret::{Host, Secret};

/// Where a Redis is, and how it is used.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://user:password@host:port/db`, or `rediss://` for TLS. With Sentinel, its host and
    /// port are those of a sentinel, and the rest is said of the primary. With Cluster they are
    /// those of any node, and the rest is said of all nodes.
    pub url: String,
    /// Who says which server is the primary.
    pub topology: Topology,
    /// With what all names begin, so that several stores can share a server.
    pub prefix: String,
    /// How many partitions; a new store has 1 unless given, and an old one has what it has.
    pub partitions: Option<u16>,
    /// Certificates, in PEM, that a TLS server must be vouched for by; those of the operating
    /// system unless given.
    pub ca_file: Option<PathBuf>,
    /// When a commit is acknowledged.
    pub acknowledge: Acknowledge,
    /// How long a call may take before its connection is given up.
    pub timeout: Duration,
    /// Connections that calls share; in a cluster so many to each node. There are as many again
    /// for commits where they wait for a replica.
    pub connections: usize,
}

/// Who says which server is the primary.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Topology {
    /// The server of the URL is the primary.
    #[default]
    Single,
    /// Sentinels say so.
    Sentinel {
        /// What they call the primary.
        master: String,
        /// Other sentinels beside the one in the URL, as `host:port`.
        others: Vec<String>,
        /// The sentinels' own password.
        password: Option<Secret>,
    },
    /// The nodes of a cluster say so, of each slot.
    Cluster {
        /// Other nodes beside the one in the URL, as `host:port`, in case that it does not answer
        /// at the start.
        others: Vec<String>,
    },
}

/// When a commit is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acknowledge {
    /// When the primary has done it. A failover may lose it.
    #[default]
    Primary,
    /// When one replica has it, too. A failover to another replica may lose it.
    Replica,
}

impl RedisOptions {
    /// The server at the URL, and the default of everything else.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            topology: Topology::default(),
            prefix: "russet".to_owned(),
            partitions: None,
            ca_file: None,
            acknowledge: Acknowledge::default(),
            timeout: REDIS_CALL,
            connections: REDIS_CONNECTIONS,
        }
    }

    /// The server and the database, without who asks; `None` when the URL is none.
    #[cfg(feature = "config")]
    pub(crate) fn place(&self) -> Option<String> {
        let target = Target::parse(&self.url).ok()?;
        Some(format!("{}/{}", target.address, target.login.db()))
    }

    /// Checks what can be known without the server.
    pub(crate) fn check(&self) -> Result<(), RedisOpenError> {
        let wrong = |setting, value: String, range: String| RedisOpenError::Setting {
            setting,
            value,
            range,
        };
        if let Some(partitions) = self.partitions
            && !(1..=PARTITIONS_MAX).contains(&partitions)
        {
            let range = format!("1 to {PARTITIONS_MAX}");
            return Err(wrong("partitions", partitions.to_string(), range));
        }
        if !(1..=REDIS_CONNECTIONS_MAX).contains(&self.connections) {
            let range = format!("1 to {REDIS_CONNECTIONS_MAX}");
            return Err(wrong("connections", self.connections.to_string(), range));
        }
        let named = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
        if self.prefix.is_empty() || !self.prefix.chars().all(named) {
            let range = "letters, digits and . _ : -".to_owned();
            return Err(wrong("prefix", format!("{:?}", self.prefix), range));
        }
        if self.timeout.is_zero() {
            let range = "more than nothing".to_owned();
            return Err(wrong("timeout", "0".to_owned(), range));
        }
        let database = Target::parse(&self.url)?.login.db();
        if matches!(self.topology, Topology::Cluster { .. }) && database != 0 {
            let why = format!("it names database {database}, and a cluster has only 0");
            return Err(RedisOpenError::Url { why });
        }
        Ok(())
    }
}

/// Shows no credentials.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Target::parse(&self.url).map(|target| target.address.to_string());
        f.debug_struct("RedisOptions")
            .field(
                "address",
                &address.unwrap_or_else(|_| "(no address)".into()),
            )
            .field("topology", &self.topology)
            .field("prefix", &self.prefix)
            .field("partitions", &self.partitions)
            .field("ca_file", &self.ca_file)
            .field("acknowledge", &self.acknowledge)
            .field("timeout", &self.timeout)
            .field("connections", &self.connections)
            .finish()
    }
}

/// Shows no credentials, also where only an address should stand.
impl fmt::Debug for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = |others: &[String]| -> Vec<Host> { others.iter().cloned().map(Host).collect() };
        match self {
            Self::Single => f.write_str("Single"),
            Self::Sentinel {
                master,
                others,
                password,
            } => f
                .debug_struct("Sentinel")
                .field("master", master)
                .field("others", &hosts(others))
                .field("password", password)
                .finish(),
            Self::Cluster { others } => f
                .debug_struct("Cluster")
                .field("others", &hosts(others))
                .finish(),
        }
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// A name or an IP address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Address {
    /// Reads `host:port`; a user or a password cannot stand there.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (!host.is_empty() && !host.contains('@')).then_some(Self {
            host: host.to_owned(),
            port: port.parse().ok()?,
        })
    }
}

/// What a URL says.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: Address,
    pub(crate) tls: bool,
    pub(crate) login: RedisConnectionInfo,
}

impl Target {
    /// Reads a URL. What is wrong is said without the URL, which may hold a password.
    pub(crate) fn parse(url: &str) -> Result<Self, RedisOpenError> {
        let wrong = |why: String| RedisOpenError::Url { why };
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| wrong("it has no scheme".to_owned()))?;
        let tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(wrong("its scheme is neither redis nor rediss".to_owned())),
        };
        let info = format!("redis://{rest}").into_connection_info();
        let info = info.map_err(|error| wrong(error.category().to_owned()))?;
        let redis::ConnectionAddr::Tcp(host, port) = info.addr().clone() else {
            return Err(wrong("it names no host".to_owned()));
        };
        let given = info.redis_settings();
        let mut login = RedisConnectionInfo::default()
            .set_db(given.db())
            .set_skip_set_lib_name();
        if let Some(name) = given.username() {
            login = login.set_username(name);
        }
        if let Some(password) = given.password() {
            login = login.set_password(password);
        }
        Ok(Self {
            address: Address { host, port },
            tls,
            login,
        })
    }

    /// The address, and others of the same kind.
    pub(crate) fn with(
        &self,
        kind: &str,
        others: &[String],
    ) -> Result<Vec<Address>, RedisOpenError> {
        let others = others.iter().enumerate().map(|(at, other)| {
            Address::parse(other).ok_or_else(|| RedisOpenError::Url {
                why: format!("{kind} {} of the list is not written as host:port", at + 1),
            })
        });
        std::iter::once(Ok(self.address.clone()))
            .chain(others)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_who() {
        let target = Target::parse("rediss://me:p%40ss@[::1]:7000/3").expect("a URL");
        assert_eq!(target.address.to_string(), "[::1]:7000");
        assert!(target.tls);
        assert_eq!(target.login.db(), 3);
        assert_eq!(target.login.username(), Some("me"));
        assert_eq!(target.login.password(), Some("p@ss"));
        let target = Target::parse("redis://localhost").expect("a URL");
        assert_eq!(target.address.to_string(), "localhost:6379");
        assert!(!target.tls);
    }

    #[test]
    fn what_is_no_url_is_refused_without_showing_it() {
        for url in [
            "",
            "sesame",
            "http://me:sesame@host",
            "redis://me:sesame@:port",
            "redis://me:sesame@host/db",
            "redis://me:sesame@host:99999",
            "redis://me:sesame@host?protocol=sesame",
        ] {
            let error = Target::parse(url).err().expect("it is refused").to_string();
            assert!(!error.contains("sesame"), "{error}");
            assert!(error.contains("url"), "{error}");
        }
    }

    #[test]
    fn others_that_are_no_addresses_are_refused_without_showing_them() {
        let target = Target::parse("redis://host").expect("a URL");
        for other in ["me:sesame@host:26379", "sesame"] {
            let others = ["host:26379".to_owned(), other.to_owned()];
            let error = target.with("sentinel", &others).expect_err("it is refused");
            let said = error.to_string();
            assert!(said.contains("sentinel 2 of the list is not"), "{said}");
            assert!(!said.contains("sesame"), "{said}");
        }
    }

    #[test]
    fn options_show_no_credentials() {
        let mut options = RedisOptions::new("redis://me:sesame@host:1234/0");
        options.topology = Topology::Sentinel {
            master: "main".to_owned(),
            others: Vec::new(),
            password: Some(Secret("sesame".to_owned())),
        };
        let shown = format!("{options:?}");
        assert!(!shown.contains("sesame"), "{shown}");
        assert!(shown.contains("host:1234"), "{shown}");
        options.url = "sesame".to_owned();
        assert!(!format!("{options:?}").contains("sesame"));
        let others = || vec!["me:sesame@h:1".to_owned(), "h:2".to_owned()];
        let sentinels = Topology::Sentinel {
            master: "main".to_owned(),
            others: others(),
            password: None,
        };
        for topology in [sentinels, Topology::Cluster { others: others() }] {
            options.topology = topology;
            let shown = format!("{options:?}");
            assert!(!shown.contains("sesame"), "{shown}");
            assert!(
                shown.contains("***@h:1") && shown.contains("h:2"),
                "{shown}"
            );
        }
    }
}
