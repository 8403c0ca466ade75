use crate::RedisCluster;

/// How long a key may take from one node to another, in milliseconds.
const KEY_MS: u32 = 5_000;

/// A slot that is being moved from one node to another: step by step, as resharding tools do it.
pub struct MovingSlot<'a> {
    cluster: &'a RedisCluster,
    slot: u16,
    from: usize,
    to: usize,
}

impl RedisCluster {
    /// Begins to move a slot to another node: from now on it has new keys of the slot.
    ///
    /// # Panics
    /// When a node refuses.
    pub fn move_slot(&self, slot: u16, to: usize) -> MovingSlot<'_> {
        let from = self.owner(slot);
        let [here, there] = [self.id(from), self.id(to)];
        self.tell(to, &format!("CLUSTER SETSLOT {slot} IMPORTING {here}"));
        self.tell(from, &format!("CLUSTER SETSLOT {slot} MIGRATING {there}"));
        MovingSlot {
            cluster: self,
            slot,
            from,
            to,
        }
    }
}

impl MovingSlot<'_> {
    /// Moves one more key; whether there was one.
    ///
    /// # Panics
    /// When a node refuses.
    pub fn move_key(&self) -> bool {
        let line = format!("CLUSTER GETKEYSINSLOT {} 1", self.slot);
        let answer = self.cluster.ask(self.from, &line);
        let Some(key) = answer.lines().find(|line| line.starts_with('{')) else {
            return false;
        };
        let port = self.cluster.port(self.to);
        let line = format!("MIGRATE 127.0.0.1 {port} \"\" 0 {KEY_MS} KEYS {key}");
        let answer = self.cluster.ask(self.from, &line);
        // What went away meanwhile need not be moved.
        let moved = answer.starts_with("+OK") || answer.starts_with("+NOKEY");
        assert!(moved, "{line}: {answer}");
        true
    }

    /// Moves what is left of the slot, and tells all nodes who has it now.
    ///
    /// # Panics
    /// When a node refuses.
    pub fn finish(self) {
        while self.move_key() {}
        let Self {
            cluster,
            slot,
            from,
            to,
        } = self;
        let line = format!("CLUSTER SETSLOT {slot} NODE {}", cluster.id(to));
        cluster.tell(to, &line);
        cluster.tell(from, &line);
        for node in 0..cluster.servers().len() {
            // Replicas refuse it, and learn it from their primaries.
            cluster.ask(node, &line);
        }
        cluster.wait_for_owner(slot, to);
    }
}
