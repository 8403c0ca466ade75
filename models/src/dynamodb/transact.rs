//! Writes of several items, all or none.

use std::collections::BTreeSet;

use serde_json::json;

use super::error::{invalid, missing};
use super::server::{Commit, Done, Dynamo, Moment};
use super::units::{Consumed, Detail};
use super::value::{Value, weight};
use super::write::{Action, What};
use crate::aws::{Error, Fields, Json};

/// Most items of a transaction.
const ITEMS: usize = 100;
/// Most bytes of its items.
const BYTES: usize = 4 * 1024 * 1024;
/// How long a transaction is known by its token, in milliseconds.
const TOKENS: u64 = 10 * 60_000;

/// A transaction that was carried out.
pub(super) struct Kept {
    at: u64,
    actions: Vec<Action>,
}

impl Dynamo {
    pub(super) fn transact_write_items(
        &mut self,
        moment: &mut Moment<'_>,
        fields: &mut Fields,
    ) -> Done {
        let actions = self.actions(moment.now, fields)?;
        let token = fields.text("ClientRequestToken")?;
        let detail = Detail::read(fields)?;
        std::mem::take(fields).end()?;
        self.tokens.retain(|_, kept| moment.now < kept.at + TOKENS);
        if let Some(token) = &token {
            if !(1..=36).contains(&token.len()) {
                return Err(invalid(
                    "1 validation error detected: ClientRequestToken: Member must have length 1 \
                     to 36",
                ));
            }
            if let Some(done) = self.known(token, &actions, detail) {
                return done;
            }
        }
        let keys = self.keys(moment.now, &actions)?;
        self.check(&actions, &keys)?;
        if let Some(token) = token {
            let kept = Kept {
                at: moment.now,
                actions: actions.clone(),
            };
            self.tokens.insert(token, kept);
        }
        Ok(self.commit(moment, actions, keys, detail))
    }

    fn actions(&self, now: u64, fields: &mut Fields) -> Result<Vec<Action>, Error> {
        let items = fields.list("TransactItems")?;
        let items = items.ok_or_else(|| missing("TransactItems"))?;
        if !(1..=ITEMS).contains(&items.len()) {
            return Err(invalid(format!(
                "1 validation error detected: TransactItems: Member must have length 1 to {ITEMS}"
            )));
        }
        let actions = items.into_iter().map(|item| self.action(now, item));
        actions.collect()
    }

    fn action(&self, now: u64, item: Json) -> Result<Action, Error> {
        let Json::Object(item) = item else {
            return Err(missing("TransactItems"));
        };
        let mut parts = item.into_iter().filter(|(_, json)| !json.is_null());
        let (Some((name, json)), None) = (parts.next(), parts.next()) else {
            return Err(invalid(
                "TransactItems can only contain one of Check, Put, Update or Delete",
            ));
        };
        let mut fields = Fields::of(&name, json)?;
        let table = self.table(now, &mut fields)?;
        let action = match name.as_str() {
            "Put" => Action::put(table, &mut fields)?,
            "Delete" => Action::delete(table, &mut fields)?,
            "ConditionCheck" => Action::check(table, &mut fields)?,
            _ => return Err(Error::unknown(format!("{name} in a transaction"))),
        };
        fields.end()?;
        Ok(action)
    }

    /// What is to be said of a transaction whose token is known.
    fn known(&self, token: &str, actions: &[Action], detail: Detail) -> Option<Done> {
        if self.condition.in_progress {
            let message = "Transaction with the given request token is already in progress";
            return Some(Err(Error::new("TransactionInProgressException", message)));
        }
        let kept = self.tokens.get(token)?;
        if kept.actions != actions {
            let message = "The request was rejected because its parameters do not match those of \
                           the first one with its token";
            let kind = "IdempotentParameterMismatchException";
            return Some(Err(Error::new(kind, message)));
        }
        let mut reply = json!({});
        let consumed = Consumed::of_table(2.0 * actions.len() as f64);
        tell(&mut reply, &actions[0].table, &consumed, detail);
        Some(Ok(reply))
    }

