//! One session of a run, from the command line to the summary.

use std::io::{self, Write};
use std::sync::Arc;

use russet_core::{Resources, Status};
use russet_engine::{Configuration, ONLY_NODE, Scheduler, SystemClock, SystemEntropy};

use super::capacity::capacity;
use super::conductor::{Conductor, Finish};
use super::directory::Directory;
use super::events::Recorder;
use super::prepare::{Prepared, Seams, prepare, queue_config};
use super::progress::{Board, Progress};
use super::stop::Signals;
use super::summary::{Conditions, Summary};
use super::worker::{Setup, Shell, Working, log_path};
use super::{Display, Ended, Options, RunError, limits, takeover};
use crate::workflow::{self, Work, Workflow};

/// Runs a workflow file to its end, or goes on with it.
///
/// # Errors
/// [`RunError`]; a task that fails is no error.
pub fn run(options: &Options) -> Result<Ended, RunError> {
    let workflow = workflow::read(&options.file)?;
    let conditions = conditions(options, &workflow)?;
    let limited = options.capacity.as_deref();
    let limited = limited.map(|amounts| capacity(amounts, &workflow));
    let capacity = limited.transpose()?;
    let path = options.data_dir.clone();
    let path = path.unwrap_or_else(|| Directory::default_path(&options.file));
    let directory = Directory::lock(&path)?;
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

/// # Errors
/// A number that cannot be.
fn conditions(options: &Options, workflow: &Workflow) -> Result<Conditions, RunError> {
    let refused = |option, why| Err(RunError::Option { option, why });
    let most = limits::CONCURRENCY;
    let concurrency = options
        .concurrency
        .unwrap_or_else(|| default_concurrency(workflow));
    if !(1..=most).contains(&concurrency) {
        return refused(
            "concurrency",
            format!("{concurrency} is not a number from 1 to {most}"),
        );
    }
    let speedup = options.speedup;
    if !limits::SPEEDUP.contains(&speedup) {
        let (least, most) = (limits::SPEEDUP.start(), limits::SPEEDUP.end());
        return refused(
            "speedup",
            format!("{speedup} is not a number from {least} to {most}"),
        );
    }
    Ok(Conditions {
        concurrency,
        speedup,
    })
}

fn default_concurrency(workflow: &Workflow) -> usize {
    if runs_commands(workflow) {
        return std::thread::available_parallelism().map_or(1, usize::from);
    }
    limits::SLEEPERS
}

fn runs_commands(workflow: &Workflow) -> bool {
    let mut works = workflow.tasks.iter().map(|task| &task.work);
    works.any(|work| matches!(work, Work::Run(_)))
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
        let mut prepared = prepare(self.options, self.directory, workflow, &seams).await?;
        let mut finish = Finish::Done;
        let live = |task: &Arc<russet_core::Task>| !task.status.is_terminal();
        if prepared.tasks.is_empty() || prepared.tasks.iter().any(live) {
            finish = self.work(&prepared, signals, seams).await?;
            prepared.tasks = self.tasks(&prepared).await?;
        } else if self.options.display != Display::Silent {
            eprintln!(
                "{}: already done in {}; --fresh starts over",
                prepared.plan.workflow.name,
                self.directory.path().display()
            );
        }
        if let Some(events) = &prepared.events {
            events.finish()?;
        }
        self.report(&prepared, finish)
    }

    /// Works until every task has ended, or the user has stopped it.
    async fn work(
        &self,
        prepared: &Prepared,
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
        if prepared.tasks.is_empty() {
            scheduler.submit(plan.submission(prepared.counted)?).await?;
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
        let tasks = board.total();
        let (ended, at_once) = (board.ended(), self.conditions.concurrency);
        let (name, dir) = (
            &prepared.plan.workflow.name,
            self.directory.path().display(),
        );
        progress.say(&match ended {
            0 => format!("{name}: {tasks} tasks, {at_once} at once, data in {dir}"),
            _ => format!("{name}: going on with {ended} of {tasks} tasks done, {at_once} at once, data in {dir}"),
        });
    }

    async fn tasks(&self, prepared: &Prepared) -> Result<Vec<Arc<russet_core::Task>>, RunError> {
        let plan = &prepared.plan;
        let (store, partition) = (prepared.backend.store.as_ref(), plan.id.partition());
        let tasks = takeover::tasks(store, partition, plan.task_ids()).await?;
        let all: Option<Vec<_>> = tasks.into_iter().collect();
        all.ok_or_else(|| self.directory.damaged("a task is missing"))
    }

    fn report(&self, prepared: &Prepared, finish: Finish) -> Result<Ended, RunError> {
        let logs = self.directory.logs();
        let log = |task: &str| log_path(&logs, task).display().to_string();
        let summary = Summary::new(&prepared.plan, &prepared.tasks, self.conditions, log);
        let silent = self.options.display == Display::Silent;
        match (self.options.json, silent) {
            (false, false) => print(summary.to_string())?,
            (false, true) => {}
            (true, _) => {
                if !silent {
                    eprint!("{summary}");
                }
                print(format!("{}\n", summary.json()))?;
            }
        }
        if finish == Finish::Stopped {
            eprintln!("stopped; to go on: {}", same_command());
            return Ok(Ended::Interrupted);
        }
        Ok(match summary.is_success() {
            true => Ended::Successfully,
            false => Ended::Unsuccessfully,
        })
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

/// The command line that goes on with this run.
fn same_command() -> String {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let words: Vec<_> = words.filter(|word| word != "--fresh").collect();
    let quoted = shlex::try_join(words.iter().map(String::as_str));
    quoted.unwrap_or_else(|_| "the same command".to_owned())
}
