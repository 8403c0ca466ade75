//! Comparing what is stored with what the oracle expects.

use std::collections::BTreeMap;

use russet_core::{
    Decision, End, IdempotencyKey, MessageId, Named, Record, Rejection, Reply, Status,
};

use super::{Answer, Expected, Job, Mail, Oracle};
use crate::store::Partition;

impl Oracle {
    /// Panics unless the command came to what it must come to, and what is stored is what must
    /// be stored.
    pub fn agrees(
        &self,
        partition: usize,
        stored: &Partition,
        expected: &Expected,
        result: &Result<Decision, Rejection>,
    ) {
        match (expected, result) {
            (Ok(Answer::Exactly(expected)), Ok(decision)) => {
                assert_eq!(
                    &decision.reply, expected,
                    "the reply (left) is not the oracle's"
                );
            }
            (Ok(Answer::Leased), Ok(decision)) => match &decision.reply {
                Reply::Leased(task) => assert_eq!(stored.task(task.id), Some(&**task)),
                other => panic!("the oracle expects a lease, not {other:?}"),
            },
            (Ok(Answer::Redriven(expected)), Ok(decision)) => {
                let Reply::Redriven { tasks } = &decision.reply else {
                    panic!("the oracle expects a redrive, not {:?}", decision.reply)
                };
                let tasks = tasks.iter().map(|task| match task {
                    Ok(status) => Ok(*status),
                    Err(rejection) => Err(rejection.code()),
                });
                let tasks: Vec<_> = tasks.collect();
                assert_eq!(&tasks, expected, "the redrive (left) is not the oracle's");
            }
            (Ok(Answer::Staged(_)), Ok(decision)) => {
                let staged = matches!(decision.reply, Reply::Staged(_));
                assert!(staged, "pieces are missing: {:?}", decision.reply);
            }
            (Ok(Answer::WentOn), Ok(decision)) => {
                let fired = matches!(decision.reply, Reply::Fired { relay: None, .. });
                assert!(fired, "the gate is due: {:?}", decision.reply);
            }
            (Err(code), Err(rejection)) => {
                assert_eq!(
                    rejection.code(),
                    *code,
                    "the refusal (left) is not the oracle's"
                );
            }
            (expected, result) => panic!("the oracle expects {expected:?}, not {result:?}"),
        }
        let here = |job: &&Job| !job.gone && usize::from(job.asked.id.partition().0) == partition;
        let mut jobs = self.jobs.values().filter(here);
        let hidden = |task: &&russet_core::Task| {
            task.workflow
                .is_some_and(|id| self.closed.contains_key(&id))
        };
        for task in stored.tasks().filter(|task| !hidden(task)) {
            let Some(job) = jobs.next() else {
                panic!("{} is stored, which the oracle does not know", task.id);
            };
            assert_eq!(task.id, job.asked.id);
            self.agree_on(job, task);
        }
        assert_eq!(jobs.next().map(|job| job.asked.id), None, "a task is lost");
        self.agree_on_the_rest(partition, stored);
    }

    fn agree_on(&self, job: &Job, task: &russet_core::Task) {
        macro_rules! same {
            ($($field:literal: $stored:expr, $expected:expr;)*) => {
                $(assert_eq!($stored, $expected, "{} of {} is not the oracle's", $field, task.id);)*
            };
        }
        same! {
            "status": task.status, job.status;
            "attempt": task.attempt, job.attempts;
            "retry_count": task.retry_count, job.retries;
            "created_at": task.created_at, job.created;
            "updated_at": task.updated_at, job.updated;
            "scheduled_at": task.scheduled_at, job.start;
            "expires_at": task.expires_at, job.expires;
            "completed_at": task.completed_at, job.completed;
            "due_at": task.due_at, self.due(job);
            "lease": task.lease.as_deref(), job.lease.as_ref();
            "cancel_requested": task.cancel_requested, job.cancelling;
            "pending": task.dependencies.pending as usize, job.awaits.len() + usize::from(job.gated);
            "dependencies": task.dependencies.total as usize, job.asked.dependencies.len();
            "last_error": task.last_error.as_ref().map(|error| error.kind), job.error;
            "result": task.result.as_deref(), job.result.as_ref();
            "progress": task.progress.as_deref(), job.progress.as_ref();
            "workflow": task.workflow, job.workflow;
            "unsent": task.unsent, job.unsent;
            "payload": &task.payload, &job.asked.payload;
        }
        if task.status.is_terminal() {
            assert_eq!(
                task.purge_at, job.purge,
                "purge_at of {} is not the oracle's",
                task.id
            );
        }
    }

