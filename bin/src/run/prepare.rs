//! What comes before the first task: the data directory, its store, and what an earlier session
//! left there.

use std::path::Path;
use std::sync::Arc;

use russet_backends::embedded::{Embedded, EmbeddedOptions, OpenError};
use russet_core::{QueueConfig, Status, Task};
use russet_engine::{Backend, Clock, Entropy, Listing, Store};

use super::again::Again;
use super::conditions::Conditions;
use super::directory::Directory;
use super::events::EventsFile;
use super::fingerprint::fingerprint;
use super::identity::{Identity, Round};
use super::known::Known;
use super::observed::{expect, observed};
use super::plan::Plan;
use super::{Options, RunError, limits, takeover};
use crate::workflow::Workflow;

/// Everything that a session works with.
pub(super) struct Prepared {
    pub plan: Arc<Plan>,
    pub backend: Backend,
    pub events: Option<Arc<EventsFile>>,
    /// All tasks in the order of the file; empty when nothing was submitted yet.
    pub tasks: Vec<Arc<Task>>,
    /// The most that this session and those before it had.
    pub conditions: Conditions,
    /// Whether some tasks were submitted once more.
    pub is_retried: bool,
}

impl Prepared {
    /// Whether anything is left to do.
    pub fn has_work(&self) -> bool {
        has_work(&self.tasks)
    }
}

