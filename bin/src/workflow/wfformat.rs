use std::collections::BTreeMap;
use std::time::Duration;

use russet_core::DependencyOn;

use super::error::{Place, Problems};
use super::node::Node;
use super::value::{Read, wanted};
use super::{Dependency, Format, TaskSpec, Work, Workflow};
use super::{dependency, duration, limits, russet};

const MEBIBYTE: f64 = 1_048_576.0;

/// Whether a file is a WfFormat instance, going by its content.
pub(super) fn is_wfformat(root: &Node) -> bool {
    root.get("schemaVersion").is_some() && root.get("workflow").is_some()
}

/// Checks a WfFormat 1.5 instance. Unknown fields are ignored, and so are executions of unknown tasks.
/// What comes back counts only if no problem was added.
pub(super) fn check(root: &Node, default_name: &str, problems: &mut Problems) -> Workflow {
    let name = match root.get("name") {
        Some(Node::Text(name)) if is_name(name) => name,
        _ => default_name,
    };
    let tasks = match list(root, "specification")
        .and_then(|list| russet::fits(list.len()).map(|()| list))
    {
        Ok(list) => check_tasks(root, list, problems),
        Err(message) => {
            problems.add(Place::FILE, "workflow.specification.tasks", message);
            Vec::new()
        }
    };
    Workflow {
        name: name.to_owned(),
        format: Format::WfFormat,
        tasks,
    }
}

fn list<'a>(root: &'a Node, part: &str) -> Read<&'a [Node]> {
    let tasks = root
        .get("workflow")
        .and_then(|workflow| workflow.get(part)?.get("tasks"));
    match tasks {
        Some(Node::List(list)) => Ok(list),
        Some(node) => wanted("a list", node),
        None => {
            Err("is missing: WfFormat 1.5 is expected (older versions nest differently)".to_owned())
        }
    }
}

fn check_tasks(root: &Node, list: &[Node], problems: &mut Problems) -> Vec<TaskSpec> {
    let (specified, positions) = index(list, problems);
    let executions = executions(root, problems);
    let mut tasks = Vec::with_capacity(specified.len());
    for &(id, _) in &specified {
        let execution = executions.as_ref().map(|known| known.get(id).copied());
        tasks.push(read_task(id, execution, problems));
    }
    for (position, &(id, node)) in specified.iter().enumerate() {
        for parent in related(id, node, "parents", &positions, problems) {
            depend(&mut tasks, position, parent);
        }
        for child in related(id, node, "children", &positions, problems) {
            depend(&mut tasks, child, position);
        }
    }
    for task in &mut tasks {
        // An edge is usually named on both sides.
        task.depends_on
            .sort_unstable_by_key(|dependency| dependency.task);
        task.depends_on.dedup();
        if let Err(message) = dependency::fits(task.depends_on.len()) {
            problems.add(Place::task(&task.name), "parents", message);
        }
    }
    dependency::refuse_cycles(&tasks, problems, |task, on| {
        let (id, node) = specified[task];
        let parent = specified[on].0;
        match names(node, "parents", parent) {
            true => (id, "parents"),
            false => (parent, "children"),
        }
    });
    tasks
}

/// Whether a task is among those that `field` names.
fn names(node: &Node, field: &str, id: &str) -> bool {
    let is_it = |entry: &Node| matches!(entry, Node::Text(text) if text == id);
    matches!(node.get(field), Some(Node::List(list)) if list.iter().any(is_it))
}

type Specified<'a> = (Vec<(&'a str, &'a Node)>, BTreeMap<&'a str, usize>);

/// The tasks with a usable id, and where each stands.
fn index<'a>(list: &'a [Node], problems: &mut Problems) -> Specified<'a> {
    let mut specified = Vec::with_capacity(list.len());
    let mut positions = BTreeMap::new();
    for (index, node) in list.iter().enumerate() {
        match read_id(node) {
            Err(message) => {
                let field = format!("workflow.specification.tasks[{index}].id");
                problems.add(Place::FILE, &field, message);
            }
            Ok(id) if positions.contains_key(id) => {
                problems.add(Place::task(id), "id", "is given to more than one task");
            }
            Ok(id) => {
                positions.insert(id, specified.len());
                specified.push((id, node));
            }
        }
    }
    (specified, positions)
}

fn read_id(node: &Node) -> Read<&str> {
    match node.get("id") {
        Some(Node::Text(id)) if is_name(id) => Ok(id),
        other => wanted(
            format_args!("a text of 1 to {} characters", limits::WFFORMAT_NAME_CHARS),
            other.unwrap_or(&Node::Null),
        ),
    }
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= limits::WFFORMAT_NAME_CHARS
}

