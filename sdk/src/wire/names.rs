//! Tasks of one submission that name one another.

use std::collections::{BTreeMap, BTreeSet};

use russet_core::{Dependency, NewTask, Rejection, TaskId};

use super::submit::SubmitTask;
use crate::limits;

/// The tasks as `core` takes them, the one at `n` under the id `id(n)`; `field` is the list's
/// name in errors.
pub(super) fn resolve(
    field: &str,
    tasks: Vec<SubmitTask>,
    id: impl Fn(usize) -> TaskId,
) -> Result<Vec<NewTask>, Rejection> {
    let names = names(field, &tasks)?;
    let mut edges = Vec::with_capacity(tasks.len());
    for (at, task) in tasks.iter().enumerate() {
        let within = |rejection: Rejection| rejection.within(&format!("{field}[{at}]"));
        edges.push(named(task, &names, &id).map_err(within)?);
    }
    let built = tasks.into_iter().zip(edges).enumerate();
    built
        .map(|(at, (task, edges))| {
            let within = |rejection: Rejection| rejection.within(&format!("{field}[{at}]"));
            task.build(id(at), edges).map_err(within)
        })
        .collect()
}

/// Where each name stands.
fn names(field: &str, tasks: &[SubmitTask]) -> Result<BTreeMap<String, usize>, Rejection> {
    let mut names = BTreeMap::new();
    for (at, task) in tasks.iter().enumerate() {
        let Some(name) = &task.name else { continue };
        if let Some(first) = names.insert(name.clone(), at) {
            return Err(Rejection::invalid(
                format!("{field}[{at}].name"),
                format!("{name:?} is the name of {field}[{first}] too"),
                "a name of its own for each task",
            ));
        }
    }
    Ok(names)
}

fn named(
    task: &SubmitTask,
    names: &BTreeMap<String, usize>,
    id: impl Fn(usize) -> TaskId,
) -> Result<Vec<Dependency>, Rejection> {
    let mut seen = BTreeSet::new();
    let twice = task
        .depends_on
        .iter()
        .position(|edge| !seen.insert(&edge.task));
    if let Some(n) = twice {
        return Err(Rejection::invalid(
            format!("depends_on[{n}]"),
            format!("{:?} is named twice", task.depends_on[n].task),
            "each task at most once",
        ));
    }
    let resolve = |(n, edge): (usize, &super::DependsOn)| match names.get(&edge.task) {
        Some(at) => Ok(Dependency {
            task: id(*at),
            on: edge.on,
        }),
        None => Err(Rejection::invalid(
            format!("depends_on[{n}]"),
            format!(
                "there is no task {:?} here{}",
                edge.task,
                suggestion(&edge.task, names.keys())
            ),
            "the name of another task of the same submission",
        )),
    };
    task.depends_on.iter().enumerate().map(resolve).collect()
}

/// What the writer of `unknown` may have meant.
fn suggestion<'a>(unknown: &str, known: impl Iterator<Item = &'a String>) -> String {
    let near = nearest(unknown, known.map(String::as_str));
    if near.is_empty() {
        return String::new();
    }
    let names: Vec<_> = near.iter().map(|name| format!("{name:?}")).collect();
    format!(": did you mean {}?", names.join(" or "))
}

/// The names that `unknown` is close to, or the beginning of; the closest first.
pub(super) fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let most = limits::SUGGESTION_DISTANCE.min(unknown.chars().count() / 2);
    let is_start = |name: &str| unknown.len() >= 3 && name.starts_with(unknown);
    let near = known.map(|name| (distance(unknown, name), name));
    let mut near: Vec<_> = near
        .filter(|(changes, name)| *changes <= most || is_start(name))
        .collect();
    near.sort_unstable();
    let near = near.into_iter().map(|(_, name)| name);
    near.take(limits::SUGGESTIONS).collect()
}

/// How many characters to add, remove or replace to turn one text into the other
/// (Levenshtein), or more than [`limits::SUGGESTION_DISTANCE`] when that is certain.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<_>, Vec<_>) = (from.chars().collect(), to.chars().collect());
    if from.len().abs_diff(to.len()) > limits::SUGGESTION_DISTANCE {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use russet_core::Invalid;

    use super::super::DependsOn;
    use super::*;

    fn task(name: &str, parents: &[&str]) -> SubmitTask {
        SubmitTask {
            name: Some(name.to_owned()),
            kind: "work".to_owned(),
            depends_on: parents.iter().copied().map(DependsOn::from).collect(),
            ..SubmitTask::default()
        }
    }

    fn id(at: usize) -> TaskId {
        TaskId::from_u128(100 + at as u128)
    }

    fn refused(tasks: Vec<SubmitTask>) -> Invalid {
        match resolve("tasks", tasks, id) {
            Err(Rejection::Invalid(invalid)) => invalid,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn names_become_ids() {
        let tasks = vec![task("join", &["load"]), task("load", &[])];
        let tasks = resolve("tasks", tasks, id).expect("resolves");
        assert_eq!(tasks[0].dependencies[0].task, id(1));
        assert_eq!(&tasks[1].metadata[..], br#"{"name":"load"}"#);
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_names_close_to_it() {
        let invalid = refused(vec![task("extract", &[]), task("load", &["extarct"])]);
        assert_eq!(invalid.field, "tasks[1].depends_on[0]");
        let problem = "there is no task \"extarct\" here: did you mean \"extract\"?";
        assert_eq!(invalid.problem, problem);
        let limit = "the name of another task of the same submission";
        assert_eq!(invalid.limit, limit);
    }

    #[test]
    fn two_tasks_of_one_name_are_refused() {
        let invalid = refused(vec![task("a", &[]), task("a", &[])]);
        assert_eq!(invalid.field, "tasks[1].name");
    }
}
