use std::collections::BTreeMap;

use russet_core::{
    Idempotency, Named, PartitionId, Record, RecordKey, Timestamp, Window, Workflow, WorkflowId,
};

use crate::check::calls::{Item, Replied};
use crate::check::facts::{Commit, Facts};
use crate::check::findings::Findings;
use crate::check::names::partition_of_key;
use crate::check::timeline::Moment;
use crate::history::{Answer, Ask, Changed};

/// What a key names from an entry on.
#[derive(Clone, Copy)]
struct Holder {
    entry: usize,
    /// `None`: it is free.
    named: Option<Named>,
    window: Window,
    since: Timestamp,
}

/// What every key names, as the tasks say: not what the store's own records of keys say.
pub(super) struct Keys<'f, 'a> {
    facts: &'f Facts<'a>,
    holders: BTreeMap<(PartitionId, &'a str), Vec<Holder>>,
    workflows: BTreeMap<WorkflowId, &'a Workflow>,
}

impl<'f, 'a> Keys<'f, 'a> {
    pub fn new(facts: &'f Facts<'a>) -> Self {
        Self {
            facts,
            holders: BTreeMap::new(),
            workflows: BTreeMap::new(),
        }
    }

    pub fn commit(&mut self, commit: &Commit<'a>, findings: &mut Findings) {
        let changes = &commit.stored.changes;
        let moments = |change: &'a Changed| Moment::of(commit.entry, commit.at, change);
        for change in changes {
            match (&change.key, &change.before, &change.after) {
                (RecordKey::Task(id), ..) => {
                    for old in moments(change).filter_map(|moment| moment.forgotten()) {
                        self.free(commit, Named::Task(*id), old.idempotency.as_deref());
                    }
                }
                (RecordKey::Workflow(id), Some(Record::Workflow(old)), None) => {
                    self.free(commit, Named::Workflow(*id), old.idempotency.as_ref());
                }
                (RecordKey::Workflow(id), _, Some(Record::Workflow(new))) => {
                    self.workflows.insert(*id, new);
                }
                _ => {}
            }
        }
        for change in changes {
            if let (RecordKey::Workflow(id), None, Some(Record::Workflow(new))) =
                (&change.key, &change.before, &change.after)
                && let Some(known) = &new.idempotency
            {
                let named = Named::Workflow(*id);
                self.take(commit, known, named, new.created_at, findings);
            }
        }
        // One that ends as it is submitted leaves its key to the next, in the same commit.
        let mut tasks: Vec<_> = changes.iter().flat_map(moments).collect();
        let time = |moment: &Moment<'_>| {
            moment
                .after
                .map(|task| task.created_at.max(task.updated_at))
        };
        tasks.sort_by_key(|moment| {
            let is_live = moment.after.is_some_and(|task| !task.status.is_terminal());
            (time(moment), is_live)
        });
        for moment in &tasks {
            self.task(commit, moment, findings);
        }
    }

    fn task(&mut self, commit: &Commit<'a>, moment: &Moment<'a>, findings: &mut Findings) {
        if let Some(task) = moment.created() {
            if let Some(known) = task.idempotency.as_deref() {
                self.take(
                    commit,
                    known,
                    Named::Task(task.id),
                    task.created_at,
                    findings,
                );
            }
            return;
        }
        // Whoever comes back to life takes its key back when it named it while it lived.
        let Some(task) = moment.redriven() else {
            return;
        };
        let while_live = |known: &&Idempotency| known.window == Window::WhileLive;
        let own = task.idempotency.as_deref().filter(while_live);
        if let Some(known) = own {
            self.take(
                commit,
                known,
                Named::Task(task.id),
                task.updated_at,
                findings,
            );
        }
        let workflow = task
            .workflow
            .and_then(|id| self.workflows.get(&id).copied());
        let of_workflow =
            workflow.and_then(|workflow| workflow.idempotency.as_ref().filter(while_live));
        if let Some((known, workflow)) = of_workflow.zip(workflow) {
            self.take(
                commit,
                known,
                Named::Workflow(workflow.id),
                task.updated_at,
                findings,
            );
        }
    }

    /// A key names `named` from now on.
    fn take(
        &mut self,
        commit: &Commit<'a>,
        known: &'a Idempotency,
        named: Named,
        now: Timestamp,
        findings: &mut Findings,
    ) {
        let place = (commit.stored.partition, known.key.as_str());
        let before = self.holders.get(&place).and_then(|all| all.last()).copied();
        let other = before.and_then(|holder| holder.named.filter(|other| *other != named));
        if let Some((holder, other)) = before.zip(other)
            && self.holds(commit, &holder, other, now)
        {
            let what = format!(
                "key {} names {} and now also {}",
                known.key,
                text(other),
                text(named)
            );
            findings.add(what, &[holder.entry, commit.entry]);
        }
        self.holders.entry(place).or_default().push(Holder {
            entry: commit.entry,
            named: Some(named),
            window: known.window,
            since: now,
        });
    }

    /// Whether a key still names what it named.
    fn holds(&self, commit: &Commit<'_>, holder: &Holder, named: Named, now: Timestamp) -> bool {
        match (holder.window, named) {
            (Window::For(window), _) => now < holder.since + window,
            (Window::WhileLive, Named::Task(id)) => {
                let known = self
                    .facts
                    .tasks
                    .get(&id)
                    .and_then(|own| own.at(commit.entry));
                known.is_some_and(|task| !task.status.is_terminal())
            }
            (Window::WhileLive, Named::Workflow(id)) => self
                .workflows
                .get(&id)
                .is_some_and(|workflow| workflow.live() > 0),
        }
    }

    fn free(&mut self, commit: &Commit<'a>, named: Named, known: Option<&'a Idempotency>) {
        let Some(known) = known else {
            return;
        };
        let own = self
            .holders
            .entry((commit.stored.partition, known.key.as_str()))
            .or_default();
        if let Some(last) = own.last().copied().filter(|last| last.named == Some(named)) {
            own.push(Holder {
                entry: commit.entry,
                named: None,
                ..last
            });
        }
    }

    /// What was answered is what the key named between the question and the answer.
    pub fn answered(&self, item: &Item<'_>, replied: Replied<'_>, findings: &mut Findings) {
        let (key, own, answered) = match (item.ask, replied.answer) {
            (Ask::Submit(asked), Answer::Submitted { task: Some(id), .. }) => (
                asked.idempotency_key.as_deref(),
                asked.id.map(Named::Task),
                Named::Task(*id),
            ),
            (
                Ask::SubmitWorkflow(asked),
                Answer::Submitted {
                    workflow: Some(id), ..
                },
            ) => (
                asked.idempotency_key.as_deref(),
                asked.id.map(Named::Workflow),
                Named::Workflow(*id),
            ),
            _ => return,
        };
        let Some(key) = key.filter(|_| own != Some(answered)) else {
            return;
        };
        let place = (partition_of_key(key, self.facts.run.plan.partitions), key);
        let all = self.holders.get(&place).map_or(&[][..], Vec::as_slice);
        let start = all
            .partition_point(|holder| holder.entry <= item.asked)
            .saturating_sub(1);
        let mut during = all[start..]
            .iter()
            .filter(|holder| holder.entry <= replied.entry);
        if !during.any(|holder| holder.named == Some(answered)) {
            let what = format!(
                "{} was told that key {key} names {}, which it did not",
                item.who,
                text(answered)
            );
            findings.add(what, &item.shown_by());
        }
    }
}

fn text(named: Named) -> String {
    match named {
        Named::Task(id) => format!("task {id}"),
        Named::Workflow(id) => format!("workflow {id}"),
    }
}
