use std::time::Duration;

use super::{TaskSpec, Workflow};

/// The chain of dependencies that takes longest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CriticalPath {
    /// Positions in [`Workflow::tasks`], in the order they run.
    pub tasks: Vec<usize>,
    /// Sum of their known run times.
    pub run_time: Duration,
}

/// Takes linear time and never recurses. A task of unknown run time counts as zero.
impl Workflow {
    /// Sum of all known run times: the time that one worker needs.
    pub fn total_run_time(&self) -> Duration {
        self.tasks.iter().filter_map(TaskSpec::run_time).sum()
    }

    /// Number of dependencies.
    pub fn edges(&self) -> usize {
        self.tasks.iter().map(|task| task.depends_on.len()).sum()
    }

    /// Most dependencies of one task.
    pub fn widest_fan_in(&self) -> usize {
        let sizes = self.tasks.iter().map(|task| task.depends_on.len());
        sizes.max().unwrap_or(0)
    }

    /// Positions such that every task comes after what it depends on; among the ready ones, in file order.
    pub fn order(&self) -> Vec<usize> {
        let dependents = self.dependents();
        let mut missing: Vec<usize> = self
            .tasks
            .iter()
            .map(|task| task.depends_on.len())
            .collect();
        let roots = (0..self.tasks.len()).filter(|&task| missing[task] == 0);
        let mut order: Vec<usize> = roots.collect();
        let mut next = 0;
        while let Some(&task) = order.get(next) {
            next += 1;
            for &dependent in &dependents[task] {
                missing[dependent] -= 1;
                if missing[dependent] == 0 {
                    order.push(dependent);
                }
            }
        }
        order
    }

    /// For each task the run time of the longest chain that starts with it, its own included.
    pub fn longest_remaining_path(&self) -> Vec<Duration> {
        let remaining = self.remaining();
        remaining.into_iter().map(|chain| chain.run_time).collect()
    }

    /// The chain of the longest run time; of equals the one with most tasks, then the earliest in the file.
    pub fn critical_path(&self) -> CriticalPath {
        let remaining = self.remaining();
        let mut tasks = Vec::new();
        let mut next = first_longest(&remaining, 0..self.tasks.len());
        let run_time = next.map_or(Duration::ZERO, |first| remaining[first].run_time);
        while let Some(task) = next {
            tasks.push(task);
            next = remaining[task].next;
        }
        CriticalPath { tasks, run_time }
    }

    /// For each task the positions of those that depend on it.
    pub fn dependents(&self) -> Vec<Vec<usize>> {
        let mut dependents = vec![Vec::new(); self.tasks.len()];
        for (index, task) in self.tasks.iter().enumerate() {
            for dependency in &task.depends_on {
                dependents[dependency.task].push(index);
            }
        }
        dependents
    }

    fn remaining(&self) -> Vec<Chain> {
        let dependents = self.dependents();
        let mut chains = vec![Chain::default(); self.tasks.len()];
        for &task in self.order().iter().rev() {
            let next = first_longest(&chains, dependents[task].iter().copied());
            let rest = next.map(|next| chains[next]).unwrap_or_default();
            let own = self.tasks[task].run_time().unwrap_or_default();
            chains[task] = Chain {
                run_time: own + rest.run_time,
                length: rest.length + 1,
                next,
            };
        }
        chains
    }
}

/// The longest chain that starts with a task.
#[derive(Debug, Clone, Copy, Default)]
struct Chain {
    run_time: Duration,
    length: usize,
    next: Option<usize>,
}

fn first_longest(chains: &[Chain], among: impl Iterator<Item = usize>) -> Option<usize> {
    let rank = |task: usize| (chains[task].run_time, chains[task].length);
    among.reduce(|best, task| if rank(task) > rank(best) { task } else { best })
}

/// Circles of dependencies: none if the tasks can be ordered, else at least one of every knot of circles.
/// No task is in two of them. Each starts with its earliest task, and each task waits for the next.
pub fn cycles(tasks: &[TaskSpec]) -> Vec<Vec<usize>> {
    let mut search = Search {
        tasks,
        marks: vec![Mark::New; tasks.len()],
        path: Vec::new(),
        reported: Vec::new(),
        found: Vec::new(),
    };
    for root in 0..tasks.len() {
        search.walk_from(root);
    }
    search.found
}

#[derive(Debug, Clone, Copy)]
enum Mark {
    New,
    /// At this position of the path.
    OnPath(usize),
    Done,
}

/// A depth-first search with its own stack.
struct Search<'a> {
    tasks: &'a [TaskSpec],
    marks: Vec<Mark>,
    /// Tasks from the root to the current one, each with its next dependency to look at.
    path: Vec<(usize, usize)>,
    /// First and last position on the path of what is there of circles already found, disjoint and ascending.
    reported: Vec<(usize, usize)>,
    found: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn walk_from(&mut self, root: usize) {
        if matches!(self.marks[root], Mark::New) {
            self.enter(root);
        }
        while let Some((task, edge)) = self.path.last_mut() {
            let Some(dependency) = self.tasks[*task].depends_on.get(*edge) else {
                self.leave();
                continue;
            };
            *edge += 1;
            match self.marks[dependency.task] {
                Mark::New => self.enter(dependency.task),
                Mark::OnPath(start) => self.report(start),
                Mark::Done => {}
            }
        }
    }

    fn enter(&mut self, task: usize) {
        self.marks[task] = Mark::OnPath(self.path.len());
        self.path.push((task, 0));
    }

    fn leave(&mut self) {
        if let Some((task, _)) = self.path.pop() {
            self.marks[task] = Mark::Done;
        }
        let left = self.path.len();
        self.reported.pop_if(|(start, _)| *start >= left);
        if let Some((_, last)) = self.reported.last_mut() {
            *last = left.saturating_sub(1).min(*last);
        }
    }

    /// The path from `start` on is a circle. One that touches a reported circle is left out, so that the whole
    /// search stays linear.
    fn report(&mut self, start: usize) {
        if self.reported.last().is_some_and(|(_, last)| *last >= start) {
            return;
        }
        self.reported.push((start, self.path.len() - 1));
        let mut cycle: Vec<usize> = self.path[start..].iter().map(|(task, _)| *task).collect();
        let earliest = (0..cycle.len()).min_by_key(|&at| cycle[at]).unwrap_or(0);
        cycle.rotate_left(earliest);
        self.found.push(cycle);
    }
}

#[cfg(test)]
mod tests;
