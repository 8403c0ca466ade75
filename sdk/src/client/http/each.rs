//! Batches, in as few requests as fit.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use super::{Call, Http};
use crate::backoff::Backoff;
use crate::wire::{Batched, Results, Weighed};
use crate::{Error, limits};

impl Http {
    /// As [`Self::send_each`]; items that are refused only for now are sent again after a while, as
    /// often as calls are.
    pub async fn send_each_again<I, T>(&self, call: Call, items: Vec<I>) -> Vec<Result<T, Error>>
    where
        I: Batched + Weighed + Serialize + Clone,
        T: DeserializeOwned,
    {
        let mut results = self.send_each(call.clone(), &items).await;
        let mut backoff = Backoff::new(limits::CALL_BACKOFF, limits::CALL_BACKOFF_MAX);
        for _ in 1..limits::CALL_TRIES {
            let refused = results.iter().enumerate().filter_map(|(at, result)| {
                let error = result.as_ref().err()?;
                let problem = error.problem().filter(|problem| problem.is_temporary());
                problem.map(|_| (at, error.retry_after()))
            });
            let refused: Vec<_> = refused.collect();
            let Some(pause) = refused.iter().map(|(_, pause)| *pause).max() else {
                break;
            };
            sleep(backoff.pause(pause, self.entropy.as_ref())).await;
            let again: Vec<I> = refused.iter().map(|(at, _)| items[*at].clone()).collect();
            let answers = self.send_each(call.clone(), &again).await;
            for ((at, _), answer) in refused.into_iter().zip(answers) {
                results[at] = answer;
            }
        }
        results
    }

    /// Sends items in as few requests as fit; one result for each, in order.
    pub async fn send_each<I, T>(&self, call: Call, items: &[I]) -> Vec<Result<T, Error>>
    where
        I: Batched + Weighed + Serialize,
        T: DeserializeOwned,
    {
        let mut results = Vec::with_capacity(items.len());
        let mut rest = items;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest));
            rest = later;
            let body = BTreeMap::from([(I::KEY, now)]);
            let reply: Result<Results<T>, Error> = self.send(call.clone(), &body).await;
            match reply {
                Ok(reply) if reply.results.len() == now.len() => {
                    let own = reply.results.into_iter();
                    results.extend(own.map(|item| item.into_result().map_err(Error::from)));
                }
                Ok(reply) => {
                    let (got, asked) = (reply.results.len(), now.len());
                    let why = format!("{got} results for {asked} items");
                    let server = self.server().to_owned();
                    let error = Error::Unreadable { server, why };
                    results.extend(now.iter().map(|_| Err(error.clone())));
                }
                Err(error) => results.extend(now.iter().map(|_| Err(error.clone()))),
            }
        }
        results
    }
}

/// How many of the items fit in one request: at least one.
fn fitting<I: Weighed>(items: &[I]) -> usize {
    let mut bytes = 0usize;
    let fits = items.iter().take(limits::BATCH_ITEMS).take_while(|item| {
        bytes = bytes.saturating_add(item.bytes());
        bytes <= limits::REQUEST_BYTES
    });
    fits.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Json, SubmitTask};

    fn task(bytes: usize) -> SubmitTask {
        SubmitTask {
            payload: Json::new(&"x".repeat(bytes)).ok(),
            ..SubmitTask::default()
        }
    }

    #[test]
    fn a_request_takes_items_up_to_its_limits_and_at_least_one() {
        assert_eq!(
            fitting(&vec![task(0); limits::BATCH_ITEMS + 1]),
            limits::BATCH_ITEMS
        );
        let third = limits::REQUEST_BYTES / 3;
        assert_eq!(fitting(&vec![task(third); 4]), 2);
        assert_eq!(fitting(&[task(limits::REQUEST_BYTES)]), 1);
    }
}
