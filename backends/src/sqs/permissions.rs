//! Whether the credentials may do all that a queue does. Each action is tried with something
//! that SQS always refuses, or that leaves everything as it is.

use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry};
use futures::stream::{self, StreamExt};

use super::found::There;
use super::name::{is_of_lane, tags};
use super::{Inner, is_gone};
use crate::aws::{Fault, Trials};
use crate::limits::{SQS_BATCH, SQS_BATCHES_AT_ONCE, SQS_QUEUES, SQS_QUEUES_TRIED, SQS_TRIES};

/// What a policy must allow for a queue to run; batches are allowed by the action of one message.
pub const ACTIONS: [&str; 8] = [
    LIST,
    LIST_TAGS,
    GET_URL,
    GET_ATTRIBUTES,
    SEND,
    RECEIVE,
    DELETE,
    CHANGE,
];
/// What a policy must allow in addition where queues are made.
pub const CREATE_ACTIONS: [&str; 2] = [CREATE, TAG];

const LIST: &str = "sqs:ListQueues";
const LIST_TAGS: &str = "sqs:ListQueueTags";
const GET_URL: &str = "sqs:GetQueueUrl";
pub(super) const GET_ATTRIBUTES: &str = "sqs:GetQueueAttributes";
const SEND: &str = "sqs:SendMessage";
const RECEIVE: &str = "sqs:ReceiveMessage";
const DELETE: &str = "sqs:DeleteMessage";
const CHANGE: &str = "sqs:ChangeMessageVisibility";
const CREATE: &str = "sqs:CreateQueue";
const TAG: &str = "sqs:TagQueue";

/// A character that no message may hold.
const NO_MESSAGE: &str = "\u{7}";
/// Longer than SQS delays any message.
const NO_DELAY: i32 = 901;
/// No delivery is called so.
const NO_HANDLE: &str = "none";
/// More than SQS ever gives at once.
const TOO_MANY: i32 = SQS_BATCH as i32 + 1;

type Answer = Result<(), Fault>;

impl Inner {
    /// The queues of lanes that there are; `None` when they may not be listed.
    pub(super) async fn list(&self, trials: &mut Trials) -> Result<Option<Vec<There>>, Fault> {
        let mut unread = Vec::new();
        let mut token = None;
        loop {
            let page = self.listed(token).await;
            trials.note(LIST, "", &page);
            let (urls, next) = match page {
                Ok(page) => page,
                Err(fault) if fault.is_forbidden() => return Ok(None),
                Err(fault) => return Err(fault),
            };
            for url in urls {
                let name = self.name_of(&url);
                let now = self.clock.now();
                let Some(name) = name.filter(|name| self.directory.is_to_meet(name, now)) else {
                    continue;
                };
                let met = self.meet(name, &url).await;
                trials.note(LIST_TAGS, name, &met);
                if let Err(fault @ Fault::Lost(_)) = met {
                    return Err(fault);
                }
                if met.is_err() && is_of_lane(name) && unread.len() < SQS_QUEUES {
                    let name = name.into();
                    let (lane, is_empty) = (None, false);
                    unread.push(There {
                        name,
                        url,
                        lane,
                        is_empty,
                    });
                }
            }
            token = next;
            if token.is_none() {
                break;
            }
        }
        let known = self.directory.places().into_iter().map(|place| There {
            name: place.name.clone(),
            url: place.url.clone(),
            lane: Some(place.lane.clone()),
            is_empty: false,
        });
        Ok(Some(known.chain(unread).collect()))
    }

