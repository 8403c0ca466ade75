//! Writes of one item, alone or in a transaction.

use serde_json::json;

use super::error::{missing, throttled};
use super::expression::Condition;
use super::server::{Commit, Done, Dynamo, Moment};
use super::table::Table;
use super::units::Detail;
use super::value::{self, Item, Value};
use crate::aws::{Error, Fields, Json};

/// What happens to an item, if a condition holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Action {
    pub(super) table: String,
    pub(super) what: What,
    pub(super) condition: Option<Condition>,
    /// Whether the item is returned for which the condition does not hold.
    tell: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Put(Item),
    Delete(Value),
    /// Nothing but the condition.
    Check(Value),
}

impl Action {
    pub(super) fn put(table: &Table, fields: &mut Fields) -> Result<Self, Error> {
        let item = fields.object("Item")?.ok_or_else(|| missing("Item"))?;
        let item = value::item(item)?;
        Self::read(table, What::Put(item), fields)
    }

    pub(super) fn delete(table: &Table, fields: &mut Fields) -> Result<Self, Error> {
        let key = value::key(fields, &table.key)?;
        Self::read(table, What::Delete(key), fields)
    }

    pub(super) fn check(table: &Table, fields: &mut Fields) -> Result<Self, Error> {
        let key = value::key(fields, &table.key)?;
        let action = Self::read(table, What::Check(key), fields)?;
        match action.condition {
            Some(_) => Ok(action),
            None => Err(missing("ConditionExpression")),
        }
    }

    fn read(table: &Table, what: What, fields: &mut Fields) -> Result<Self, Error> {
        let condition = Condition::read(fields)?;
        let tell = match fields
            .text("ReturnValuesOnConditionCheckFailure")?
            .as_deref()
        {
            None | Some("NONE") => false,
            Some("ALL_OLD") => true,
            Some(other) => return Err(Error::unknown(format!("to return {other}"))),
        };
        Ok(Self {
            table: table.name.clone(),
            what,
            condition,
            tell,
        })
    }

    /// The key of the item, when what is written fits a table.
    pub(super) fn key(&self, table: &Table) -> Result<Value, Error> {
        match &self.what {
            What::Put(item) => table.check(item),
            What::Delete(key) | What::Check(key) => Ok(key.clone()),
        }
    }

    /// Whether all parts of keys are of the kinds that they must be.
    pub(super) fn check_kinds(&self, table: &Table) -> Result<(), Error> {
        match &self.what {
            What::Put(item) => table.mismatch(item).map_or(Ok(()), Err),
            What::Delete(key) | What::Check(key) => table.check_key(key),
        }
    }

    /// Whether the condition holds of the item that is there; otherwise what is told of it.
    pub(super) fn holds(&self, there: Option<&Item>) -> Result<(), Option<Json>> {
        match &self.condition {
            Some(condition) if !condition.holds(there) => {
                Err(there.filter(|_| self.tell).map(value::to_json))
            }
            _ => Ok(()),
        }
    }

    /// What is there afterwards; `None` when nothing is written.
    pub(super) fn after(self) -> Option<Option<Item>> {
        match self.what {
            What::Put(item) => Some(Some(item)),
            What::Delete(_) => Some(None),
            What::Check(_) => None,
        }
    }
}

impl Dynamo {
    pub(super) fn put_item(&mut self, moment: &mut Moment<'_>, fields: &mut Fields) -> Done {
        let action = Action::put(self.table(moment.now, fields)?, fields)?;
        self.alone(moment, action, fields)
    }

    pub(super) fn delete_item(&mut self, moment: &mut Moment<'_>, fields: &mut Fields) -> Done {
        let action = Action::delete(self.table(moment.now, fields)?, fields)?;
        self.alone(moment, action, fields)
    }

    fn alone(&mut self, moment: &mut Moment<'_>, action: Action, fields: &mut Fields) -> Done {
        let detail = Detail::read(fields)?;
        std::mem::take(fields).end()?;
        let table = self.usable(moment.now, &action.table)?;
        let key = action.key(table)?;
        action.check_kinds(table)?;
        if self.condition.starved & 1 == 1 {
            return Err(throttled());
        }
        if self.condition.conflicts & 1 == 1 {
            let message = "Transaction is ongoing for the item";
            return Err(Error::new("TransactionConflictException", message));
        }
        if let Err(there) = action.holds(table.items.get(&key)) {
            let message = "The conditional request failed";
            let mut error = Error::new("ConditionalCheckFailedException", message);
            error
                .more
                .extend(there.map(|item| ("Item".to_owned(), item)));
            return Err(error);
        }
        let name = action.table.clone();
        let mut reply = json!({});
        if let Some(after) = action.after() {
            let (consumed, write) = self.write(moment, &name, &key, after);
            consumed.tell(&mut reply, &name, detail);
            self.written.extend(write.map(|write| Commit {
                at: moment.now,
                writes: vec![write],
            }));
        }
        Ok(reply)
    }
}
