//! What is said of a queue that was named and holds no task: its name may be a typing error.

use russet::Client;
use russet::wire::{QueueConfigView, QueueView, StatusCounts};
use russet_core::{QueueConfig, QueueName};

use crate::cli::Global;
use crate::text::{aside, spelt_like};

/// A queue without tasks.
pub(super) struct Empty {
    name: QueueName,
    /// It has never had a setting either: nothing tells it from one that nobody ever named.
    pub is_unknown: bool,
    /// Another queue that may be meant.
    like: Option<String>,
}

impl Empty {
    /// The queue of this name, where it holds no task and somebody reads what is said of it.
    pub async fn find(client: &Client, name: &str, global: &Global) -> Option<Self> {
        if !is_heard(global) {
            return None;
        }
        // Where it cannot be asked for, what it is to be told cannot either, and says why.
        let queue = client.queue(name).await.ok()?;
        Self::of(client, &queue, global).await
    }

    /// As [`Self::find`], of a queue as it is.
    pub async fn of(client: &Client, queue: &QueueView, global: &Global) -> Option<Self> {
        if !is_heard(global) || !is_empty(queue) || queue.unreadable.is_some() {
            return None;
        }
        let all = client.queues().await.ok()?;
        let name = queue.name.clone();
        let is_listed = all.iter().any(|other| other.name == name);
        let others = all.iter().filter(|other| other.name != name);
        let like = spelt_like(name.as_str(), others.map(|other| other.name.as_str()));
        Some(Self {
            is_unknown: !is_listed && has_defaults(queue),
            like: like.map(str::to_owned),
            name,
        })
    }

    /// Says that there is no task, and perhaps no queue.
    pub fn tell(&self) {
        let (name, meant) = (&self.name, self.meant());
        match self.is_unknown {
            true => aside(format_args!(
                "there is no queue {name} yet, it comes with its first task or setting: check the name{meant}"
            )),
            false => aside(format_args!(
                "queue {name} holds no task: check the name{meant}, or submit one"
            )),
        }
    }

    /// Says that the pause holds for what is not there yet.
    pub fn tell_of_pause(&self) {
        let (name, meant) = (&self.name, self.meant());
        match self.is_unknown {
            true => aside(format_args!(
                "there was no queue {name}, neither a task nor a setting of it: check the name{meant}; its first task will wait until `russet queues resume {name}`"
            )),
            false => aside(format_args!(
                "queue {name} holds no task: check the name{meant}; its next task will wait until `russet queues resume {name}`"
            )),
        }
    }

    fn meant(&self) -> String {
        let like = self.like.as_ref();
        like.map_or_else(String::new, |like| format!(" (there is a queue {like})"))
    }
}

/// Whether somebody reads who may have made a typing error.
fn is_heard(global: &Global) -> bool {
    !global.json && !global.quiet
}

fn is_empty(queue: &QueueView) -> bool {
    queue.counts == StatusCounts::default() && queue.lanes.is_empty()
}

fn has_defaults(queue: &QueueView) -> bool {
    queue.config == QueueConfigView::from(&QueueConfig::default())
}
