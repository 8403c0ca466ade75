//! What is checked before a store in Redis is used.

use std::sync::Arc;

use futures::future::try_join_all;
use redis::Value;
use russet_core::limits::PARTITIONS_MAX;
use russet_core::{PartitionId, codec};

use super::call::{Args, CallError, Reason, integer, optional, strings};
use super::error::RedisOpenError;
use super::info::Info;
use super::keys::{Keys, Names};
use super::link::{Link, Live};
use super::links::{Links, Route};
use super::options::{Acknowledge, RedisOptions, Topology};
use super::script;
use super::slots::slot;
use crate::limits::REDIS_PROBES;

/// The newest way in which keys and entries are laid out.
const LAYOUT: u64 = 1;
/// The oldest version that can be used.
const OLDEST: [u64; 2] = [6, 2];

/// Checks the servers, and returns how many partitions the store has.
pub(crate) async fn check_servers(
    options: &RedisOptions,
    names: &Names,
    links: &Links,
) -> Result<u16, RedisOpenError> {
    check_each(options, names, links).await?;
    let route = links.route(slot(&names.store()), 0);
    let opening = Opening {
        options,
        names,
        address: route.describe(),
    };
    opening.header(&route).await
}

/// What is there for a store, which is neither made nor changed.
pub(crate) async fn examine(
    options: &RedisOptions,
    names: &Names,
    links: &Links,
) -> Result<RedisFound, RedisOpenError> {
    let infos = check_each(options, names, links).await?;
    let route = links.route(slot(&names.store()), 0);
    let opening = Opening {
        options,
        names,
        address: route.describe(),
    };
    let mut command = redis::cmd("HGET");
    command.arg(names.store()).arg("partitions");
    let answer = route.read(&command).await.and_then(optional);
    let found = answer.map_err(|error| opening.failed("HGET", error))?;
    let partitions = match found {
        None => None,
        Some(found) => {
            let text = String::from_utf8_lossy(&found).into_owned();
            Some(opening.as_asked(&text)?)
        }
    };
    let product = infos.first().map(|info| info.product());
    Ok(RedisFound {
        product: product.unwrap_or_default(),
        is_durable: infos.iter().all(|info| info.is_durable()),
        partitions,
        primaries: infos.len(),
    })
}

/// Checks each server that has a slot.
async fn check_each(
    options: &RedisOptions,
    names: &Names,
    links: &Links,
) -> Result<Vec<Arc<Info>>, RedisOpenError> {
    let opening = |address| Opening {
        options,
        names,
        address,
    };
    if let Links::Cluster(cluster) = links {
        let learned = cluster.learn().await;
        learned.map_err(|(address, error)| opening(address).failed("CLUSTER", error))?;
    }
    let servers = links.servers();
    let checks = servers.iter().map(async |server| {
        let opening = opening(server.dialer.describe());
        let link = server.link(0);
        let live = link.live().await;
        let live = live.map_err(|error| opening.failed("INFO", error))?;
        opening.check_info(&live.info)?;
        let own = (0..PARTITIONS_MAX).map(|n| names.partition(PartitionId(n)));
        let own = own.filter(|keys| links.has(server, slot(&keys.meta())));
        opening.try_commands(own, link, &live).await?;
        Ok(live.info)
    });
    try_join_all(checks).await
}

/// What there is for a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisFound {
    /// What the server is, with its version: `redis 7.0.15`.
    pub product: String,
    /// Whether all servers write down each change (`appendonly yes`).
    pub is_durable: bool,
    /// How many servers the store is on: more than one in a cluster.
    pub primaries: usize,
    /// How many partitions the store has; `None` when it is not made yet.
    pub partitions: Option<u16>,
}

struct Opening<'a> {
    options: &'a RedisOptions,
    names: &'a Names,
    address: String,
}

