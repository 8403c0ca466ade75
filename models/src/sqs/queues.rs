//! Queues that are made, found and looked at.

use std::collections::BTreeMap;

use serde_json::json;

use super::error::{invalid, missing, within};
use super::queue::Queue;
use super::server::{Done, Moment, Sqs, gone};
use crate::aws::{Error, Fields, Json};

/// How long the name of a deleted queue cannot be used, in milliseconds.
const DELETED: u64 = 60_000;
/// How long a queue keeps messages unless it is said otherwise, in seconds.
const RETENTION: i64 = 4 * 24 * 3_600;
const RETENTION_MOST: i64 = 14 * 24 * 3_600;
const RETENTION_NAME: &str = "MessageRetentionPeriod";

impl Sqs {
    pub(super) fn create_queue(&mut self, moment: &mut Moment<'_>, fields: &mut Fields) -> Done {
        let name = name(fields)?;
        let attributes = texts(fields, "Attributes")?;
        let tags = texts(fields, "tags")?;
        end(fields)?;
        let retention = retention(&attributes)?;
        let url = self.url(&name);
        if let Some(queue) = self.queues.get(&name) {
            if retention.is_some_and(|retention| retention != queue.retention) {
                let message = format!(
                    "A queue already exists with the same name and a different value for \
                     attribute {RETENTION_NAME}"
                );
                return Err(Error::new("QueueNameExists", message));
            }
            return Ok(json!({ "QueueUrl": url }));
        }
        let deleted = self.deleted.get(&name);
        if deleted.is_some_and(|at| moment.now < at + DELETED) {
            let message = "You must wait 60 seconds after deleting a queue before you can create \
                           another with the same name.";
            return Err(Error::new("QueueDeletedRecently", message));
        }
        self.deleted.remove(&name);
        self.made += 1;
        let retention = retention.unwrap_or(RETENTION as u64 * 1_000);
        let queue = Queue::new(self.made, name.clone(), retention, tags);
        self.queues.insert(name, queue);
        Ok(json!({ "QueueUrl": url }))
    }

    /// Nothing that the adapter does: others delete queues.
    pub(super) fn delete_queue(&mut self, moment: &mut Moment<'_>, fields: &mut Fields) -> Done {
        let name = self.queue(fields)?.name.clone();
        end(fields)?;
        if let Some(queue) = self.queues.remove(&name) {
            self.events.extend(queue.lose());
        }
        self.deleted.insert(name, moment.now);
        Ok(json!({}))
    }

    pub(super) fn get_queue_url(&mut self, fields: &mut Fields) -> Done {
        let name = name(fields)?;
        end(fields)?;
        match self.queues.contains_key(&name) {
            true => Ok(json!({ "QueueUrl": self.url(&name) })),
            false => Err(gone()),
        }
    }

    /// The token of the next page is the last name on this one.
    pub(super) fn list_queues(&mut self, fields: &mut Fields) -> Done {
        let prefix = fields.text("QueueNamePrefix")?.unwrap_or_default();
        let after = fields.text("NextToken")?;
        let most = fields.whole("MaxResults")?;
        end(fields)?;
        let most = most.map(|most| within("MaxResults", most, 1_000, 1));
        let most = most.transpose()?;
        let names = self.queues.keys();
        let names = names.filter(|name| name.starts_with(&prefix));
        let mut names = names.filter(|name| after.as_ref().is_none_or(|after| *name > after));
        let page: Vec<&String> = names
            .by_ref()
            .take(most.unwrap_or(1_000) as usize)
            .collect();
        let urls: Vec<String> = page.iter().map(|name| self.url(name)).collect();
        // Without MaxResults there are no further pages.
        let more = most.is_some() && names.next().is_some();
        let mut reply = json!({ "QueueUrls": urls });
        if let Some(last) = page.last().filter(|_| more) {
            reply["NextToken"] = Json::String((*last).clone());
        }
        Ok(reply)
    }

    pub(super) fn list_queue_tags(&mut self, fields: &mut Fields) -> Done {
        let tags = self.queue(fields)?.tags.clone();
        end(fields)?;
        match tags.is_empty() {
            true => Ok(json!({})),
            false => Ok(json!({ "Tags": tags })),
        }
    }

    pub(super) fn get_queue_attributes(
        &mut self,
        moment: &mut Moment<'_>,
        fields: &mut Fields,
    ) -> Done {
        let depth = self.queue(fields)?.depth(moment.now);
        let names = fields.texts("AttributeNames")?.unwrap_or_default();
        end(fields)?;
        let mut found = serde_json::Map::new();
        for name in names {
            let number = match name.as_str() {
                "ApproximateNumberOfMessages" => depth.visible,
                "ApproximateNumberOfMessagesNotVisible" => depth.hidden,
                "ApproximateNumberOfMessagesDelayed" => depth.delayed,
                _ => return Err(Error::unknown(format!("the attribute {name}"))),
            };
            found.insert(name, number.to_string().into());
        }
        match found.is_empty() {
            true => Ok(json!({})),
            false => Ok(json!({ "Attributes": found })),
        }
    }
}

/// All fields were taken.
pub(super) fn end(fields: &mut Fields) -> Result<(), Error> {
    std::mem::take(fields).end()
}

fn name(fields: &mut Fields) -> Result<String, Error> {
    let name = fields.text("QueueName")?;
    let name = name.ok_or_else(|| missing("QueueName"))?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !(1..=80).contains(&name.len()) || !name.bytes().all(known) {
        let why = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in \
                   length";
        return Err(invalid("QueueName", name, why));
    }
    Ok(name)
}

/// An object of strings.
fn texts(fields: &mut Fields, name: &str) -> Result<BTreeMap<String, String>, Error> {
    let object = fields.object(name)?.unwrap_or_default();
    let texts = object.into_iter().map(|(key, value)| match value {
        Json::String(text) => Ok((key, text)),
        _ => Err(Error::new(
            "SerializationException",
            format!("{name} holds what is not a string"),
        )),
    });
    texts.collect()
}

/// How long messages are kept, in milliseconds, where it is said.
fn retention(attributes: &BTreeMap<String, String>) -> Result<Option<u64>, Error> {
    let mut retention = None;
    for (name, value) in attributes {
        if name != RETENTION_NAME {
            return Err(Error::unknown(format!("the attribute {name}")));
        }
        let seconds = value.parse::<i64>().ok();
        let seconds = seconds.filter(|s| (60..=RETENTION_MOST).contains(s));
        if seconds.is_none() {
            let message = format!("Invalid value for the parameter {RETENTION_NAME}.");
            return Err(Error::new("InvalidAttributeValue", message));
        }
        retention = seconds.map(|seconds| seconds as u64 * 1_000);
    }
    Ok(retention)
}
