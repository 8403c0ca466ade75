//! `HSET` and its like.

use std::collections::BTreeMap;

use super::args::{Answer, arity};
use super::resp::Reply;
use super::value::Data;

type Hash = BTreeMap<Vec<u8>, Vec<u8>>;

pub(super) fn run(data: &mut Data, name: &str, args: &[Vec<u8>]) -> Option<Answer> {
    Some(match name {
        "HSET" => set(data, args),
        "HSETNX" => set_if_absent(data, args),
        "HGET" => get(data, args),
        "HMGET" => get_many(data, args),
        "HDEL" => delete(data, args),
        "HLEN" => length(data, args),
        _ => return None,
    })
}

fn set(data: &mut Data, args: &[Vec<u8>]) -> Answer {
    let [key, pairs @ ..] = args else {
        return Err(arity("hset"));
    };
    if pairs.is_empty() || pairs.len() % 2 != 0 {
        return Err(arity("hset"));
    }
    let added = data.change(key, |hash: &mut Hash| {
        let pairs = pairs.chunks_exact(2);
        let added = pairs.filter(|pair| hash.insert(pair[0].clone(), pair[1].clone()).is_none());
        added.count()
    })?;
    Ok(Reply::Int(added as i64))
}

fn set_if_absent(data: &mut Data, args: &[Vec<u8>]) -> Answer {
    let [key, field, value] = args else {
        return Err(arity("hsetnx"));
    };
    let added = data.change(key, |hash: &mut Hash| {
        let absent = !hash.contains_key(field);
        if absent {
            hash.insert(field.clone(), value.clone());
        }
        absent
    })?;
    Ok(Reply::Int(added.into()))
}

fn one(hash: Option<&Hash>, field: &[u8]) -> Reply {
    let value = hash.and_then(|hash| hash.get(field)).cloned();
    value.map_or(Reply::Nil, Reply::Bulk)
}

fn get(data: &Data, args: &[Vec<u8>]) -> Answer {
    let [key, field] = args else {
        return Err(arity("hget"));
    };
    Ok(one(data.read(key)?, field))
}

fn get_many(data: &Data, args: &[Vec<u8>]) -> Answer {
    let [key, fields @ ..] = args else {
        return Err(arity("hmget"));
    };
    if fields.is_empty() {
        return Err(arity("hmget"));
    }
    let hash = data.read(key)?;
    let values = fields.iter().map(|field| one(hash, field));
    Ok(Reply::Array(values.collect()))
}

fn delete(data: &mut Data, args: &[Vec<u8>]) -> Answer {
    let [key, fields @ ..] = args else {
        return Err(arity("hdel"));
    };
    if fields.is_empty() {
        return Err(arity("hdel"));
    }
    let removed = data.change(key, |hash: &mut Hash| {
        let gone = fields.iter().filter(|field| hash.remove(*field).is_some());
        gone.count()
    })?;
    Ok(Reply::Int(removed as i64))
}

fn length(data: &Data, args: &[Vec<u8>]) -> Answer {
    let [key] = args else {
        return Err(arity("hlen"));
    };
    let length = data.read::<Hash>(key)?.map_or(0, BTreeMap::len);
    Ok(Reply::Int(length as i64))
}
