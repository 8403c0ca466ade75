use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::submit::add_dependent;
use crate::draft::{Draft, Step};
use crate::rules::{accepted_task, parent_ended};
use crate::{Dependency, End, Epoch, Message, MessageId, Record, RecordKey, Reply, TaskId};

/// Applies a message from another partition. Applying it again changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliver {
    /// The message.
    pub message: Message,
}

impl Deliver {
    pub(super) fn reads(&self) -> Vec<RecordKey> {
        match self.message {
            Message::Watch { parent, .. } | Message::Ask { parent, .. } => {
                vec![RecordKey::Task(parent)]
            }
            Message::Settled { parent, child, .. } => {
                vec![RecordKey::Waits(child, parent), RecordKey::Task(child)]
            }
        }
    }

    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        match self.message {
            Message::Watch {
                parent,
                child,
                on,
                life,
            } => {
                let known = accepted_task(draft, parent)?;
                match known.map(|known| known.end()) {
                    Some(None) => add_dependent(draft, parent, Dependency { task: child, on })?,
                    end => tell(draft, parent, child, end.flatten(), life)?,
                }
            }
            Message::Ask {
                parent,
                child,
                life,
            } => {
                let known = accepted_task(draft, parent)?;
                match known.map(|known| known.end()) {
                    Some(None) => {}
                    end => tell(draft, parent, child, end.flatten(), life)?,
                }
            }
            Message::Settled {
                parent,
                child,
                end,
                life,
            } => hear(draft, parent, child, end, life)?,
        }
        Ok(Reply::Done)
    }
}

/// Tells `child` that `parent` ended, or does not exist, unless it was redriven since it asked: then
/// the parent may have been, too, and is asked once more.
fn hear(
    draft: &mut Draft<'_>,
    parent: TaskId,
    child: TaskId,
    end: Option<End>,
    life: Option<u64>,
) -> Step<()> {
    let key = RecordKey::Waits(child, parent);
    let Some(Record::Waits(waits)) = draft.get(&key)? else {
        return Ok(());
    };
    let on = waits.on;
    let known = draft.find_task(child)?.map(|known| known.redriven_by);
    if let Some(life) = known.filter(|known| *known != life) {
        draft.message(Message::Ask {
            parent,
            child,
            life,
        });
        return Ok(());
    }
    draft.remove(key);
    parent_ended(draft, child, parent, on, end)
}

/// Answers that `parent` ended, or does not exist, to a child that asked in this life. An answer of
/// the time when it did exist, which is still on its way, stays.
fn tell(
    draft: &mut Draft<'_>,
    parent: TaskId,
    child: TaskId,
    end: Option<End>,
    life: Option<u64>,
) -> Step<()> {
    let answer = Message::Settled {
        parent,
        child,
        end,
        life,
    };
    let key = RecordKey::Outbox(answer.id());
    if end.is_some() || draft.get(&key)?.is_none() {
        draft.message(answer);
    }
    Ok(())
}

/// Forgets a message that its target has applied. In a later epoch it is kept: the store may have
/// gone back, and the target may not have applied it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledge {
    /// The message.
    pub message: MessageId,
    /// The epoch of its partition before it was delivered.
    pub epoch: Epoch,
}

impl Acknowledge {
    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        let key = RecordKey::Outbox(self.message);
        let known = self.epoch == draft.view.epoch;
        if draft.get(&key)?.is_some() && known {
            draft.remove(key);
        }
        Ok(Reply::Done)
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use super::*;
    use crate::{Command, Outbox, Timestamp, View, decide};

    #[test]
    fn a_message_is_kept_when_the_store_may_have_gone_back_since_it_was_delivered() {
        let message = Message::Settled {
            parent: TaskId::from_u128(1),
            child: TaskId::from_u128(2),
            end: Some(End::Succeeded),
            life: None,
        };
        let due_at = Timestamp::from_millis(1_000);
        let outbox = Outbox {
            message,
            tries: 0,
            due_at,
        };
        let removed = |epoch: u64| {
            let mut view = View {
                epoch: Epoch(epoch),
                ..View::default()
            };
            let record = Record::Outbox(Arc::new(outbox));
            view.records
                .insert(RecordKey::Outbox(message.id()), Some(record));
            let command = Command::Acknowledge(Acknowledge {
                message: message.id(),
                epoch: Epoch(1),
            });
            let decision = decide(&view, &command, due_at).expect("it is decided");
            decision.writes.len()
        };
        assert_eq!((removed(1), removed(2)), (1, 0));
    }
}
