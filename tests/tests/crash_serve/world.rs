//! What producers and workers share, and how they call the server.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use russet_tests::{Address, Http, Reply};
use serde_json::Value;

use crate::history::History;

/// How long a caller waits before it tries again what had no answer.
const PAUSE: Duration = Duration::from_millis(3);
/// How long a server may be away.
const PATIENCE: Duration = Duration::from_secs(40);

/// When a request was sent and when its answer came, on a clock that all callers share: what
/// ends before another begins, happened before it.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub begin: u64,
    pub end: u64,
}

impl Span {
    pub const fn is_before(self, other: Self) -> bool {
        self.end < other.begin
    }
}

pub struct World {
    pub address: Address,
    /// How many partitions the store has.
    pub partitions: u16,
    /// How many tasks producers may have submitted by now.
    pub allowed: AtomicU64,
    /// There will be no more kills and no more tasks: all that is there is to be finished.
    pub draining: AtomicBool,
    /// All is finished.
    pub over: AtomicBool,
    ticks: AtomicU64,
    history: Mutex<History>,
}

impl World {
    pub fn new(address: Address, partitions: u16) -> Arc<Self> {
        Arc::new(Self {
            address,
            partitions,
            allowed: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            over: AtomicBool::new(false),
            ticks: AtomicU64::new(1),
            history: Mutex::default(),
        })
    }

    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn caller(self: &Arc<Self>) -> Caller {
        let http = Http::new(self.address.clone());
        Caller {
            world: self.clone(),
            http,
        }
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }
}

/// One client of the server.
pub struct Caller {
    pub world: Arc<World>,
    http: Http,
}

/// An answer that says what happened.
pub struct Answer {
    pub reply: Reply,
    pub span: Span,
}

impl Answer {
    pub fn is_good(&self) -> bool {
        (200..300).contains(&self.reply.status)
    }
}

impl Caller {
    /// One try: an error says nothing about what happened.
    pub fn once(&mut self, method: &str, path: &str, body: &Value) -> (io::Result<Reply>, Span) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let begin = self.world.tick();
        let reply = self.http.send(method, path, body.as_bytes());
        let end = self.world.tick();
        (reply, Span { begin, end })
    }

    /// Tries until there is an answer. The request must carry its own identity.
    pub fn surely(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let until = Instant::now() + PATIENCE;
        let mut first = None;
        loop {
            let (reply, mut span) = self.once(method, path, body);
            span.begin = *first.get_or_insert(span.begin);
            if let Ok(reply) = reply
                && !matches!(reply.status, 429 | 503)
            {
                return Answer { reply, span };
            }
            assert!(
                Instant::now() < until,
                "no answer to {method} {path} {body}"
            );
            thread::sleep(PAUSE);
        }
    }
}
