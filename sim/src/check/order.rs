//! No task starts before its dependencies are satisfied, nor before `scheduled_at`; no cycle is
//! accepted; a parent never waits on a vanished child.

use russet_core::{Dependency, IfUnsatisfied, Task, TaskId};

use super::Violation;
use super::edges::Edges;
use super::facts::{Facts, since_start};
use super::findings::Findings;
use super::timeline::{Moment, Timeline};

pub(super) const PROMISE: &str = "order";

/// Clocks show whole milliseconds.
const ROUNDING_MS: u64 = 1;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    let edges = Edges::of(facts);
    for (id, timeline) in &facts.tasks {
        // When the task was made, and when its newest life began.
        let (mut created, mut born) = (0, 0);
        for moment in &timeline.moments {
            if moment.created().is_some() {
                (created, born) = (moment.entry, moment.entry);
            } else if moment.redriven().is_some() {
                born = moment.entry;
            }
            let Some((task, _)) = moment.granted() else {
                continue;
            };
            in_time(facts, task, moment, &mut findings);
            if moment.before.is_none_or(|before| before.attempt == 0) {
                as_delayed(facts, task, moment, &mut findings);
                for edge in edges.of_task(*id, created) {
                    // A parent elsewhere tells of its end once, also for the lives to come.
                    let near = edge.task.partition() == id.partition();
                    let since = if near { born } else { created };
                    satisfied(facts, task, edge, (since, moment.entry), &mut findings);
                }
            }
        }
    }
    vanished(facts, &edges, &mut findings);
    if let Some(path) = edges.cycle() {
        let names: Vec<_> = path.iter().map(TaskId::to_string).collect();
        let entries: Vec<_> = path.iter().filter_map(|id| edges.entry_of(*id)).collect();
        findings.add(
            format!("tasks wait for each other: {}", names.join(" -> ")),
            &entries,
        );
    }
    findings.done()
}

/// Not before the task's own `scheduled_at`.
fn in_time(facts: &Facts<'_>, task: &Task, moment: &Moment<'_>, findings: &mut Findings) {
    let Some(scheduled) = task.scheduled_at else {
        return;
    };
    if task.started_at.is_some_and(|at| at < scheduled) {
        let what = format!("task {} started before its scheduled_at", task.id);
        findings.add(what, &[moment.entry]);
        return;
    }
    let due = since_start(scheduled);
    if facts
        .skew_ms()
        .is_some_and(|skew| moment.at.millis() + skew + ROUNDING_MS < due)
    {
        let early = due - moment.at.millis();
        let what = format!(
            "task {} was granted {early} ms before its scheduled_at",
            task.id
        );
        findings.add(what, &[moment.entry]);
    }
}

/// Not before the delay that was asked for.
fn as_delayed(facts: &Facts<'_>, task: &Task, moment: &Moment<'_>, findings: &mut Findings) {
    let Some(skew) = facts.skew_ms().filter(|_| task.redriven_by.is_none()) else {
        return;
    };
    let key = task.idempotency.as_deref().map(|known| known.key.as_str());
    let requests = facts
        .names
        .requests(task.id, key, task.workflow, moment.entry);
    let due = requests.map(|request| {
        let delay = request.task.delay_ms.unwrap_or(0);
        (request.asked_at.millis() + delay, request.asked)
    });
    let Some((due, asked)) = due.min() else {
        return;
    };
    if moment.at.millis() + skew + ROUNDING_MS < due {
        let early = due - moment.at.millis();
        let what = format!(
            "task {} was granted {early} ms before its delay was over",
            task.id
        );
        findings.add(what, &[asked, moment.entry]);
    }
}

/// How long a submission may be on its way from its decision to the store.
const ON_ITS_WAY_US: u64 = 10_000_000;

