//! Batches, in as few requests as fit.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Call, Http};
use crate::wire::{
    Batched, CompleteLease, ExtendLease, FailLease, Json, ProgressReport, ReleaseLease, Results,
    SubmitTask,
};
use crate::{Error, limits};

/// How much room an item takes in a request, apart from what is small in every item.
pub(in crate::client) trait Weighed {
    fn bytes(&self) -> usize;
}

fn length(json: Option<&Json>) -> usize {
    json.map_or(0, |json| json.as_str().len())
}

fn checkpoint(progress: Option<&ProgressReport>) -> usize {
    length(progress.and_then(|progress| progress.checkpoint.as_ref()))
}

impl Weighed for SubmitTask {
    fn bytes(&self) -> usize {
        length(self.payload.as_ref()) + length(self.metadata.as_ref())
    }
}

impl Weighed for ExtendLease {
    fn bytes(&self) -> usize {
        checkpoint(self.progress.as_ref())
    }
}

impl Weighed for CompleteLease {
    fn bytes(&self) -> usize {
        let follow_ups: usize = self.follow_ups.iter().map(Weighed::bytes).sum();
        length(self.result.as_ref()) + follow_ups + checkpoint(self.progress.as_ref())
    }
}

impl Weighed for FailLease {
    fn bytes(&self) -> usize {
        self.message.len() + checkpoint(self.progress.as_ref())
    }
}

impl Weighed for ReleaseLease {
    fn bytes(&self) -> usize {
        checkpoint(self.progress.as_ref())
    }
}

impl Http {
    /// Sends items in as few requests as fit; one result for each, in order.
    pub async fn send_each<I, T>(&self, call: Call, items: Vec<I>) -> Vec<Result<T, Error>>
    where
        I: Batched + Weighed + Serialize,
        T: DeserializeOwned,
    {
        let mut results = Vec::with_capacity(items.len());
        let mut rest = items.as_slice();
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
