//! A queue, and the messages in it.

use std::collections::BTreeMap;

use super::condition::Condition;
use super::error::invalid;
use super::event::{Event, Received, What};
use crate::aws::Error;

/// The longest that a message is hidden after it was received.
pub(super) const HIDDEN_MOST: i64 = 12 * 3_600;
/// With what every receipt handle begins.
const HANDLE: &str = "AQEB";

pub(super) struct Queue {
    pub(super) number: u32,
    pub(super) name: String,
    /// How long messages are kept, in milliseconds.
    pub(super) retention: u64,
    pub(super) tags: BTreeMap<String, String>,
    messages: BTreeMap<u64, Message>,
    /// By when they become visible, and a number that grows each time this changes.
    order: BTreeMap<(u64, u64), u64>,
    last: u64,
}

pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: String,
    sent: u64,
    /// Its place in the order.
    place: (u64, u64),
    /// How often it was received.
    times: u32,
    received: u64,
}

/// A message that was received.
pub(super) struct Delivery<'a> {
    pub(super) message: &'a Message,
    pub(super) handle: String,
    /// Whether it was hidden.
    pub(super) duplicate: bool,
}

/// How many messages a queue has.
#[derive(Default)]
pub(super) struct Depth {
    pub(super) visible: u64,
    pub(super) hidden: u64,
    pub(super) delayed: u64,
}

impl Queue {
    pub(super) fn new(
        number: u32,
        name: String,
        retention: u64,
        tags: BTreeMap<String, String>,
    ) -> Self {
        Self {
            number,
            name,
            retention,
            tags,
            messages: BTreeMap::new(),
            order: BTreeMap::new(),
            last: 0,
        }
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Loses a message that was to be sent.
    pub(super) fn lose_one(&self, id: &str, body: &str) -> Event {
        self.event(id, body, What::Lost)
    }

    pub(super) fn send(&mut self, now: u64, delay: u64, id: String, body: String) -> Event {
        let number = self.next();
        let place = (now + delay, number);
        let event = self.event(&id, &body, What::Sent);
        self.order.insert(place, number);
        let message = Message {
            id,
            body,
            sent: now,
            place,
            times: 0,
            received: 0,
        };
        self.messages.insert(number, message);
        event
    }

    fn event(&self, id: &str, body: &str, what: What) -> Event {
        Event {
            queue: self.name.clone(),
            message: id.to_owned(),
            body: body.to_owned(),
            what,
        }
    }

    /// Receives a message: hides it, and says what settles this delivery.
    pub(super) fn receive(&mut self, number: u64, now: u64, hidden: u64) -> Option<Delivery<'_>> {
        let duplicate = self.messages.get(&number)?.place.0 > now;
        self.put(number, now + hidden)?;
        let message = self.messages.get_mut(&number)?;
        message.times += 1;
        message.received = now;
        let handle = format!(
            "{HANDLE}{:08x}{number:016x}{:08x}",
            self.number, message.times
        );
        Some(Delivery {
            message,
            handle,
            duplicate,
        })
    }

    /// Moves a message to where it is in the order when it becomes visible then.
    fn put(&mut self, number: u64, visible: u64) -> Option<()> {
        let place = (visible, self.next());
        let message = self.messages.get_mut(&number)?;
        self.order.remove(&message.place);
        self.order.insert(place, number);
        message.place = place;
        Some(())
    }

    /// Messages that can be received now, in the order in which they became visible; when they
    /// are received in this order, up to `most` are enough.
    pub(super) fn to_receive(&self, now: u64, most: usize, condition: Condition) -> Vec<u64> {
        let visible = self.order.range(..=(now, u64::MAX)).map(|(_, n)| *n);
        let hidden = self.order.range((now, u64::MAX)..).map(|(_, n)| *n);
        let twice = |n: &u64| {
            let message = self.messages.get(n);
            condition.duplicates && message.is_some_and(|message| message.times > 0)
        };
        let enough = if condition.reordered {
            usize::MAX
        } else {
            most
        };
        visible.chain(hidden.filter(twice)).take(enough).collect()
    }

    /// When the next message becomes visible.
    pub(super) fn next_visible(&self, now: u64) -> Option<u64> {
        let mut hidden = self.order.range((now, u64::MAX)..);
        hidden.next().map(|((at, _), _)| *at)
    }

