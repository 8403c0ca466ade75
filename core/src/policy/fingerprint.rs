use crate::PartitionId;

/// A 128-bit FNV-1a hash. It is stored, so it must never change.
pub struct Fingerprint(u128);

impl Fingerprint {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

    /// The hash of nothing.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(Self::BASIS)
    }

    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(Self::PRIME);
        }
    }

    /// The hash of what was added.
    pub const fn finish(&self) -> u128 {
        self.0
    }
}

/// The partition that a text chooses among `partitions`.
pub fn partition_of_key(key: &str, partitions: u16) -> PartitionId {
    let mut hash = Fingerprint::new();
    hash.add(key.as_bytes());
    let folded = hash.finish() ^ (hash.finish() >> 64);
    PartitionId((folded as u64 % u64::from(partitions.max(1))) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_and_stays_so() {
        let hash = |text: &str| {
            let mut hash = Fingerprint::new();
            hash.add(text.as_bytes());
            hash.finish()
        };
        assert_eq!(hash("a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
        assert_eq!(hash("foobar"), 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18);
    }

    #[test]
    fn keys_spread_over_all_partitions() {
        let mut seen = [0u32; 8];
        for n in 0..8_000 {
            seen[usize::from(partition_of_key(&std::format!("key-{n}"), 8).0)] += 1;
        }
        assert!(seen.iter().all(|n| (800..1_200).contains(n)), "{seen:?}");
    }
}
