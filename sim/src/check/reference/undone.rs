use russet::wire::SubmitTask;

use crate::check::calls::{Item, Replied};
use crate::check::facts::Facts;
use crate::check::findings::Findings;
use crate::history::{Answer, Ask, FaultKind};

/// What says that nothing was changed, and that it may be otherwise later.
const UNDONE: [&str; 5] = [
    "contended",
    "overloaded",
    "stopping",
    "store_full",
    "unavailable",
];

/// Whoever is told that nothing was changed has changed nothing.
pub(super) fn undone(
    facts: &Facts<'_>,
    item: &Item<'_>,
    replied: Replied<'_>,
    asked: &SubmitTask,
    findings: &mut Findings,
) {
    let Answer::Refused { code, .. } = replied.answer else {
        return;
    };
    // Of a request that arrives twice another answer may be the right one.
    let is_sure = facts.run.plan.rate(FaultKind::Duplicated) == 0;
    let timeline = asked.id.and_then(|id| facts.tasks.get(&id));
    let (Some(id), Some(timeline)) = (asked.id, timeline) else {
        return;
    };
    if !is_sure || !is_undone(replied.answer) {
        return;
    }
    let by_another = |at: usize| {
        let of_task = facts.calls.of_task(id);
        let mut others = of_task.filter(|other| other.asked != item.asked && other.asked < at);
        others.any(|other| matches!(other.ask, Ask::Submit(_)) && may_be_done(other))
    };
    let made = timeline.during(item.asked, timeline.last_entry()).iter();
    let mut made = made.filter(|moment| moment.created().is_some() && !by_another(moment.entry));
    if let Some(moment) = made.next() {
        let what = format!(
            "{} was told {code}, that nothing was changed, and task {id} had been accepted",
            item.who
        );
        findings.add(what, &[item.asked, moment.entry, replied.entry]);
    }
}

/// Whether a call may have done what it asked for, however late.
fn may_be_done(item: &Item<'_>) -> bool {
    let answer = item.reply.map(|replied| replied.answer);
    !answer.is_some_and(|answer| is_undone(answer) || matches!(answer, Answer::NotSent))
}

fn is_undone(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused { code, .. } if UNDONE.contains(&code.as_str()))
}
