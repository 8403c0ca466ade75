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
    /// Why those that make tasks are left out.
    no_tasks: Option<DiskError>,
}

impl Group {
    /// How many transactions there are, and how much is to be written.
    fn all(&self) -> (usize, usize) {
        let each = self.requests.iter();
        each.fold((0, 0), |(count, bytes), request| {
            (count + request.transactions.len(), bytes + request.len())
        })
    }

    /// As [`Self::all`], of those that make tasks.
    fn new_tasks(&self) -> (usize, usize) {
        let each = self.requests.iter().map(Request::new_tasks);
        each.fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1))
    }
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
        let answers = self.write(requests);
        for (_, written) in &answers {
            self.fullness.note(written.as_ref().err(), self.clock.now());
        }
        for (reply, written) in answers {
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
            no_tasks: None,
        };
        let (transactions, bytes) = group.all();
        let (new_tasks, their_bytes) = group.new_tasks();
        let commits = group.requests.len();
        let _span = tracing::debug_span!("write", commits, bytes).entered();
        if new_tasks > 0 {
            group.no_tasks = self.disk.check_room_for_tasks(bytes).err();
        }
        loop {
            if let Some(error) = &group.no_tasks
                && new_tasks == transactions
            {
                let error = error.clone().into();
                return refuse(group.requests, &error);
            }
            let left_out = group.no_tasks.as_ref().map_or(0, |_| their_bytes);
            match self.try_write(&mut group, bytes - left_out) {
                Ok(()) => {
                    writer.newest = group.proof.take().or(writer.newest.take());
                    return self.apply(group);
                }
                Err(WriteError::Refused(error)) => {
                    // Reads go on at once; when this fails, the next one tries again.
                    let recovered = self.recover(&mut writer).is_ok();
                    if !recovered || !error.is_full() || group.no_tasks.is_some() || new_tasks == 0
                    {
                        return refuse(group.requests, &error.into());
                    }
                    group.no_tasks = Some(error);
                }
                Err(WriteError::Unknown(error)) => {
                    return self.resolve(&mut writer, group, error);
                }
            }
        }
    }

    fn try_write(&self, group: &mut Group, bytes: usize) -> Result<(), WriteError> {
        let takes_tasks = group.no_tasks.is_none();
        let judge = |table: &mut disk::Writer<'_>| {
            let mut judgement = Judgement::default();
            for request in &group.requests {
                judgement.add(self, request, table, takes_tasks)?;
            }
            (group.outcomes, group.proof) = judgement.write(table)?;
            Ok(group.proof.is_some())
        };
        let start = self.clock.now();
        let written = self.disk.write(bytes, judge);
        tracing::debug!(took = %self.clock.now().since(start), "written and synced");
        written
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
            let left_out = group
                .no_tasks
                .as_ref()
                .and_then(|error| of_tasks(&request, error));
            let reply = request.take_reply();
            self.enter(request, &outcomes);
            let written = left_out.map_or(Ok(outcomes), Err);
            answers.extend(reply.map(|reply| (reply, written)));
        }
        answers
    }
}

/// What a request is answered with of which every transaction makes tasks, when these were left
/// out. Where others go with them they are in conflict: alone they are told why.
fn of_tasks(request: &Request, error: &DiskError) -> Option<StoreError> {
    let (new_tasks, _) = request.new_tasks();
    let all = new_tasks > 0 && new_tasks == request.transactions.len();
    all.then(|| error.clone().into())
}

#[cfg(test)]
mod tests;
