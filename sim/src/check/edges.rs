//! What tasks wait for.

use std::collections::BTreeMap;

use russet_core::{Dependency, Record, RecordKey, TaskId};

use super::facts::Facts;

/// What each task was submitted to wait for, by its id and the entry that made it.
pub(super) struct Edges(BTreeMap<(TaskId, usize), Vec<Dependency>>);

impl Edges {
    pub fn of(facts: &Facts<'_>) -> Self {
        let mut edges: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (id, moment) in facts.moments() {
            if let Some(task) = moment.created().filter(|task| task.dependencies.total > 0) {
                let own = task.dependencies.inline.to_vec();
                edges.insert((id, moment.entry), own);
            }
        }
        for commit in &facts.commits {
            for change in &commit.stored.changes {
                let (RecordKey::Dependencies(id, _), Some(Record::Dependencies(chunk))) =
                    (&change.key, &change.after)
                else {
                    continue;
                };
                let own = edges.entry((*id, commit.entry)).or_default();
                own.extend_from_slice(chunk);
            }
        }
        Self(edges)
    }

    pub fn of_task(&self, id: TaskId, created: usize) -> &[Dependency] {
        self.0.get(&(id, created)).map_or(&[], Vec::as_slice)
    }

    /// The tasks that wait for others, with the entries that made them.
    pub fn all(&self) -> impl Iterator<Item = (&(TaskId, usize), &Vec<Dependency>)> {
        self.0.iter()
    }

    pub fn entry_of(&self, id: TaskId) -> Option<usize> {
        let own = self.0.range((id, 0)..=(id, usize::MAX));
        own.map(|((_, entry), _)| *entry).next()
    }

    /// Tasks that wait for one another, the first repeated at the end.
    pub fn cycle(&self) -> Option<Vec<TaskId>> {
        let mut parents: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
        for ((id, _), edges) in &self.0 {
            let own = parents.entry(*id).or_default();
            own.extend(edges.iter().map(|edge| edge.task));
        }
        // Whether all that a task waits for has been looked at.
        let mut done: BTreeMap<TaskId, bool> = BTreeMap::new();
        for start in parents.keys() {
            let mut path = Vec::new();
            if done
                .insert(*start, done.get(start) == Some(&true))
                .is_none()
            {
                path.push((*start, 0));
            }
            while let Some((id, next)) = path.last_mut() {
                let own = parents.get(id).map_or(&[][..], Vec::as_slice);
                let Some(parent) = own.get(*next).copied() else {
                    done.insert(*id, true);
                    path.pop();
                    continue;
                };
                *next += 1;
                match done.get(&parent) {
                    Some(true) => {}
                    Some(false) => {
                        let ids = path.iter().map(|(id, _)| *id);
                        return Some(ids.skip_while(|id| *id != parent).chain([parent]).collect());
                    }
                    None => {
                        done.insert(parent, false);
                        path.push((parent, 0));
                    }
                }
            }
        }
        None
    }
}
