//! What comes before the first task: the data directory, its store, and what an earlier session
//! left there.

use std::path::Path;
use std::sync::Arc;

use russet_backends::embedded::{Embedded, EmbeddedOptions, OpenError};
use russet_core::{Millis, QueueConfig, Record, RecordKey, Status, Task, View};
use russet_engine::{Backend, Clock, Entropy, Store};

use super::directory::Directory;
use super::events::EventsFile;
use super::fingerprint::fingerprint;
use super::identity::Identity;
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
    /// Whether the tasks name the resources that they need.
    pub counted: bool,
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

/// Opens the data directory for `workflow`, and takes back what a killed session had leased.
///
/// # Errors
/// The directory is of another workflow, or cannot be used.
pub(super) async fn prepare(
    options: &Options,
    directory: &Directory,
    mut workflow: Workflow,
    seams: &Seams,
) -> Result<Prepared, RunError> {
    let fingerprint = fingerprint(&workflow);
    let known = known(options, directory, &fingerprint)?;
    if known.is_none() {
        let observed = observed(directory, seams.clock.clone()).await;
        directory.clear()?;
        expect(&mut workflow, &observed);
    }
    let store = open(directory, seams.clock.clone())?;
    let identity = match known {
        Some(known) => known,
        None => begin(options, directory, &workflow, fingerprint, seams)?,
    };
    let plan = Arc::new(Plan::new(identity.id, workflow));
    let mut tasks = stored(&plan, store.as_ref(), directory).await?;
    let path = options.events.as_deref();
    let events = path.map(|path| open_events(path, &plan, &tasks));
    let events = events.transpose()?.map(Arc::new);
    let held = |task: &&Arc<Task>| task.status == Status::Running;
    let running: Vec<_> = tasks.iter().filter(held).cloned().collect();
    if !running.is_empty() {
        let (clock, entropy) = (seams.clock.as_ref(), seams.entropy.as_ref());
        let view = view(&plan);
        let released = takeover::release(store.as_ref(), &view, &running, clock, entropy).await?;
        if let Some(events) = &events {
            events.write(&released);
            events.check()?;
        }
        tasks = stored(&plan, store.as_ref(), directory).await?;
    }
    let queue = store.clone();
    Ok(Prepared {
        plan,
        backend: Backend { store, queue },
        events,
        tasks,
        counted: identity.counted,
    })
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
    if let Some(known) = &known {
        if known.fingerprint != fingerprint {
            return Err(RunError::Changed {
                dir: directory.path().to_owned(),
                file: options.file.clone(),
            });
        }
        if options.capacity.is_some() && !known.counted {
            return Err(RunError::Uncounted);
        }
    }
    Ok(known)
}

/// Makes the directory this workflow's.
fn begin(
    options: &Options,
    directory: &Directory,
    workflow: &Workflow,
    fingerprint: String,
    seams: &Seams,
) -> Result<Identity, RunError> {
    let id = Plan::identity(seams.clock.now(), seams.entropy.next_u64());
    let (name, counted) = (&workflow.name, options.capacity.is_some());
    let identity = Identity::new(id, name, &options.file, fingerprint, counted);
    let write = identity.write(directory.path());
    write.map_err(RunError::path("write to", directory.path()))?;
    Ok(identity)
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

/// All tasks of the run, or none when they were never submitted.
async fn stored(
    plan: &Plan,
    store: &dyn Store,
    directory: &Directory,
) -> Result<Vec<Arc<Task>>, RunError> {
    let partition = plan.id.partition();
    let workflow = store
        .get(partition, &[RecordKey::Workflow(plan.id)])
        .await?;
    let submitted = workflow.iter().flatten();
    let mut submitted = submitted.filter(|found| matches!(found.record, Record::Workflow(_)));
    if submitted.next().is_none() {
        return Ok(Vec::new());
    }
    let tasks = takeover::tasks(store, partition, plan.task_ids()).await?;
    let each = tasks.into_iter().enumerate();
    each.map(|(position, task)| {
        let missing = || directory.damaged(format!("task {:?} is missing", plan.name(position)));
        task.ok_or_else(missing)
    })
    .collect()
}

fn open_events(path: &Path, plan: &Arc<Plan>, tasks: &[Arc<Task>]) -> Result<EventsFile, RunError> {
    if tasks.is_empty() {
        return EventsFile::start(path, plan.clone());
    }
    EventsFile::resume(path, plan.clone(), tasks)
}

fn view(plan: &Plan) -> View {
    View {
        partition: plan.id.partition(),
        split: false,
        max_clock_skew: Millis::ZERO,
        queue_defaults: queue_config(),
        ..View::default()
    }
}
