use russet_core::Rejection;
use russet_engine::EngineError;

use crate::limits;
use crate::wire::{OneOrMany, OneOrResults, Problem, Results};

/// The items of a batch that can be asked for, and why the others cannot.
pub(super) struct Batch<C> {
    /// What to ask for.
    pub commands: Vec<C>,
    refused: Vec<Option<Problem>>,
}

impl<C> Batch<C> {
    /// Takes items as they were checked.
    pub fn new(checked: impl Iterator<Item = Result<C, Rejection>>) -> Self {
        let (mut commands, mut refused) = (Vec::new(), Vec::new());
        for item in checked {
            match item {
                Ok(command) => {
                    commands.push(command);
                    refused.push(None);
                }
                Err(rejection) => refused.push(Some(rejection.into())),
            }
        }
        Self { commands, refused }
    }

    /// What to ask for, and where the answers belong.
    pub fn split(self) -> (Vec<C>, Places) {
        (self.commands, Places(self.refused))
    }
}

/// Where the answers to a batch belong.
pub(super) struct Places(Vec<Option<Problem>>);

impl Places {
    /// One result for each item, in their order.
    pub fn fill<R, V: From<R>>(
        self,
        answers: Vec<Result<R, EngineError>>,
    ) -> Vec<Result<V, Problem>> {
        let mut answers = answers.into_iter();
        let filled = self.0.into_iter().map(|refused| match refused {
            Some(problem) => Err(problem),
            None => match answers.next() {
                Some(answer) => answer.map(V::from).map_err(Problem::from),
                None => Err(EngineError::Stopping.into()),
            },
        });
        filled.collect()
    }
}

/// The items of a request, and whether there is only one.
pub(super) fn items<T>(request: OneOrMany<T>, key: &str) -> Result<(Vec<T>, bool), Problem> {
    match request {
        OneOrMany::One(item) => Ok((vec![*item], true)),
        OneOrMany::Many(items) if (1..=limits::BATCH_ITEMS).contains(&items.len()) => {
            Ok((items, false))
        }
        OneOrMany::Many(items) => {
            let problem = format!("has {} items", items.len());
            let limit = format!("1 to {} items", limits::BATCH_ITEMS);
            Err(Rejection::invalid(key, problem, limit).into())
        }
    }
}

/// The reply to one item, or to many.
pub(super) fn reply<V>(
    results: Vec<Result<V, Problem>>,
    one: bool,
) -> Result<OneOrResults<V>, Problem> {
    if !one {
        let results = results.into_iter().map(Into::into).collect();
        return Ok(OneOrResults::Many(Results { results }));
    }
    match results.into_iter().next() {
        Some(result) => result.map(OneOrResults::One),
        None => Err(EngineError::Stopping.into()),
    }
}
