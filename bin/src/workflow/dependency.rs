use std::borrow::Cow;
use std::collections::BTreeMap;

use russet_core::DependencyOn;

use super::error::{Place, Problems};
use super::fields::{Fields, Shape, shown};
use super::graph;
use super::limits;
use super::node::{Node, quoted};
use super::suggest;
use super::value::{self, Read, wanted};
use super::{Dependency, TaskSpec};

const DEPENDENCY: Shape = Shape {
    called: "a dependency",
    fields: &["task", "on"],
};

const ON: [(&str, DependencyOn); 3] = [
    ("success", DependencyOn::Success),
    ("completion", DependencyOn::Completion),
    ("failure", DependencyOn::Failure),
];

/// Beyond this many tasks no similar name is looked for.
const SUGGEST_AMONG: usize = 1_000;

/// A dependency that names its task.
pub(super) struct Wanted<'a> {
    task: Cow<'a, str>,
    on: DependencyOn,
}

/// The entries of `depends_on` that are well-formed; reports the others.
pub(super) fn read_list<'a>(fields: &Fields<'a, '_>, problems: &mut Problems) -> Vec<Wanted<'a>> {
    let list = fields.read("depends_on", problems, |node| match node {
        Node::List(list) => Ok(list.as_slice()),
        _ => wanted("a list of task names, such as [first, second]", node),
    });
    let list = list.unwrap_or_default();
    if let Err(message) = fits(list.len()) {
        problems.add(fields.place(), "depends_on", message);
        return Vec::new();
    }
    let entries = list.iter().enumerate();
    entries
        .filter_map(|(index, node)| read_entry(fields.place().task, index, node, problems))
        .collect()
}

/// Refuses more dependencies than one task may have.
pub(super) fn fits(count: usize) -> Read<()> {
    if count > limits::DEPENDENCIES {
        return Err(format!(
            "has {count} entries; the limit is {}",
            limits::DEPENDENCIES
        ));
    }
    Ok(())
}

fn read_entry<'a>(
    task: Option<&str>,
    index: usize,
    node: &'a Node,
    problems: &mut Problems,
) -> Option<Wanted<'a>> {
    let prefix = format!("depends_on[{index}].");
    let place = Place {
        task,
        prefix: &prefix,
    };
    if !matches!(node, Node::Map(_)) {
        return match task_name(node) {
            Ok(task) => Some(Wanted {
                task,
                on: DependencyOn::default(),
            }),
            Err(message) => {
                problems.add(place, "", message);
                None
            }
        };
    }
    let fields = Fields::of(node, &DEPENDENCY, place, problems)?;
    let on = fields.read("on", problems, |node| value::choice(node, &ON));
    if fields.get("task").is_none() {
        problems.add(place, "", "names no task: write {task: NAME, on: success}");
    }
    let task = fields.read("task", problems, task_name)?;
    Some(Wanted {
        task,
        on: on.unwrap_or_default(),
    })
}

fn task_name(node: &Node) -> Read<Cow<'_, str>> {
    match node {
        Node::Text(text) => Ok(Cow::Borrowed(text)),
        Node::Int(number) => Ok(Cow::Owned(number.to_string())),
        Node::Bool(_) | Node::Float(_) => value::text(node).map(Cow::Borrowed),
        _ => wanted("the name of a task, or {task: NAME, on: success}", node),
    }
}

