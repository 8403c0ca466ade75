use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_sdk_sqs::config;
use aws_sdk_sqs::types::Message;
use aws_smithy_types::timeout::TimeoutConfig;
use russet_core::{Millis, planted};
use russet_engine::Delivery;

use super::desk::{Held, Poll};
use super::message::{self, Handle};
use super::settle::seconds;
use super::{Inner, is_gone, said};
use crate::aws::{Fault, fault};
use crate::limits::{SQS_FAILED_PAUSE, SQS_KEPT, SQS_TIMEOUT};

impl Inner {
    /// Asks for messages once, puts what comes on the desk, and gives back what nobody takes.
    /// Runs by itself: it ends in its time whatever becomes of the receivers.
    pub(super) async fn poll(self: Arc<Self>, poll: Poll) {
        let mut strange = Vec::new();
        let answer = match self.ask(&poll).await {
            Ok(messages) => Ok(self.held(&poll, messages, &mut strange)),
            Err(fault) if is_gone(&fault) => {
                self.directory.forget(&poll.place.name);
                Ok(Vec::new())
            }
            Err(fault) => Err(said(&fault)),
        };
        if planted!(SqsDeletedOnReceipt) {
            let held = answer.iter().flatten();
            let receipts = held.map(|held| held.delivery.receipt.clone());
            // Whether it is done is nobody's concern.
            let _ = self.delete(receipts.collect()).await;
        }
        let is_empty = answer.as_ref().is_ok_and(Vec::is_empty);
        let why = answer.as_ref().err().cloned();
        let is_news = self.desk().ended(&poll, answer, self.clock.now());
        if let Some(why) = why.filter(|_| is_news) {
            let (queue, pause) = (&poll.place.name, Duration::from(SQS_FAILED_PAUSE));
            tracing::warn!(%queue, why, ?pause, "no messages can be received from an SQS queue: it \
                is asked again after each pause, and others meanwhile");
        }
        for (body, handle) in strange {
            if message::is_newer(&body) {
                self.put_off(&poll.place, handle).await;
                continue;
            }
            self.undecodable.fetch_add(1, Ordering::Relaxed);
            self.set_aside(&poll.place, &body, handle).await;
        }
        if is_empty {
            return;
        }
        self.pauses.sleep(SQS_KEPT).await;
        let left = self.desk().left(&poll);
        if left.is_empty() {
            return;
        }
        tracing::debug!(
            messages = left.len(),
            "messages that nobody waits for go back"
        );
        if let Err(error) = self.release(left, Duration::ZERO).await {
            tracing::debug!(%error, "they go back when their visibility is over");
        }
    }

    async fn ask(&self, poll: &Poll) -> Result<Vec<Message>, Fault> {
        self.called();
        let wait = Duration::from_secs(poll.wait);
        let timeouts = TimeoutConfig::builder();
        let timeouts = timeouts.operation_attempt_timeout(wait + SQS_TIMEOUT);
        let patient = config::Config::builder().timeout_config(timeouts.build());
        let visibility = match planted!(SqsHiddenShortly) {
            true => poll.visibility / 10,
            false => poll.visibility,
        };
        let request = self.client.receive_message().queue_url(&poll.place.url);
        let reply = request
            .max_number_of_messages(i32::try_from(poll.max).unwrap_or(1))
            .wait_time_seconds(seconds(wait))
            .visibility_timeout(seconds(visibility).max(1))
            .customize()
            .config_override(patient)
            .send()
            .await;
        match reply {
            Ok(reply) => Ok(reply.messages.unwrap_or_default()),
            Err(error) => Err(fault(&error)),
        }
    }

    /// What can be delivered; the others are `strange`.
    fn held(
        &self,
        poll: &Poll,
        messages: Vec<Message>,
        strange: &mut Vec<(String, String)>,
    ) -> Vec<Held> {
        // Whoever takes one has at least half of its visibility left.
        let kept = (poll.visibility / 2).min(SQS_KEPT).as_millis();
        let until = self.clock.now() + Millis::new(u64::try_from(kept).unwrap_or(u64::MAX));
        let held = messages.into_iter().filter_map(|message| {
            let handle = message.receipt_handle?;
            let body = message.body.unwrap_or_default();
            let Some(task) = message::read(&body) else {
                strange.push((body, handle));
                return None;
            };
            let queue = poll.place.name.to_string();
            Some(Held {
                delivery: Delivery {
                    task,
                    lane: poll.place.lane.clone(),
                    receipt: Handle { queue, handle }.receipt(),
                },
                until,
                poll: poll.number,
            })
        });
        held.collect()
    }
}
