//! Looks for what is ready in lanes, and takes nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use redis::Value;
use russet_core::PartitionId;

use super::call::{Args, CallError, array, integer, strings};
use super::core::Core;
use super::{member, script};
use crate::index::keys::Place;
use crate::limits::REDIS_PEEK_PATIENCE;

/// What is ready in lanes of a partition.
#[derive(Default)]
pub(crate) struct Peek {
    /// `None` where one cannot be read.
    pub(crate) places: Vec<Vec<Option<Place>>>,
    pub(crate) wait: Option<Duration>,
}

/// Looks at lanes of several partitions; `None` where that takes long after one has answered. It
/// goes on by itself there: a connection that is being made is not given up.
pub(crate) async fn each(
    core: &Arc<Core>,
    looks: Vec<(PartitionId, Vec<Vec<u8>>)>,
    max: usize,
) -> Vec<Option<Result<Peek, CallError>>> {
    let mut answers: Vec<_> = looks.iter().map(|_| None).collect();
    let peeks = looks.into_iter().enumerate();
    let peeks = peeks.map(|(number, (partition, keys))| {
        let peek = tokio::spawn(peek(core.clone(), partition, keys, max));
        async move { (number, peek.await) }
    });
    let mut under_way: FuturesUnordered<_> = peeks.collect();
    let mut patience = None;
    while !under_way.is_empty() {
        let over = async {
            match patience.as_mut() {
                Some(patience) => Pin::new(patience).await,
                None => std::future::pending().await,
            }
        };
        let (number, answer) = tokio::select! {
            biased;
            Some((number, answer)) = under_way.next() => (number, answer),
            () = over => break,
        };
        let answer = answer.unwrap_or_else(|error| Err(CallError::Lost(error.to_string())));
        if answer.is_ok() && patience.is_none() {
            patience = Some(Box::pin(core.clock.sleep(REDIS_PEEK_PATIENCE)));
        }
        answers[number] = Some(answer);
    }
    answers
}

async fn peek(
    core: Arc<Core>,
    partition: PartitionId,
    keys: Vec<Vec<u8>>,
    max: usize,
) -> Result<Peek, CallError> {
    let Some(of) = core.partition(partition) else {
        return Ok(Peek::default());
    };
    let mut args = Args::default();
    args.number(max);
    let answer = core
        .link(of)
        .repeatable(&script::PEEK, &keys, &args)
        .await?;
    let mut answer = array(answer)?.into_iter();
    let wait = wait(answer.next())?;
    let places = answer
        .map(|seen| {
            let seen = strings(seen)?.into_iter();
            Ok(seen
                .map(|bytes: Vec<u8>| member::read_place(partition, &bytes))
                .collect())
        })
        .collect::<Result<_, CallError>>()?;
    Ok(Peek { places, wait })
}

/// After what time a hidden delivery becomes visible, as scripts say it.
pub(crate) fn wait(value: Option<Value>) -> Result<Option<Duration>, CallError> {
    let micros = integer(value.unwrap_or_default())?;
    Ok(u64::try_from(micros).ok().map(Duration::from_micros))
}
