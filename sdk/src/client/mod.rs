//! One client for a scheduler in this process and for a server over HTTP.

mod bulk;
#[cfg(feature = "http")]
mod http;
mod leases;
mod queues;
mod tasks;
mod workflows;

use std::fmt;
use std::sync::Arc;

use russet_backends::memory::Memory;
use russet_core::TaskId;
#[cfg(feature = "http")]
use russet_engine::Clock;
use russet_engine::{
    Backend, Configuration, Entropy, Scheduler, SystemClock, SystemEntropy, TaskIds,
};

use crate::Api;
#[cfg(feature = "http")]
use crate::Error;
#[cfg(feature = "http")]
use http::Http;
#[cfg(feature = "http")]
pub use http::{Transport, TransportError};

/// Submits, inspects, leases and settles tasks. Clones share connections.
///
/// A call over HTTP is tried again, a bounded number of times, when the server cannot be
/// reached or asks to come back later, and also when its answer was lost if the call can be
/// repeated safely. Submissions can: they carry an id made here (for their partition the
/// server is asked once, at `/v1/info`), or an idempotency key. Redrives carry an id too.
#[derive(Clone)]
pub struct Client {
    link: Link,
    entropy: Arc<dyn Entropy>,
    ids: Arc<TaskIds>,
}

#[derive(Clone)]
enum Link {
    Here(Api),
    #[cfg(feature = "http")]
    Http(Arc<Http>),
}

impl Client {
    /// A client of a scheduler in this process.
    pub fn in_process(scheduler: Scheduler) -> Self {
        Self {
            link: Link::Here(Api::new(scheduler)),
            entropy: Arc::new(SystemEntropy::new()),
            ids: Arc::default(),
        }
    }

    /// A client of a new scheduler in this process that keeps everything in memory: for tests
    /// and examples. Must be called inside a tokio runtime.
    pub fn in_memory() -> Self {
        let clock = Arc::new(SystemClock);
        let memory = Memory::new(1, clock.clone());
        let backend = Backend {
            store: memory.clone(),
            queue: memory,
        };
        let entropy = Arc::new(SystemEntropy::new());
        let configuration = Configuration::default();
        Self::in_process(Scheduler::start(backend, configuration, clock, entropy))
    }

    /// A client of the server at `url`, such as `http://127.0.0.1:7718`. It connects with the
    /// first call. Several nodes of one store may be named, with commas between: the client goes
    /// to the next when the one that it asks cannot be reached or cannot answer.
    ///
    /// # Errors
    /// A text that is not such an address.
    #[cfg(feature = "http")]
    pub fn http(url: &str) -> Result<Self, Error> {
        Self::over_http(url, None)
    }

    /// A client of the server at `url` that shows a bearer token.
    ///
    /// # Errors
    /// An address or a token that cannot be used.
    #[cfg(feature = "http")]
    pub fn http_with_token(url: &str, token: &str) -> Result<Self, Error> {
        Self::over_http(url, Some(token))
    }

    #[cfg(feature = "http")]
    fn over_http(url: &str, token: Option<&str>) -> Result<Self, Error> {
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::new());
        let ids = Arc::new(TaskIds::default());
        let http = Http::new(url, token, entropy.clone(), ids.clone())?;
        Ok(Self {
            link: Link::Http(Arc::new(http)),
            entropy,
            ids,
        })
    }

    /// A client of the server at `url`, reached by a transport of the caller's. `entropy` gives
    /// the ids of what is submitted; [`SystemEntropy`] as a rule.
    ///
    /// # Errors
    /// An address that cannot be used.
    #[cfg(feature = "http")]
    pub fn over(
        transport: impl Transport,
        url: &str,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Error> {
        let ids = Arc::new(TaskIds::default());
        let http = Http::over(Arc::new(transport), url, None, entropy.clone(), ids.clone())?;
        Ok(Self {
            link: Link::Http(Arc::new(http)),
            entropy,
            ids,
        })
    }

    /// The addresses of the servers that are asked; empty when the scheduler is in this process.
    pub fn servers(&self) -> &[String] {
        match &self.link {
            Link::Here(_) => &[],
            #[cfg(feature = "http")]
            Link::Http(http) => http.servers(),
        }
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        self.entropy.as_ref()
    }

    /// A new id of a task beside `sibling`, in its partition.
    pub(crate) fn id_beside(&self, sibling: TaskId) -> TaskId {
        let now = match &self.link {
            Link::Here(api) => api.scheduler().clock().now(),
            #[cfg(feature = "http")]
            Link::Http(_) => SystemClock.now(),
        };
        self.ids.next(now, sibling.partition(), self.entropy())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.link {
            Link::Here(_) => f.write_str("Client(in process)"),
            #[cfg(feature = "http")]
            Link::Http(http) => write!(f, "Client({})", http.server()),
        }
    }
}