impl Opening<'_> {
    fn check_info(&self, info: &Info) -> Result<(), RedisOpenError> {
        let address = self.address.clone();
        if info.field("redis_mode") == Some("sentinel") {
            return Err(RedisOpenError::Sentinel { address });
        }
        let found = info.field("redis_version").unwrap_or("unknown");
        let mut numbers = found.split('.').map(|n| n.parse().unwrap_or(0));
        let version = [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)];
        if version < OLDEST {
            let found = found.to_owned();
            return Err(RedisOpenError::Version { address, found });
        }
        let policy = info.field("maxmemory_policy").unwrap_or("noeviction");
        if policy != "noeviction" {
            let policy = policy.to_owned();
            return Err(RedisOpenError::Evicts { address, policy });
        }
        let is_node = info.field("cluster_enabled") == Some("1");
        if is_node && !matches!(self.options.topology, Topology::Cluster { .. }) {
            return Err(RedisOpenError::Cluster { address });
        }
        let replicas = info.field("connected_slaves");
        if self.options.acknowledge == Acknowledge::Replica && replicas == Some("0") {
            return Err(RedisOpenError::NoReplica { address });
        }
        Ok(())
    }

    /// Tries what the scripts use, in a partition that the server has.
    async fn try_commands(
        &self,
        own: impl Iterator<Item = Keys>,
        link: &Link,
        live: &Live,
    ) -> Result<(), RedisOpenError> {
        let mut args = Args::default();
        let role = link.command(live, &redis::cmd("ROLE")).await;
        role.map_err(|error| self.failed("ROLE", error))?;
        if self.options.acknowledge == Acknowledge::Replica {
            let waited = link.command(live, redis::cmd("WAIT").arg(0).arg(0)).await;
            waited.map_err(|error| self.failed("WAIT", error))?;
        }
        args.push(self.names.channel());
        let mut tried = Ok(Vec::new());
        for keys in own.take(REDIS_PROBES) {
            let probes = keys.probes();
            let answer = link.script(live, &script::PROBE, &probes, &args).await;
            tried = answer.and_then(strings);
            let reason = tried.as_ref().err().and_then(CallError::reason);
            // Any other partition will do when this one is just being moved.
            if !matches!(reason, Some(Reason::Moved | Reason::Ask | Reason::Busy)) {
                break;
            }
        }
        let failed = tried.map_err(|error| self.failed("EVALSHA or EVAL", error))?;
        if let [command, why, ..] = failed.as_slice() {
            let [command, why] = [command, why].map(|text| String::from_utf8_lossy(text));
            let refusal = super::call::Refusal::new(&why);
            return Err(self.failed(&command, CallError::Refused(refusal)));
        }
        Ok(())
    }

    /// Reads how the store was made, or makes it.
    async fn header(&self, route: &Route<'_>) -> Result<u16, RedisOpenError> {
        let fresh = self.options.partitions.unwrap_or(1);
        let [layout, partitions] = self
            .fields(route, fresh)
            .await
            .map_err(|error| self.failed("HSETNX and HMGET", error))?;
        let (address, prefix) = (self.address.clone(), self.options.prefix.clone());
        let formats = [
            (layout, LAYOUT),
            (self.format(route).await?, codec::FORMAT.into()),
        ];
        for (found, known) in formats {
            if found > known {
                let found = found.to_string();
                return Err(RedisOpenError::Newer {
                    address,
                    prefix,
                    found,
                    known,
                });
            }
        }
        self.as_asked(&partitions.to_string())
    }

    /// The number of partitions that was found, when it is one that can be and is asked for.
    fn as_asked(&self, found: &str) -> Result<u16, RedisOpenError> {
        let known = found.parse().ok();
        let known = known.filter(|n| (1..=PARTITIONS_MAX).contains(n));
        match (known, self.options.partitions) {
            (Some(found), asked) if asked.is_none_or(|asked| asked == found) => Ok(found),
            (_, asked) => Err(RedisOpenError::Partitions {
                address: self.address.clone(),
                prefix: self.options.prefix.clone(),
                found: found.to_owned(),
                asked: asked.unwrap_or(1),
            }),
        }
    }

    async fn fields(&self, route: &Route<'_>, partitions: u16) -> Result<[u64; 2], CallError> {
        let store = self.names.store();
        let mut commands = redis::pipe();
        let set = [("layout", LAYOUT), ("partitions", partitions.into())];
        for (field, value) in set {
            commands.cmd("HSETNX").arg(&store).arg(field).arg(value);
        }
        for (field, _) in set {
            commands.cmd("HGET").arg(&store).arg(field);
        }
        let answers = route.clone().pipeline(&commands).await?.into_iter();
        // A field that could not be set is missing.
        let mut answers = answers.skip(2);
        let mut number = || -> Result<u64, CallError> {
            let number = integer(answers.next().unwrap_or_default())?;
            Ok(u64::try_from(number).unwrap_or_default())
        };
        Ok([number()?, number()?])
    }

    /// The newest format of records that was ever used; that of this version from now on.
    async fn format(&self, route: &Route<'_>) -> Result<u64, RedisOpenError> {
        let newest = u64::from(codec::FORMAT);
        let format = async {
            let mut read = redis::cmd("HGET");
            read.arg(self.names.store()).arg("format");
            let found = optional(route.clone().read(&read).await?)?;
            let found = found
                .map(|found| integer(Value::BulkString(found)))
                .transpose()?;
            let found = found.map_or(0, |found| u64::try_from(found).unwrap_or(u64::MAX));
            if found < newest {
                let mut write = redis::cmd("HSET");
                write.arg(self.names.store()).arg("format").arg(newest);
                route.clone().read(&write).await?;
            }
            Ok(found)
        };
        format.await.map_err(|error| self.failed("HSET", error))
    }

    fn failed(&self, command: &str, error: CallError) -> RedisOpenError {
        let (address, why) = (self.address.clone(), error.to_string());
        match (&error, error.reason()) {
            (CallError::Unreachable(_) | CallError::Lost(_) | CallError::Late(_), _) => {
                RedisOpenError::Unreachable { address, why }
            }
            (_, Some(Reason::Login)) => RedisOpenError::Login { address, why },
            (_, Some(Reason::NotPrimary)) => RedisOpenError::Replica { address },
            (_, Some(Reason::NoCluster)) => RedisOpenError::NoCluster { address },
            (_, Some(Reason::Forbidden)) => RedisOpenError::Forbidden {
                address,
                command: command.to_owned(),
                why,
                prefix: self.options.prefix.clone(),
            },
            _ if why.contains("DB index") => RedisOpenError::Url {
                why: format!("Redis at {address} has no database of its number: {why}"),
            },
            _ => RedisOpenError::Refused { address, why },
        }
    }
}
