//! `ZADD` and its like.

use std::ops::Range;

use super::args::{Answer, Edge, LexEdge, Options, arity, error, float, integer, is};
use super::resp::Reply;
use super::sorted::SortedSet;
use super::value::Data;

pub(super) fn run(data: &mut Data, name: &str, args: &[Vec<u8>]) -> Option<Answer> {
    Some(match name {
        "ZADD" => add(data, args),
        "ZREM" => remove(data, args),
        "ZREMRANGEBYRANK" => remove_by_rank(data, args),
        "ZCARD" => card(data, args),
        "ZSCORE" => score(data, args),
        "ZCOUNT" => count(data, args),
        "ZRANGE" => range(data, args),
        "ZRANGEBYSCORE" => by_score(data, args, false),
        "ZREVRANGEBYSCORE" => by_score(data, args, true),
        "ZRANGEBYLEX" => by_lex(data, args, false),
        "ZREVRANGEBYLEX" => by_lex(data, args, true),
        _ => return None,
    })
}

fn add(data: &mut Data, args: &[Vec<u8>]) -> Answer {
    let [key, pairs @ ..] = args else {
        return Err(arity("zadd"));
    };
    if pairs.len() < 2 {
        return Err(arity("zadd"));
    }
    if pairs.len() % 2 != 0 {
        return Err(error("ERR syntax error"));
    }
    let pairs = pairs.chunks_exact(2);
    let scored = pairs.map(|pair| Ok((float(&pair[0])?, pair[1].clone())));
    let scored = scored.collect::<Result<Vec<_>, Reply>>()?;
    let added = data.change(key, |set: &mut SortedSet| {
        let scored = scored.into_iter();
        scored
            .filter(|(score, member)| set.put(member.clone(), *score))
            .count()
    })?;
    Ok(Reply::Int(added as i64))
}

fn remove(data: &mut Data, args: &[Vec<u8>]) -> Answer {
    let [key, members @ ..] = args else {
        return Err(arity("zrem"));
    };
    if members.is_empty() {
        return Err(arity("zrem"));
    }
    let removed = data.change(key, |set: &mut SortedSet| {
        members.iter().filter(|member| set.remove(member)).count()
    })?;
    Ok(Reply::Int(removed as i64))
}

fn remove_by_rank(data: &mut Data, args: &[Vec<u8>]) -> Answer {
    let [key, first, last] = args else {
        return Err(arity("zremrangebyrank"));
    };
    let (first, last) = (integer(first)?, integer(last)?);
    let removed = data.change(key, |set: &mut SortedSet| {
        let ranks = ranks(set.len(), first, last);
        let members = set.iter().skip(ranks.start).take(ranks.len());
        let members: Vec<_> = members.map(|(member, _)| member.to_vec()).collect();
        members.iter().filter(|member| set.remove(member)).count()
    })?;
    Ok(Reply::Int(removed as i64))
}

/// The ranks from `first` to `last`, which count from the end where they are negative.
fn ranks(length: usize, first: i64, last: i64) -> Range<usize> {
    let length = length as i64;
    let from_start = |at: i64| if at < 0 { at + length } else { at };
    let (first, last) = (from_start(first).max(0), from_start(last).min(length - 1));
    first as usize..(last + 1).max(first) as usize
}

fn card(data: &Data, args: &[Vec<u8>]) -> Answer {
    let [key] = args else {
        return Err(arity("zcard"));
    };
    let count = data.read::<SortedSet>(key)?.map_or(0, SortedSet::len);
    Ok(Reply::Int(count as i64))
}

fn score(data: &Data, args: &[Vec<u8>]) -> Answer {
    let [key, member] = args else {
        return Err(arity("zscore"));
    };
    let set = data.read::<SortedSet>(key)?;
    let score = set.and_then(|set| set.score(member));
    Ok(score.map_or(Reply::Nil, |score| Reply::Bulk(written(score))))
}

fn count(data: &Data, args: &[Vec<u8>]) -> Answer {
    let [key, first, last] = args else {
        return Err(arity("zcount"));
    };
    let (first, last) = (Edge::read(first)?, Edge::read(last)?);
    let set = data.read::<SortedSet>(key)?;
    let within = set.into_iter().flat_map(SortedSet::iter);
    let within = within.filter(|(_, score)| first.is_below(*score) && last.is_above(*score));
    Ok(Reply::Int(within.count() as i64))
}

