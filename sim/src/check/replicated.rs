//! What is acknowledged only when a replica has it survives a failover to that replica.

mod act;
mod cancelled;
mod configured;
mod redriven;
mod trail;

use russet_core::{QueueName, Workflow, WorkflowId};

use super::Violation;
use super::calls::{Item, Replied, verb};
use super::facts::Facts;
use super::findings::Findings;
use crate::history::{Answer, Ask};
use act::Act;
use trail::{Effect, Trail};

pub(super) const PROMISE: &str = "acknowledged-by-replica";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    if !facts.run.plan.acknowledged_by_replica {
        return findings.done();
    }
    for item in &facts.calls.items {
        if let Some(replied) = item.done() {
            for (whose, undone) in undone(facts, item, replied) {
                let what = format!(
                    "{} was told that its call was done ({}), and a failover undid it for {whose}",
                    item.who,
                    verb(item.ask)
                );
                findings.add(what, &[undone, replied.entry]);
            }
        }
    }
    for (lease, grant) in &facts.calls.grants {
        let (task, act) = (grant.granted.task, Act::Grant(*lease));
        if let Effect::Undone(undone) = act.effect(facts, task, grant.asked, grant.answered) {
            let what = format!(
                "{} was granted task {task}, and a failover undid it",
                grant.worker
            );
            findings.add(what, &[undone, grant.answered]);
        }
    }
    findings.done()
}

/// What an answer says is done and was undone, each with the last commit that did it.
fn undone(facts: &Facts<'_>, item: &Item<'_>, replied: Replied<'_>) -> Vec<(String, usize)> {
    let mut all = Vec::new();
    for (act, task) in Act::all(item, replied.answer) {
        if let Effect::Undone(entry) = act.effect(facts, task, item.asked, replied.entry) {
            all.push((format!("task {task}"), entry));
        }
    }
    let cancelled = cancelled::undone(facts, item, replied);
    let redriven = redriven::undone(facts, item, replied);
    let tasks = cancelled.into_iter().chain(redriven);
    all.extend(tasks.map(|(task, entry)| (format!("task {task}"), entry)));
    if let Ask::Configure { queue, change } = item.ask
        && let Ok(name) = QueueName::new(queue)
    {
        let configured = configured::undone(facts, item, replied, (&name, change));
        let place =
            |partition: russet_core::PartitionId| format!("{name} in partition {}", partition.0);
        all.extend(configured.map(|(partition, entry)| (place(partition), entry)));
    }
    if let Answer::Submitted {
        workflow: Some(id), ..
    } = replied.answer
        && let Effect::Undone(entry) = acceptance(facts, *id, item.asked, replied.entry)
    {
        all.push((format!("workflow {id}"), entry));
    }
    all
}

/// What became of the acceptance of a workflow.
fn acceptance(facts: &Facts<'_>, workflow: WorkflowId, asked: usize, told: usize) -> Effect {
    let Some(moments) = facts.workflows.get(&workflow) else {
        return Effect::Unseen;
    };
    let states = moments.iter().map(|moment| (moment.entry, moment.after));
    let shows = |state: Option<&Workflow>| state.is_some_and(Workflow::is_accepted);
    Trail::of(facts, states).effect(asked, told, shows, |_| false)
}

#[cfg(test)]
mod tests;