/// Names to positions. Reports unknown and repeated ones, which are left out.
pub(super) fn resolve(
    wanted: &[Vec<Wanted<'_>>],
    tasks: &mut [TaskSpec],
    positions: &BTreeMap<&str, usize>,
    problems: &mut Problems,
) {
    let mut last_seen_by = vec![usize::MAX; tasks.len()];
    for (index, (task, wanted)) in tasks.iter_mut().zip(wanted).enumerate() {
        let place = Place::task(&task.name);
        for Wanted { task: name, on } in wanted {
            let Some(&position) = positions.get(name.as_ref()) else {
                problems.add(place, "depends_on", unknown(name, positions));
                continue;
            };
            if last_seen_by[position] == index {
                let message = format!("names the task {} twice", quoted(name));
                problems.add(place, "depends_on", message);
                continue;
            }
            last_seen_by[position] = index;
            task.depends_on.push(Dependency {
                task: position,
                on: *on,
            });
        }
    }
}

/// That there is no task of this name, and which one may be meant.
pub(super) fn unknown(name: &str, positions: &BTreeMap<&str, usize>) -> String {
    let names = positions.keys().copied();
    let close = (positions.len() <= SUGGEST_AMONG && name.len() <= limits::NAME_CHARS)
        .then(|| suggest::closest(name, names))
        .flatten();
    match close {
        Some(close) => format!(
            "there is no task {}; did you mean {}?",
            quoted(name),
            quoted(close)
        ),
        None => format!("there is no task {}", quoted(name)),
    }
}

/// Reports every circle of dependencies, with its whole path. `place` says which field of which
/// task lets a task wait for another, both by their positions.
pub(super) fn refuse_cycles<'a>(
    tasks: &'a [TaskSpec],
    problems: &mut Problems,
    place: impl Fn(usize, usize) -> (&'a str, &'static str),
) {
    for cycle in graph::cycles(tasks) {
        let round = cycle.iter().chain(cycle.first());
        let path: Vec<String> = round.map(|&index| shown(&tasks[index].name)).collect();
        let Some(&first) = cycle.first() else {
            continue;
        };
        let next = cycle.get(1).copied().unwrap_or(first);
        let (task, field) = place(first, next);
        let message = format!(
            "goes round in a circle, each waiting for the next: {}",
            path.join(" -> ")
        );
        problems.add(Place::task(task), field, message);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{problems, yaml};
    use super::*;

    #[test]
    fn a_dependency_must_name_another_task_once() {
        let text = "
tasks:
  fetch: {run: x}
  a: {run: x, depends_on: [fetsh, fetch, {task: fetch, on: failure}, zebra]}
";
        let expected = [
            "task \"a\": depends_on: there is no task \"fetsh\"; did you mean \"fetch\"?",
            "task \"a\": depends_on: names the task \"fetch\" twice",
            "task \"a\": depends_on: there is no task \"zebra\"",
        ];
        assert_eq!(problems(yaml(text)), expected);
    }

    #[test]
    fn a_malformed_dependency_is_named_by_its_place() {
        let text = "
tasks:
  fetch: {run: x}
  a: {run: x, depends_on: fetch}
  b: {run: x, depends_on: [1.5, {task: fetch, on: sucess}, {tsk: fetch}, [fetch], {task: }]}
";
        let expected = [
            "task \"a\": depends_on: must be a list of task names, such as [first, second], not \"fetch\"",
            "task \"b\": depends_on[0]: must be a text: put quotes around 1.5",
            "task \"b\": depends_on[1].on: must be one of success, completion, failure, not \"sucess\"",
            "task \"b\": depends_on[2].tsk: is no field of a dependency; did you mean task? The fields are task, on",
            "task \"b\": depends_on[2]: names no task: write {task: NAME, on: success}",
            "task \"b\": depends_on[3]: must be the name of a task, or {task: NAME, on: success}, not a list",
            "task \"b\": depends_on[4].task: has no value: give one or leave the field out",
        ];
        assert_eq!(problems(yaml(text)), expected);
    }

    #[test]
    fn a_circle_is_refused_with_its_whole_path() {
        let text = "
tasks:
  start: {run: x}
  c: {run: x, depends_on: [a]}
  a: {run: x, depends_on: [start, b]}
  b: {run: x, depends_on: [c]}
  self: {run: x, depends_on: [self]}
";
        let expected = [
            "task \"c\": depends_on: goes round in a circle, each waiting for the next: c -> a -> b -> c",
            "task \"self\": depends_on: goes round in a circle, each waiting for the next: self -> self",
        ];
        assert_eq!(problems(yaml(text)), expected);
    }

    #[test]
    fn more_dependencies_than_a_task_may_have_are_refused() {
        let mut text = "tasks:\n  a: {run: x}\n  b: {run: x, depends_on: [a".to_owned();
        text.push_str(&",a".repeat(limits::DEPENDENCIES));
        text.push_str("]}\n");
        let expected = ["task \"b\": depends_on: has 10001 entries; the limit is 10000"];
        assert_eq!(problems(yaml(&text)), expected);
    }

    #[test]
    fn a_chain_of_ten_thousand_tasks_is_read() {
        let mut text = "tasks:\n  t0: {sleep: 1}\n".to_owned();
        for task in 1..limits::TASKS {
            text.push_str(&format!(
                "  t{task}: {{sleep: 1, depends_on: [t{}]}}\n",
                task - 1
            ));
        }
        let workflow = yaml(&text).expect("is valid");
        assert_eq!(workflow.critical_path().tasks.len(), limits::TASKS);
    }
}
