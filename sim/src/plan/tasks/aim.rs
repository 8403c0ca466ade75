//! Steps that meet others where it is interesting.

use std::collections::BTreeMap;

use super::{Act, Attempt, Random, Step, TaskPlan};

/// Longer than a blocked task waits before it asks again, and soon enough for the end of a run.
const LONG_MS: u64 = 420_000;

/// The steps that `step` gives rise to.
pub(super) fn steps(random: &Random, step: &Step) -> Vec<Step> {
    let mut steps = at_task(random, step);
    steps.extend(at_workflow(random, step));
    steps
}

/// Meets a task while it runs, or when it is dead.
fn at_task(random: &Random, step: &Step) -> Vec<Step> {
    let (Act::Submit(tasks) | Act::Workflow { tasks, .. }) = &step.act else {
        return Vec::new();
    };
    let task = random.one_of(tasks);
    let number = task.number;
    let later = |ms| ms + random.within(500..5_000);
    let acts = match task.script.first() {
        Some(Attempt::Succeed(ms) | Attempt::Fail(ms)) if *ms >= 1_000 && random.percent(30) => {
            let back = random.percent(40);
            let back = back.then(|| (Act::RedriveCancelled(number), later(*ms)));
            let cancel = (Act::Cancel(number), random.within(100..*ms));
            [cancel].into_iter().chain(back).collect()
        }
        Some(Attempt::Final(ms)) if random.percent(40) => {
            vec![(Act::Redrive(number), later(*ms))]
        }
        _ => Vec::new(),
    };
    let steps = acts.into_iter().map(|(act, after)| Step {
        at_ms: step.at_ms + task.delay_ms + after,
        client: step.client,
        act,
    });
    steps.collect()
}

/// Redrives the workflow of `step`, mostly when a task of it is to fail for good, or is cancelled
/// before.
fn at_workflow(random: &Random, step: &Step) -> Vec<Step> {
    let Act::Workflow { tasks, .. } = &step.act else {
        return Vec::new();
    };
    let one = random.one_of(tasks).number;
    let mut acts = Vec::new();
    if random.percent(20) {
        acts.push((Act::Cancel(one), random.within(0..500)));
    }
    let dies = |task: &TaskPlan| matches!(task.script.first(), Some(Attempt::Final(_)));
    let is_hurt = !acts.is_empty() || tasks.iter().any(dies);
    if random.percent(if is_hurt { 70 } else { 20 }) {
        let (of, cancelled) = (one, random.percent(50));
        let act = Act::RedriveWorkflow { of, cancelled };
        acts.push((act, random.within(500..10_000)));
    }
    behind(step, acts)
}

/// Cancels the workflow of `step` in some cases, perhaps twice, and perhaps brings back what was
/// cancelled.
pub(super) fn cancels(random: &Random, step: &Step) -> Vec<Step> {
    let Act::Workflow { tasks, .. } = &step.act else {
        return Vec::new();
    };
    if !random.percent(50) {
        return Vec::new();
    }
    let of = random.one_of(tasks).number;
    let mut after = random.within(0..4_000);
    let mut acts = vec![(Act::CancelWorkflow(of), after)];
    if random.percent(40) {
        after += random.within(1..1_000);
        acts.push((Act::CancelWorkflow(of), after));
    }
    if random.percent(30) {
        after += random.within(1..3_000);
        let cancelled = true;
        acts.push((Act::RedriveWorkflow { of, cancelled }, after));
    }
    behind(step, acts)
}

/// Lets a task wait so long for one of another partition that it asks it again.
pub(super) fn wait_long(steps: &mut [Step]) {
    let submitted = steps.iter().filter_map(|step| match &step.act {
        Act::Submit(tasks) => Some(tasks),
        _ => None,
    });
    let singles: BTreeMap<_, _> = submitted.flatten().map(|t| (t.number, t)).collect();
    let apart = singles.values().find_map(|child| {
        let parents = child.dependencies.iter();
        let mut parents = parents.filter_map(|(number, _)| singles.get(number));
        parents.find(|parent| parent.partition != child.partition && parent.key.is_none())
    });
    let Some(parent) = apart.map(|parent| parent.number) else {
        return;
    };
    for step in steps {
        if let Act::Submit(tasks) = &mut step.act
            && let Some(task) = tasks.iter_mut().find(|task| task.number == parent)
        {
            (task.delay_ms, task.expires_in_ms) = (LONG_MS, None);
        }
    }
}

/// The acts, each so many milliseconds after the step and by the same client.
fn behind(step: &Step, acts: Vec<(Act, u64)>) -> Vec<Step> {
    let steps = acts.into_iter().map(|(act, after)| Step {
        at_ms: step.at_ms + after,
        client: step.client,
        act,
    });
    steps.collect()
}
