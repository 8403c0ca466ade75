//! `SADD` and its like.

use std::collections::BTreeSet;

use super::args::{Answer, arity};
use super::resp::Reply;
use super::value::Data;

type Set = BTreeSet<Vec<u8>>;

pub(super) fn run(data: &mut Data, name: &str, args: &[Vec<u8>]) -> Option<Answer> {
    Some(match name {
        "SADD" => change(data, args, "sadd", |set, member| {
            set.insert(member.to_vec())
        }),
        "SREM" => change(data, args, "srem", |set, member| set.remove(member)),
        "SMEMBERS" => members(data, args),
        "SCARD" => count(data, args),
        _ => return None,
    })
}

fn change(
    data: &mut Data,
    args: &[Vec<u8>],
    name: &str,
    change: impl Fn(&mut Set, &[u8]) -> bool,
) -> Answer {
    let [key, members @ ..] = args else {
        return Err(arity(name));
    };
    if members.is_empty() {
        return Err(arity(name));
    }
    let changed = data.change(key, |set: &mut Set| {
        members.iter().filter(|member| change(set, member)).count()
    })?;
    Ok(Reply::Int(changed as i64))
}

fn members(data: &Data, args: &[Vec<u8>]) -> Answer {
    let [key] = args else {
        return Err(arity("smembers"));
    };
    let set = data.read::<Set>(key)?;
    Ok(Reply::bulks(set.into_iter().flatten().cloned()))
}

fn count(data: &Data, args: &[Vec<u8>]) -> Answer {
    let [key] = args else {
        return Err(arity("scard"));
    };
    let count = data.read::<Set>(key)?.map_or(0, BTreeSet::len);
    Ok(Reply::Int(count as i64))
}
