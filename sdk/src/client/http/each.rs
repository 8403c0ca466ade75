//! Batches, in as few requests as fit.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use super::{Call, Http, Reply};
use crate::backoff::Backoff;
use crate::wire::{Batched, Results, Weighed};
use crate::{Error, limits};

/// What became of an item.
struct Outcome<T> {
    result: Result<T, Error>,
    /// How a try before ended that may have done it.
    doubt: Option<Error>,
}

impl<T> Outcome<T> {
    /// A call for several items has failed.
    const fn failed(error: Error) -> Self {
        Self {
            result: Err(error),
            doubt: None,
        }
    }

    /// Whether the item was refused only for now; how long to wait then.
    fn may_come_back(&self) -> Option<Duration> {
        let error = self.result.as_ref().err()?;
        let problem = error.problem().filter(|problem| problem.is_temporary());
        problem.map(|_| error.retry_after())
    }

    /// The result. A refusal that is of the last try alone does not say that no try before has
    /// done it.
    fn told(self) -> Result<T, Error> {
        match (self.result, self.doubt) {
            (Err(error), Some(doubt)) if error.is_of_one_try() => Err(doubt.and_then(&error)),
            (result, _) => result,
        }
    }
}

impl Http {
    /// As [`Self::send_each`]; items that are refused only for now are sent again after a while, as
    /// often as calls are.
    pub async fn send_each_again<I, T>(&self, call: Call, items: Vec<I>) -> Vec<Result<T, Error>>
    where
        I: Batched + Weighed + Serialize + Clone,
        T: DeserializeOwned,
    {
        let mut outcomes = self.outcomes(&call, &items).await;
        let mut backoff = Backoff::new(limits::CALL_BACKOFF, limits::CALL_BACKOFF_MAX);
        for _ in 1..limits::CALL_TRIES {
            let refused = outcomes.iter().enumerate();
            let refused = refused.filter_map(|(at, item)| Some((at, item.may_come_back()?)));
            let refused: Vec<_> = refused.collect();
            let Some(pause) = refused.iter().map(|(_, pause)| *pause).max() else {
                break;
            };
            sleep(backoff.pause(pause, self.entropy.as_ref())).await;
            let again: Vec<I> = refused.iter().map(|(at, _)| items[*at].clone()).collect();
            let answers = self.outcomes(&call, &again).await;
            for ((at, _), mut answer) in refused.into_iter().zip(answers) {
                answer.doubt = outcomes[at].doubt.take().or(answer.doubt);
                outcomes[at] = answer;
            }
        }
        outcomes.into_iter().map(Outcome::told).collect()
    }

    /// Sends items in as few requests as fit; one result for each, in order.
    pub async fn send_each<I, T>(&self, call: Call, items: &[I]) -> Vec<Result<T, Error>>
    where
        I: Batched + Weighed + Serialize,
        T: DeserializeOwned,
    {
        let outcomes = self.outcomes(&call, items).await;
        outcomes.into_iter().map(Outcome::told).collect()
    }

    async fn outcomes<I, T>(&self, call: &Call, items: &[I]) -> Vec<Outcome<T>>
    where
        I: Batched + Weighed + Serialize,
        T: DeserializeOwned,
    {
        let mut outcomes = Vec::with_capacity(items.len());
        let mut rest = items;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest));
            rest = later;
            match self.batch(call, now).await {
                Ok(answered) => outcomes.extend(answered),
                Err(error) => outcomes.extend(now.iter().map(|_| Outcome::failed(error.clone()))),
            }
        }
        outcomes
    }

    /// Sends all items in one request.
    async fn batch<I, T>(&self, call: &Call, items: &[I]) -> Result<Vec<Outcome<T>>, Error>
    where
        I: Batched + Serialize,
        T: DeserializeOwned,
    {
        let body = BTreeMap::from([(I::KEY, items)]);
        let body = serde_json::to_vec(&body).map_err(|e| Error::json("the request", e))?;
        let Reply { body, doubt } = self.repeated(call, body.into()).await?;
        let Results { results } = self.read::<Results<T>>(&body)?;
        if results.len() != items.len() {
            let why = format!("{} results for {} items", results.len(), items.len());
            let server = self.server().to_owned();
            return Err(Error::Unreadable { server, why });
        }
        let outcomes = results.into_iter().map(|item| Outcome {
            result: item.into_result().map_err(Error::from),
            doubt: doubt.clone(),
        });
        Ok(outcomes.collect())
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