/// The clock and the randomness of a session.
#[derive(Clone)]
pub(super) struct Seams {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// How the queue of a run treats its tasks.
pub(super) fn queue_config() -> QueueConfig {
    QueueConfig {
        paused: false,
        concurrency: None,
        aging: limits::AGING,
        keep_finished: limits::RETENTION,
        keep_dead: limits::RETENTION,
    }
}

/// Opens the data directory for `workflow`, takes back what a killed session had leased, and
/// submits once more what did not succeed, if that is asked for.
///
/// # Errors
/// The directory is of another workflow, or cannot be used.
pub(super) async fn prepare(
    options: &Options,
    directory: &Directory,
    mut workflow: Workflow,
    conditions: Conditions,
    seams: &Seams,
) -> Result<Prepared, RunError> {
    let fingerprint = fingerprint(&workflow);
    let identity = known(options, directory, &fingerprint)?;
    if identity.is_none() {
        if let Some(path) = &options.events {
            EventsFile::examine(path)?;
        }
        if !options.fresh {
            refuse_orphans(directory, seams.clock.clone()).await?;
        }
        let observed = observed(directory, seams.clock.clone()).await;
        directory.clear()?;
        expect(&mut workflow, &observed);
    }
    let store = open(directory, seams.clock.clone())?;
    let mut identity = match identity {
        Some(known) => known,
        None => {
            let id = Plan::identity(seams.clock.now(), seams.entropy.next_u64());
            let tasks = workflow.tasks.len();
            let (name, file) = (&workflow.name, &options.file);
            let round = Round { id, tasks };
            let identity = Identity::new(round, name, file, fingerprint.clone(), conditions);
            directory.keep(&identity)?;
            identity
        }
    };
    let again = Again {
        options,
        directory,
        store: &store,
        seams,
        workflow: &workflow,
        fingerprint: &fingerprint,
    };
    let known = known_tasks(&again, &mut identity).await?;
    let plan = Arc::new(plan(&identity, &known, workflow));
    let tasks = in_order(&plan, &known, directory)?;
    if has_work(&tasks) && identity.conditions.widen(conditions) {
        directory.keep(&identity)?;
    }
    let first = identity.rounds[0];
    let path = options.events.as_deref();
    let events = path.map(|path| open_events(path, &plan, first, &tasks));
    let queue = store.clone();
    Ok(Prepared {
        plan,
        backend: Backend { store, queue },
        events: events.transpose()?.map(Arc::new),
        tasks,
        conditions: identity.conditions,
        is_retried: identity.rounds.len() > 1,
    })
}

fn has_work(tasks: &[Arc<Task>]) -> bool {
    tasks.is_empty() || tasks.iter().any(|task| !task.status.is_terminal())
}

/// The run that is to go on; `None` when one is to begin.
fn known(
    options: &Options,
    directory: &Directory,
    fingerprint: &str,
) -> Result<Option<Identity>, RunError> {
    if options.fresh {
        return Ok(None);
    }
    let known = directory.identity()?;
    let other = known.as_ref();
    let Some(other) = other.filter(|known| known.fingerprint != fingerprint) else {
        return Ok(known);
    };
    let (dir, file) = (directory.path().to_owned(), options.file.clone());
    if !other.is_of(&file) {
        let owner = other.file.clone();
        return Err(RunError::Owned { dir, owner, file });
    }
    match options.retry_failed {
        true => Ok(known),
        false => Err(RunError::Changed { dir, file }),
    }
}

/// Tasks that nothing says whose they are must not be taken for the remains of a run that never
/// began.
async fn refuse_orphans(directory: &Directory, clock: Arc<dyn Clock>) -> Result<(), RunError> {
    if !directory.has_records()? {
        return Ok(());
    }
    let store = open(directory, clock)?;
    let any = Listing {
        limit: 1,
        ..Listing::default()
    };
    if store.list(&any).await?.items.is_empty() {
        return Ok(());
    }
    Err(directory.damaged("run.json, which says whose tasks these are, is missing"))
}

fn open(directory: &Directory, clock: Arc<dyn Clock>) -> Result<Arc<Embedded>, RunError> {
    let options = EmbeddedOptions::default();
    Embedded::open(&directory.store(), options, clock).map_err(|error| match error {
        OpenError::Damaged { why, .. } => directory.damaged(why),
        OpenError::Locked { .. } => RunError::Locked {
            dir: directory.path().to_owned(),
            holder: None,
        },
        error => RunError::Open(error),
    })
}

/// What is known of the tasks once nobody holds any of them, and once what is to run again has
/// been submitted again.
async fn known_tasks(again: &Again<'_>, identity: &mut Identity) -> Result<Known, RunError> {
    let Again { store, seams, .. } = again;
    let mut known = Known::read(*store, &identity.rounds).await?;
    let running = known.those(|status| status == Status::Running);
    if !running.is_empty() {
        let (clock, entropy) = (seams.clock.as_ref(), seams.entropy.as_ref());
        takeover::release(*store, &running, clock, entropy).await?;
        known = Known::read(*store, &identity.rounds).await?;
    }
    if again.submit(identity, &known).await? {
        known = Known::read(*store, &identity.rounds).await?;
    }
    Ok(known)
}

fn plan(identity: &Identity, known: &Known, workflow: Workflow) -> Plan {
    let id = identity.newest().id;
    if known.is_empty() {
        return Plan::new(id, workflow);
    }
    let specs = workflow.tasks.iter().enumerate();
    let kept = specs.map(|(position, spec)| {
        let task = known.get(&spec.name)?.id;
        (task != Plan::numbered(id, position)).then_some(task)
    });
    let kept: Vec<_> = kept.collect();
    Plan::keeping(id, workflow, &kept)
}

/// All tasks of the run, or none when they were never submitted.
fn in_order(plan: &Plan, known: &Known, directory: &Directory) -> Result<Vec<Arc<Task>>, RunError> {
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let tasks = known.tasks(&plan.workflow);
    tasks.map_err(|name| directory.damaged(format!("task {name:?} is missing")))
}

fn open_events(
    path: &Path,
    plan: &Arc<Plan>,
    first: Round,
    tasks: &[Arc<Task>],
) -> Result<EventsFile, RunError> {
    if tasks.is_empty() {
        return EventsFile::start(path, plan.clone());
    }
    EventsFile::resume(path, plan.clone(), first.id, tasks)
}
