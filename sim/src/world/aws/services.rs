use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russet_core::TaskId;
use russet_engine::{Entropy, Receipt};
use russet_models::dynamodb::{self, Dynamo};
use russet_models::sqs::{self, Answer, Fault, Received, Reply, Request, Sqs};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::AwsRequest;
use super::account::Account;
use super::post::{Post, task};
use crate::history::{Actor, Effect, FaultKind};
use crate::plan::{Plan, Random};
use crate::world::ledger::Ledger;
use crate::world::net::{self, Arrived, Net, Parcel};
use crate::world::server::Mood;
use crate::world::time::now;
use crate::world_time::EPOCH_MS;

/// How far indexes are behind at most when nothing is wrong, in milliseconds.
const LAG_MS: u64 = 50;
/// How much of an index a reply holds: little, so that there are several pages.
const PAGE_BYTES: usize = 4_096;
/// Most items of a transaction.
const ITEMS: u64 = 100;
/// Most entries of a batch.
const ENTRIES: u64 = 10;

/// DynamoDB and SQS. They never crash. Clones are the same.
#[derive(Clone)]
pub struct Services(Arc<Inner>);

struct Inner {
    dynamo: Mutex<Dynamo>,
    sqs: Mutex<Sqs>,
    post: Mutex<Post>,
    /// Something was asked of the queue.
    stirred: Notify,
    random: Random,
    plan: Arc<Plan>,
    account: Account,
    mood: Arc<Mood>,
}

/// The time as services tell it, in milliseconds.
pub(super) fn time_ms() -> u64 {
    EPOCH_MS + now().millis()
}

impl Services {
    /// Services that hold nothing.
    pub fn new(plan: Arc<Plan>, ledger: Ledger, mood: Arc<Mood>) -> Self {
        Self(Arc::new(Inner {
            dynamo: Mutex::new(Dynamo::new()),
            sqs: Mutex::new(Sqs::new("http://queue")),
            post: Mutex::default(),
            stirred: Notify::new(),
            random: Random::new(plan.seed, 9),
            account: Account::new(ledger),
            plan,
            mood,
        }))
    }

    /// Serves as the store or as the queue for as long as it is polled.
    pub async fn run(self, net: Net, actor: Actor) {
        let mut arrivals = net.listen(actor);
        while let Some(Arrived {
            from,
            parcel,
            reply,
        }) = arrivals.recv().await
        {
            let Parcel::Aws(request) = parcel else {
                continue;
            };
            let services = self.clone();
            tokio::spawn(async move {
                services.0.mood.delay().await;
                let done = match actor {
                    Actor::Store => services.of_store(from, &request),
                    _ => services.of_queue(from, &request).await,
                };
                // Whoever asked may have gone.
                let _ = reply.send(net::Reply::Aws(done));
            });
        }
    }

    fn of_store(&self, from: Actor, request: &AwsRequest) -> Reply {
        let inner = &self.0;
        let fault = self.fault(from, Actor::Store);
        let mut dynamo = self.dynamo();
        dynamo.set_condition(dynamodb::Condition {
            fault,
            index_lag: self.lag(),
            conflicts: self.some(FaultKind::TransactionConflict, Actor::Store, ITEMS),
            batch_reads: match self.happens(FaultKind::PartialBatch, Actor::Store) {
                true => inner.random.within(1..ITEMS) as usize,
                false => usize::MAX,
            },
            page_bytes: PAGE_BYTES,
            ..dynamodb::Condition::default()
        });
        let AwsRequest { target, body } = request;
        let reply = dynamo.call(time_ms(), &mut || inner.random.next_u64(), target, body);
        let committed = inner.account.write(from, dynamo.written());
        if dynamo.was_behind() {
            inner.account.ledger().met(from, Effect::IndexBehind);
        }
        drop(dynamo);
        self.noted(from, fault, &reply);
        if committed && inner.mood.crashes_after_commit(from) {
            (inner.mood.kill)(from);
        }
        reply
    }

