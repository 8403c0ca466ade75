//! Pages of tasks.

use std::sync::Arc;

use russet_core::{Task, TaskId};

use super::Scheduler;
use super::weight::weight;
use crate::{EngineError, Listing, Page, StoreError, limits};

impl Scheduler {
    /// One page of tasks. It ends before [`limits::PAGE_BYTES`], however many tasks were asked
    /// for. A task that was purged meanwhile is left out, and so is one whose record cannot be
    /// read, which the log tells of.
    ///
    /// # Errors
    /// A store that is unavailable.
    pub async fn list(&self, listing: Listing) -> Result<Page<Arc<Task>>, EngineError> {
        self.page(listing, false).await
    }

    /// One page as [`Self::list`] has it, or an error where a record cannot be read.
    pub(super) async fn list_whole(
        &self,
        listing: Listing,
    ) -> Result<Page<Arc<Task>>, EngineError> {
        self.page(listing, true).await
    }

    async fn page(
        &self,
        mut listing: Listing,
        is_whole: bool,
    ) -> Result<Page<Arc<Task>>, EngineError> {
        listing.limit = listing.limit.clamp(1, limits::PAGE_TASKS);
        let page = self.node.backend.store.list(&listing).await?;
        let (mut items, mut bytes, mut last) = (Vec::with_capacity(page.items.len()), 0, None);
        for ids in page.items.chunks(limits::PAGE_STEP) {
            let tasks = match is_whole {
                true => self.get_each(ids).await?,
                false => self.readable(ids).await?,
            };
            for (id, task) in ids.iter().zip(tasks) {
                bytes += task.as_ref().map_or(0, |task| weight(task));
                if last.is_some() && bytes > limits::PAGE_BYTES {
                    return Ok(Page { items, next: last });
                }
                last = Some(*id);
                items.extend(task);
            }
        }
        let next = page.next;
        Ok(Page { items, next })
    }

    /// Those of the tasks that can be read: each by itself, once it is known that one cannot.
    async fn readable(&self, ids: &[TaskId]) -> Result<Vec<Option<Arc<Task>>>, EngineError> {
        match self.get_each(ids).await {
            Err(EngineError::Store(StoreError::Unreadable { .. })) => {}
            answer => return answer,
        }
        let mut tasks = Vec::with_capacity(ids.len());
        for id in ids {
            tasks.push(match self.get(*id).await {
                Err(EngineError::Store(StoreError::Unreadable { why })) => {
                    tracing::warn!(task = %id, "left out of a list: {why}");
                    None
                }
                answer => answer?,
            });
        }
        Ok(tasks)
    }
}
