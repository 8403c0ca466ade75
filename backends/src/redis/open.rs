//! What is checked before a store in Redis is used.

use redis::Value;
use russet_core::codec;
use russet_core::limits::PARTITIONS_MAX;

use super::call::{Args, CallError, Reason, integer, optional, strings};
use super::error::RedisOpenError;
use super::info::Info;
use super::keys::Names;
use super::link::{Link, Live};
use super::options::{Acknowledge, RedisOptions};
use super::script;
use crate::limits::REDIS_CONNECTIONS_MAX;

/// The newest way in which keys and entries are laid out.
const LAYOUT: u64 = 1;
/// The oldest version that can be used.
const OLDEST: [u64; 2] = [6, 2];

/// Checks what can be known without the server.
pub(crate) fn check_options(options: &RedisOptions) -> Result<(), RedisOpenError> {
    let wrong = |setting, value: String, range: String| RedisOpenError::Setting {
        setting,
        value,
        range,
    };
    if let Some(partitions) = options.partitions
        && !(1..=PARTITIONS_MAX).contains(&partitions)
    {
        let range = format!("1 to {PARTITIONS_MAX}");
        return Err(wrong("partitions", partitions.to_string(), range));
    }
    if !(1..=REDIS_CONNECTIONS_MAX).contains(&options.connections) {
        let range = format!("1 to {REDIS_CONNECTIONS_MAX}");
        return Err(wrong("connections", options.connections.to_string(), range));
    }
    let named = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    if options.prefix.is_empty() || !options.prefix.chars().all(named) {
        let range = "letters, digits and . _ : -".to_owned();
        return Err(wrong("prefix", format!("{:?}", options.prefix), range));
    }
    if options.timeout.is_zero() {
        let range = "more than nothing".to_owned();
        return Err(wrong("timeout", "0".to_owned(), range));
    }
    Ok(())
}

/// Checks the server, and returns how many partitions the store has.
pub(crate) async fn check_server(
    options: &RedisOptions,
    names: &Names,
    link: &Link,
) -> Result<u16, RedisOpenError> {
    let opening = Opening {
        options,
        address: link.dialer.connect.describe(),
    };
    let live = link
        .live()
        .await
        .map_err(|error| opening.failed("INFO", error))?;
    opening.check_info(&live.info)?;
    opening.try_commands(names, link, &live).await?;
    opening.header(names, link, &live).await
}

/// What is there for a store, which is neither made nor changed.
pub(crate) async fn examine(
    options: &RedisOptions,
    names: &Names,
    link: &Link,
) -> Result<RedisFound, RedisOpenError> {
    let opening = Opening {
        options,
        address: link.dialer.connect.describe(),
    };
    let live = link.live().await;
    let live = live.map_err(|error| opening.failed("INFO", error))?;
    opening.check_info(&live.info)?;
    opening.try_commands(names, link, &live).await?;
    let mut command = redis::cmd("HGET");
    command.arg(names.store()).arg("partitions");
    let answer = link.command(&live, &command).await.and_then(optional);
    let found = answer.map_err(|error| opening.failed("HGET", error))?;
    let partitions = match found {
        None => None,
        Some(found) => {
            let text = String::from_utf8_lossy(&found).into_owned();
            Some(opening.as_asked(&text)?)
        }
    };
    Ok(RedisFound {
        version: live
            .info
            .field("redis_version")
            .unwrap_or("unknown")
            .to_owned(),
        partitions,
    })
}

/// What there is for a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisFound {
    /// The version of the server, as it says it.
    pub version: String,
    /// How many partitions the store has; `None` when it is not made yet.
    pub partitions: Option<u16>,
}

struct Opening<'a> {
    options: &'a RedisOptions,
    address: String,
}

impl Opening<'_> {
    fn check_info(&self, info: &Info) -> Result<(), RedisOpenError> {
        let address = self.address.clone();
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
        if info.field("cluster_enabled") == Some("1") {
            return Err(RedisOpenError::Cluster { address });
        }
        let replicas = info.field("connected_slaves");
        if self.options.acknowledge == Acknowledge::Replica && replicas == Some("0") {
            return Err(RedisOpenError::NoReplica { address });
        }
        Ok(())
    }

    async fn try_commands(
        &self,
        names: &Names,
        link: &Link,
        live: &Live,
    ) -> Result<(), RedisOpenError> {
        let mut args = Args::default();
        args.push(names.channel());
        let role = link.command(live, &redis::cmd("ROLE")).await;
        role.map_err(|error| self.failed("ROLE", error))?;
        let tried = link
            .script(live, &script::PROBE, &names.probes(), &args)
            .await;
        let tried = tried.and_then(strings);
        let failed = tried.map_err(|error| self.failed("EVALSHA or EVAL", error))?;
        if let [command, why, ..] = failed.as_slice() {
            let [command, why] = [command, why].map(|text| String::from_utf8_lossy(text));
            let refusal = super::call::Refusal::new(&why);
            return Err(self.failed(&command, CallError::Refused(refusal)));
        }
        Ok(())
    }

    /// Reads how the store was made, or makes it.
    async fn header(&self, names: &Names, link: &Link, live: &Live) -> Result<u16, RedisOpenError> {
        let fresh = self.options.partitions.unwrap_or(1);
        let [layout, partitions] = self
            .fields(names, link, live, fresh)
            .await
            .map_err(|error| self.failed("HSETNX and HMGET", error))?;
        let (address, prefix) = (self.address.clone(), self.options.prefix.clone());
        let formats = [
            (layout, LAYOUT),
            (self.format(names, link, live).await?, codec::FORMAT.into()),
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

    async fn fields(
        &self,
        names: &Names,
        link: &Link,
        live: &Live,
        partitions: u16,
    ) -> Result<[u64; 2], CallError> {
        let store = names.store();
        let mut commands = redis::pipe();
        let set = [("layout", LAYOUT), ("partitions", partitions.into())];
        for (field, value) in set {
            commands.cmd("HSETNX").arg(&store).arg(field).arg(value);
        }
        for (field, _) in set {
            commands.cmd("HGET").arg(&store).arg(field);
        }
        let mut answers = link.pipeline(live, &commands).await?.into_iter().skip(2);
        let mut number = || -> Result<u64, CallError> {
            let number = integer(answers.next().unwrap_or_default())?;
            Ok(u64::try_from(number).unwrap_or_default())
        };
        Ok([number()?, number()?])
    }

    /// The newest format of records that was ever used; that of this version from now on.
    async fn format(&self, names: &Names, link: &Link, live: &Live) -> Result<u64, RedisOpenError> {
        let newest = u64::from(codec::FORMAT);
        let format = async {
            let mut read = redis::cmd("HGET");
            read.arg(names.store()).arg("format");
            let found = optional(link.command(live, &read).await?)?;
            let found = found
                .map(|found| integer(Value::BulkString(found)))
                .transpose()?;
            let found = found.map_or(0, |found| u64::try_from(found).unwrap_or(u64::MAX));
            if found < newest {
                let mut write = redis::cmd("HSET");
                write.arg(names.store()).arg("format").arg(newest);
                link.command(live, &write).await?;
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
            (_, Some(Reason::Forbidden)) => RedisOpenError::Forbidden {
                address,
                command: command.to_owned(),
                why,
                prefix: self.options.prefix.clone(),
            },
            _ => RedisOpenError::Refused { address, why },
        }
    }
}
