//! Which slot of a cluster a name is in, and how a cluster says which node has a slot.

use std::ops::RangeInclusive;

use redis::Value;

use super::call::{CallError, array, integer, optional};
use super::options::Address;

/// How many slots a cluster has.
pub(crate) const SLOTS: u16 = 16_384;

/// The slot of a name: of what stands between its first braces, if anything does.
pub(crate) fn slot(name: &[u8]) -> u16 {
    let tag = || {
        let rest = &name[name.iter().position(|byte| *byte == b'{')? + 1..];
        let end = rest.iter().position(|byte| *byte == b'}')?;
        (end > 0).then_some(&rest[..end])
    };
    crc16(tag().unwrap_or(name)) % SLOTS
}

/// CRC-16 as XMODEM has it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let crc = crc ^ (u16::from(*byte) << 8);
        (0..8).fold(crc, |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        })
    })
}

/// Slots, and the node that has them.
pub(crate) type Owned = (RangeInclusive<u16>, Address);

/// Reads the answer of `CLUSTER SLOTS` of the node at `asked`. Nodes that it cannot name are
/// left out.
pub(crate) fn read_owned(asked: &Address, answer: Value) -> Result<Vec<Owned>, CallError> {
    let mut owned = Vec::new();
    for range in array(answer)? {
        let mut range = array(range)?.into_iter();
        let mut edge = || -> Result<u16, CallError> {
            let number = integer(range.next().unwrap_or_default())?;
            let slot = u16::try_from(number).ok().filter(|slot| *slot < SLOTS);
            slot.ok_or_else(|| CallError::Strange(format!("slot {number}")))
        };
        let slots = edge()?..=edge()?;
        // Replicas stand behind the primary.
        let mut primary = array(range.next().unwrap_or_default())?.into_iter();
        let host = optional(primary.next().unwrap_or_default())?.unwrap_or_default();
        let port = integer(primary.next().unwrap_or_default())?;
        let host = String::from_utf8_lossy(&host);
        let port = u16::try_from(port).map_err(|_| CallError::Strange(format!("port {port}")))?;
        if host != "?" {
            owned.push((slots, named(asked, &host, port)));
        }
    }
    Ok(owned)
}

/// Where to go instead, and with which slot, as the node at `asked` says: `MOVED 7 host:port`.
pub(crate) fn read_redirect(asked: &Address, said: &str) -> Option<Address> {
    let (host, port) = said.split_whitespace().nth(2)?.rsplit_once(':')?;
    Some(named(asked, host, port.parse().ok()?))
}

/// A node that is named by no host has the host of the one that was asked.
fn named(asked: &Address, host: &str, port: u16) -> Address {
    let host = match host {
        "" => &asked.host,
        host => host,
    };
    Address {
        host: host.to_owned(),
        port,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).expect("an address")
    }

    #[test]
    fn slots_are_those_of_the_servers() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (name, expected) in [
            ("foo", 12_182),
            ("{foo}:records", 12_182),
            ("{foo}{bar}", 12_182),
            ("{}foo", slot(b"{}foo")),
            ("", 0),
        ] {
            assert_eq!(slot(name.as_bytes()), expected, "{name}");
        }
        assert_ne!(slot(b"{}foo"), slot(b"{}bar"), "nothing is between braces");
    }

    #[test]
    fn a_redirect_names_a_node() {
        let asked = address("10.0.0.1:7000");
        for (said, node) in [
            ("MOVED 3999 10.0.0.2:6381", Some("10.0.0.2:6381")),
            ("ASK 3999 node-2.example:6381", Some("node-2.example:6381")),
            ("ASK 3999 ::1:6381", Some("::1:6381")),
            ("MOVED 3999 :6381", Some("10.0.0.1:6381")),
            ("MOVED 3999", None),
            ("MOVED 3999 10.0.0.2:99999", None),
        ] {
            assert_eq!(read_redirect(&asked, said), node.map(address), "{said}");
        }
    }

    #[test]
    fn the_primary_of_each_range_has_its_slots() {
        let asked = address("10.0.0.1:7000");
        let node = |host: Value, port| {
            let id = Value::BulkString(b"0123".to_vec());
            Value::Array(vec![host, Value::Int(port), id])
        };
        let text = |host: &str| Value::BulkString(host.as_bytes().to_vec());
        let range = |first, last, nodes: Vec<Value>| {
            let edges = vec![Value::Int(first), Value::Int(last)];
            Value::Array([edges, nodes].concat())
        };
        let answer = Value::Array(vec![
            range(
                0,
                5,
                vec![node(text("10.0.0.2"), 1), node(text("10.0.0.3"), 2)],
            ),
            range(6, 6, vec![node(Value::Nil, 3)]),
            range(7, 9, vec![node(text("?"), 4)]),
            range(10, 16_383, vec![node(text(""), 5)]),
        ]);
        let owned = read_owned(&asked, answer).expect("it is read");
        let expected = [
            (0..=5, address("10.0.0.2:1")),
            (6..=6, address("10.0.0.1:3")),
            (10..=16_383, address("10.0.0.1:5")),
        ];
        assert_eq!(owned, expected);
        for strange in [
            Value::Nil,
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(0, 16_384, vec![node(text("a"), 1)])]),
            Value::Array(vec![range(0, 1, vec![node(text("a"), 99_999)])]),
            Value::Array(vec![range(0, 1, Vec::new())]),
        ] {
            assert!(read_owned(&asked, strange).is_err());
        }
    }
}
