//! Messages that are sent, received and settled.

use md5::{Digest, Md5};
use serde_json::json;

use super::batch;
use super::condition::Condition;
use super::error::{missing, within};
use super::event::Event;
use super::queue::{HIDDEN_MOST, Queue};
use super::queues::end;
use super::server::{Answer, Done, Moment, Sqs};
use crate::aws::{Error, Fields, Json, Reply};

/// Most bytes of a message, and of all messages of a batch.
const BYTES: usize = 1024 * 1024;
/// The longest that a message is delayed, in seconds.
const DELAY: i64 = 900;
/// The longest that a request waits for messages, in seconds.
const WAIT: i64 = 20;
/// How long a message is hidden unless it is said otherwise, in seconds.
const HIDDEN: i64 = 30;

/// A message to be sent.
struct Sent {
    body: String,
    delay: i64,
}

/// What is asked for when messages are received.
struct Wanted {
    most: usize,
    /// In milliseconds.
    hidden: u64,
    /// In milliseconds.
    wait: u64,
}

impl Sqs {
    pub(super) fn send_message(&mut self, moment: &mut Moment<'_>, fields: &mut Fields) -> Done {
        let losing = self.condition.losing;
        let queue = self.queue(fields)?;
        let sent = Sent::read(fields)?;
        end(fields)?;
        let (reply, event) = sent.send(queue, moment, losing)?;
        self.events.push(event);
        Ok(reply)
    }

    pub(super) fn send_message_batch(
        &mut self,
        moment: &mut Moment<'_>,
        fields: &mut Fields,
    ) -> Done {
        let Condition {
            failing, losing, ..
        } = self.condition;
        let queue = self.queue(fields)?;
        let entries = batch::entries(fields, Sent::read)?;
        let bytes: usize = entries.iter().map(|entry| entry.what().body.len()).sum();
        if bytes > BYTES {
            let message = format!(
                "Batch requests cannot be longer than {BYTES} bytes. You have sent {bytes} bytes."
            );
            return Err(Error::new("BatchRequestTooLong", message));
        }
        let mut events = Vec::new();
        let reply = batch::carry_out(entries, failing, |sent| {
            let (reply, event) = sent.send(queue, moment, losing)?;
            events.push(event);
            Ok(reply)
        });
        self.events.append(&mut events);
        Ok(reply)
    }

    pub(super) fn delete_message_batch(&mut self, fields: &mut Fields) -> Done {
        let Condition {
            failing, undeleted, ..
        } = self.condition;
        let queue = self.queue(fields)?;
        let entries = batch::entries(fields, handle)?;
        let mut events = Vec::new();
        let reply = batch::carry_out(entries, failing, |handle| {
            if !undeleted {
                events.extend(queue.delete(&handle)?);
            }
            Ok(json!({}))
        });
        self.events.append(&mut events);
        Ok(reply)
    }

    pub(super) fn change_visibility_batch(
        &mut self,
        moment: &mut Moment<'_>,
        fields: &mut Fields,
    ) -> Done {
        let failing = self.condition.failing;
        let queue = self.queue(fields)?;
        let entries = batch::entries(fields, |fields| {
            let seconds = fields.whole("VisibilityTimeout")?;
            let seconds = seconds.ok_or_else(|| missing("VisibilityTimeout"))?;
            Ok((handle(fields)?, seconds))
        })?;
        Ok(batch::carry_out(entries, failing, |(handle, seconds)| {
            let seconds = within("VisibilityTimeout", seconds, HIDDEN_MOST, 0)?;
            queue.hide(&handle, moment.now, seconds)?;
            Ok(json!({}))
        }))
    }

    pub(super) fn receive_message(
        &mut self,
        moment: &mut Moment<'_>,
        mut fields: Fields,
    ) -> Result<Answer, Error> {
        let condition = self.condition;
        let queue = self.queue(&mut fields)?;
        let wanted = Wanted::read(&mut fields)?;
        fields.end()?;
        let mut found = queue.to_receive(moment.now, wanted.most, condition);
        let until = moment.came + wanted.wait;
        if condition.blind {
            found.clear();
        } else if found.is_empty() && moment.now < until {
            let again = queue.next_visible(moment.now).unwrap_or(until).min(until);
            return Ok(Answer::Wait { again });
        }
        if condition.reordered {
            shuffle(&mut found, moment.random);
        }
        let (mut messages, mut events) = (Vec::new(), Vec::new());
        let name = queue.name.clone();
        for number in found.into_iter().take(wanted.most) {
            if let Some(delivery) = queue.receive(number, moment.now, wanted.hidden) {
                events.push(delivery.event(&name));
                messages.push(json!({
                    "MessageId": delivery.message.id,
                    "ReceiptHandle": delivery.handle,
                    "MD5OfBody": md5_of(&delivery.message.body),
                    "Body": delivery.message.body,
                }));
            }
        }
        self.events.append(&mut events);
        let body = match messages.is_empty() {
            true => json!({}),
            false => json!({ "Messages": messages }),
        };
        Ok(Answer::Reply(Reply::done(body)))
    }
}

impl Sent {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        let body = fields.text("MessageBody")?.filter(|body| !body.is_empty());
        Ok(Self {
            body: body.ok_or_else(|| missing("MessageBody"))?,
            delay: fields.whole("DelaySeconds")?.unwrap_or(0),
        })
    }

    fn send(
        self,
        queue: &mut Queue,
        moment: &mut Moment<'_>,
        losing: bool,
    ) -> Result<(Json, Event), Error> {
        let delay = within("DelaySeconds", self.delay, DELAY, 0)?;
        if self.body.len() > BYTES {
            let message = format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {BYTES} \
                 bytes."
            );
            return Err(Error::new("InvalidParameterValue", message));
        }
        if !self.body.chars().all(is_allowed) {
            let message = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD \
                           | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";
            return Err(Error::new("InvalidMessageContents", message));
        }
        let id = id((moment.random)(), (moment.random)());
        let reply = json!({ "MessageId": id, "MD5OfMessageBody": md5_of(&self.body) });
        let event = match losing {
            true => queue.lose_one(&id, &self.body),
            false => queue.send(moment.now, delay * 1_000, id, self.body),
        };
        Ok((reply, event))
    }
}

impl Wanted {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        let most = fields.whole("MaxNumberOfMessages")?.unwrap_or(1);
        let hidden = fields.whole("VisibilityTimeout")?.unwrap_or(HIDDEN);
        let wait = fields.whole("WaitTimeSeconds")?.unwrap_or(0);
        Ok(Self {
            most: within("MaxNumberOfMessages", most, 10, 1)? as usize,
            hidden: within("VisibilityTimeout", hidden, HIDDEN_MOST, 0)? * 1_000,
            wait: within("WaitTimeSeconds", wait, WAIT, 0)? * 1_000,
        })
    }
}

fn handle(fields: &mut Fields) -> Result<String, Error> {
    let handle = fields.text("ReceiptHandle")?;
    handle.ok_or_else(|| missing("ReceiptHandle"))
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// The id of a message, of the form of a UUID.
fn id(high: u64, low: u64) -> String {
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

fn md5_of(body: &str) -> String {
    let digest = Md5::digest(body);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shuffle(numbers: &mut [u64], random: &mut dyn FnMut() -> u64) {
    for at in (1..numbers.len()).rev() {
        let other = random() % (at as u64 + 1);
        numbers.swap(at, other as usize);
    }
}
