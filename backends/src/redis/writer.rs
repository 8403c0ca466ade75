use std::fmt::Display;

use super::call::Args;

/// Writes instructions, and collects the names of their keys.
pub(crate) struct Writer {
    pub(crate) names: Vec<Vec<u8>>,
    pub(crate) args: Args,
}

/// What an instruction is about.
pub(crate) struct Members<M> {
    all: Vec<M>,
    /// The number of the first, from 1, if all are fields of the call that follow each other.
    field: Option<usize>,
}

impl<M> Default for Members<M> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            field: None,
        }
    }
}

impl<M> Members<M> {
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds one; `field` is its number if it is a field of the call.
    pub(crate) fn push(&mut self, member: M, field: Option<usize>) {
        match self.all.len() {
            0 => self.field = field,
            count if field == self.field.map(|first| first + count) => {}
            _ => self.field = None,
        }
        self.all.push(member);
    }
}

impl Writer {
    pub(crate) fn name(&mut self, name: Vec<u8>) -> usize {
        self.names.push(name);
        self.names.len()
    }

    /// An instruction about members alone.
    pub(crate) fn instruction<M: AsRef<[u8]>>(
        &mut self,
        what: &str,
        number: usize,
        name: &[u8],
        members: &Members<M>,
    ) {
        self.write(what, number, name, members, 0, |_| {});
    }

    /// An instruction about members and the score of each.
    pub(crate) fn scored<M: AsRef<[u8]>, S: Display + PartialEq>(
        &mut self,
        what: &str,
        number: usize,
        name: &[u8],
        members: &Members<M>,
        scores: &[S],
    ) {
        let scores = once(scores);
        self.write(what, number, name, members, scores.len(), |args| {
            for score in scores {
                args.number(score);
            }
        });
    }

    /// An instruction about members and the value of each.
    pub(crate) fn valued<M: AsRef<[u8]>>(
        &mut self,
        what: &str,
        number: usize,
        members: &Members<M>,
        values: &[&[u8]],
    ) {
        self.write(what, number, b"", members, values.len(), |args| {
            for value in values {
                args.push(value);
            }
        });
    }

    fn write<M: AsRef<[u8]>>(
        &mut self,
        what: &str,
        number: usize,
        name: &[u8],
        members: &Members<M>,
        given: usize,
        scores: impl FnOnce(&mut Args),
    ) {
        if members.all.is_empty() {
            return;
        }
        let args = &mut self.args;
        args.push(what).number(number).push(name);
        args.number(members.all.len());
        args.number(members.field.unwrap_or(0)).number(given);
        scores(args);
        if members.field.is_none() {
            for member in &members.all {
                args.push(member);
            }
        }
    }
}

/// One of them when all are the same, and all of them otherwise.
pub(crate) fn once<T: PartialEq>(all: &[T]) -> &[T] {
    match all {
        [first, rest @ ..] if rest.iter().all(|other| other == first) => &all[..1],
        _ => all,
    }
}
