//! A store in memory that does what an engine does: it loads what a command asks for, decides,
//! and applies the writes.

use std::collections::BTreeMap;

use russet_core::{
    Command, Decision, Record, RecordKey, Rejection, Task, TaskId, Timestamp, Undecided, View,
    Workflow, WorkflowId, decide,
};

/// A decision that asks for records more often than this makes a slow engine.
const MOST_LOADS: usize = 7;

/// One partition of a store.
pub struct Partition {
    /// The view without records.
    settings: View,
    pub records: BTreeMap<RecordKey, Record>,
}

impl Partition {
    pub fn new(settings: View) -> Self {
        Self {
            settings,
            records: BTreeMap::new(),
        }
    }

    /// Decides `command`; also gives the view that it was decided on.
    pub fn decide(&self, command: &Command, now: Timestamp) -> (View, Result<Decision, Rejection>) {
        match self.try_to_decide(command, now) {
            (view, Ok(decision)) => (view, Ok(decision)),
            (view, Err(Undecided::Rejected(rejection))) => (view, Err(rejection)),
            (_, Err(undecided)) => panic!("broken invariant: {undecided:?}"),
        }
    }

    /// As [`Self::decide`], and also says when records contradict one another.
    pub fn try_to_decide(
        &self,
        command: &Command,
        now: Timestamp,
    ) -> (View, Result<Decision, Undecided>) {
        let mut view = self.settings.clone();
        let mut wanted = command.reads();
        for _ in 0..MOST_LOADS {
            for key in wanted {
                let record = self.records.get(&key).cloned();
                view.records.insert(key, record);
            }
            match decide(&view, command, now) {
                Err(Undecided::Missing(keys)) => {
                    let news = keys.iter().all(|key| !view.records.contains_key(key));
                    assert!(news && !keys.is_empty(), "asks for what it has: {keys:?}");
                    wanted = keys;
                }
                done => return (view, done),
            }
        }
        panic!(
            "{} asks for records more than {MOST_LOADS} times",
            command.name()
        );
    }

    pub fn commit(&mut self, decision: &Decision) {
        for write in &decision.writes {
            match &write.record {
                Some(record) => self.records.insert(write.key.clone(), record.clone()),
                None => self.records.remove(&write.key),
            };
        }
    }

    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.records.values().filter_map(|record| match record {
            Record::Task(task) => Some(&**task),
            _ => None,
        })
    }

    pub fn workflow(&self, id: WorkflowId) -> Option<&Workflow> {
        match self.records.get(&RecordKey::Workflow(id)) {
            Some(Record::Workflow(workflow)) => Some(workflow),
            _ => None,
        }
    }

    pub fn task(&self, id: TaskId) -> Option<&Task> {
        match self.records.get(&RecordKey::Task(id)) {
            Some(Record::Task(task)) => Some(task),
            _ => None,
        }
    }
}
