//! One session of a run, from the command line to the summary.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russet_core::{Resources, Status};
use russet_engine::{Configuration, ONLY_NODE, Scheduler, SystemClock, SystemEntropy};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::capacity::{capacity, unneeded};
use super::conditions::{Conditions, conditions, runs_commands};
use super::conductor::{Conductor, Finish};
use super::directory::Directory;
use super::error::by;
use super::events::Recorder;
use super::prepare::{Prepared, Seams, prepare, queue_config};
use super::progress::{Board, Progress};
use super::stop::Signals;
use super::summary::Summary;
use super::too_large::TooLarge;
use super::worker::{Setup, Shell, Working};
use super::{Display, Ended, Options, RunError, advice, limits, takeover};
use crate::text::{aside, aside_text, counted, lasting};
use crate::workflow::{self, Workflow};

/// Runs a workflow file to its end, or goes on with it.
///
/// # Errors
/// [`RunError`]; a task that fails is no error.
pub fn run(options: &Options) -> Result<Ended, RunError> {
    let path = data_dir(options)?;
    let workflow = match options.is_stdin() {
        true => workflow::read_stdin()?,
        false => workflow::read(&options.file)?,
    };
    let conditions = conditions(options, &workflow)?;
    let limited = options.capacity.as_deref();
    let limited = limited.map(|amounts| capacity(amounts, &workflow));
    let capacity = limited.transpose()?;
    let tells = options.display != Display::Silent;
    for unknown in unneeded(options.capacity.as_deref().unwrap_or_default(), &workflow) {
        if tells {
            aside(format_args!("warning: --capacity: {unknown}"));
        }
    }
    let directory = Directory::lock(&path, |holder| {
        if tells {
            aside(format_args!(
                "{}: waiting up to {}",
                in_use(&path, holder),
                lasting(limits::LOCK_WAIT)
            ));
        }
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(RunError::system("start threads"))?;
    let session = Session {
        options,
        directory: &directory,
        conditions,
        capacity,
    };
    runtime.block_on(session.run(workflow))
}

/// Who has the data directory: another run, or one that was killed and whose commands are just
/// being ended.
fn in_use(path: &Path, holder: Option<u32>) -> String {
    let dir = path.display();
    let raw = holder.and_then(|pid| i32::try_from(pid).ok());
    match raw.and_then(Pid::from_raw) {
        Some(pid) if test_kill_process(pid) == Err(Errno::SRCH) => {
            format!("the commands of a `russet run` that was killed in {dir} are being ended")
        }
        _ => format!("{dir} is in use by another `russet run`{}", by(holder)),
    }
}

/// Where the run keeps its state.
fn data_dir(options: &Options) -> Result<PathBuf, RunError> {
    match &options.data_dir {
        Some(path) => Ok(path.clone()),
        None if options.is_stdin() => Err(RunError::Option {
            option: "data-dir",
            why: "name a directory for the workflow that comes from standard input, which has no file's name to go by".to_owned(),
        }),
        None => Ok(Directory::default_path(&options.file)),
    }
}

struct Session<'a> {
    options: &'a Options,
    directory: &'a Directory,
    conditions: Conditions,
    capacity: Option<Resources>,
}

impl Session<'_> {
    async fn run(&self, workflow: Workflow) -> Result<Ended, RunError> {
        let signals = Signals::listen()?;
        let seams = Seams {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::new()),
        };
        let (options, directory) = (self.options, self.directory);
        let conditions = self.conditions;
        let mut prepared = prepare(options, directory, workflow, conditions, &seams).await?;
        let plan = prepared.plan.clone();
        let limited = options.capacity.as_deref().unwrap_or_default();
        let too_large = TooLarge::new(limited, &plan.workflow);
        let had_work = prepared.has_work();
        let mut finish = Finish::Done;
        if had_work {
            finish = self.work(&prepared, &too_large, signals, seams).await?;
            prepared.tasks = self.tasks(&prepared).await?;
        }
        if let Some(events) = &prepared.events {
            events.finish()?;
        }
        let summary = self.summary(&prepared, &too_large);
        if !had_work && self.tells() {
            advice::had_ended(&plan.workflow.name, directory.path(), &summary);
        }
        self.report(&summary)?;
        if finish == Finish::Stopped {
            advice::stopped();
            return Ok(Ended::Interrupted);
        }
        if summary.is_success() {
            return Ok(Ended::Successfully);
        }
        if had_work && self.tells() {
            advice::unsuccessful(&summary);
        }
        Ok(Ended::Unsuccessfully)
    }

    fn tells(&self) -> bool {
        self.options.display != Display::Silent
    }

    /// Works until nothing is left that can be done, or the user has stopped it.
    async fn work(
        &self,
        prepared: &Prepared,
        too_large: &TooLarge<'_>,
        signals: Signals,
        seams: Seams,
    ) -> Result<Finish, RunError> {
        let plan = &prepared.plan;
        let shell = runs_commands(&plan.workflow).then(|| Shell::start(self.directory));
        let shell = shell.transpose()?;
        let name = worker_name(&seams);
        let (recorder, events) = Recorder::new(prepared.events.clone());
        let scheduler = start(prepared, recorder, seams);
        let board = Board::new(plan.workflow.tasks.len(), &prepared.tasks);
        let progress = Progress::new(self.options.display, &plan.workflow.name, &board);
        self.greet(prepared, &progress, &board);
        if let Some(warning) = too_large.left(|task| board.ended_as(task)).warning() {
            progress.say(&format!("warning: {warning}"));
        }
        if prepared.tasks.is_empty() {
            scheduler.submit(plan.submission()?).await?;
        }
        let succeeded = prepared
            .tasks
            .iter()
            .map(|task| task.status == Status::Succeeded);
        let mut work = Working::start(Setup {
            scheduler: scheduler.clone(),
            plan: plan.clone(),
            succeeded: succeeded.collect(),
            shell,
            concurrency: self.conditions.concurrency,
            capacity: self.capacity.clone(),
            speedup: self.conditions.speedup,
            name,
        });
        let mut conductor = Conductor {
            plan,
            scheduler: &scheduler,
            work: &mut work,
            board,
            too_large,
            progress,
            events,
            file: prepared.events.as_deref(),
            signals,
        };
        let finish = conductor.conduct().await;
        let Conductor { progress, .. } = conductor;
        progress.finish();
        if finish.is_ok() {
            work.finish().await?;
            scheduler.stop().await;
        }
        finish
    }

    fn greet(&self, prepared: &Prepared, progress: &Progress, board: &Board) {
        let tasks = counted(board.total() as u64, "task");
        let (ended, at_once) = (board.ended(), self.conditions.concurrency);
        let (name, dir) = (
            &prepared.plan.workflow.name,
            self.directory.path().display(),
        );
        progress.say(&match ended {
            0 => format!("{name}: {tasks}, {at_once} at once, data in {dir}"),
            _ => format!(
                "{name}: going on with {ended} of {tasks} done, {at_once} at once, data in {dir}"
            ),
        });
    }

    async fn tasks(&self, prepared: &Prepared) -> Result<Vec<Arc<russet_core::Task>>, RunError> {
        let plan = &prepared.plan;
        let (store, partition) = (prepared.backend.store.as_ref(), plan.id.partition());
        let tasks = takeover::tasks(store, partition, plan.task_ids()).await?;
        let all: Option<Vec<_>> = tasks.into_iter().collect();
        all.ok_or_else(|| self.directory.damaged("a task is missing"))
    }

    fn summary(&self, prepared: &Prepared, too_large: &TooLarge<'_>) -> Summary {
        // A makespan that spans what led to another try says nothing about the order of tasks.
        let conditions = (!prepared.is_retried).then_some(prepared.conditions);
        let logs = self.directory.logs();
        Summary::new(
            &prepared.plan,
            &prepared.tasks,
            conditions,
            &logs,
            too_large,
        )
    }

    fn report(&self, summary: &Summary) -> Result<(), RunError> {
        match (self.options.json, self.tells()) {
            (false, true) => print(summary.to_string())?,
            (false, false) => {}
            (true, tells) => {
                if tells {
                    aside_text(summary);
                }
                print(format!("{}\n", summary.json()))?;
            }
        }
        Ok(())
    }
}

/// What this session is called: no two sessions of a run share it.
fn worker_name(seams: &Seams) -> String {
    let now = seams.clock.now().as_millis();
    format!("run-{}-{now}", std::process::id())
}

fn start(prepared: &Prepared, recorder: Recorder, seams: Seams) -> Scheduler {
    let configuration = Configuration {
        node: Some(ONLY_NODE),
        queue_defaults: queue_config(),
        observers: vec![Arc::new(recorder)],
        ..Configuration::default()
    };
    let backend = prepared.backend.clone();
    Scheduler::start(backend, configuration, seams.clock, seams.entropy)
}

fn print(text: String) -> Result<(), RunError> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever read the output has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(RunError::system("write the output")(error))
        }
        _ => Ok(()),
    }
}
