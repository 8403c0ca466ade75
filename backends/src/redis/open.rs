//! What is checked before a store in Redis is used.

use std::sync::Arc;

use futures::future::join_all;
use redis::Value;
use russet_core::limits::PARTITIONS_MAX;
use russet_core::{PartitionId, codec};

use super::call::{Args, CallError, Reason, Refusal, array, integer, optional, strings};
use super::cluster::Node;
use super::dialer::answered;
use super::error::RedisOpenError;
use super::found::RedisFound;
use super::info::Info;
use super::keys::{Keys, Names};
use super::link::{Link, Live};
use super::links::{Links, Route};
use super::options::{Acknowledge, RedisOptions, Topology};
use super::script;
use super::slots::slot;
use crate::limits::REDIS_PROBES;

/// The newest way in which keys and entries are laid out. In the first one, what a task was later
/// stood in the field in which it was submitted.
const LAYOUT: u64 = 2;
/// What is written down of a store: its layout, the newest format of its records, and how many
/// partitions it has.
pub(super) const FIELDS: [&str; 3] = ["layout", "format", "partitions"];
/// The oldest version that can be used.
const OLDEST: [u64; 2] = [6, 2];

/// Checks the servers, and returns how many partitions the store has.
pub(crate) async fn check_servers(
    options: &RedisOptions,
    names: &Names,
    links: &Links,
) -> Result<u16, RedisOpenError> {
    let own = slot(&names.store());
    let (mut missing, mut is_durable, mut is_full) = (Vec::new(), true, false);
    for (server, checked) in check_each(options, names, links).await? {
        match checked {
            Ok(info) => {
                is_durable &= info.is_durable();
                is_full |= info.is_full();
            }
            Err(error @ RedisOpenError::NotWhole { .. }) if !links.has(&server, own) => {
                missing.push(error);
            }
            Err(error) => return Err(error),
        }
    }
    if !is_durable {
        tracing::warn!("{}", RedisFound::NOT_DURABLE);
    }
    if is_full {
        tracing::warn!("{}", RedisFound::IS_FULL);
    }
    for error in missing {
        tracing::warn!("{error}. What is on the other nodes is served meanwhile");
    }
    let route = links.route(own, 0);
    let opening = Opening {
        options,
        names,
        address: route.describe(),
    };
    opening.header(&route).await
}

/// Checks each server that has a slot.
pub(super) async fn check_each(
    options: &RedisOptions,
    names: &Names,
    links: &Links,
) -> Result<Vec<Checked>, RedisOpenError> {
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
    let checks = servers.into_iter().map(async |server| {
        let opening = opening(server.dialer.describe());
        let checked = opening.check(&server, links).await;
        (server, checked)
    });
    Ok(join_all(checks).await)
}

/// A server, and what it says of itself if it can be used.
pub(super) type Checked = (Arc<Node>, Result<Arc<Info>, RedisOpenError>);

/// A store that is being opened, and the server that is asked.
pub(super) struct Opening<'a> {
    pub(super) options: &'a RedisOptions,
    pub(super) names: &'a Names,
    pub(super) address: String,
}

