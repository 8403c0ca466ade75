use russet::wire::SubmitTask;

use crate::check::calls::{Item, Replied};
use crate::check::facts::Facts;
use crate::check::findings::Findings;
use crate::history::{Answer, Ask, FaultKind};

/// What says that nothing was changed, and that it may be otherwise later.
const UNDONE: [&str; 4] = ["contended", "overloaded", "stopping", "unavailable"];

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
    if !is_sure || !UNDONE.contains(&code.as_str()) {
        return;
    }
    let by_another = |at: usize| {
        let mut others = facts
            .calls
            .of_task(id)
            .filter(|other| matches!(other.ask, Ask::Submit(_)) && other.asked != item.asked);
        others.any(|other| other.asked < at && other.reply.is_none_or(|replied| replied.entry > at))
    };
    let made = timeline.during(item.asked, replied.entry).iter();
    let mut made = made.filter(|moment| moment.created().is_some() && !by_another(moment.entry));
    if let Some(moment) = made.next() {
        let what = format!(
            "{} was told {code}, that nothing was changed, and task {id} had been accepted",
            item.who
        );
        findings.add(what, &[item.asked, moment.entry, replied.entry]);
    }
}
