use russet_core::{PartitionId, RecordKey};
use russet_engine::Versioned;

use crate::{key, value};

/// The attribute that holds the key of an item, in a store's table.
pub const KEY_ATTRIBUTE: &str = super::item::KEY;
/// The attribute that holds the record of an item, in a store's table.
pub const RECORD_ATTRIBUTE: &str = super::item::RECORD;

/// The record of an item, for whoever looks at a table from outside: `place` is the value of its
/// [`KEY_ATTRIBUTE`], `value` that of its [`RECORD_ATTRIBUTE`], which a deleted item has not.
/// `None` when it is no record, or cannot be read.
pub fn read_item(
    place: &[u8],
    value: Option<&[u8]>,
) -> Option<(PartitionId, RecordKey, Option<Versioned>)> {
    let (partition, key) = key::read(place)?;
    let record = value.map(|value| value::read(place, value)).transpose();
    Some((partition, key, record.ok()?))
}

#[cfg(test)]
mod tests {
    use russet_core::{Leader, NodeId, Record, Timestamp};
    use russet_engine::Version;

    use super::*;

    #[test]
    fn a_record_is_read_from_its_item() {
        let (partition, version) = (PartitionId(7), Version(5));
        let record = Record::Leader(Leader {
            holder: NodeId::from_u128(7),
            epoch: 3,
            expires_at: Timestamp::from_millis(1_000),
        });
        let place = key::place(partition, &RecordKey::Leader);
        let bytes = value::append(0, version, &record, place.clone());
        let known = Some(Versioned { version, record });
        let leader = RecordKey::Leader;
        let read = read_item(&place, Some(&bytes[place.len()..]));
        assert_eq!(read, Some((partition, leader.clone(), known)));
        assert_eq!(read_item(&place, None), Some((partition, leader, None)));
        assert_eq!(read_item(&place, Some(b"altered")), None);
        assert_eq!(read_item(&[0xff, b'm'], None), None);
    }
}
