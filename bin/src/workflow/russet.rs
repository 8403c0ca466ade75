use std::collections::BTreeMap;

use super::dependency;
use super::error::{Place, Problems};
use super::fields::{Fields, Shape, shown};
use super::limits;
use super::node::Node;
use super::task::{self, Settings};
use super::value::{self, wanted};
use super::{Format, TaskSpec, Workflow};

const WORKFLOW: Shape = Shape {
    called: "a workflow",
    fields: &["name", "defaults", "tasks"],
};

/// Checks a file of Russet's own format. What comes back counts only if no problem was added.
pub(super) fn check(root: &Node, default_name: &str, problems: &mut Problems) -> Workflow {
    let mut workflow = Workflow {
        name: default_name.to_owned(),
        format: Format::Russet,
        tasks: Vec::new(),
    };
    let is_typed = |node: &Node| node.get("type").is_some();
    if let Some(Node::List(tasks)) = root.get("tasks")
        && tasks.iter().chain(root.get("defaults")).any(is_typed)
    {
        // Its other fields would only be found to be unknown.
        let message = "must be a mapping of task names to tasks, not a list; a list of tasks with \
            types is for a server: `russet workflows submit` sends it";
        problems.add(Place::FILE, "tasks", message);
        return workflow;
    }
    let Some(fields) = Fields::of(root, &WORKFLOW, Place::FILE, problems) else {
        return workflow;
    };
    let name = fields.read("name", problems, |node| value::name(value::text(node)?));
    if let Some(name) = name {
        workflow.name = name;
    }
    let defaults = fields
        .read("defaults", problems, Ok)
        .map(|node| task::read_defaults(node, problems))
        .unwrap_or_default();
    if fields.get("tasks").is_none() {
        problems.add(
            Place::FILE,
            "tasks",
            "is missing: map each task's name to its fields",
        );
    }
    let tasks = fields.read("tasks", problems, |node| match node {
        Node::Map(tasks) => fits(tasks.len()).map(|()| tasks.as_slice()),
        _ => wanted("a mapping of task names to tasks", node),
    });
    workflow.tasks = check_tasks(tasks.unwrap_or_default(), &defaults, problems);
    workflow
}

/// Refuses an empty workflow and one that is too large.
pub(super) fn fits(tasks: usize) -> value::Read<()> {
    match tasks {
        0 => Err("is empty: a workflow has at least one task".to_owned()),
        1..=limits::TASKS => Ok(()),
        _ => Err(format!(
            "has {tasks} entries; the limit is {}",
            limits::TASKS
        )),
    }
}

fn check_tasks(
    entries: &[(String, Node)],
    defaults: &Settings,
    problems: &mut Problems,
) -> Vec<TaskSpec> {
    let mut positions = BTreeMap::new();
    let mut tasks = Vec::with_capacity(entries.len());
    let mut wanted = Vec::with_capacity(entries.len());
    for (name, node) in entries {
        if let Err(message) = value::name(name) {
            problems.add(Place::FILE, "tasks", format!("a task's name {message}"));
        }
        if positions.contains_key(name.as_str()) {
            let field = format!("tasks.{}", shown(name));
            problems.add(Place::FILE, &field, "is given twice");
            continue;
        }
        positions.insert(name.as_str(), tasks.len());
        let (task, depends_on) = task::read_task(name, node, defaults, problems);
        tasks.push(task);
        wanted.push(depends_on);
    }
    dependency::resolve(&wanted, &mut tasks, &positions, problems);
    dependency::refuse_cycles(&tasks, problems, |task, _| {
        (tasks[task].name.as_str(), "depends_on")
    });
    tasks
}

#[cfg(test)]
mod tests;
