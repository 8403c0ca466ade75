use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use russet_core::{Event, EventKind, Task, WorkflowId};

use super::line::Line;
use super::missing::{Reached, missing};
use crate::run::RunError;
use crate::run::plan::Plan;

/// The events of one run, over all of its sessions.
#[derive(Debug)]
pub(in crate::run) struct EventsFile {
    path: PathBuf,
    file: Mutex<File>,
    plan: Arc<Plan>,
    failed: OnceLock<io::ErrorKind>,
}

impl EventsFile {
    /// Refuses a file that holds something else than events, for a run that begins: what is in
    /// it would be lost.
    ///
    /// # Errors
    /// What the system says, or the file is of something else.
    pub fn examine(path: &Path) -> Result<(), RunError> {
        // A pipe or a terminal holds nothing, and neither does what is not there.
        if !path.metadata().is_ok_and(|known| known.is_file()) {
            return Ok(());
        }
        let bytes = std::fs::read(path).map_err(unwritable(path))?;
        let held = whole(&bytes).and_then(|whole| lines(whole).try_for_each(|line| line.map(drop)));
        held.map_err(of_something_else(path))
    }

    /// Empties the file, for a run that begins.
    ///
    /// # Errors
    /// As [`Self::examine`].
    pub fn start(path: &Path, plan: Arc<Plan>) -> Result<Self, RunError> {
        Self::examine(path)?;
        let file = File::create(path).map_err(unwritable(path))?;
        Ok(Self::new(path, file, plan))
    }

    /// Goes on with the file of an earlier session, and adds what was committed and not
    /// written when that session was killed. `tasks` are all tasks of the run, in the order
    /// of the file; the lives of those that did not come with the `first` submission are told
    /// behind earlier ones.
    ///
    /// # Errors
    /// What the system says, or the file is of something else.
    pub fn resume(
        path: &Path,
        plan: Arc<Plan>,
        first: WorkflowId,
        tasks: &[Arc<Task>],
    ) -> Result<Self, RunError> {
        if path.metadata().is_ok_and(|known| !known.is_file()) {
            // A pipe or a terminal remembers nothing.
            let this = Self::start(path, plan)?;
            return this.fill(tasks, &vec![Reached::NOTHING; tasks.len()]);
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(unwritable(path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(unwritable(path))?;
        let whole = whole(&bytes).map_err(of_something_else(path))?;
        let reached = read(whole, &plan, first, tasks).map_err(of_something_else(path))?;
        file.set_len(whole.len() as u64)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map_err(unwritable(path))?;
        Self::new(path, file, plan).fill(tasks, &reached)
    }

    fn fill(self, tasks: &[Arc<Task>], reached: &[Reached]) -> Result<Self, RunError> {
        self.write(&gaps(&self.plan, tasks, reached));
        self.check()?;
        Ok(self)
    }

    fn new(path: &Path, file: File, plan: Arc<Plan>) -> Self {
        Self {
            path: path.to_owned(),
            file: Mutex::new(file),
            plan,
            failed: OnceLock::new(),
        }
    }

    /// Writes events, all of them at once. The first failure is kept for [`Self::check`], and
    /// nothing is written after it, so that the file has no hole.
    pub fn write(&self, events: &[Event]) {
        if self.failed.get().is_some() {
            return;
        }
        let mut bytes = Vec::with_capacity(events.len() * 128);
        for event in events {
            if let Some(position) = self.plan.position(event.task) {
                Line::of(event, self.plan.name(position)).write(&mut bytes);
            }
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(&bytes) {
            let _ = self.failed.set(error.kind());
        }
    }

    /// # Errors
    /// Why an event could not be written.
    pub fn check(&self) -> Result<(), RunError> {
        match self.failed.get() {
            None => Ok(()),
            Some(kind) => Err(RunError::path("write", &self.path)((*kind).into())),
        }
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(&self) -> Result<(), RunError> {
        self.check()?;
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        match file.sync_data() {
            // Not every file is on a disk: /dev/stderr, a pipe.
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => {
                Err(RunError::path("write", &self.path)(error))
            }
            _ => Ok(()),
        }
    }
}

/// A file that cannot be the events file.
fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> RunError {
    let file = path.to_owned();
    move |error| RunError::Events {
        file,
        why: format!("cannot be read and written: {error}"),
    }
}

/// A file that is not to be written to.
fn of_something_else(path: &Path) -> impl FnOnce(String) -> RunError {
    let file = path.to_owned();
    move |why| RunError::Events { file, why }
}

/// The lines that are whole: a kill may have cut off the last one.
fn whole(bytes: &[u8]) -> Result<&[u8], String> {
    match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => Ok(&bytes[..=at]),
        None if Line::may_begin(bytes) => Ok(&[]),
        None => Err(something_else(1)),
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = Result<Line<'_>, String>> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
    lines.map(|(at, line)| serde_json::from_slice(line).map_err(|_| something_else(at + 1)))
}

fn something_else(line: usize) -> String {
    format!("holds something else (line {line})")
}

/// How far each task's history goes in the file.
fn read(
    bytes: &[u8],
    plan: &Plan,
    first: WorkflowId,
    tasks: &[Arc<Task>],
) -> Result<Vec<Reached>, String> {
    let names = plan.workflow.tasks.iter().enumerate();
    let positions: std::collections::HashMap<&str, usize> = names
        .map(|(position, spec)| (spec.name.as_str(), position))
        .collect();
    let is_again = |task: &Task| Plan::submission_of(task.id) != first;
    let any_again = tasks.iter().any(|task| is_again(task));
    let mut reached = vec![Reached::NOTHING; tasks.len()];
    for (number, line) in lines(bytes).enumerate() {
        let of_another_run = || format!("is of another run (line {})", number + 1);
        let line = line?;
        let position = positions.get(line.task.as_ref()).copied();
        let Some((position, task)) = position.and_then(|at| Some((at, tasks.get(at)?))) else {
            // The file may have named more tasks before some were submitted once more.
            if any_again {
                continue;
            }
            return Err(of_another_run());
        };
        let is_first = line.event == EventKind::Submitted;
        let created = task.created_at.as_millis();
        let begins = is_first && line.at_ms == created;
        if is_again(task) {
            // What comes before is of an earlier life.
            if begins || reached[position] > Reached::NOTHING {
                reached[position] = reached[position].max(Reached::by(line.event, line.attempt));
            }
            continue;
        }
        if line.at_ms < created || is_first && !begins || line.attempt > task.attempt {
            return Err(of_another_run());
        }
        reached[position] = reached[position].max(Reached::by(line.event, line.attempt));
    }
    Ok(reached)
}

/// What is missing of all tasks, in an order in which it can have happened.
fn gaps(plan: &Plan, tasks: &[Arc<Task>], reached: &[Reached]) -> Vec<Event> {
    let mut rank = vec![0; tasks.len()];
    for (place, position) in plan.workflow.order().into_iter().enumerate() {
        rank[position] = place;
    }
    let each = tasks.iter().zip(reached).enumerate();
    let mut gaps: Vec<_> = each
        .flat_map(|(position, (task, reached))| {
            let events = missing(task, *reached).into_iter();
            let rank = rank[position];
            events.map(move |event| (event.at, rank, event))
        })
        .collect();
    // At one time, what a task depends on comes first; the sort is stable within a task.
    gaps.sort_by_key(|(at, rank, _)| (*at, *rank));
    gaps.into_iter().map(|(_, _, event)| event).collect()
}

#[cfg(test)]
mod tests;
