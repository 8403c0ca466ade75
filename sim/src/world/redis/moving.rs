//! Slots that are moved from one primary to another, step by step, as resharding tools do it.

use std::collections::VecDeque;

use russet_models::redis::{NodeNumber, slot};

use super::server::RedisServer;
use super::{PREFIX, primary};
use crate::history::Actor;
use crate::plan::Random;

/// A slot on its way.
pub struct Moving {
    slot: u16,
    from: NodeNumber,
    to: NodeNumber,
    steps: VecDeque<Step>,
}

/// What is done next.
#[derive(Clone, Copy)]
enum Step {
    /// The new node serves those who say `ASKING`.
    Import,
    /// The old one sends those there who ask for keys that it has not.
    Migrate,
    /// Keys are moved, one at a time.
    Keys,
    /// A node is told that the slot is the new one's.
    Tell(NodeNumber),
}

impl Moving {
    /// Between which primaries.
    pub fn nodes(&self) -> [Actor; 2] {
        [primary(self.from), primary(self.to)]
    }
}

impl RedisServer {
    /// A slot that something of the store is in, and another node for it; `None` when there is no
    /// other node.
    pub fn choose_slot(&self, random: &Random, partitions: u16) -> Option<Moving> {
        let nodes = self.nodes();
        let names = (0..partitions).map(|n| format!("{{{PREFIX}:{n}}}"));
        let names: Vec<_> = names.chain([format!("{{{PREFIX}}}")]).collect();
        let slot = slot(random.one_of(&names).as_bytes());
        let from = self.primary(0).redis().cluster()?.owner(slot);
        let to = (from + random.within(1..u64::from(nodes)) as u8) % nodes;
        let others = (0..nodes).filter(|node| *node != from && *node != to);
        let told = [to, from].into_iter().chain(others).map(Step::Tell);
        let steps = [Step::Import, Step::Migrate, Step::Keys];
        Some(Moving {
            slot,
            from,
            to,
            steps: steps.into_iter().chain(told).collect(),
        })
    }

    /// Does the next step of a move; whether it was the last.
    pub fn move_on(&self, moving: &mut Moving, random: &Random) -> bool {
        let Moving { slot, from, to, .. } = *moving;
        let is_over = match moving.steps.front() {
            None => return true,
            Some(Step::Import) => self.tell(to, |known| known.import(slot, from)),
            Some(Step::Migrate) => self.tell(from, |known| known.migrate(slot, to)),
            Some(Step::Keys) => !self.move_key(moving, random),
            Some(Step::Tell(node)) => self.tell(*node, |known| known.assign(slot, to)),
        };
        if is_over {
            moving.steps.pop_front();
        }
        moving.steps.is_empty()
    }

    /// Moves one key; whether there was one.
    fn move_key(&self, moving: &Moving, random: &Random) -> bool {
        let [from, to] = [moving.from, moving.to].map(|node| self.primary(node));
        let mut from = from.redis();
        let keys = from.keys_in(moving.slot);
        if keys.is_empty() {
            return false;
        }
        let key: &Vec<u8> = random.one_of(&keys);
        if !from.move_key(key, &mut to.redis()) {
            let key = key.escape_ascii();
            panic!("BUSYKEY: {key} was made at a node while another one still had it");
        }
        true
    }
}
