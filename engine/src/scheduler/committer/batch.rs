//! Commands decided together on one view, and cut into independent transactions.

use std::collections::BTreeMap;

use russet_core::{
    Command, Decision, Record, RecordKey, Rejection, TaskId, Timestamp, TransactionLimit,
    Undecided, View, decide,
};
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::{Change, Entropy, Recorded, Recorder, Transaction, Version, Versioned};

/// A position in the list of commands that is being worked on.
pub(super) type Job = usize;

/// What is known while a batch is decided.
pub(super) struct Batch {
    pub view: View,
    loaded: FxHashMap<RecordKey, Option<Versioned>>,
    /// What among it was not loaded, but known or thought to be so.
    presumed: Vec<RecordKey>,
    pub decided: Vec<(Job, Decision)>,
    pub rejected: Vec<(Job, Rejection)>,
    /// Why a command could not be decided: records contradict one another.
    pub contradiction: Option<String>,
}

/// Commands that stand or fall together.
pub(super) struct Group {
    /// Positions in [`Batch::decided`].
    pub members: Vec<usize>,
    pub transaction: Transaction,
}

impl Group {
    /// Whether one transaction can change all of it.
    pub fn fits(&self, limit: &TransactionLimit) -> bool {
        let changes = &self.transaction.changes;
        let weight = |change: &Change| change.after.as_ref().map_or(0, Record::weight);
        let bytes = match limit.bounds_bytes() {
            true => changes.iter().map(weight).sum(),
            false => 0,
        };
        limit.admits(changes.len(), bytes)
    }

    /// The records that it changes.
    pub fn changed(&self) -> impl Iterator<Item = &RecordKey> {
        self.transaction.changes.iter().map(|change| &change.key)
    }
}

impl Batch {
    pub fn new(view: View) -> Self {
        Self {
            view,
            loaded: FxHashMap::default(),
            presumed: Vec::new(),
            decided: Vec::new(),
            rejected: Vec::new(),
            contradiction: None,
        }
    }

    /// The keys among `keys` that are not loaded yet, each once.
    pub fn unknown(&self, keys: impl Iterator<Item = RecordKey>) -> Vec<RecordKey> {
        let mut asked = FxHashSet::default();
        keys.filter(|key| !self.loaded.contains_key(key) && asked.insert(key.clone()))
            .collect()
    }

    pub fn load(&mut self, keys: Vec<RecordKey>, records: Vec<Option<Versioned>>) {
        self.loaded.reserve(keys.len());
        for (key, record) in keys.into_iter().zip(records) {
            let known = record.as_ref().map(|versioned| versioned.record.clone());
            self.view.records.insert(key.clone(), known);
            self.loaded.insert(key, record);
        }
    }

    /// Goes on as if this record had been loaded; see [`Self::unbacked`].
    pub fn presume(&mut self, key: RecordKey, record: Option<Versioned>) {
        self.load(vec![key.clone()], vec![record]);
        self.presumed.push(key);
    }

    /// The tasks that were presumed to be there.
    pub fn presumed(&self) -> impl Iterator<Item = TaskId> {
        self.presumed.iter().filter_map(|key| match key {
            RecordKey::Task(task) => Some(*task),
            _ => None,
        })
    }

    /// Decides as many of `jobs` as what is loaded allows, in order, each on the outcome of
    /// those before; returns the others and what they still need.
    pub fn decide(
        &mut self,
        jobs: Vec<Job>,
        commands: &[Command],
        now: Timestamp,
        recorder: Option<&dyn Recorder>,
    ) -> (Vec<Job>, Vec<RecordKey>) {
        let (mut later, mut missing) = (Vec::new(), Vec::new());
        for job in jobs {
            match decide(&self.view, &commands[job], now) {
                Ok(decision) => {
                    if let Some(recorder) = recorder {
                        let (view, command) = (&self.view, &commands[job]);
                        recorder.record(Recorded::new(view, command, now, &decision));
                    }
                    self.view.apply(&decision.writes);
                    self.decided.push((job, decision));
                }
                Err(Undecided::Rejected(rejection)) => self.rejected.push((job, rejection)),
                Err(Undecided::Missing(keys)) => {
                    missing.extend(keys);
                    later.push(job);
                }
                Err(Undecided::Contradiction(why)) => self.contradiction = Some(why),
            }
        }
        (later, missing)
    }

    /// What was presumed, and its version, where an answer rests on it and the commit of `groups`
    /// would not notice that it is otherwise.
    pub fn unbacked(&self, groups: &[Group]) -> (Vec<RecordKey>, Vec<Option<Version>>) {
        if self.presumed.is_empty() {
            return Default::default();
        }
        let presumed: FxHashSet<&RecordKey> = self.presumed.iter().collect();
        let mut compared: FxHashMap<&RecordKey, usize> = FxHashMap::default();
        for (at, group) in groups.iter().enumerate() {
            let changed = group.changed().filter(|key| presumed.contains(key));
            compared.extend(changed.map(|key| (key, at)));
        }
        let mut unbacked = FxHashSet::default();
        for (at, group) in groups.iter().enumerate() {
            let members = group.members.iter();
            let read = members.flat_map(|at| &self.decided[*at].1.reads);
            let elsewhere = |key: &RecordKey| compared.get(key) != Some(&at);
            unbacked.extend(read.filter(|key| presumed.contains(key) && elsewhere(key)));
        }
        // A refusal does not say what it rests on.
        if !self.rejected.is_empty() {
            unbacked.extend(presumed.iter().filter(|key| !compared.contains_key(*key)));
        }
        let version = |key| Some(self.loaded.get(key)?.as_ref()?.version);
        unbacked
            .into_iter()
            .map(|key: &RecordKey| (key.clone(), version(key)))
            .unzip()
    }