    async fn of_queue(&self, from: Actor, request: &AwsRequest) -> Reply {
        let inner = &self.0;
        let came = time_ms();
        let condition = sqs::Condition {
            fault: self.fault(from, Actor::Queue),
            failing: self.some(FaultKind::PartialBatch, Actor::Queue, ENTRIES) as u16,
            duplicates: self.happens(FaultKind::MessageDuplicated, Actor::Queue),
            losing: self.happens(FaultKind::MessageLost, Actor::Queue),
            reordered: inner.plan.rate(FaultKind::MessageDuplicated) > 0,
            ..sqs::Condition::default()
        };
        loop {
            let stirred = inner.stirred.notified();
            let answer = {
                let mut sqs = self.sqs();
                sqs.set_condition(condition);
                let AwsRequest { target, body } = request;
                let request = Request { target, body, came };
                let answer = sqs.call(time_ms(), &mut || inner.random.next_u64(), request);
                let (events, ledger) = (sqs.events(), inner.account.ledger());
                self.post().happened(from, events, ledger);
                answer
            };
            match answer {
                Answer::Reply(reply) => {
                    self.noted(from, condition.fault, &reply);
                    inner.stirred.notify_waiters();
                    return reply;
                }
                Answer::Wait { again } => {
                    let wait = Duration::from_millis(again.saturating_sub(time_ms()).max(1));
                    tokio::select! {
                        biased;
                        () = stirred => {}
                        () = sleep(wait) => {}
                    }
                }
            }
        }
    }

    /// Notes what a request has met.
    fn noted(&self, from: Actor, fault: Option<Fault>, reply: &Reply) {
        /// What replies say when not all was done.
        const SIGNS: [(&str, Effect); 3] = [
            (r#""Code":"TransactionConflict""#, Effect::TransactionMet),
            (r#""UnprocessedKeys":{""#, Effect::ReadInPart),
            (r#""Failed":[{"#, Effect::BatchInPart),
        ];
        let ledger = self.0.account.ledger();
        if let Some(Fault::Internal { applied: true }) = fault {
            ledger.met(from, Effect::FailedAndDone);
        }
        let text = String::from_utf8_lossy(&reply.body);
        for (sign, effect) in SIGNS {
            if text.contains(sign) {
                ledger.met(from, effect);
            }
        }
    }

    /// How many messages of each task the queue took until now.
    pub(super) fn taken(&self, tasks: &[TaskId]) -> Vec<u64> {
        self.post().taken(tasks)
    }

    /// What the queue shows of a delivery, unless its message is gone.
    pub(super) fn received(&self, receipt: &Receipt) -> Option<(TaskId, Received)> {
        let text = std::str::from_utf8(&receipt.0).ok()?;
        let (queue, handle) = text.split_once('\0')?;
        let received = self.sqs().received(queue, handle)?;
        Some((task(&received.body)?, received))
    }

    /// A node settles deliveries.
    pub(super) fn settle(&self, receipts: &[Receipt]) {
        for (_, received) in receipts.iter().filter_map(|receipt| self.received(receipt)) {
            self.post().settle(received.message);
        }
    }

    /// What becomes of a whole request.
    fn fault(&self, from: Actor, whom: Actor) -> Option<Fault> {
        let mood = &self.0.mood;
        if mood.is_unavailable() {
            self.0.account.turned_away(from);
            return Some(Fault::Unavailable);
        }
        if self.happens(FaultKind::Throttled, whom) {
            self.0.account.turned_away(from);
            return Some(*self.0.random.one_of(&[Fault::Throttled, Fault::Limited]));
        }
        let applied = self.0.random.percent(50);
        self.happens(FaultKind::ServiceError, whom)
            .then_some(Fault::Internal { applied })
    }

    /// Which of `count` parts of a request something befalls.
    fn some(&self, kind: FaultKind, whom: Actor, count: u64) -> u128 {
        match self.happens(kind, whom) {
            true => 1 << self.0.random.within(0..count),
            false => 0,
        }
    }

    fn happens(&self, kind: FaultKind, whom: Actor) -> bool {
        self.0.mood.happens(kind, self.0.plan.rate(kind), whom)
    }

    fn lag(&self) -> u64 {
        match self.0.mood.is_healed() {
            true => LAG_MS,
            false => self.0.plan.rate(FaultKind::IndexLag).max(LAG_MS),
        }
    }

    /// The store alone, asked with nothing between.
    pub(super) fn answer_directly(&self, request: &AwsRequest) -> Reply {
        let random = &self.0.random;
        let AwsRequest { target, body } = request;
        let mut dynamo = self.dynamo();
        dynamo.set_condition(dynamodb::Condition::default());
        dynamo.call(time_ms(), &mut || random.next_u64(), target, body)
    }

    /// Services of their own that hold the same now.
    pub(super) fn copy(&self) -> Self {
        let Inner { plan, mood, .. } = self.0.as_ref();
        let copy = Self::new(plan.clone(), self.0.account.ledger().clone(), mood.clone());
        let settled = self.dynamo().settled();
        *copy.dynamo() = settled;
        copy
    }

    pub(super) fn account(&self) -> &Account {
        &self.0.account
    }

    pub(super) fn dynamo(&self) -> MutexGuard<'_, Dynamo> {
        self.0.dynamo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sqs(&self) -> MutexGuard<'_, Sqs> {
        self.0.sqs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(&self) -> MutexGuard<'_, Post> {
        self.0.post.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
