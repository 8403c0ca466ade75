//! One account of what happened, for everybody who wants to know.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russet_core::Event;
use tokio::sync::watch;

use crate::limits;

/// Sees every event that this node commits, on the commit path: it must not block.
pub trait Observer: Send + Sync + 'static {
    /// Events of one commit, in order.
    fn observe(&self, events: &[Event]);
}

/// What one commit of this node did.
#[derive(Clone, Debug)]
pub struct Happened {
    /// The commit's number on this node, since it was started: each has the one after the number
    /// of the commit before.
    pub commit: u64,
    /// Its events, in order.
    pub events: Arc<[Event]>,
}

/// Events that this node commits, one commit after the other. A reader that falls behind by more
/// than [`limits::EVENTS_KEPT`] events loses the oldest.
pub struct EventStream {
    account: Arc<Account>,
    news: watch::Receiver<()>,
    next: u64,
}

impl EventStream {
    /// What happened next; `Err` with the number of commits that were missed; `None` when the
    /// scheduler has stopped.
    pub async fn next(&mut self) -> Option<Result<Happened, u64>> {
        loop {
            if let Some(found) = self.account.at(self.next) {
                self.next = match &found {
                    Ok(happened) => happened.commit + 1,
                    Err(missed) => self.next + missed,
                };
                return Some(found);
            }
            self.news.changed().await.ok()?;
        }
    }

    /// The number of the commit that comes next.
    pub fn position(&self) -> u64 {
        self.next
    }
}

pub(crate) struct Events {
    observers: Vec<Arc<dyn Observer>>,
    account: Arc<Account>,
    news: watch::Sender<()>,
}

impl Events {
    pub fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self {
            observers,
            account: Arc::default(),
            news: watch::Sender::new(()),
        }
    }

    /// The events from now on.
    pub fn subscribe(&self) -> EventStream {
        let news = self.news.subscribe();
        let mut kept = self.account.lock();
        kept.is_read = true;
        EventStream {
            account: self.account.clone(),
            news,
            next: kept.end(),
        }
    }

    /// The events from a commit on; `None` when there was none of that number, nor is it the next.
    pub fn subscribe_from(&self, commit: u64) -> Option<EventStream> {
        let now = self.subscribe();
        (commit <= now.next).then_some(EventStream {
            next: commit,
            ..now
        })
    }

    pub fn publish(&self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        for observer in &self.observers {
            observer.observe(&events);
        }
        if self.account.add(events) {
            self.news.send_replace(());
        }
    }
}

/// The newest commits, for those who read them.
#[derive(Default)]
struct Account(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    commits: VecDeque<Arc<[Event]>>,
    /// The number of the oldest of them.
    first: u64,
    /// How many events they have.
    events: usize,
    /// Whether anybody has ever read events here. Until then none are kept.
    is_read: bool,
}

impl Account {
    /// Keeps the events of a commit, if there may be somebody to read them.
    fn add(&self, events: Vec<Event>) -> bool {
        let mut kept = self.lock();
        if !kept.is_read {
            return false;
        }
        kept.events += events.len();
        kept.commits.push_back(events.into());
        // The newest is kept, however large.
        while kept.events > limits::EVENTS_KEPT && kept.commits.len() > 1 {
            let oldest = kept.commits.pop_front();
            kept.events -= oldest.map_or(0, |events| events.len());
            kept.first += 1;
        }
        true
    }

    /// The commit of a number, or how many are missing from there on; `None`: it is still to come.
    fn at(&self, commit: u64) -> Option<Result<Happened, u64>> {
        let kept = self.lock();
        let Some(place) = commit.checked_sub(kept.first) else {
            return Some(Err(kept.first - commit));
        };
        let events = kept.commits.get(usize::try_from(place).ok()?)?.clone();
        Some(Ok(Happened { commit, events }))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The number of the next commit.
    fn end(&self) -> u64 {
        self.first + self.commits.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use russet_core::{EventKind, QueueName, TaskId, Timestamp};

    use super::*;

    /// The events of a commit, of tasks with these numbers.
    fn commit(tasks: impl IntoIterator<Item = u128>) -> Vec<Event> {
        let event = |task| Event {
            at: Timestamp::from_millis(0),
            task: TaskId::from_u128(task),
            queue: QueueName::new("q").expect("a name"),
            workflow: None,
            attempt: 0,
            kind: EventKind::Queued,
            reason: None,
        };
        tasks.into_iter().map(event).collect()
    }

    async fn tasks(stream: &mut EventStream) -> (u64, Vec<u128>) {
        let happened = stream.next().await.expect("goes on").expect("none missed");
        let tasks = happened.events.iter().map(|event| event.task.as_u128());
        (happened.commit, tasks.collect())
    }

    #[tokio::test]
    async fn a_reader_gets_what_follows_and_may_begin_again_where_it_was() {
        let events = Events::new(Vec::new());
        events.publish(commit([1]));
        let mut stream = events.subscribe();
        for task in 2..5 {
            events.publish(commit([task, task * 10]));
        }
        let first = tasks(&mut stream).await;
        assert_eq!(first.1, [2, 20]);
        let mut again = events.subscribe_from(first.0 + 1).expect("is known");
        for stream in [&mut stream, &mut again] {
            assert_eq!(tasks(stream).await.1, [3, 30]);
            assert_eq!(tasks(stream).await.1, [4, 40]);
        }
        assert_eq!(stream.position(), again.position());
        assert!(events.subscribe_from(stream.position()).is_some());
        assert!(events.subscribe_from(stream.position() + 1).is_none());
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_and_a_reader_that_is_behind_is_told_what_it_missed() {
        let events = Events::new(Vec::new());
        let mut stream = events.subscribe();
        let each = 1_000;
        let commits = limits::EVENTS_KEPT / each + 3;
        for number in 0..commits {
            events.publish(commit(vec![number as u128; each]));
        }
        assert!(events.account.lock().events <= limits::EVENTS_KEPT);
        let missed = stream
            .next()
            .await
            .expect("goes on")
            .expect_err("is behind");
        assert_eq!(missed as usize, commits - limits::EVENTS_KEPT / each);
        assert_eq!(tasks(&mut stream).await.0, missed);
        events.publish(commit(vec![0; limits::EVENTS_KEPT + 1]));
        let kept = events.account.lock().commits.len();
        assert_eq!(kept, 1, "the newest is kept, however large");
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_node_when_all_is_read() {
        let events = Events::new(Vec::new());
        let mut stream = events.subscribe();
        events.publish(commit([1]));
        drop(events);
        assert_eq!(tasks(&mut stream).await.1, [1]);
        assert!(stream.next().await.is_none());
    }
}
