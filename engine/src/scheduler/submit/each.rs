//! Many tasks that stand each by themselves.

use std::collections::BTreeSet;

use russet_core::{Command, NewTask, PartitionId, Submit, TaskId, cycles_among, waves_among};

use super::{Submitted, submitted};
use crate::scheduler::Scheduler;
use crate::scheduler::intake::Answer;
use crate::{EngineError, StoreError, limits};

type Results = Vec<Result<Submitted, EngineError>>;

/// A task, and its position in the batch.
type Placed = (usize, NewTask);

impl Scheduler {
    /// Submits many tasks that stand each by themselves; one result for each, in order. A task that
    /// depends on others of them in other partitions is submitted after those, unless one of them
    /// could not be.
    pub async fn submit_each(&self, tasks: Vec<NewTask>) -> Vec<Result<Submitted, EngineError>> {
        let (waves, mut batch) = divide(tasks);
        let late = self.node.clock.now() + limits::STORE_PATIENCE;
        for (number, wave) in waves.into_iter().enumerate() {
            let is_late = number > 0 && self.node.clock.now() >= late;
            let ready = batch.admit(wave, is_late);
            let places: Vec<_> = ready.iter().map(|(at, task)| (*at, task.id)).collect();
            let answers = self
                .node
                .call_each(ready.into_iter().map(command).collect());
            batch.note(places, answers.await);
        }
        batch.results
    }
}

/// What is known of a batch.
struct Batch {
    results: Results,
    /// Tasks that may be there later, and are not yet.
    missing: BTreeSet<TaskId>,
}

impl Batch {
    /// Those of a wave that can be submitted now. For the others something is missing: they would
    /// be let down by what may be there a moment later.
    fn admit(&mut self, wave: Vec<Placed>, is_late: bool) -> Vec<Placed> {
        let mut ready = Vec::with_capacity(wave.len());
        for (at, task) in wave {
            let mut parents = task.dependencies.iter().map(|edge| edge.task);
            if is_late || parents.any(|parent| self.missing.contains(&parent)) {
                self.missing.insert(task.id);
                let why =
                    "a task of the batch that it depends on is not there yet: send both again";
                let why = why.to_owned();
                self.results[at] = Err(StoreError::Unavailable { why }.into());
            } else {
                ready.push((at, task));
            }
        }
        ready
    }

    fn note(&mut self, places: Vec<(usize, TaskId)>, answers: Vec<Answer>) {
        for ((at, id), answer) in places.into_iter().zip(answers) {
            let result = submitted(answer);
            let is_certain = matches!(&result, Ok(_) | Err(EngineError::Rejected(_)));
            if !is_certain {
                self.missing.insert(id);
            }
            self.results[at] = result;
        }
    }
}

/// Divides tasks into waves; those of a circle are refused.
fn divide(tasks: Vec<NewTask>) -> (Vec<Vec<Placed>>, Batch) {
    let mut refused = cycles_among(&tasks);
    let numbers = waves_among(&tasks);
    let last = numbers.iter().copied().max().unwrap_or(0);
    let mut waves: Vec<Vec<Placed>> = (0..=last).map(|_| Vec::new()).collect();
    let mut results = Results::with_capacity(tasks.len());
    for (at, task) in tasks.into_iter().enumerate() {
        match refused.remove(&at) {
            Some(cycle) => results.push(Err(cycle.into())),
            None => {
                waves[numbers[at]].push((at, task));
                results.push(Err(EngineError::Stopping));
            }
        }
    }
    let missing = BTreeSet::new();
    (waves, Batch { results, missing })
}

fn command((_, task): Placed) -> (PartitionId, Command) {
    let (partition, workflow, tasks) = (task.id.partition(), None, vec![task]);
    (partition, Command::Submit(Submit { workflow, tasks }))
}
