use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russet_models::redis::{Condition, Redis, Reply, SessionId};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::account::Account;
use super::session;
use crate::history::Actor;
use crate::plan::Random;
use crate::world::ledger::Ledger;
use crate::world::net::Net;
use crate::world::server::Mood;
use crate::world::time::now;
use crate::world_time::EPOCH_MS;

/// Longest time for which a server that was replaced does not notice it.
const UNNOTICED_MS: u64 = 4_000;

/// A server with its replicas. What it holds outlives its crashes: it writes everything to its
/// disk before it answers. Clones are the same.
#[derive(Clone)]
pub struct RedisServer(Arc<Inner>);

struct Inner {
    primary: Mutex<Arc<Instance>>,
    random: Random,
    pub account: Account,
    pub mood: Arc<Mood>,
}

/// One server process.
pub(super) struct Instance {
    redis: Mutex<Redis>,
    /// The clients that can be told something.
    listeners: Mutex<BTreeMap<SessionId, mpsc::UnboundedSender<Reply>>>,
    /// It was replaced, and has noticed.
    closed: watch::Sender<bool>,
}

impl Instance {
    pub fn new(redis: Redis) -> Arc<Self> {
        let (closed, _) = watch::channel(false);
        Arc::new(Self {
            redis: Mutex::new(redis),
            listeners: Mutex::default(),
            closed,
        })
    }

    /// The server, which knows what time it is.
    pub fn redis(&self) -> MutexGuard<'_, Redis> {
        let mut redis = self.redis.lock().unwrap_or_else(PoisonError::into_inner);
        redis.set_time(EPOCH_MS * 1_000 + now().0);
        redis
    }

    pub fn listen(&self, session: SessionId) -> mpsc::UnboundedReceiver<Reply> {
        let (ear, heard) = mpsc::unbounded_channel();
        self.listeners().insert(session, ear);
        heard
    }

    pub fn forget(&self, session: SessionId) {
        self.listeners().remove(&session);
    }

    /// Tells clients that listen.
    pub fn tell(&self, told: Vec<(SessionId, Reply)>) {
        let listeners = self.listeners();
        for (session, message) in told {
            if let Some(ear) = listeners.get(&session) {
                // Whoever has gone hears nothing.
                let _ = ear.send(message);
            }
        }
    }

    pub async fn closed(&self) {
        let mut closed = self.closed.subscribe();
        // The sender lives as long as this.
        let _ = closed.wait_for(|closed| *closed).await;
    }

    fn listeners(&self) -> MutexGuard<'_, BTreeMap<SessionId, mpsc::UnboundedSender<Reply>>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl RedisServer {
    /// A server that holds nothing.
    pub fn new(seed: u64, ledger: Ledger, mood: Arc<Mood>) -> Self {
        let random = Random::new(seed, 8);
        let redis = Redis::new(random.within(0..u64::MAX));
        Self(Arc::new(Inner {
            primary: Mutex::new(Instance::new(redis)),
            account: Account::new(ledger),
            mood,
            random,
        }))
    }

    /// Serves as `actor` for as long as it is polled, from a start of the server on.
    pub async fn run(self, net: Net, actor: Actor) {
        self.replace(|redis, run| redis.replica(run));
        let mut incoming = net.accept(actor);
        while let Some(connection) = incoming.recv().await {
            let (server, primary) = (self.clone(), self.primary());
            tokio::spawn(async move {
                // A client that has gone, or that speaks another language, is not answered.
                let _ = session::serve(server, primary, connection).await;
            });
        }
    }

    /// Forgets all scripts.
    pub fn forget_scripts(&self) {
        self.primary().redis().forget_scripts();
    }

    /// Has no memory left, or has some again.
    pub fn fill(&self, full: bool) {
        let primary = self.primary();
        let mut redis = primary.redis();
        let known = redis.condition();
        redis.set_condition(Condition { full, ..known });
    }

    /// A replica takes over, which has everything.
    pub fn fail_over(&self) {
        let old = self.replace(|redis, run| redis.replica(run));
        self.retire(old);
    }

    /// A replica takes over that has nothing of what is written in the next `behind`.
    pub async fn fail_over_behind(&self, behind: Duration) {
        let (replica, records) = {
            let replica = self.primary().redis().replica(self.run_id());
            (replica, self.0.account.ledger().records())
        };
        sleep(behind).await;
        let old = self.replace(|_, run| replica.replica(run));
        self.0.account.ledger().go_back(records);
        self.retire(old);
    }

    /// The one that was replaced refuses to write, until it notices and closes.
    fn retire(&self, old: Arc<Instance>) {
        let replica = true;
        old.redis().set_condition(Condition {
            replica,
            ..Condition::default()
        });
        let unnoticed = Duration::from_millis(self.0.random.within(0..UNNOTICED_MS));
        tokio::spawn(async move {
            sleep(unnoticed).await;
            old.closed.send_replace(true);
        });
    }

    /// Another process takes the server's place; returns the one before.
    fn replace(&self, with: impl FnOnce(&Redis, u64) -> Redis) -> Arc<Instance> {
        let run = self.run_id();
        let mut primary = self
            .0
            .primary
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let next = Instance::new(with(&primary.redis(), run));
        std::mem::replace(&mut primary, next)
    }

    pub(super) fn primary(&self) -> Arc<Instance> {
        let primary = self.0.primary.lock();
        primary.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn account(&self) -> &Account {
        &self.0.account
    }

    pub(super) fn mood(&self) -> &Mood {
        &self.0.mood
    }

    fn run_id(&self) -> u64 {
        self.0.random.within(0..u64::MAX)
    }
}
