use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::redis::{Acknowledge, RedisOptions, Topology};
use crate::secret::{Host, Secret, Url};

/// Where a Redis is expected unless configured: on this machine.
pub const REDIS_URL: &str = "redis://127.0.0.1:6379";

/// `[redis]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedisTable {
    /// `redis://user:password@host:port/db`, or `rediss://` for TLS; [`REDIS_URL`] unless given.
    pub url: Option<Url>,
    /// With what all names begin; `russet` unless given.
    pub prefix: Option<String>,
    /// TLS: certificates, in PEM, that the server must be vouched for by.
    pub ca_file: Option<PathBuf>,
    /// When a commit is acknowledged.
    pub acknowledge: Acknowledge,
    /// How long a call may take, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Connections that calls share; in a cluster so many to each node.
    pub connections: Option<usize>,
    /// Sentinel: what the sentinels call the primary. The host of the url is a sentinel then.
    pub sentinel_master: Option<String>,
    /// Sentinel: more of them, as `host:port`.
    pub sentinels: Vec<Host>,
    /// Sentinel: their own password.
    pub sentinel_password: Option<Secret>,
    /// Cluster: whether it is one. The host of the url is any node then.
    pub cluster: bool,
    /// Cluster: more nodes, as `host:port`, in case that the one of the url does not answer.
    pub cluster_nodes: Vec<Host>,
}

impl RedisTable {
    /// Where it is, for people to read.
    pub fn address(&self) -> String {
        let url = self.url.as_ref().map(Url::to_string);
        url.unwrap_or_else(|| REDIS_URL.to_owned())
    }

    /// Which store it is: see [`Config::place`](super::Config::place).
    pub(super) fn place(&self) -> String {
        let options = self.options(None);
        let at = options.place().unwrap_or_else(|| self.address());
        let prefix = options.prefix;
        match &self.sentinel_master {
            Some(master) => format!("redis {at} {prefix:?} of the primary {master:?}"),
            None => format!("redis {at} {prefix:?}"),
        }
    }

    /// Sentinels and a cluster cannot both say which server is the primary, and neither is used
    /// unless it is asked for.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let has_master = self.sentinel_master.is_some();
        let names_sentinels = !self.sentinels.is_empty() || self.sentinel_password.is_some();
        if self.cluster && has_master {
            return Err(ConfigError::ClusterAndSentinel);
        }
        if names_sentinels && !has_master {
            return Err(ConfigError::NoSentinelMaster);
        }
        if !self.cluster && !self.cluster_nodes.is_empty() {
            return Err(ConfigError::NoCluster);
        }
        if self.timeout_ms == Some(0) {
            return Err(ConfigError::Range {
                setting: "[redis] timeout_ms",
                value: 0,
                range: "1 or more milliseconds".to_owned(),
            });
        }
        Ok(())
    }

    /// With every default that is not said.
    pub(super) fn settled(&self) -> Self {
        let options = RedisOptions::new(REDIS_URL);
        let url = || Some(Url(REDIS_URL.to_owned()));
        Self {
            url: self.url.clone().or_else(url),
            prefix: self.prefix.clone().or(Some(options.prefix)),
            timeout_ms: self.timeout_ms.or(Some(options.timeout.as_millis() as u64)),
            connections: self.connections.or(Some(options.connections)),
            ..self.clone()
        }
    }

    pub(super) fn options(&self, partitions: Option<u16>) -> RedisOptions {
        let url = self.url.as_ref().map_or(REDIS_URL, |url| &url.0);
        let mut options = RedisOptions::new(url);
        options.partitions = partitions;
        options.ca_file.clone_from(&self.ca_file);
        options.acknowledge = self.acknowledge;
        if let Some(prefix) = &self.prefix {
            options.prefix.clone_from(prefix);
        }
        if let Some(ms) = self.timeout_ms {
            options.timeout = Duration::from_millis(ms);
        }
        if let Some(connections) = self.connections {
            options.connections = connections;
        }
        if let Some(master) = &self.sentinel_master {
            options.topology = Topology::Sentinel {
                master: master.clone(),
                others: texts(&self.sentinels),
                password: self.sentinel_password.clone(),
            };
        }
        if self.cluster {
            options.topology = Topology::Cluster {
                others: texts(&self.cluster_nodes),
            };
        }
        options
    }
}

fn texts(hosts: &[Host]) -> Vec<String> {
    hosts.iter().map(|host| host.0.clone()).collect()
}
