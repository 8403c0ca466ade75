//! What is decided together, and on what.

use russet_core::{Command, RecordKey, Timestamp, View, planted};

use super::Work;
use super::batch::{Batch, Group, Job};
use crate::{StoreError, Version, Versioned};

impl Work<'_> {
    pub(super) async fn decide(&self, open: &[Job]) -> Result<Batch, StoreError> {
        let configuration = &self.node.configuration;
        let recorder = configuration.recorder.as_deref();
        let store = &self.node.backend.store;
        let mut batch = Batch::new(View {
            partition: self.partition.id,
            partitions: Some(store.partitions()),
            split: !self.node.backend.queue.is_fused(),
            max_clock_skew: configuration.max_clock_skew,
            queue_defaults: configuration.queue_defaults.clone(),
            transaction: store.limits().transaction,
            epoch: store.epoch(self.partition.id),
            ..View::default()
        });
        if self.presumes {
            self.presume(&mut batch, open);
        }
        let mut missing: Vec<_> = open
            .iter()
            .flat_map(|job| self.commands[*job].reads())
            .collect();
        let relies = self.relies_on_queues(open);
        let mut jobs = open.to_vec();
        while !jobs.is_empty() {
            let mut keys = batch.unknown(missing.into_iter());
            if relies {
                keys = self.recall_queues(&mut batch, keys);
            }
            if !keys.is_empty() {
                let asked_at = self.node.clock.now();
                let records = store.get(self.partition.id, &keys).await?;
                self.note_queues(&keys, &records, asked_at);
                batch.load(keys, records);
            }
            let now = self.node.clock.now();
            (jobs, missing) = batch.decide(jobs, &self.commands, now, recorder);
        }
        Ok(batch)
    }

    /// Tasks that the node knows are presumed to be so still, and those to be submitted to be new.
    fn presume(&self, batch: &mut Batch, open: &[Job]) {
        for job in open {
            let command = &self.commands[*job];
            if let Command::Submit(submit) = command {
                let new = submit.tasks.iter().map(|task| RecordKey::Task(task.id));
                new.for_each(|key| batch.presume(key, None));
            }
            for key in command.reads() {
                if let RecordKey::Task(task) = key
                    && let Some(known) = self.partition.recent.get(task)
                {
                    batch.presume(key, Some(known));
                }
            }
        }
    }

    /// Whether a queue may be as it was read just before: not to change it.
    fn relies_on_queues(&self, open: &[Job]) -> bool {
        let configures = |job: &Job| matches!(self.commands[*job], Command::Configure(_));
        self.presumes && !open.iter().any(configures)
    }

    /// Queues that are remembered; the other keys are left.
    fn recall_queues(&self, batch: &mut Batch, keys: Vec<RecordKey>) -> Vec<RecordKey> {
        let now = self.node.clock.now();
        let is_unknown = |key: &RecordKey| {
            let RecordKey::Queue(queue) = key else {
                return true;
            };
            let known = self.partition.unlimited.get(queue, now);
            let Some(known) = known else {
                return true;
            };
            batch.load(vec![key.clone()], vec![known]);
            false
        };
        keys.into_iter().filter(is_unknown).collect()
    }

    fn note_queues(&self, keys: &[RecordKey], found: &[Option<Versioned>], asked_at: Timestamp) {
        if !self.partition.recent.is_kept() {
            return;
        }
        for (key, found) in keys.iter().zip(found) {
            if let RecordKey::Queue(queue) = key {
                let unlimited = &self.partition.unlimited;
                unlimited.note(queue, asked_at, found.clone());
            }
        }
    }

    /// Whether all that was presumed is so, as far as no commit of `groups` compares it.
    pub(super) async fn is_as_presumed(
        &self,
        batch: &Batch,
        groups: &[Group],
    ) -> Result<bool, StoreError> {
        let (keys, versions) = batch.unbacked(groups);
        if keys.is_empty() || planted!(PresumedIsTrue) {
            return Ok(true);
        }
        self.are_so(&keys, &versions).await
    }

    /// Whether records have these versions now.
    async fn are_so(
        &self,
        keys: &[RecordKey],
        versions: &[Option<Version>],
    ) -> Result<bool, StoreError> {
        let store = &self.node.backend.store;
        let now = store.get(self.partition.id, keys).await?;
        let now = now.iter().map(|known| known.as_ref().map(|k| k.version));
        Ok(now.eq(versions.iter().copied()))
    }

    /// Forgets what was presumed: some of it is not so.
    pub(super) fn doubt(&self, batch: &Batch) {
        self.partition.recent.forget(batch.presumed());
    }

    /// Records that contradict one another were loaded one after the other, and changed
    /// meanwhile: then they are other records now, and the command is decided again.
    ///
    /// # Panics
    /// When all of them are as they were: an invariant is broken.
    pub(super) async fn stand_or_fall(&self, batch: &Batch) -> Result<(), StoreError> {
        let Some(why) = &batch.contradiction else {
            return Ok(());
        };
        let (keys, versions) = batch.versions();
        let same = self.are_so(&keys, &versions).await?;
        assert!(!same, "broken invariant: {why}");
        tracing::debug!(why, "records changed while they were loaded");
        Ok(())
    }
}