    /// Tries what is done with queues: on some of these, and on that for what cannot be decoded.
    pub(super) async fn try_on_queues(&self, there: &[There], trials: &mut Trials) {
        let every = there.len().div_ceil(SQS_QUEUES_TRIED).max(1);
        let some = there.iter().step_by(every);
        let tried: Vec<_> = stream::iter(some)
            .map(async |queue| (queue, self.try_on(queue).await))
            .buffered(SQS_BATCHES_AT_ONCE)
            .collect()
            .await;
        for (queue, answers) in tried {
            for (action, answer) in answers {
                trials.note(action, &queue.name, &answer);
            }
        }
        let aside = self.prefix.aside();
        let found = self.url_of(&aside).await;
        trials.note(GET_URL, &aside, &found);
        if let Ok(Some(url)) = found {
            trials.note(SEND, &aside, &self.try_send_nothing(&url).await);
        }
        let known = there.iter().find(|queue| queue.lane.is_some());
        if let Some(queue) = known.filter(|_| self.create) {
            self.try_making(queue, trials).await;
        }
    }

    /// That a queue is gone which was just there may mean either.
    async fn try_on(&self, queue: &There) -> [(&'static str, Answer); 5] {
        let url = &*queue.url;
        let answers = [
            (GET_URL, self.try_finding(&queue.name).await),
            (SEND, self.try_send_nothing(url).await),
            (RECEIVE, self.try_receiving(url, queue.is_empty).await),
            (DELETE, nothing_done(self.try_delete(url, &handles()).await)),
            (
                CHANGE,
                nothing_done(self.try_release(url, &handles(), 0).await),
            ),
        ];
        answers.map(|(action, answer)| {
            let answer = answer.map_err(|fault| match is_gone(&fault) {
                true => Fault::Lost(fault.to_string()),
                false => fault,
            });
            (action, answer)
        })
    }

    async fn try_finding(&self, name: &str) -> Answer {
        let ask = || {
            self.called();
            self.client.get_queue_url().queue_name(name).send()
        };
        self.pauses.again(SQS_TRIES, ask).await.map(drop)
    }

    /// Sends what is no message. A batch is answered for each entry, so that it is refused by
    /// itself when it is not allowed.
    async fn try_send_nothing(&self, url: &str) -> Answer {
        let entry = SendMessageBatchRequestEntry::builder().id("0");
        let entry = entry.message_body(NO_MESSAGE).delay_seconds(NO_DELAY);
        let entry = entry
            .build()
            .map_err(|error| Fault::Unsent(error.to_string()))?;
        let ask = || {
            self.called();
            let request = self.client.send_message_batch().queue_url(url);
            request.entries(entry.clone()).send()
        };
        let sent = self.pauses.again(SQS_TRIES, ask).await;
        nothing_done(sent.map(|sent| sent.failed))
    }

    /// Receives from a queue that is empty; should a message have come meanwhile it is visible
    /// again at once. Where messages are, asks for more than SQS gives.
    async fn try_receiving(&self, url: &str, is_empty: bool) -> Answer {
        let most = match is_empty {
            true => 1,
            false => TOO_MANY,
        };
        let ask = || {
            self.called();
            let request = self.client.receive_message().queue_url(url);
            let request = request.wait_time_seconds(0).visibility_timeout(0);
            request.max_number_of_messages(most).send()
        };
        self.pauses.again(SQS_TRIES, ask).await.map(drop)
    }

    /// Makes a queue that is there, and gives it the tags that it has.
    async fn try_making(&self, queue: &There, trials: &mut Trials) {
        let made = self.make(&queue.name, None).await;
        trials.note(CREATE, &queue.name, &made);
        let tags = queue.lane.as_ref().map(tags);
        let ask = || {
            self.called();
            let request = self.client.tag_queue().queue_url(&queue.url);
            request.set_tags(tags.clone()).send()
        };
        let tagged = self.pauses.again(SQS_TRIES, ask).await;
        trials.note(TAG, &queue.name, &tagged);
    }
}

fn handles() -> [String; 1] {
    [NO_HANDLE.to_owned()]
}

/// What became of a batch in which nothing can be done: its entry may say why.
fn nothing_done(answer: Result<Vec<BatchResultErrorEntry>, Fault>) -> Answer {
    match answer?.into_iter().next() {
        None => Ok(()),
        Some(entry) => Err(Fault::Refused {
            code: entry.code,
            why: entry.message.unwrap_or_default(),
        }),
    }
}
