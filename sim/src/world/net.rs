//! The network: one call at a time from one actor to another, with everything that can happen
//! to its request and to its reply.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::{Request, Response};
use madsim::runtime::NodeHandle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::aws::AwsRequest;
use super::protocol::{StoreReply, StoreRequest};
use super::time::now;
use super::wire::Incoming;
use crate::history::{Actor, Fault, FaultKind, Journal, What};
use crate::plan::{Plan, Random};

/// What is carried to an actor.
#[derive(Clone)]
pub enum Parcel {
    /// To a scheduler node.
    Http(Request<Bytes>),
    /// To the store.
    Store(StoreRequest),
    /// To a service of AWS.
    Aws(AwsRequest),
}

/// What is carried back.
pub enum Reply {
    /// From a scheduler node.
    Http(Response<Bytes>),
    /// From the store.
    Store(StoreReply),
    /// From a service of AWS.
    Aws(russet_models::sqs::Reply),
}

/// Why no reply came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// Nobody listens; nothing was sent.
    Refused,
    /// The connection broke: the request may or may not have been carried out.
    Reset,
}

/// A request that arrived.
pub struct Arrived {
    /// Who asks.
    pub from: Actor,
    /// For what.
    pub parcel: Parcel,
    /// Takes the reply.
    pub reply: oneshot::Sender<Reply>,
}

/// The network. Clones are the same one.
#[derive(Clone)]
pub struct Net(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    rates: Rates,
    random: Random,
    journal: Journal,
    carrier: NodeHandle,
}

#[derive(Default)]
pub(super) struct State {
    inboxes: BTreeMap<Actor, mpsc::UnboundedSender<Arrived>>,
    pub(super) doors: BTreeMap<Actor, mpsc::UnboundedSender<Incoming>>,
    cuts: BTreeSet<(Actor, Actor)>,
    healed: bool,
}

pub(super) struct Rates {
    latency_us: (u64, u64),
    pub(super) request_lost: u64,
    pub(super) reply_lost: u64,
    pub(super) reset: u64,
    duplicated: u64,
    delayed: u64,
}

impl Net {
    /// The network of a plan. `carrier` carries what is under way, whoever crashes.
    pub fn new(plan: &Plan, journal: Journal, carrier: NodeHandle) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::default(),
            rates: Rates {
                latency_us: plan.latency_us,
                request_lost: plan.rate(FaultKind::RequestLost),
                reply_lost: plan.rate(FaultKind::ReplyLost),
                reset: plan.rate(FaultKind::Reset),
                duplicated: plan.rate(FaultKind::Duplicated),
                delayed: plan.rate(FaultKind::Delayed),
            },
            random: Random::new(plan.seed, 3),
            journal,
            carrier,
        }))
    }

    /// Listens as `actor`, until what is returned is dropped.
    pub fn listen(&self, actor: Actor) -> mpsc::UnboundedReceiver<Arrived> {
        let (inbox, arrivals) = mpsc::unbounded_channel();
        self.state().inboxes.insert(actor, inbox);
        arrivals
    }

    /// Lets nothing through from one actor to another any more.
    pub fn cut(&self, from: Actor, to: Actor) {
        self.state().cuts.insert((from, to));
    }

    /// Lets everything through from one actor to another.
    pub fn mend(&self, from: Actor, to: Actor) {
        self.state().cuts.remove(&(from, to));
    }

    /// Mends everything; no message is lost, delayed or duplicated any more.
    pub fn heal(&self) {
        let mut state = self.state();
        state.cuts.clear();
        state.healed = true;
    }

    /// Asks `to`, and waits for the reply for as long as the caller likes.
    pub async fn call(&self, from: Actor, to: Actor, parcel: Parcel) -> Result<Reply, CallError> {
        if !self.reaches(from, to) {
            return pending().await;
        }
        if !self.listens(to) {
            sleep(self.latency()).await;
            return Err(CallError::Refused);
        }
        let (answer, answered) = oneshot::channel();
        if self.happens(FaultKind::Duplicated, self.0.rates.duplicated, to) {
            let (nowhere, _) = oneshot::channel();
            self.carry(from, to, parcel.clone(), nowhere);
        }
        self.carry(from, to, parcel, answer);
        answered.await.map_err(|_| CallError::Reset)
    }

    fn carry(&self, from: Actor, to: Actor, parcel: Parcel, answer: oneshot::Sender<Reply>) {
        let net = self.clone();
        self.0.carrier.spawn(async move {
            let carried = net.there_and_back(from, to, parcel).await;
            if let Some(reply) = carried {
                // Whoever asked may have gone.
                let _ = answer.send(reply);
            }
        });
    }

    /// `None`: the connection broke. What is lost is never answered at all.
    async fn there_and_back(&self, from: Actor, to: Actor, parcel: Parcel) -> Option<Reply> {
        self.travel(to).await;
        if self.happens(FaultKind::RequestLost, self.0.rates.request_lost, to)
            || !self.reaches(from, to)
        {
            return lost().await;
        }
        let (reply, replied) = oneshot::channel();
        let inbox = self.state().inboxes.get(&to).cloned()?;
        inbox
            .send(Arrived {
                from,
                parcel,
                reply,
            })
            .ok()?;
        let reply = replied.await.ok()?;
        self.travel(from).await;
        if self.happens(FaultKind::ReplyLost, self.0.rates.reply_lost, to)
            || !self.reaches(to, from)
        {
            return lost().await;
        }
        Some(reply)
    }

    pub(super) async fn travel(&self, to: Actor) {
        sleep(self.latency()).await;
        if self.happens(FaultKind::Delayed, self.0.rates.delayed, to) {
            sleep(Duration::from_millis(self.0.random.within(5..4_000))).await;
        }
    }

    fn latency(&self) -> Duration {
        let (least, most) = self.0.rates.latency_us;
        Duration::from_micros(self.0.random.within(least..most + 1))
    }

    pub(super) fn happens(&self, kind: FaultKind, rate: u64, whom: Actor) -> bool {
        let happens = self.0.random.in_a_million(rate) && !self.state().healed;
        if happens {
            self.0
                .journal
                .write(now(), What::Fault(Fault { kind, whom }));
        }
        happens
    }

    pub(super) fn reaches(&self, from: Actor, to: Actor) -> bool {
        !self.state().cuts.contains(&(from, to))
    }

    fn listens(&self, to: Actor) -> bool {
        let state = self.state();
        let inbox = state.inboxes.get(&to);
        inbox.is_some_and(|inbox| !inbox.is_closed())
    }

    pub(super) fn rates(&self) -> &Rates {
        &self.0.rates
    }

    pub(super) fn random(&self) -> &Random {
        &self.0.random
    }

    /// Carries what is under way, whoever crashes.
    pub(super) fn carrier(&self) -> &NodeHandle {
        &self.0.carrier
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the caller waiting for longer than any caller waits.
async fn lost() -> Option<Reply> {
    sleep(Duration::from_secs(120)).await;
    None
}
