//! What there is for a store, which is neither made nor changed.

use redis::Cmd;
use russet_core::RecordKey;

use super::call::{array, optional};
use super::dialer::text;
use super::error::RedisOpenError;
use super::info::Info;
use super::keys::Names;
use super::links::{Links, Route};
use super::member;
use super::open::{FIELDS, Opening, check_each};
use super::options::RedisOptions;
use super::slots::slot;
use crate::migrate::NOTED;

/// What there is for a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisFound {
    /// What the server is, with its version: `redis 7.0.15`.
    pub product: String,
    /// Whether all servers write down each change (`appendonly yes`).
    pub is_durable: bool,
    /// Whether a server has used up its memory.
    pub is_full: bool,
    /// How many servers the store is on: more than one in a cluster.
    pub primaries: usize,
    /// How many partitions the store has; `None` when it is not made yet.
    pub partitions: Option<u16>,
    /// Whether another store is being copied into it, and not all is there.
    pub is_unfinished: bool,
}

impl RedisFound {
    /// What is said of a server that does not write down each change.
    pub(crate) const NOT_DURABLE: &str = "Redis has appendonly off: when the server stops, what \
        it has not saved is lost, acknowledged tasks too; set appendonly yes";

    /// What is said of a server that has used up its memory.
    pub(crate) const IS_FULL: &str = "Redis has reached its maxmemory, and no new task is accepted: \
        raise maxmemory, or remove what is not needed";
}

/// Tries what opening the store needs, and says what there is.
pub(crate) async fn examine(
    options: &RedisOptions,
    names: &Names,
    links: &Links,
) -> Result<RedisFound, RedisOpenError> {
    let checked = check_each(options, names, links).await?.into_iter();
    let infos: Vec<_> = checked.map(|(_, info)| info).collect::<Result<_, _>>()?;
    let route = links.route(slot(&names.store()), 0);
    let opening = Opening {
        options,
        names,
        address: route.describe(),
    };
    let partitions = opening.found(route).await?;
    let is_unfinished = partitions.is_some() && opening.is_unfinished(links).await?;
    opening.try_to_hear(links).await?;
    let product = infos.first().map(|info| info.product());
    Ok(RedisFound {
        product: product.unwrap_or_default(),
        is_durable: infos.iter().all(|info| info.is_durable()),
        is_full: infos.iter().any(|info| info.is_full()),
        partitions,
        is_unfinished,
        primaries: infos.len(),
    })
}

impl Opening<'_> {
    /// Reads how the store was made, if it was, and changes nothing.
    async fn found(&self, route: Route<'_>) -> Result<Option<u16>, RedisOpenError> {
        let store = self.names.store();
        // It holds no such field: this tries whether the store's own hash may be changed.
        let mut change = redis::cmd("HDEL");
        change.arg(&store).arg("nothing");
        let changed = route.clone().read(&change).await;
        changed.map_err(|error| self.failed("HDEL", error))?;
        let mut fields = redis::cmd("HMGET");
        fields.arg(&store).arg(&FIELDS);
        let mut fields = self.read_fields(route.clone(), &fields).await?.into_iter();
        let mut text = || {
            let field = fields.next().flatten();
            field.map(|field| String::from_utf8_lossy(&field).into_owned())
        };
        let (layout, format, partitions) = (text(), text(), text());
        // As when it is opened: what is not written yet is as old as can be.
        let number = |text: Option<String>| match text {
            Some(text) => text.parse().unwrap_or(u64::MAX),
            None => 0,
        };
        self.check_age(number(layout), number(format))?;
        if partitions.is_none() {
            self.check_room(route).await?;
        }
        partitions.map(|found| self.as_asked(&found)).transpose()
    }

    /// Whether a copy into the store is not whole.
    async fn is_unfinished(&self, links: &Links) -> Result<bool, RedisOpenError> {
        let records = self.names.partition(NOTED).records();
        let mut field = redis::cmd("HMGET");
        field
            .arg(&records)
            .arg(member::field(NOTED, &RecordKey::Copy));
        let route = links.route(slot(&records), 0);
        let found = self.read_fields(route, &field).await?;
        Ok(found.iter().any(Option::is_some))
    }

    async fn read_fields(
        &self,
        route: Route<'_>,
        hmget: &Cmd,
    ) -> Result<Vec<Option<Vec<u8>>>, RedisOpenError> {
        let answer = route.read(hmget).await.and_then(array);
        let fields = answer.and_then(|fields| fields.into_iter().map(optional).collect());
        fields.map_err(|error| self.failed("HMGET", error))
    }

    /// Whether a new store would find room.
    async fn check_room(&self, route: Route<'_>) -> Result<(), RedisOpenError> {
        let answer = route.read(redis::cmd("INFO").arg("memory")).await;
        let text = answer.and_then(text);
        let text = text.map_err(|error| self.failed("INFO", error))?;
        match Info::read(&text).is_full() {
            true => Err(RedisOpenError::Full {
                address: self.address.clone(),
            }),
            false => Ok(()),
        }
    }

    /// Listens for arrivals once, as whoever opens the store does.
    async fn try_to_hear(&self, links: &Links) -> Result<(), RedisOpenError> {
        let Some(server) = links.servers().into_iter().next() else {
            return Ok(());
        };
        let dialer = &server.dialer;
        let heard = async {
            let (mut connection, _running, _) = dialer.login(Some(Box::new(|_| Ok(())))).await?;
            let channel = self.names.channel();
            dialer
                .bounded(connection.subscribe(channel.as_slice()))
                .await
        };
        heard.await.map_err(|error| self.failed("SUBSCRIBE", error))
    }
}