/// What was recorded of each task; `None` if nothing is, which is reported once.
fn executions<'a>(root: &'a Node, problems: &mut Problems) -> Option<BTreeMap<&'a str, &'a Node>> {
    match list(root, "execution") {
        Ok(list) => {
            let known = list
                .iter()
                .filter_map(|node| Some((read_id(node).ok()?, node)));
            Some(known.collect())
        }
        Err(message) => {
            problems.add(Place::FILE, "workflow.execution.tasks", message);
            None
        }
    }
}

/// `execution` is `None` when that of all tasks is missing, `Some(None)` when only this one's is.
fn read_task(id: &str, execution: Option<Option<&Node>>, problems: &mut Problems) -> TaskSpec {
    let mut task = TaskSpec {
        name: id.to_owned(),
        work: Work::Sleep(Duration::ZERO),
        depends_on: Vec::new(),
        if_unsatisfied: Default::default(),
        priority: None,
        max_retries: None,
        retry_delay: None,
        timeout: None,
        delay: None,
        resources: BTreeMap::new(),
        expected: None,
        env: BTreeMap::new(),
    };
    let Some(execution) = execution else {
        return task;
    };
    let place = Place::task(id);
    let Some(execution) = execution else {
        problems.add(
            place,
            "",
            "has no entry in workflow.execution.tasks, so its run time is unknown",
        );
        return task;
    };
    match read_run_time(execution.get("runtimeInSeconds")) {
        Ok(time) => task.work = Work::Sleep(time),
        Err(message) => problems.add(place, "runtimeInSeconds", message),
    }
    for (field, resource, unit) in [
        ("coreCount", "cpu", 1.0),
        ("memoryInBytes", "memory_mb", MEBIBYTE),
    ] {
        match read_amount(execution.get(field), unit) {
            Ok(0) => {}
            Ok(amount) => {
                task.resources.insert(resource.to_owned(), amount);
            }
            Err(message) => problems.add(place, field, message),
        }
    }
    task
}

fn read_run_time(node: Option<&Node>) -> Read<Duration> {
    let parsed = match node {
        None | Some(Node::Null) => return Err("is missing".to_owned()),
        Some(Node::Int(seconds)) => duration::parse_seconds(&seconds.to_string()),
        Some(Node::Float(seconds)) => duration::parse_seconds(&seconds.to_string()),
        Some(_) => Err(super::DurationError::Form),
    };
    parsed.or_else(|_| {
        wanted(
            format_args!(
                "a number of seconds from 0 to {} days",
                limits::DURATION_DAYS
            ),
            node.unwrap_or(&Node::Null),
        )
    })
}

/// An amount in units, rounded up; 0 if it is not given.
fn read_amount(node: Option<&Node>, unit: f64) -> Read<u64> {
    let value = match node {
        None | Some(Node::Null) => return Ok(0),
        Some(Node::Int(value)) => *value as f64,
        Some(Node::Float(value)) => *value,
        Some(node) => return wanted("a number", node),
    };
    let amount = (value / unit).ceil();
    if !(0.0..=limits::RESOURCE_AMOUNT as f64).contains(&amount) {
        return wanted("a number from 0, and not beyond all bounds", value);
    }
    Ok(amount as u64)
}

/// Positions of the tasks that `field` names; unknown ones are reported.
fn related(
    id: &str,
    node: &Node,
    field: &str,
    positions: &BTreeMap<&str, usize>,
    problems: &mut Problems,
) -> Vec<usize> {
    let place = Place::task(id);
    let list = match node.get(field) {
        None | Some(Node::Null) => return Vec::new(),
        Some(Node::List(list)) => list,
        Some(other) => {
            if let Err(message) = wanted::<()>("a list of task ids", other) {
                problems.add(place, field, message);
            }
            return Vec::new();
        }
    };
    let mut found = Vec::with_capacity(list.len());
    for entry in list {
        let known = match entry {
            Node::Text(other) => positions
                .get(other.as_str())
                .copied()
                .ok_or_else(|| dependency::unknown(other, positions)),
            _ => wanted("a list of task ids", format_args!("one that holds {entry}")),
        };
        match known {
            Ok(position) => found.push(position),
            Err(message) => problems.add(place, field, message),
        }
    }
    found
}

fn depend(tasks: &mut [TaskSpec], task: usize, on: usize) {
    if let Some(task) = tasks.get_mut(task) {
        task.depends_on.push(Dependency {
            task: on,
            on: DependencyOn::Success,
        });
    }
}

#[cfg(test)]
mod tests;