    /// The keys of the items: all different, of what fits.
    fn keys(&self, now: u64, actions: &[Action]) -> Result<Vec<Value>, Error> {
        let name = &actions[0].table;
        if actions.iter().any(|action| action.table != *name) {
            return Err(Error::unknown("transactions on several tables"));
        }
        let table = self.usable(now, name)?;
        let keys = actions.iter().map(|action| action.key(table));
        let keys: Vec<Value> = keys.collect::<Result<_, _>>()?;
        let unique: BTreeSet<&Value> = keys.iter().collect();
        if unique.len() < keys.len() {
            return Err(invalid(
                "Transaction request cannot include multiple operations on one item",
            ));
        }
        let bytes = actions.iter().map(|action| match &action.what {
            What::Put(item) => weight(item),
            What::Delete(_) | What::Check(_) => 0,
        });
        if bytes.sum::<usize>() > BYTES {
            return Err(invalid("Transaction items size exceeds 4 MB"));
        }
        let kinds = actions.iter().map(|action| action.check_kinds(table));
        let reasons = kinds.map(|kinds| match kinds {
            Ok(()) => none(),
            Err(error) => reason("ValidationError", &error.message),
        });
        unless_all_are_none(reasons.collect()).map(|()| keys)
    }

    /// Whether every item can be written.
    fn check(&self, actions: &[Action], keys: &[Value]) -> Result<(), Error> {
        let table = self.tables.get(&actions[0].table);
        let there = |key| table.and_then(|table| table.items.get(key));
        let mut reasons = Vec::new();
        for (at, (action, key)) in actions.iter().zip(keys).enumerate() {
            reasons.push(if self.condition.conflicts >> at & 1 == 1 {
                reason("TransactionConflict", "Transaction is ongoing for the item")
            } else if self.condition.starved >> at & 1 == 1 {
                let message = "Throughput exceeds the current capacity of your table or index.";
                reason("ThrottlingError", message)
            } else if let Err(there) = action.holds(there(key)) {
                let mut reason = reason("ConditionalCheckFailed", "The conditional request failed");
                if let Some(item) = there {
                    reason["Item"] = item;
                }
                reason
            } else {
                none()
            });
        }
        unless_all_are_none(reasons)
    }

    /// Every item costs twice as much as alone.
    fn commit(
        &mut self,
        moment: &mut Moment<'_>,
        actions: Vec<Action>,
        keys: Vec<Value>,
        detail: Detail,
    ) -> Json {
        let name = actions[0].table.clone();
        let (mut consumed, mut writes) = (Consumed::default(), Vec::new());
        for (action, key) in actions.into_iter().zip(keys) {
            let Some(after) = action.after() else {
                consumed.add(Consumed::of_table(2.0));
                continue;
            };
            let (mut units, write) = self.write(moment, &name, &key, after);
            units.table *= 2.0;
            consumed.add(units);
            writes.extend(write);
        }
        if !writes.is_empty() {
            let at = moment.now;
            self.written.push(Commit { at, writes });
        }
        let mut reply = json!({});
        tell(&mut reply, &name, &consumed, detail);
        reply
    }
}

fn tell(reply: &mut Json, table: &str, consumed: &Consumed, detail: Detail) {
    if detail != Detail::None {
        reply["ConsumedCapacity"] = json!([consumed.to_json(table, detail)]);
    }
}

fn none() -> Json {
    json!({ "Code": "None" })
}

fn reason(code: &str, message: &str) -> Json {
    json!({ "Code": code, "Message": message })
}

/// A transaction is cancelled for these reasons, if there are any.
fn unless_all_are_none(reasons: Vec<Json>) -> Result<(), Error> {
    if reasons.iter().all(|reason| *reason == none()) {
        return Ok(());
    }
    let codes = reasons.iter().filter_map(|reason| reason["Code"].as_str());
    let codes: Vec<&str> = codes.collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    let mut error = Error::new("TransactionCanceledException", message);
    let reasons = Json::Array(reasons);
    error.more.insert("CancellationReasons".to_owned(), reasons);
    Err(error)
}
