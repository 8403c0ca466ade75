//! Runs once more what did not succeed: it is submitted anew, and depends on what succeeded
//! before. So commands that were wrong can be put right, and nothing that is done is repeated.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use russet_backends::embedded::Embedded;
use russet_core::{Cancel, Command, Status};
use russet_engine::Version;

use super::batch::Batch;
use super::directory::Directory;
use super::identity::{Identity, Round};
use super::known::Known;
use super::plan::Plan;
use super::prepare::Seams;
use super::summary::needs_another_run;
use super::work::Payload;
use super::worker::log_path;
use super::{Options, RunError, limits};
use crate::workflow::{Work, Workflow};

/// Put into the log of a task that runs once more.
const LOG_MARK: &str = "--- run again";

/// What is needed to submit once more.
pub(super) struct Again<'a> {
    pub options: &'a Options,
    pub directory: &'a Directory,
    pub store: &'a Embedded,
    pub seams: &'a Seams,
    pub workflow: &'a Workflow,
    /// What the file says now.
    pub fingerprint: &'a str,
}

impl Again<'_> {
    /// Submits once more what did not succeed, if that is asked for or was begun by a session
    /// that was killed; whether it did.
    ///
    /// # Errors
    /// What succeeded is not as it was, or what the system says.
    pub async fn submit(&self, identity: &mut Identity, known: &Known) -> Result<bool, RunError> {
        let changed = identity.fingerprint != self.fingerprint;
        if known.is_empty() {
            if changed {
                let id = identity.newest().id;
                self.note(identity, vec![self.round(id)])?;
            }
            return Ok(false);
        }
        let begun = !known.submitted;
        if !begun && !(self.options.retry_failed && (changed || self.has_failed(known))) {
            return Ok(false);
        }
        self.refuse_changes(known)?;
        let kept = known.succeeded(self.workflow);
        let mut rounds = identity.rounds.clone();
        let id = match begun {
            true => rounds.pop().map(|round| round.id),
            false => None,
        };
        if kept.iter().all(Option::is_some) {
            self.note(identity, rounds)?;
            return Ok(true);
        }
        refuse_too_many(&rounds)?;
        let seams = self.seams;
        let new = || Plan::identity(seams.clock.now(), seams.entropy.next_u64());
        let id = id.unwrap_or_else(new);
        rounds.push(self.round(id));
        self.note(identity, rounds)?;
        let plan = Plan::keeping(id, self.workflow.clone(), &kept);
        self.commit(&plan, known).await?;
        self.mark_logs(&kept);
        Ok(true)
    }

    fn round(&self, id: russet_core::WorkflowId) -> Round {
        let tasks = self.workflow.tasks.len();
        Round { id, tasks }
    }

    /// Whether some task that was needed did not succeed.
    fn has_failed(&self, known: &Known) -> bool {
        let tasks = known.tasks(self.workflow);
        tasks.is_ok_and(|tasks| needs_another_run(&tasks))
    }

    fn refuse_changes(&self, known: &Known) -> Result<(), RunError> {
        let specs = self.workflow.tasks.iter();
        let now: HashMap<_, _> = specs.map(|spec| (spec.name.as_str(), spec)).collect();
        let mut changed = Vec::new();
        for task in known.those(|status| status == Status::Succeeded) {
            let Ok(then) = Payload::read(&task.payload) else {
                continue;
            };
            let spec = now.get(then.task.as_str());
            if spec.is_none_or(|spec| Payload::of(spec) != then) {
                changed.push(then.task);
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        Err(RunError::Kept {
            file: self.options.file.clone(),
            tasks: changed,
        })
    }

    /// Writes down what is to be, before it is done.
    fn note(&self, identity: &mut Identity, rounds: Vec<Round>) -> Result<(), RunError> {
        self.fingerprint.clone_into(&mut identity.fingerprint);
        identity.rounds = rounds;
        self.directory.keep(identity)
    }

    /// Cancels what has not ended, and submits it and what did not succeed anew: both or none.
    async fn commit(&self, plan: &Plan, known: &Known) -> Result<(), RunError> {
        let clock = self.seams.clock.as_ref();
        let mut batch = Batch::new(self.store, plan.id.partition());
        for task in known.those(|status| !status.is_terminal()) {
            // One that is cancelled may have ended others.
            if batch.status(task.id).is_some_and(Status::is_terminal) {
                continue;
            }
            let cancel = Cancel {
                task: task.id,
                reason: Some("it is submitted anew".to_owned()),
            };
            batch.decide(&Command::Cancel(cancel), clock).await?;
        }
        let submission = plan.submission()?;
        batch.decide(&Command::Submit(submission), clock).await?;
        Ok(batch.commit(Version(self.seams.entropy.next_u64())).await?)
    }

    /// The attempts of another submission count from 1 again, which no log would show.
    fn mark_logs(&self, kept: &[Option<russet_core::TaskId>]) {
        let logs = self.directory.logs();
        for (spec, kept) in self.workflow.tasks.iter().zip(kept) {
            if kept.is_none() && matches!(spec.work, Work::Run(_)) {
                mark(&log_path(&logs, &spec.name));
            }
        }
    }
}

fn refuse_too_many(rounds: &[Round]) -> Result<(), RunError> {
    if rounds.len() < limits::ROUNDS {
        return Ok(());
    }
    Err(RunError::Option {
        option: "retry-failed",
        why: format!(
            "was used {} times on this run, which is the limit; start over with --fresh",
            limits::ROUNDS - 1
        ),
    })
}

/// Without a log, or room for it, there is nothing to tell apart.
fn mark(log: &Path) {
    if let Ok(mut log) = OpenOptions::new().append(true).open(log) {
        let _ = writeln!(log, "{LOG_MARK}");
    }
}