/// The earliest entry at which what this commit did may have been decided.
fn decided_since(facts: &Facts<'_>, stored: usize) -> usize {
    let entries = facts.run.entries;
    let at = entries.get(stored).map_or(0, |entry| entry.at.0);
    let since = entries.partition_point(|entry| entry.at.0 + ON_ITS_WAY_US < at);
    since.min(stored.saturating_sub(1))
}

/// The parent ended as the task wanted, at some time since the task's life began.
fn satisfied(
    facts: &Facts<'_>,
    task: &Task,
    edge: &Dependency,
    (born, granted): (usize, usize),
    findings: &mut Findings,
) {
    let runs_anyway = task.if_unsatisfied == IfUnsatisfied::Run;
    // Who is redriven does not wait for those that were forgotten.
    let goes_without = runs_anyway || task.redriven_by.is_some();
    let parent = facts.tasks.get(&edge.task);
    let is_enough = |parent: Option<&Task>| match parent {
        Some(parent) => {
            let end = parent.end();
            end.is_some_and(|end| runs_anyway || edge.on.is_satisfied_by(end))
        }
        None => goes_without,
    };
    let enough = match parent {
        Some(parent) => {
            // The commit that made the task may have changed its parent afterwards, and a parent
            // that had ended may have been forgotten between the decision and the commit.
            let since = decided_since(facts, born);
            parent.states(since, granted).any(is_enough) || ended_unseen(parent, born, granted)
        }
        None => goes_without,
    };
    if !enough {
        let was = parent.and_then(|parent| parent.at(granted));
        let was = was.map_or("not there", |parent| parent.status.as_str());
        let what = format!(
            "task {} started while {}, which it waits for, was {was}",
            task.id, edge.task
        );
        let shown = parent.map(|parent| &parent.moments[..]).unwrap_or_default();
        let newest = shown.iter().rfind(|moment| moment.entry <= granted);
        let shown_by: Vec<_> = [born, granted]
            .into_iter()
            .chain(newest.map(|m| m.entry))
            .collect();
        findings.add(what, &shown_by);
    }
}

/// Whether the parent ended and was forgotten or redriven in one commit, so that its end is not
/// known.
fn ended_unseen(parent: &Timeline<'_>, born: usize, granted: usize) -> bool {
    let since = born.saturating_sub(1);
    let mut within = parent.during(since, granted).iter();
    within.any(|moment| {
        let was_live = moment.before.is_some_and(|task| !task.status.is_terminal());
        was_live && (moment.after.is_none() || moment.redriven().is_some())
    })
}

/// No task is forgotten while a task that waited for it is live. Whoever was redriven does not
/// count: it came back when nobody kept its parents for it any more.
fn vanished(facts: &Facts<'_>, edges: &Edges, findings: &mut Findings) {
    for ((id, created), own) in edges.all() {
        let Some(child) = facts.tasks.get(id) else {
            continue;
        };
        for edge in own
            .iter()
            .filter(|edge| edge.task.partition() == id.partition())
        {
            let Some(parent) = facts.tasks.get(&edge.task) else {
                continue;
            };
            // A parent that was redriven just then may have been seen before: as one that had ended.
            let since = decided_since(facts, *created);
            let mut states = parent.states(since, *created);
            let waited = parent.at(*created).is_some()
                && states.all(|task| task.is_none_or(|task| !task.status.is_terminal()));
            let gone = parent
                .moments
                .iter()
                .find(|m| m.entry > *created && m.after.is_none());
            let Some(gone) = gone.filter(|_| waited) else {
                continue;
            };
            let live = child
                .at(gone.entry)
                .filter(|task| !task.status.is_terminal());
            // Another child may have come under the same id.
            let mut since = child.during(*created, gone.entry).iter();
            let is_other = since.any(|moment| moment.after.is_none());
            let waits =
                |task: &Task| task.redriven_by.is_none() && !is_other && !facts.is_given_up(task);
            if live.is_some_and(waits) {
                let what = format!(
                    "task {} was forgotten while task {id}, which waited for it, is live",
                    edge.task
                );
                findings.add(what, &[*created, gone.entry]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
