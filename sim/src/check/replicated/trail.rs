//! The commits to one record, and what failovers left of them.

use crate::check::facts::Facts;
use crate::history::{Actor, What};

/// What became of a commit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stands,
    /// A failover undid it.
    Undone,
    /// It is a failover: the store went back to what was before.
    WentBack,
}

/// What became of an effect on a record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing in the log shows it.
    Unseen,
    Stands,
    /// A failover undid it: last this commit.
    Undone(usize),
}

struct Step<'a, T> {
    entry: usize,
    after: Option<&'a T>,
    fate: Fate,
}

/// All commits to one record.
pub(super) struct Trail<'a, T>(Vec<Step<'a, T>>);

impl<'a, T: PartialEq> Trail<'a, T> {
    /// Of commits by their positions, each with what the record was after it.
    pub fn of(facts: &Facts<'_>, states: impl Iterator<Item = (usize, Option<&'a T>)>) -> Self {
        let mut trail = Self(Vec::new());
        for (entry, after) in states {
            let went_back = matches!(&facts.run.entries[entry].what,
                What::Stored(stored) if stored.by == Actor::Store);
            let fate = match went_back {
                true => {
                    trail.undo_until(after);
                    Fate::WentBack
                }
                false => Fate::Stands,
            };
            trail.0.push(Step { entry, after, fate });
        }
        trail
    }

    /// Undoes what was committed since the record was so.
    fn undo_until(&mut self, state: Option<&T>) {
        let newest_first = self.0.iter_mut().rev();
        let later = newest_first.take_while(|s| s.fate == Fate::Undone || s.after != state);
        later.for_each(|step| step.fate = Fate::Undone);
    }

    /// What became of an effect that was asked for before the entry `asked`, and told of at `told`.
    /// `shows` says whether it is in a state of the record; `hides`, whether it may have been in
    /// the commit at this position all the same, with something else that came behind it.
    ///
    /// What the record was before it was asked for counts as far as that stands: then the effect
    /// was there already.
    pub fn effect(
        &self,
        asked: usize,
        told: usize,
        shows: impl Fn(Option<&T>) -> bool,
        hides: impl Fn(usize) -> bool,
    ) -> Effect {
        let Self(steps) = self;
        let until = |entry| steps.partition_point(|step| step.entry <= entry);
        let (start, end) = (until(asked), until(told));
        let mut before = steps[..start].iter();
        let base = before.rposition(|step| step.fate != Fate::Undone);
        if base.is_none() && shows(None) {
            return Effect::Stands;
        }
        let mut undone = None;
        let looked_at = steps[..end].iter().enumerate().skip(base.unwrap_or(0));
        for (at, step) in looked_at {
            let Step { entry, after, fate } = *step;
            let was_so = Some(at) == base || at + 1 >= start;
            let came_so = at >= start && fate != Fate::WentBack && hides(at);
            if !(was_so && shows(after) || came_so) {
                continue;
            }
            if fate != Fate::Undone {
                return Effect::Stands;
            }
            undone = Some(entry);
        }
        undone.map_or(Effect::Unseen, Effect::Undone)
    }
}
