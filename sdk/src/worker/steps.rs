use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{TaskContext, TaskFailure};
use crate::wire::Json;

/// Work in steps, each of which takes effect once over all attempts of a task.
///
/// The result of a step is kept in the task's checkpoint before the next one begins, and a
/// later attempt gets it back instead of doing the step again. An attempt can still end
/// between a step's effect and the checkpoint; therefore the step is given an idempotency
/// key, the same in every attempt, for the system in which it takes effect.
pub struct Steps {
    context: TaskContext,
    done: BTreeMap<String, Json>,
}

impl Steps {
    pub(super) fn new(context: TaskContext) -> Result<Self, TaskFailure> {
        let done = context.saved().map_err(TaskFailure::final_)?;
        let done = done.unwrap_or_default();
        Ok(Self { context, done })
    }

    /// Does the step, or returns what an earlier attempt got from it. `step` gets the key for
    /// the system in which it takes effect.
    ///
    /// # Errors
    /// The step's own failure, a kept result of another type, or a lost lease.
    pub async fn run<T, F, Fut, E>(&mut self, name: &str, step: F) -> Result<T, TaskFailure>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(String) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Into<TaskFailure>,
    {
        if let Some(kept) = self.done.get(name) {
            return kept.parse().map_err(TaskFailure::final_);
        }
        let key = self.context.idempotency_key(name);
        let result = step(key).await.map_err(Into::into)?;
        let kept = Json::new(&result).map_err(TaskFailure::final_)?;
        self.done.insert(name.to_owned(), kept);
        self.context.checkpoint(&self.done).await?;
        Ok(result)
    }
}
