use russet_core::Rejection;
use russet_engine::EngineError;
use serde::de::DeserializeOwned;

use crate::limits;
use crate::wire::{
    BATCH_SIZE, Batched, Json, OneOrMany, OneOrResults, Problem, Results, from_json,
};

/// Parts the items that can be asked for from those that are refused before.
pub(super) fn part<C, E: Into<Problem>>(
    checked: impl Iterator<Item = Result<C, E>>,
) -> (Vec<C>, Places) {
    let (mut commands, mut refused) = (Vec::new(), Vec::new());
    for item in checked {
        match item {
            Ok(command) => {
                commands.push(command);
                refused.push(None);
            }
            Err(problem) => refused.push(Some(problem.into())),
        }
    }
    (commands, Places(refused))
}

/// Where the answers to a batch belong: a problem for each item that was refused before.
pub(super) struct Places(Vec<Option<Problem>>);

impl Places {
    /// One result for each item, in their order.
    pub fn fill<V>(self, answers: Vec<Result<V, Problem>>) -> Vec<Result<V, Problem>> {
        let mut answers = answers.into_iter();
        let filled = self.0.into_iter().map(|refused| match refused {
            Some(problem) => Err(problem),
            None => match answers.next() {
                Some(answer) => answer,
                None => Err(EngineError::Stopping.into()),
            },
        });
        filled.collect()
    }
}

/// What the engine answers, as it is sent.
pub(super) fn views<R, V: From<R>>(
    answers: Vec<Result<R, EngineError>>,
) -> Vec<Result<V, Problem>> {
    let views = answers.into_iter();
    let views = views.map(|answer| answer.map(V::from).map_err(Problem::from));
    views.collect()
}

/// How the items of a request are answered.
pub(super) struct Asked {
    places: Places,
    one: bool,
}

impl Asked {
    /// The reply to one item, or to many.
    pub fn reply<V>(self, answers: Vec<Result<V, Problem>>) -> Result<OneOrResults<V>, Problem> {
        let results = self.places.fill(answers);
        if !self.one {
            let results = results.into_iter().map(Into::into).collect();
            return Ok(OneOrResults::Many(Results { results }));
        }
        match results.into_iter().next() {
            Some(result) => result.map(OneOrResults::One),
            None => Err(EngineError::Stopping.into()),
        }
    }
}

/// The items of a request that can be read, and how all are answered.
///
/// # Errors
/// A batch that is empty or too large.
pub(super) fn items<T: Batched + DeserializeOwned>(
    request: OneOrMany<T>,
) -> Result<(Vec<T>, Asked), Problem> {
    let (checked, one) = match request {
        OneOrMany::One(item) => (vec![Ok(*item)], true),
        OneOrMany::Many(items) if (1..=limits::BATCH_ITEMS).contains(&items.len()) => {
            let read = |item: &Json| from_json(item.as_str().as_bytes());
            (items.iter().map(read).collect(), false)
        }
        OneOrMany::Many(items) => {
            let problem = format!("has {} items", items.len());
            return Err(Rejection::invalid(T::KEY, problem, BATCH_SIZE).into());
        }
    };
    let (items, places) = part(checked.into_iter());
    Ok((items, Asked { places, one }))
}
