//! The commands, one a file, and [`decide`].

mod campaign;
mod cancel;
mod complete;
mod configure;
mod deliver;
mod extend;
mod fail;
mod fire;
mod gate;
mod lease;
mod purge;
mod redrive;
mod redrive_workflow;
mod release;
mod sent;
mod stage;
mod submit;
mod validate;

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use campaign::Campaign;
pub use cancel::Cancel;
pub use complete::Complete;
pub use configure::Configure;
pub use deliver::{Acknowledge, Deliver};
pub use extend::Extend;
pub use fail::Fail;
pub use fire::Fire;
pub use lease::LeaseTask;
pub use purge::Purge;
pub use redrive::Redrive;
pub use redrive_workflow::RedriveWorkflow;
pub use release::Release;
pub use sent::Sent;
pub use stage::Stage;
pub use submit::{NewTask, NewWorkflow, Submit, When, cycles_among, waves_among};

use crate::draft::Draft;
use crate::{Decision, RecordKey, Timestamp, Undecided, View};

/// Everything that can be asked for. Each command carries its own identity, so that deciding
/// it again after an unknown outcome gives the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Accept tasks.
    Submit(Submit),
    /// Grant a task to a worker.
    Lease(LeaseTask),
    /// Keep a lease alive.
    Extend(Extend),
    /// Finish a task well.
    Complete(Complete),
    /// Report a failed attempt.
    Fail(Fail),
    /// Give a task back.
    Release(Release),
    /// Stop a task.
    Cancel(Cancel),
    /// Give an ended task a new life.
    Redrive(Redrive),
    /// Give tasks of a workflow a new life.
    RedriveWorkflow(RedriveWorkflow),
    /// Forget an ended task before its time.
    Purge(Purge),
    /// A timer may be due.
    Fire(Fire),
    /// A message from another partition.
    Deliver(Deliver),
    /// A message has arrived at its target.
    Acknowledge(Acknowledge),
    /// A queue message was sent for a task.
    Sent(Sent),
    /// Change a queue.
    Configure(Configure),
    /// Become or stay a partition's leader.
    Campaign(Campaign),
    /// Store a piece of a workflow that is larger than one transaction.
    Stage(Stage),
}

impl Command {
    /// The records that are needed for certain; deciding may ask for more.
    pub fn reads(&self) -> Vec<RecordKey> {
        match self {
            Self::Submit(submit) => submit.reads(),
            Self::Lease(lease) => vec![RecordKey::Task(lease.task)],
            Self::Extend(extend) => vec![RecordKey::Task(extend.task)],
            Self::Complete(complete) => complete.reads(),
            Self::Fail(fail) => vec![RecordKey::Task(fail.task)],
            Self::Release(release) => vec![RecordKey::Task(release.task)],
            Self::Cancel(cancel) => vec![RecordKey::Task(cancel.task)],
            Self::Redrive(redrive) => vec![RecordKey::Task(redrive.task)],
            Self::RedriveWorkflow(redrive) => redrive.reads(),
            Self::Purge(purge) => vec![RecordKey::Task(purge.task)],
            Self::Fire(fire) => vec![fire.timer.into()],
            Self::Deliver(deliver) => deliver.reads(),
            Self::Acknowledge(acknowledge) => vec![RecordKey::Outbox(acknowledge.message)],
            Self::Sent(sent) => vec![RecordKey::Task(sent.task)],
            Self::Configure(configure) => vec![RecordKey::Queue(configure.queue.clone())],
            Self::Campaign(_) => vec![RecordKey::Leader],
            Self::Stage(stage) => stage.reads(),
        }
    }

    /// The command's name on every floor.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Submit(_) => "submit",
            Self::Lease(_) => "lease",
            Self::Extend(_) => "extend",
            Self::Complete(_) => "complete",
            Self::Fail(_) => "fail",
            Self::Release(_) => "release",
            Self::Cancel(_) => "cancel",
            Self::Redrive(_) => "redrive",
            Self::RedriveWorkflow(_) => "redrive_workflow",
            Self::Purge(_) => "purge",
            Self::Fire(_) => "fire",
            Self::Deliver(_) => "deliver",
            Self::Acknowledge(_) => "acknowledge",
            Self::Sent(_) => "sent",
            Self::Configure(_) => "configure",
            Self::Campaign(_) => "campaign",
            Self::Stage(_) => "stage",
        }
    }
}

/// Decides `command` at `now`, from what `view` knows.
///
/// # Errors
/// [`Undecided::Missing`] names records to load before asking again; every record that a
/// decision writes was read, so a store can check that none has changed since.
/// [`Undecided::Rejected`] says why the command is refused. [`Undecided::Contradiction`] is
/// never bad input: records that were loaded one after the other, or a broken invariant.
///
/// # Panics
/// When a record is of another kind than its key: a broken store.
pub fn decide(view: &View, command: &Command, now: Timestamp) -> Result<Decision, Undecided> {
    let mut draft = Draft::new(view, now);
    let reply = match command {
        Command::Submit(submit) => submit.decide(&mut draft),
        Command::Lease(lease) => lease.decide(&mut draft),
        Command::Extend(extend) => extend.decide(&mut draft),
        Command::Complete(complete) => complete.decide(&mut draft),
        Command::Fail(fail) => fail.decide(&mut draft),
        Command::Release(release) => release.decide(&mut draft),
        Command::Cancel(cancel) => cancel.decide(&mut draft),
        Command::Redrive(redrive) => redrive.decide(&mut draft),
        Command::RedriveWorkflow(redrive) => redrive.decide(&mut draft),
        Command::Purge(purge) => purge.decide(&mut draft),
        Command::Fire(fire) => fire.decide(&mut draft),
        Command::Deliver(deliver) => deliver.decide(&mut draft),
        Command::Acknowledge(acknowledge) => acknowledge.decide(&mut draft),
        Command::Sent(sent) => sent.decide(&mut draft),
        Command::Configure(configure) => configure.decide(&mut draft),
        Command::Campaign(campaign) => campaign.decide(&mut draft),
        Command::Stage(stage) => stage.decide(&mut draft),
    }?;
    draft.finish(reply)
}