impl Opening<'_> {
    async fn check(&self, server: &Arc<Node>, links: &Links) -> Result<Arc<Info>, RedisOpenError> {
        let link = server.link(0);
        let live = link.live().await.map_err(|error| match links {
            Links::Cluster(cluster) if !error.is_answer() => RedisOpenError::NotWhole {
                address: self.address.clone(),
                slots: cluster.slots_of(server),
                why: error.to_string(),
            },
            _ => self.failed("INFO", error),
        })?;
        self.check_info(&live.info)?;
        let own = (0..PARTITIONS_MAX).map(|n| self.names.partition(PartitionId(n)));
        let own = own.filter(|keys| links.has(server, slot(&keys.meta())));
        self.try_commands(own, link, &live).await?;
        Ok(live.info)
    }

    fn check_info(&self, info: &Info) -> Result<(), RedisOpenError> {
        let address = self.address.clone();
        if info.is_sentinel() {
            return Err(RedisOpenError::Sentinel { address });
        }
        let found = info.field("redis_version").unwrap_or("unknown");
        let mut numbers = found.split('.').map(|n| n.parse().unwrap_or(0));
        let version = [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)];
        if version < OLDEST {
            let found = found.to_owned();
            return Err(RedisOpenError::Version { address, found });
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
        let pong = link.command(live, &redis::cmd("PING")).await;
        pong.map_err(|error| self.failed("PING", error))?;
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
            let refusal = Refusal::new(&why);
            return Err(self.failed(&command, CallError::Refused(refusal)));
        }
        Ok(())
    }

    /// Reads how the store was made, or makes it.
    async fn header(&self, route: &Route<'_>) -> Result<u16, RedisOpenError> {
        let fresh = self.options.partitions.unwrap_or(1);
        let fields = self.fields(route, fresh).await;
        let [layout, format, partitions] =
            fields.map_err(|error| self.failed("HSETNX and HGET", error))?;
        self.check_age(layout, format)?;
        let raised = self.raise(route, [layout, format]).await;
        raised.map_err(|error| self.failed("HSET", error))?;
        self.as_asked(&partitions.to_string())
    }

    /// Refuses a store that a newer version has written.
    pub(super) fn check_age(&self, layout: u64, format: u64) -> Result<(), RedisOpenError> {
        let formats = [(layout, LAYOUT), (format, codec::FORMAT.into())];
        match formats.into_iter().find(|(found, known)| found > known) {
            None => Ok(()),
            Some((found, known)) => Err(RedisOpenError::Newer {
                address: self.address.clone(),
                prefix: self.options.prefix.clone(),
                found: found.to_string(),
                known,
            }),
        }
    }

    /// The number of partitions that was found, when it is one that can be and is asked for.
    pub(super) fn as_asked(&self, found: &str) -> Result<u16, RedisOpenError> {
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

    /// How the store was made: as it is made now, if it was not yet. A field that older versions
    /// did not write is 0.
    async fn fields(&self, route: &Route<'_>, partitions: u16) -> Result<[u64; 3], CallError> {
        let store = self.names.store();
        let mut commands = redis::pipe();
        let set = [("layout", LAYOUT), ("partitions", partitions.into())];
        for (field, value) in set {
            commands.cmd("HSETNX").arg(&store).arg(field).arg(value);
        }
        commands.cmd("HMGET").arg(&store).arg(&FIELDS);
        let mut answers = route.clone().pipeline(&commands).await?.into_iter();
        // A field that could not be set is missing, unless it was there already.
        let made: Vec<_> = answers.by_ref().take(set.len()).map(answered).collect();
        let found = array(answered(answers.next().unwrap_or_default())?)?;
        let mut numbers = Vec::with_capacity(FIELDS.len());
        for found in found {
            let number = optional(found)?.map(|found| integer(Value::BulkString(found)));
            numbers.push(
                number
                    .transpose()?
                    .map(|n| u64::try_from(n).unwrap_or(u64::MAX)),
            );
        }
        let [layout, format, partitions] = numbers[..] else {
            return Err(CallError::strange(&Value::Nil));
        };
        if layout.is_none() || partitions.is_none() {
            made.into_iter().collect::<Result<Vec<_>, _>>()?;
            return Err(CallError::strange(&Value::Nil));
        }
        Ok([layout, format, partitions].map(Option::unwrap_or_default))
    }

    /// From now on the store has the layout and the records of this version.
    async fn raise(&self, route: &Route<'_>, found: [u64; 2]) -> Result<(), CallError> {
        let newest = [LAYOUT, codec::FORMAT.into()];
        if found == newest {
            return Ok(());
        }
        let mut write = redis::cmd("HSET");
        write.arg(self.names.store());
        for (field, number) in FIELDS.into_iter().zip(newest) {
            write.arg(field).arg(number);
        }
        route.clone().read(&write).await.map(|_| ())
    }

    pub(super) fn failed(&self, command: &str, error: CallError) -> RedisOpenError {
        let (address, why) = (self.address.clone(), error.to_string());
        match (&error, error.reason()) {
            _ if !error.is_answer() => RedisOpenError::Unreachable { address, why },
            (_, Some(Reason::Login)) => RedisOpenError::Login { address, why },
            (_, Some(Reason::Evicts)) => RedisOpenError::Evicts {
                address,
                policy: why,
            },
            (_, Some(Reason::NotPrimary)) => RedisOpenError::Replica { address },
            (_, Some(Reason::Full)) => RedisOpenError::Full { address },
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
            _ => RedisOpenError::Refused {
                why: match self.remedy(&why) {
                    Some(remedy) => format!("{why}; {remedy}"),
                    None => why,
                },
                address,
            },
        }
    }

    /// What to do about what a server said.
    fn remedy(&self, why: &str) -> Option<String> {
        let (address, prefix) = (&self.address, &self.options.prefix);
        let of_prefix = format!("something else uses names with {prefix:?}: set prefix to another");
        let of_cluster = format!("`redis-cli --cluster check {address}` says which are missing");
        let known = [
            (
                "NOREPLICAS",
                "connect replicas to it, or lower its min-replicas-to-write",
            ),
            (
                "MISCONF",
                "it cannot save to its disk: make room there, as its log says",
            ),
            (
                "LOADING",
                "it still reads what it has kept: try again when it is done",
            ),
            ("WRONGTYPE", of_prefix.as_str()),
            ("CLUSTERDOWN", of_cluster.as_str()),
            (
                "max number of clients",
                "raise its maxclients, or close connections that are not needed",
            ),
        ];
        let known = known.into_iter().find(|(code, _)| why.contains(code));
        known.map(|(_, remedy)| remedy.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(version: &str) -> Result<(), String> {
        let options = RedisOptions::new("redis://host");
        let opening = Opening {
            options: &options,
            names: &Names::new("russet"),
            address: "host:6379".to_owned(),
        };
        let info = Info::read(format!("# Server\r\nredis_version:{version}\r\n").as_bytes());
        opening.check_info(&info).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_server_cannot_do_now_is_said_with_the_remedy() {
        let options = RedisOptions::new("redis://host");
        let opening = Opening {
            options: &options,
            names: &Names::new("russet"),
            address: "host:6379".to_owned(),
        };
        for (said, remedy) in [
            ("NOREPLICAS Not enough good replicas", "min-replicas"),
            ("MISCONF Redis is configured to save", "make room"),
            ("LOADING Redis is loading the dataset", "try again"),
            ("WRONGTYPE Operation against a key", "set prefix"),
            (
                "CLUSTERDOWN The cluster is down",
                "--cluster check host:6379",
            ),
            ("ERR max number of clients reached", "maxclients"),
        ] {
            let refused = CallError::Refused(Refusal::new(said));
            let error = opening.failed("EVAL", refused).to_string();
            assert!(error.contains(said) && error.contains(remedy), "{error}");
        }
    }

    #[test]
    fn a_server_that_is_too_old_is_refused_with_its_version() {
        for version in ["6.0.16", "6.1.240", "5.0.14", "2.8.9", "unknown"] {
            let said =
                format!("Redis at host:6379 has version {version}: upgrade it to 6.2 or newer");
            assert_eq!(checked(version), Err(said));
        }
        for version in ["6.2.0", "6.10.1", "7.0.0", "10.0.0"] {
            assert_eq!(checked(version), Ok(()), "{version}");
        }
    }
}
