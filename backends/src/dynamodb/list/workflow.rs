use russet_core::{RecordKey, TaskId, WorkflowId};
use russet_engine::{Listing, StoreError};

use super::super::query::Group;
use super::super::{Dynamo, item};
use crate::key;
use crate::limits::DYNAMO_READS_PER_CALL;

/// What tells a task's queue and status, beside its key.
const GROUPED_BY: &str = "k, l";

impl Dynamo {
    /// The first `wanted` tasks of a workflow that the listing asks for. The index knows which
    /// tasks there are; a queue or a status is compared with the records themselves.
    pub(super) async fn of_workflow(
        &self,
        workflow: WorkflowId,
        listing: &Listing,
        wanted: usize,
    ) -> Result<Vec<TaskId>, StoreError> {
        let filtered = listing.queue.is_some() || listing.status.is_some();
        let mut tasks = Vec::new();
        let mut after = listing.after;
        while tasks.len() < wanted {
            let group = Group::Workflow(item::workflow_id(workflow));
            let limit = match filtered {
                true => DYNAMO_READS_PER_CALL,
                false => wanted - tasks.len(),
            };
            let (ids, more) = self.ids(group, listing.order, after, limit).await?;
            after = ids.last().copied().or(after);
            tasks.extend(match filtered {
                true => self.passing(ids, listing).await?,
                false => ids,
            });
            if !more {
                break;
            }
        }
        tasks.truncate(wanted);
        Ok(tasks)
    }

    /// Those of the tasks that have the queue and the status that are asked for.
    async fn passing(
        &self,
        ids: Vec<TaskId>,
        listing: &Listing,
    ) -> Result<Vec<TaskId>, StoreError> {
        let place = |id: &TaskId| key::place(id.partition(), &RecordKey::Task(*id));
        let places: Vec<_> = ids.iter().map(place).collect();
        let items = self.items(&places, Some(GROUPED_BY)).await?;
        let passes = |place: &Vec<u8>| {
            let group = items.get(place)?;
            let group = item::bytes_of(group, item::LISTED)?;
            let (status, queue) = item::read_listed(group)?;
            let queues = listing.queue.as_ref().is_none_or(|q| q.as_str() == queue);
            Some(queues && listing.status.is_none_or(|wanted| wanted == status))
        };
        let tasks = ids.into_iter().zip(&places);
        let tasks = tasks.filter(|(_, place)| passes(place) == Some(true));
        Ok(tasks.map(|(id, _)| id).collect())
    }
}
