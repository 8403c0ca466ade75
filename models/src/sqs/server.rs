use std::collections::BTreeMap;

use super::condition::Condition;
use super::error::{missing, of_fault, reply};
use super::event::{Event, Received};
use super::queue::Queue;
use crate::aws::{Error, Fault, Fields, Json, Reply};

/// SQS, with the queues of one account in one region. It has no clock: whoever runs it says what
/// time it is, in milliseconds since the Unix epoch.
pub struct Sqs {
    pub(super) base: String,
    pub(super) queues: BTreeMap<String, Queue>,
    /// When queues were deleted whose names cannot be used yet.
    pub(super) deleted: BTreeMap<String, u64>,
    pub(super) made: u32,
    pub(super) condition: Condition,
    pub(super) events: Vec<Event>,
}

/// What a client asks.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What `X-Amz-Target` says, such as `AmazonSQS.SendMessage`.
    pub target: &'a str,
    /// The parameters, in JSON.
    pub body: &'a [u8],
    /// When it came.
    pub came: u64,
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This.
    Reply(Reply),
    /// Nothing yet: it waits for messages. The same request, with the time at which it came, is
    /// to be made again then, and also whenever another request was carried out before.
    Wait {
        /// When nothing else happens, how long to wait.
        again: u64,
    },
}

/// What is known while a request is carried out.
pub(super) struct Moment<'a> {
    pub(super) now: u64,
    pub(super) came: u64,
    pub(super) random: &'a mut dyn FnMut() -> u64,
}

/// What an operation comes to.
pub(super) type Done = Result<Json, Error>;

impl Sqs {
    /// A service without queues, whose URLs begin with `base`, such as `http://sqs`.
    pub fn new(base: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            queues: BTreeMap::new(),
            deleted: BTreeMap::new(),
            made: 0,
            condition: Condition::default(),
            events: Vec::new(),
        }
    }

    /// Changes what goes wrong.
    pub fn set_condition(&mut self, condition: Condition) {
        self.condition = condition;
    }

    /// What goes wrong.
    pub fn condition(&self) -> Condition {
        self.condition
    }

    /// What happened to messages since this was asked last, in order.
    pub fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The message that a receipt handle of a queue was given for, while it is there.
    pub fn received(&self, queue: &str, handle: &str) -> Option<Received> {
        self.queues.get(queue)?.received(handle)
    }

    /// Carries out a request. `random` gives the ids of messages, and their order where it is
    /// random.
    pub fn call(
        &mut self,
        now: u64,
        random: &mut dyn FnMut() -> u64,
        request: Request<'_>,
    ) -> Answer {
        let fault = self.condition.fault;
        let refused = match fault {
            None | Some(Fault::Internal { applied: true }) => None,
            Some(fault) => Some(reply(&of_fault(fault))),
        };
        if let Some(refused) = refused {
            return Answer::Reply(refused);
        }
        let came = request.came;
        let mut moment = Moment { now, came, random };
        let answer = self
            .carry_out(&mut moment, request)
            .unwrap_or_else(|error| Answer::Reply(reply(&error)));
        match (answer, fault) {
            (Answer::Reply(_), Some(fault)) => Answer::Reply(reply(&of_fault(fault))),
            (answer, _) => answer,
        }
    }

    fn carry_out(
        &mut self,
        moment: &mut Moment<'_>,
        request: Request<'_>,
    ) -> Result<Answer, Error> {
        self.expire(moment.now);
        let mut fields = Fields::parse(request.body)?;
        let fields_of = &mut fields;
        let done = match request.target.strip_prefix("AmazonSQS.") {
            Some("CreateQueue") => self.create_queue(moment, fields_of),
            Some("DeleteQueue") => self.delete_queue(moment, fields_of),
            Some("GetQueueUrl") => self.get_queue_url(fields_of),
            Some("ListQueues") => self.list_queues(fields_of),
            Some("ListQueueTags") => self.list_queue_tags(fields_of),
            Some("GetQueueAttributes") => self.get_queue_attributes(moment, fields_of),
            Some("SendMessage") => self.send_message(moment, fields_of),
            Some("SendMessageBatch") => self.send_message_batch(moment, fields_of),
            Some("DeleteMessageBatch") => self.delete_message_batch(fields_of),
            Some("ChangeMessageVisibilityBatch") => self.change_visibility_batch(moment, fields_of),
            Some("ReceiveMessage") => return self.receive_message(moment, fields),
            _ => Err(Error::unknown(format!("the operation {}", request.target))),
        };
        done.map(|body| Answer::Reply(Reply::done(body)))
    }

    fn expire(&mut self, now: u64) {
        let lost = self.queues.values_mut();
        self.events.extend(lost.flat_map(|queue| queue.expire(now)));
    }

    /// Where a queue is.
    pub(super) fn url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.base)
    }

    /// The queue that is asked for by its URL.
    pub(super) fn queue(&mut self, fields: &mut Fields) -> Result<&mut Queue, Error> {
        let url = fields.text("QueueUrl")?;
        let url = url.ok_or_else(|| missing("QueueUrl"))?;
        let path = url.strip_prefix(&self.base);
        let account = path.and_then(|path| path.strip_prefix('/')?.split_once('/'));
        let name = account.filter(|(account, _)| *account == ACCOUNT);
        let queue = name.and_then(|(_, name)| self.queues.get_mut(name));
        queue.ok_or_else(gone)
    }
}

const ACCOUNT: &str = "000000000000";

pub(super) fn gone() -> Error {
    Error::new("QueueDoesNotExist", "The specified queue does not exist.")
}