fn range(data: &Data, args: &[Vec<u8>]) -> Answer {
    let [key, first, last, more @ ..] = args else {
        return Err(arity("zrange"));
    };
    let with_scores = match more {
        [] => false,
        [word] if is(word, "WITHSCORES") => true,
        _ => return Err(error("ERR syntax error")),
    };
    let (first, last) = (integer(first)?, integer(last)?);
    let Some(set) = data.read::<SortedSet>(key)? else {
        return Ok(Reply::Array(Vec::new()));
    };
    let ranks = ranks(set.len(), first, last);
    let items = set.iter().skip(ranks.start).take(ranks.len());
    Ok(listed(items, with_scores))
}

fn by_score(data: &Data, args: &[Vec<u8>], backwards: bool) -> Answer {
    let [key, first, last, more @ ..] = args else {
        return Err(arity("zrangebyscore"));
    };
    let (low, high) = if backwards {
        (last, first)
    } else {
        (first, last)
    };
    let (low, high) = (Edge::read(low)?, Edge::read(high)?);
    let options = Options::read(more)?;
    let set = data.read::<SortedSet>(key)?;
    let within = set.into_iter().flat_map(SortedSet::iter);
    let within = within.filter(|(_, score)| low.is_below(*score) && high.is_above(*score));
    let items: Vec<_> = in_order(within, backwards);
    Ok(listed(options.cut(items.into_iter()), options.with_scores))
}

fn by_lex(data: &Data, args: &[Vec<u8>], backwards: bool) -> Answer {
    let [key, first, last, more @ ..] = args else {
        return Err(arity("zrangebylex"));
    };
    let (low, high) = if backwards {
        (last, first)
    } else {
        (first, last)
    };
    let (low, high) = (LexEdge::read(low)?, LexEdge::read(high)?);
    let options = Options::read(more)?;
    let set = data.read::<SortedSet>(key)?;
    let within = set.into_iter().flat_map(SortedSet::iter);
    let within = within.filter(|(member, _)| low.is_below(member) && high.is_above(member));
    let items: Vec<_> = in_order(within, backwards);
    Ok(listed(options.cut(items.into_iter()), options.with_scores))
}

fn in_order<T>(items: impl Iterator<Item = T>, backwards: bool) -> Vec<T> {
    let mut items: Vec<_> = items.collect();
    if backwards {
        items.reverse();
    }
    items
}

fn listed<'a>(items: impl Iterator<Item = (&'a [u8], f64)>, with_scores: bool) -> Reply {
    let parts = items.flat_map(|(member, score)| {
        let score = with_scores.then(|| written(score));
        std::iter::once(member.to_vec()).chain(score)
    });
    Reply::bulks(parts)
}

/// A score as Redis 7 writes it for clients of the older protocol: with 17 digits at most.
pub(super) fn written(score: f64) -> Vec<u8> {
    if score.is_infinite() {
        return if score > 0.0 {
            b"inf".to_vec()
        } else {
            b"-inf".to_vec()
        };
    }
    if score.fract() == 0.0 && score.abs() < 1e17 {
        let text = format!("{score:.0}");
        return if text == "-0" {
            b"-0".to_vec()
        } else {
            text.into_bytes()
        };
    }
    let text = format!("{score:.16e}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return text.into_bytes();
    };
    shortest(digits, exponent.parse().unwrap_or(0))
}

/// `%.17g`: digits without zeros at the end, and an exponent where the number is very large or
/// very small.
fn shortest(digits: &str, exponent: i32) -> Vec<u8> {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits),
    };
    let plain: String = digits.chars().filter(char::is_ascii_digit).collect();
    let plain = plain.trim_end_matches('0');
    let plain = if plain.is_empty() { "0" } else { plain };
    let text = match exponent {
        0..17 => {
            let whole = exponent as usize + 1;
            let padded = format!("{plain:0<whole$}");
            let (whole, rest) = padded.split_at(whole);
            if rest.is_empty() {
                whole.to_owned()
            } else {
                format!("{whole}.{rest}")
            }
        }
        -4..0 => format!("0.{}{plain}", "0".repeat((-exponent - 1) as usize)),
        _ => {
            let (first, rest) = plain.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{first}{point}{rest}e{sign}{:02}", exponent.abs())
        }
    };
    format!("{sign}{text}").into_bytes()
}
