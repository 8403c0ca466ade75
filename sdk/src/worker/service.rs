//! Handlers as tower services, so that tower's layers apply to them.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use serde::Serialize;
use tower::Service;
use tower::util::BoxCloneSyncService;

use super::{BoxError, TaskContext, TaskFailure};
use crate::wire::{Json, SubmitTask};
use crate::{Error, TaskKind};

/// What a handler ends with when all went well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskOutput {
    /// The task's result.
    pub result: Option<Json>,
    /// Tasks to submit in the same step, beside those of [`TaskContext::follow_up`].
    pub follow_ups: Vec<SubmitTask>,
}

impl TaskOutput {
    /// An output with this result.
    ///
    /// # Errors
    /// A value that JSON cannot express.
    pub fn of<T: Serialize + ?Sized>(result: &T) -> Result<Self, Error> {
        let result = Json::new(result).map_err(|e| Error::json("the result", e))?;
        Ok(Self {
            result: Some(result).filter(|json| !json.is_null()),
            follow_ups: Vec::new(),
        })
    }
}

pub(super) type TaskService = BoxCloneSyncService<TaskContext, TaskOutput, BoxError>;

/// A service of the tasks of one type, made from an async function by [`handler`].
pub struct Handler<T, F> {
    function: F,
    kind: PhantomData<fn() -> T>,
}

impl<T, F: Clone> Clone for Handler<T, F> {
    fn clone(&self) -> Self {
        Self {
            function: self.function.clone(),
            kind: PhantomData,
        }
    }
}

/// The service that hands each task's payload to an async function. A payload of another
/// shape is a final failure.
pub fn handler<T, F>(function: F) -> Handler<T, F> {
    Handler {
        function,
        kind: PhantomData,
    }
}

impl<T, F, Fut, E> Service<TaskContext> for Handler<T, F>
where
    T: TaskKind,
    F: Fn(TaskContext, T) -> Fut,
    Fut: Future<Output = Result<T::Output, E>> + Send + 'static,
    E: Into<TaskFailure>,
{
    type Response = TaskOutput;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<TaskOutput, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, context: TaskContext) -> Self::Future {
        let work = match context.payload() {
            Ok(payload) => Ok((self.function)(context, payload)),
            Err(error) => Err(TaskFailure::final_(error)),
        };
        Box::pin(async move {
            let result = work?.await.map_err(Into::into)?;
            Ok(TaskOutput::of(&result).map_err(TaskFailure::final_)?)
        })
    }
}

/// The services of a worker.
#[derive(Clone, Default)]
pub(super) struct Services {
    by_type: BTreeMap<String, TaskService>,
    other: Option<TaskService>,
}

impl Services {
    pub fn add<S>(&mut self, kind: &str, service: S)
    where
        S: Service<TaskContext, Response = TaskOutput> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        self.by_type.insert(kind.to_owned(), boxed(service));
    }

    pub fn add_other<S>(&mut self, service: S)
    where
        S: Service<TaskContext, Response = TaskOutput> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        self.other = Some(boxed(service));
    }

    /// The service of tasks of this type.
    pub fn of(&self, kind: &str) -> Option<TaskService> {
        self.by_type.get(kind).or(self.other.as_ref()).cloned()
    }
}

fn boxed<S>(service: S) -> TaskService
where
    S: Service<TaskContext, Response = TaskOutput> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    use tower::ServiceExt;
    BoxCloneSyncService::new(service.map_err(Into::into))
}
