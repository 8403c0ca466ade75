use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tower::Service;

use super::service::{Services, TaskOutput, handler};
use super::{BoxError, Settings, TaskContext, TaskFailure, Worker};
use crate::wire::DEFAULT_QUEUE;
use crate::{Client, Error, TaskKind, limits};

impl Worker {
    /// A worker without handlers that serves the queue `default`.
    pub fn new(client: Client) -> Self {
        let name = format!("worker-{:08x}", client.entropy().next_u64() >> 32);
        let settings = Settings {
            name,
            queues: Vec::new(),
            concurrency: limits::CONCURRENCY,
            capacity: None,
            lease: None,
            poll_wait: limits::POLL_WAIT,
            drain: limits::DRAIN,
            cancel_grace: Some(limits::CANCEL_GRACE),
            on_error: None,
        };
        Self {
            client,
            settings,
            services: Services::default(),
        }
    }

    /// What the worker calls itself, for people to read; `worker-` and a random number when
    /// this is not called.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Serves this queue too; `default` when this is not called.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.settings.queues.push(queue.into());
        self
    }

    /// Serves these queues too.
    #[must_use]
    pub fn queues<Q: Into<String>>(mut self, queues: impl IntoIterator<Item = Q>) -> Self {
        let queues = queues.into_iter().map(Into::into);
        self.settings.queues.extend(queues);
        self
    }

    /// Runs at most this many handlers at once; [`limits::CONCURRENCY`] when this is not
    /// called.
    #[must_use]
    pub fn concurrency(mut self, most: usize) -> Self {
        self.settings.concurrency = most.clamp(1, limits::CONCURRENCY_MAX);
        self
    }

    /// Has this much of a resource. A worker that names none does not count resources and
    /// takes every task; one that does takes only tasks that fit into what is free.
    #[must_use]
    pub fn resource(mut self, name: impl Into<String>, amount: u64) -> Self {
        let capacity = self.settings.capacity.get_or_insert_default();
        capacity.insert(name.into(), amount);
        self
    }

    /// Has these resources and no others, as [`Self::resource`].
    #[must_use]
    pub fn capacity(mut self, capacity: BTreeMap<String, u64>) -> Self {
        self.settings.capacity = Some(capacity);
        self
    }

    /// Takes leases of this length instead of what each task says. Heartbeats extend them.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = Some(lease);
        self
    }

    /// How long to ask the scheduler to wait for a task; [`limits::POLL_WAIT`] when this is
    /// not called.
    #[must_use]
    pub fn poll_wait(mut self, wait: Duration) -> Self {
        let most = Duration::from_millis(limits::LEASE_WAIT_MS);
        self.settings.poll_wait = wait.min(most);
        self
    }

    /// How long handlers may go on at a shutdown; [`limits::DRAIN`] when this is not called.
    #[must_use]
    pub fn drain(mut self, drain: Duration) -> Self {
        self.settings.drain = drain;
        self
    }

    /// How long a handler may go on when its task was cancelled, before it is dropped where
    /// it awaits; [`limits::CANCEL_GRACE`] when this is not called, and `None` for as long as
    /// it likes.
    #[must_use]
    pub fn cancel_grace(mut self, grace: Option<Duration>) -> Self {
        self.settings.cancel_grace = grace;
        self
    }

    /// Is told of every call to the scheduler that failed and that the worker makes again, for
    /// metrics or to give up: to drop the future of [`Self::run_until`] ends the worker.
    #[must_use]
    pub fn on_error(mut self, told: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.settings.on_error = Some(Arc::new(told));
        self
    }

    /// Runs an async function for tasks of the kind `T`.
    #[must_use]
    pub fn register<T, F, Fut, E>(self, function: F) -> Self
    where
        T: TaskKind,
        F: Fn(TaskContext, T) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<T::Output, E>> + Send + 'static,
        E: Into<TaskFailure> + 'static,
    {
        self.service(T::TYPE, handler::<T, F>(function))
    }

    /// Runs a service for tasks of this type; [`handler`] makes one of an async function, to
    /// put tower's layers around it.
    #[must_use]
    pub fn service<S>(mut self, kind: &str, service: S) -> Self
    where
        S: Service<TaskContext, Response = TaskOutput> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        self.services.add(kind, service);
        self
    }

    /// Runs a service for tasks of all types that have none of their own. Without it such
    /// tasks are given back, for another worker.
    #[must_use]
    pub fn service_for_others<S>(mut self, service: S) -> Self
    where
        S: Service<TaskContext, Response = TaskOutput> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        self.services.add_other(service);
        self
    }

    /// The queues to serve.
    pub(super) fn fill_in(mut self) -> Self {
        if self.settings.queues.is_empty() {
            self.settings.queues.push(DEFAULT_QUEUE.to_owned());
        }
        self
    }
}
