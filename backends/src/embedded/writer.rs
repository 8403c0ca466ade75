//! The one writer: it merges the commits that wait for it into one transaction of the
//! database, so that they share one sync.

use std::sync::atomic::Ordering;

use russet_engine::{Outcome, StoreError};
use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::disk::{self, WriteError};
use super::error::DiskError;
use super::judge::{Judgement, Proof};
use super::request::{Request, Written};
use crate::limits::GROUP_BYTES;

/// What the writer remembers between commits.
#[derive(Default)]
pub(crate) struct Writer {
    /// A commit that failed, and of which is not known whether it is there.
    unresolved: Option<Group>,
    /// The newest commit that is known to be there.
    newest: Option<Proof>,
}

/// Commits that are written together.
struct Group {
    requests: Vec<Request>,
    outcomes: Vec<Vec<Outcome>>,
    proof: Option<Proof>,
}

/// Serves requests until nobody can send any more.
pub(crate) fn run(shared: &Shared, mut requests: mpsc::Receiver<Request>) {
    while let Some(first) = requests.blocking_recv() {
        let mut bytes = first.len();
        let mut group = vec![first];
        while bytes < GROUP_BYTES
            && let Ok(next) = requests.try_recv()
        {
            bytes += next.len();
            group.push(next);
        }
        shared.commit(group);
    }
}

impl Shared {
    /// Commits requests together and answers each. Whoever no longer waits for the answer
    /// finds out by loading.
    pub(crate) fn commit(&self, requests: Vec<Request>) {
        for (reply, written) in self.write(requests) {
            let _ = reply.send(written);
        }
    }

    fn write(&self, requests: Vec<Request>) -> Vec<Answer> {
        let mut writer = self.writer();
        if let Err(error) = self.recover(&mut writer) {
            return refuse(requests, &error);
        }
        let mut group = Group {
            requests,
            outcomes: Vec::new(),
            proof: None,
        };
        let bytes = group.requests.iter().map(Request::len).sum();
        let commits = group.requests.len();
        let _span = tracing::debug_span!("write", commits, bytes).entered();
        let judge = |table: &mut disk::Writer<'_>| {
            let mut judgement = Judgement::default();
            for request in &group.requests {
                judgement.add(self, request, table)?;
            }
            (group.outcomes, group.proof) = judgement.write(table)?;
            Ok(group.proof.is_some())
        };
        let start = self.clock.now();
        let written = self.disk.write(bytes, judge);
        tracing::debug!(took = %self.clock.now().since(start), "written and synced");
        match written {
            Ok(()) => {
                writer.newest = group.proof.take().or(writer.newest.take());
                self.apply(group)
            }
            Err(WriteError::Refused(error)) => {
                // Reads go on at once; when this fails, the next one tries again.
                let _ = self.recover(&mut writer);
                refuse(group.requests, &error.into())
            }
            Err(WriteError::Unknown(error)) => self.resolve(&mut writer, group, error),
        }
    }

    /// Opens the database again after an error. Whether a commit that failed turns out to be
    /// there, and is now in memory too.
    pub(crate) fn recover(&self, writer: &mut Writer) -> Result<bool, StoreError> {
        if !self.disk.is_broken() {
            return Ok(false);
        }
        self.disk.reopen()?;
        let unresolved = writer.unresolved.as_ref().and_then(|g| g.proof.as_ref());
        let happened = unresolved.map_or(Ok(false), |proof| self.holds(proof))?;
        if let Some(group) = writer.unresolved.take()
            && happened
        {
            writer.newest.clone_from(&group.proof);
            self.apply(group);
        }
        self.uncertain.store(false, Ordering::Release);
        match &writer.newest {
            Some(proof) if !self.holds(proof)? => {
                self.disk.mark_broken();
                let why = "commits that were synced are gone: check the disk, then restart";
                Err(StoreError::Damaged { why: why.into() })
            }
            _ => Ok(happened),
        }
    }

    fn holds(&self, proof: &Proof) -> Result<bool, DiskError> {
        let found = self.disk.read(|t| disk::load_version(t, &proof.place))?;
        Ok(found == proof.version)
    }

    /// Finds out what became of a group whose commit failed.
    fn resolve(&self, writer: &mut Writer, mut group: Group, error: DiskError) -> Vec<Answer> {
        tracing::error!(%error, "a commit failed; the data file is opened again");
        let replies = group.requests.iter_mut().filter_map(Request::take_reply);
        let replies: Vec<_> = replies.collect();
        writer.unresolved = Some(group);
        self.uncertain.store(true, Ordering::Release);
        let answer = match self.recover(writer) {
            Ok(false) => error.into(),
            Ok(true) | Err(_) => StoreError::Indeterminate {
                why: error.to_string(),
            },
        };
        let answers = replies.into_iter();
        answers.map(|reply| (reply, Err(answer.clone()))).collect()
    }
}

/// Whom to answer, and what.
type Answer = (oneshot::Sender<Written>, Written);

fn refuse(requests: Vec<Request>, error: &StoreError) -> Vec<Answer> {
    let replies = requests.into_iter().filter_map(|mut r| r.take_reply());
    replies.map(|reply| (reply, Err(error.clone()))).collect()
}

impl Shared {
    /// Brings memory up to what was committed, and answers it.
    fn apply(&self, group: Group) -> Vec<Answer> {
        let mut answers = Vec::new();
        for (mut request, outcomes) in group.requests.into_iter().zip(group.outcomes) {
            let reply = request.take_reply();
            self.enter(request, &outcomes);
            answers.extend(reply.map(|reply| (reply, Ok(outcomes))));
        }
        answers
    }
}