    fn agree_on_the_rest(&self, partition: usize, stored: &Partition) {
        let (mut mail, mut names) = (BTreeMap::new(), BTreeMap::new());
        for record in stored.records.iter() {
            match record {
                (russet_core::RecordKey::Outbox(id), Record::Outbox(outbox)) => {
                    let outbox = Mail {
                        message: outbox.message,
                        tries: outbox.tries,
                        due: outbox.due_at,
                    };
                    mail.insert(*id, outbox);
                }
                (russet_core::RecordKey::Dedup(key), Record::Dedup(dedup)) => {
                    names.insert(key.clone(), (dedup.named, dedup.created_at));
                }
                (_, Record::Workflow(workflow)) if workflow.is_accepted() => {
                    self.agree_on_flow(workflow);
                }
                (_, Record::Workflow(workflow)) => {
                    assert!(self.closed.contains_key(&workflow.id), "{}", workflow.id);
                }
                (_, Record::Queue(queue)) => {
                    let known = self.queues.get(&(partition, queue.name.clone()));
                    assert_eq!(
                        Some(&queue.config),
                        known,
                        "a configuration is not the oracle's"
                    );
                }
                (_, Record::Leader(leader)) => {
                    assert_eq!(self.leaders.get(&partition), Some(leader));
                }
                _ => {}
            }
        }
        let here = self.mail.iter().filter(|((at, _), _)| *at == partition);
        let expected: BTreeMap<MessageId, Mail> =
            here.map(|((_, id), mail)| (*id, mail.clone())).collect();
        assert_eq!(mail, expected, "the outbox (left) is not the oracle's");
        let here = self.names.iter().filter(|((at, _), _)| *at == partition);
        let expected: BTreeMap<IdempotencyKey, (Named, _)> = here
            .map(|((_, key), name)| (key.clone(), (name.named, name.created)))
            .collect();
        assert_eq!(names, expected, "what keys name (left) is not the oracle's");
    }

    fn agree_on_flow(&self, stored: &russet_core::Workflow) {
        let Some(flow) = self.flows.get(&stored.id) else {
            panic!("{} is stored, which the oracle does not know", stored.id);
        };
        let count = |is: &dyn Fn(&Job) -> bool| -> u32 {
            let members = self.members(stored.id).filter(|job| is(job));
            members.count().try_into().expect("a small number")
        };
        let counted = (
            count(&|_| true),
            count(&|job| job.status == Status::Succeeded),
            count(&|job| job.status == Status::Dead),
            count(&|job| job.status == Status::Cancelled),
            count(&|job| job.end() == Some(End::NotNeeded)),
            count(&|job| job.gone),
        );
        let kept = (
            stored.tasks,
            stored.succeeded,
            stored.dead,
            stored.cancelled,
            stored.not_needed,
            stored.purged,
        );
        assert_eq!(
            kept, counted,
            "the counters (left) of {} are wrong",
            stored.id
        );
        assert_eq!(stored.created_at, flow.created);
        // Tasks that end in one decision may do so at different times of their own.
        let ended = self.members(stored.id).all(|job| job.status.is_terminal());
        let at_an_end = self
            .members(stored.id)
            .any(|job| job.completed == stored.completed_at);
        assert!(
            stored.completed_at.is_some() == ended && (!ended || at_an_end),
            "{}",
            stored.id
        );
    }
}