    /// Everything that is loaded, with the versions that it had.
    pub fn versions(&self) -> (Vec<RecordKey>, Vec<Option<Version>>) {
        let version = |known: &Option<Versioned>| known.as_ref().map(|known| known.version);
        let loaded = self.loaded.iter();
        loaded
            .map(|(key, known)| (key.clone(), version(known)))
            .unzip()
    }

    /// Cuts the decisions into transactions: a decision stands with those whose writes it
    /// read or wrote over.
    pub fn groups(&self, entropy: &dyn Entropy) -> Vec<Group> {
        let mut sets = Sets::new(self.decided.len());
        let mut writers: FxHashMap<&RecordKey, usize> =
            FxHashMap::with_capacity_and_hasher(self.decided.len() * 2, FxBuildHasher);
        for (at, (_, decision)) in self.decided.iter().enumerate() {
            for key in &decision.reads {
                if let Some(writer) = writers.get(key) {
                    sets.join(*writer, at);
                }
            }
            for write in &decision.writes {
                if let Some(writer) = writers.insert(&write.key, at) {
                    sets.join(writer, at);
                }
            }
        }
        let mut groups: Vec<Vec<usize>> = Vec::with_capacity(self.decided.len());
        let mut group_of = vec![0; self.decided.len()];
        for at in 0..self.decided.len() {
            let root = sets.find(at);
            if root == at {
                group_of[at] = groups.len();
                groups.push(vec![at]);
            } else {
                groups[group_of[root]].push(at);
            }
        }
        let groups = groups.into_iter();
        groups
            .map(|members| self.group(members, Version(entropy.next_u64())))
            .collect()
    }

    /// A record that tells whether the group's transaction happened: it has its version then,
    /// unless the transaction only removed records.
    pub fn mark(&self, group: &[usize]) -> RecordKey {
        let writes = group
            .iter()
            .rev()
            .flat_map(|at| &self.decided[*at].1.writes);
        let mut seen = FxHashSet::default();
        let mut last = writes.filter(|write| seen.insert(&write.key)).peekable();
        let any = last.peek().map(|write| write.key.clone());
        let kept = last.find(|write| write.record.is_some());
        match kept.map(|write| write.key.clone()).or(any) {
            Some(key) => key,
            None => panic!("broken invariant: a transaction that changes nothing was committed"),
        }
    }

    /// As many of a group's first members as change at most what a transaction may, one at least:
    /// they stand on nothing that the others do.
    pub fn first_of(&self, group: &Group, limit: &TransactionLimit) -> Group {
        let mut changed: FxHashMap<&RecordKey, usize> = FxHashMap::default();
        let mut bytes = 0;
        let fits = |at: &&usize| {
            for write in &self.decided[**at].1.writes {
                let weight = write.record.as_ref().map_or(0, Record::weight);
                bytes = bytes + weight - changed.insert(&write.key, weight).unwrap_or(0);
            }
            limit.admits(changed.len(), bytes)
        };
        let fitting = group.members.iter().take_while(fits).count().max(1);
        let members = group.members[..fitting].to_vec();
        self.group(members, group.transaction.version)
    }

    fn group(&self, members: Vec<usize>, version: Version) -> Group {
        let changes = match members.as_slice() {
            [only] => {
                let writes = self.decided[*only].1.writes.iter();
                writes
                    .filter_map(|w| self.change(&w.key, w.record.as_ref()))
                    .collect()
            }
            several => {
                let writes = several.iter().flat_map(|at| &self.decided[*at].1.writes);
                let last: BTreeMap<_, _> = writes.map(|w| (&w.key, w.record.as_ref())).collect();
                last.into_iter()
                    .filter_map(|(key, after)| self.change(key, after))
                    .collect()
            }
        };
        Group {
            members,
            transaction: Transaction {
                epoch: self.view.epoch,
                version,
                changes,
            },
        }
    }

    fn change(&self, key: &RecordKey, after: Option<&Record>) -> Option<Change> {
        let before = self.loaded.get(key).cloned().flatten();
        (before.is_some() || after.is_some()).then(|| Change {
            key: key.clone(),
            before,
            after: after.cloned(),
        })
    }
}

/// Disjoint sets of positions; a set is named by its lowest member.
struct Sets(Vec<usize>);

impl Sets {
    fn new(len: usize) -> Self {
        Self((0..len).collect())
    }

    fn find(&mut self, at: usize) -> usize {
        let mut root = at;
        while self.0[root] != root {
            self.0[root] = self.0[self.0[root]];
            root = self.0[root];
        }
        root
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b)] = a.min(b);
    }
}
