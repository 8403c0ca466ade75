//! How long commands took in an earlier run: it tells which path of a workflow is longest, where
//! the file does not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use russet_backends::embedded::{Embedded, EmbeddedOptions};
use russet_core::{RecordKey, Status, Task};
use russet_engine::{Clock, Listing, Order, Store, StoreError};

use super::directory::Directory;
use super::limits;
use super::work::{Job, Payload};
use crate::workflow::{Work, Workflow};

/// How long each command took, by the command.
pub(super) type Observed = HashMap<String, Duration>;

/// What an earlier run in the directory observed; nothing if it cannot be read.
pub(super) async fn observed(directory: &Directory, clock: Arc<dyn Clock>) -> Observed {
    if !directory.store().exists() {
        return Observed::new();
    }
    let options = EmbeddedOptions::default();
    let Ok(store) = Embedded::open(&directory.store(), options, clock) else {
        return Observed::new();
    };
    read(store.as_ref()).await.unwrap_or_default()
}

async fn read(store: &dyn Store) -> Result<Observed, StoreError> {
    let mut observed = Observed::new();
    let mut listing = Listing {
        status: Some(Status::Succeeded),
        limit: limits::PAGE,
        order: Order::Oldest,
        ..Listing::default()
    };
    loop {
        let page = store.list(&listing).await?;
        for id in page.items {
            let found = store.get(id.partition(), &[RecordKey::Task(id)]).await?;
            for found in found.into_iter().flatten() {
                if let russet_core::Record::Task(task) = found.record {
                    observed.extend(run_time(&task));
                }
            }
        }
        listing.after = page.next;
        if listing.after.is_none() {
            return Ok(observed);
        }
    }
}

fn run_time(task: &Task) -> Option<(String, Duration)> {
    let Job::Shell { run, .. } = Payload::read(&task.payload).ok()?.job else {
        return None;
    };
    let took = task.completed_at?.since(task.started_at?);
    Some((run, took.into()))
}

/// Lets commands of unknown run time be expected to take as long as before.
pub(super) fn expect(workflow: &mut Workflow, observed: &Observed) {
    for task in &mut workflow.tasks {
        if let (Work::Run(run), None) = (&task.work, task.expected) {
            task.expected = observed.get(run).copied();
        }
    }
}