    /// The message that a handle settles: `None` when it is gone, or was received again since.
    fn settles(&self, handle: &str) -> Result<Option<u64>, Error> {
        let (number, times) = self.read_handle(handle)?;
        let message = self.messages.get(&number);
        let latest = message.filter(|message| u64::from(message.times) == times);
        Ok(latest.map(|_| number))
    }

    /// The message that a handle was given for, while it is there.
    pub(super) fn received(&self, handle: &str) -> Option<Received> {
        let (number, times) = self.read_handle(handle).ok()?;
        let message = self.messages.get(&number)?;
        Some(Received {
            message: message.id.clone(),
            body: message.body.clone(),
            is_latest: u64::from(message.times) == times,
            received_ms: message.received,
            visible_ms: message.place.0,
        })
    }

    /// The number of a message, and how often it had been received by then.
    fn read_handle(&self, handle: &str) -> Result<(u64, u64), Error> {
        let refuse = || {
            let message =
                format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
            Error::new("ReceiptHandleIsInvalid", message)
        };
        let digits = handle.strip_prefix(HANDLE).ok_or_else(refuse)?;
        if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refuse());
        }
        let number = |range: std::ops::Range<usize>| {
            u64::from_str_radix(&digits[range], 16).map_err(|_| refuse())
        };
        let (queue, number, times) = (number(0..8)?, number(8..24)?, number(24..32)?);
        if queue != u64::from(self.number) {
            return Err(refuse());
        }
        Ok((number, times))
    }

    /// Deletes what a handle settles. One that settles nothing any more is no error.
    pub(super) fn delete(&mut self, handle: &str) -> Result<Option<Event>, Error> {
        let number = self.settles(handle)?;
        Ok(number.and_then(|number| self.remove(number, What::Deleted)))
    }

    fn remove(&mut self, number: u64, what: What) -> Option<Event> {
        let message = self.messages.remove(&number)?;
        self.order.remove(&message.place);
        Some(self.event(&message.id, &message.body, what))
    }

    /// Hides what a handle settles for so many seconds from now.
    pub(super) fn hide(&mut self, handle: &str, now: u64, seconds: u64) -> Result<(), Error> {
        let hidden = self.settles(handle)?.filter(|number| {
            let message = self.messages.get(number);
            message.is_some_and(|message| message.place.0 > now)
        });
        let Some(number) = hidden else {
            let why = "Message does not exist or is not available for visibility timeout change.";
            return Err(invalid("ReceiptHandle", handle, why));
        };
        let received = self.messages.get(&number).map_or(now, |m| m.received);
        let until = now + seconds * 1_000;
        if until > received + HIDDEN_MOST as u64 * 1_000 {
            let why = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]";
            return Err(invalid("VisibilityTimeout", seconds, why));
        }
        self.put(number, until);
        Ok(())
    }

    /// Loses what was kept for long enough.
    pub(super) fn expire(&mut self, now: u64) -> Vec<Event> {
        let kept = self.retention;
        let old = self.messages.iter();
        let old = old.take_while(|(_, message)| message.sent + kept <= now);
        let old: Vec<u64> = old.map(|(number, _)| *number).collect();
        let lost = old.into_iter();
        lost.filter_map(|number| self.remove(number, What::Lost))
            .collect()
    }

    /// What is lost with the queue.
    pub(super) fn lose(mut self) -> Vec<Event> {
        let all: Vec<u64> = self.messages.keys().copied().collect();
        let lost = all.into_iter();
        lost.filter_map(|number| self.remove(number, What::Lost))
            .collect()
    }

    pub(super) fn depth(&self, now: u64) -> Depth {
        let mut depth = Depth::default();
        for message in self.messages.values() {
            match (message.place.0 > now, message.times) {
                (false, _) => depth.visible += 1,
                (true, 0) => depth.delayed += 1,
                (true, _) => depth.hidden += 1,
            }
        }
        depth
    }
}

impl Delivery<'_> {
    /// What is to be told of it.
    pub(super) fn event(&self, queue: &str) -> Event {
        Event {
            queue: queue.to_owned(),
            message: self.message.id.clone(),
            body: self.message.body.clone(),
            what: What::Delivered {
                times: self.message.times,
                duplicate: self.duplicate,
            },
        }
    }
}
