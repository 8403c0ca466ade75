//! Identities made by the client, so that a submission can be repeated safely.

use russet_core::{Millis, PartitionId, TaskId, policy};
use russet_engine::{Clock, SystemClock};

use super::{Call, Http};
use crate::Error;
use crate::wire::{Info, SubmitTask, SubmitWorkflow};

/// What must be known of a server to make ids for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server {
    partitions: u16,
    /// How far its clock is ahead of ours, and how far behind.
    ahead: Millis,
    behind: Millis,
}

impl Http {
    /// The task with an identity: its idempotency key, an id, or a key drawn here when the
    /// server does not say how many partitions it has.
    pub async fn identified(&self, mut task: SubmitTask) -> Result<SubmitTask, Error> {
        if task.id.is_some() || task.idempotency_key.is_some() {
            return Ok(task);
        }
        match self.known().await? {
            Some(server) => task.id = Some(self.new_id(server, task.partition_key.as_deref())),
            None => task.idempotency_key = Some(self.new_key()),
        }
        Ok(task)
    }

    /// The workflow with an identity, as in [`Self::identified`].
    pub async fn identified_workflow(
        &self,
        mut workflow: SubmitWorkflow,
    ) -> Result<SubmitWorkflow, Error> {
        if workflow.id.is_some() || workflow.idempotency_key.is_some() {
            return Ok(workflow);
        }
        match self.known().await? {
            Some(server) => {
                let id = self.new_id(server, workflow.partition_key.as_deref());
                workflow.id = Some(id.into());
            }
            None => workflow.idempotency_key = Some(self.new_key()),
        }
        Ok(workflow)
    }

    /// What names a request that is sent again when its answer was lost.
    pub fn new_request_id(&self) -> String {
        format!("{:032x}", self.entropy.next_u128())
    }

    /// The server; `None` when it is one that does not describe itself.
    async fn known(&self) -> Result<Option<Server>, Error> {
        let ask = async {
            let info: Info = match self.fetch(Call::get("/v1/info")).await {
                Ok(info) => info,
                Err(error) if error.problem().is_some_and(|p| p.status == 404) => return Ok(None),
                Err(error) => return Err(error),
            };
            let (theirs, ours) = (info.now.timestamp(), SystemClock.now());
            Ok(Some(Server {
                partitions: info.partitions,
                ahead: theirs.since(ours),
                behind: ours.since(theirs),
            }))
        };
        self.known.get_or_try_init(|| ask).await.copied()
    }

    fn new_id(&self, server: Server, partition_key: Option<&str>) -> TaskId {
        let partition = match partition_key {
            Some(key) => policy::partition_of_key(key, server.partitions),
            None => {
                let any = self.entropy.next_u64() % u64::from(server.partitions.max(1));
                PartitionId(any as u16)
            }
        };
        let now = SystemClock.now() + server.ahead - server.behind;
        self.ids.next(now, partition, self.entropy.as_ref())
    }

    fn new_key(&self) -> String {
        format!("auto:{:032x}", self.entropy.next_u128())
    }
}
