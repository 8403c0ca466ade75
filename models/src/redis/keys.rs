//! Commands on keys of any kind.

use super::args::{Answer, arity};
use super::resp::Reply;
use super::value::Data;

pub(super) fn run(data: &mut Data, name: &str, args: &[Vec<u8>]) -> Option<Answer> {
    Some(match name {
        "EXISTS" | "DEL" | "UNLINK" if args.is_empty() => Err(arity(name)),
        "EXISTS" => counted(args.iter().filter(|key| data.has(key))),
        "DEL" | "UNLINK" => counted(args.iter().filter(|key| data.remove(key))),
        "FLUSHALL" | "FLUSHDB" => {
            data.clear();
            Ok(Reply::ok())
        }
        _ => return None,
    })
}

fn counted<T>(items: impl Iterator<Item = T>) -> Answer {
    Ok(Reply::Int(items.count() as i64))
}
