use std::collections::BTreeMap;

use super::condition::Condition;
use super::error::{missing, no_table, of_fault, reply};
use super::table::Table;
use super::transact::Kept;
use super::units::Consumed;
use super::value::{Item, Value};
use crate::aws::{Error, Fault, Fields, Json, Reply};

/// DynamoDB, with the tables of one account in one region. It has no clock: whoever runs it says
/// what time it is, in milliseconds since the Unix epoch.
#[derive(Default)]
pub struct Dynamo {
    pub(super) tables: BTreeMap<String, Table>,
    /// Transactions that were carried out, by their tokens.
    pub(super) tokens: BTreeMap<String, Kept>,
    pub(super) condition: Condition,
    pub(super) written: Vec<Commit>,
    /// An index was read that does not show all that was written.
    pub(super) behind: bool,
}

/// What was written at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// When.
    pub at: u64,
    /// The items, in the order of the request.
    pub writes: Vec<Write>,
}

/// An item that was written or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The table.
    pub table: String,
    /// Its key alone.
    pub key: Item,
    /// All of it, or `None` when it was deleted.
    pub item: Option<Item>,
}

/// What is known while a request is carried out.
pub(super) struct Moment<'a> {
    pub(super) now: u64,
    pub(super) random: &'a mut dyn FnMut() -> u64,
}

/// What an operation comes to.
pub(super) type Done = Result<Json, Error>;

impl Dynamo {
    /// A service without tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes what goes wrong.
    pub fn set_condition(&mut self, condition: Condition) {
        self.condition = condition;
    }

    /// What goes wrong.
    pub fn condition(&self) -> Condition {
        self.condition
    }

    /// What was written to tables since this was asked last, in order.
    pub fn written(&mut self) -> Vec<Commit> {
        std::mem::take(&mut self.written)
    }

    /// Whether an index was read since this was asked last that did not show all that had been
    /// written to the group that was asked for.
    pub fn was_behind(&mut self) -> bool {
        std::mem::take(&mut self.behind)
    }

    /// A service of its own with the same tables, whose indexes show every item as it is.
    pub fn settled(&self) -> Self {
        let mut tables = self.tables.clone();
        for table in tables.values_mut() {
            table.settle(u64::MAX);
        }
        Self {
            tables,
            ..Self::default()
        }
    }

    /// Carries out a request: `target` is what `X-Amz-Target` says, such as
    /// `DynamoDB_20120810.GetItem`, `body` its parameters in JSON. `random` says how far indexes
    /// are behind, where they are.
    pub fn call(
        &mut self,
        now: u64,
        random: &mut dyn FnMut() -> u64,
        target: &str,
        body: &[u8],
    ) -> Reply {
        let fault = self.condition.fault;
        if let Some(fault) = fault
            && fault != (Fault::Internal { applied: true })
        {
            return reply(&of_fault(fault));
        }
        let mut moment = Moment { now, random };
        let done = self.carry_out(&mut moment, target, body);
        match (done, fault) {
            (_, Some(fault)) => reply(&of_fault(fault)),
            (Ok(body), None) => Reply::done(body),
            (Err(error), None) => reply(&error),
        }
    }

    fn carry_out(&mut self, moment: &mut Moment<'_>, target: &str, body: &[u8]) -> Done {
        for table in self.tables.values_mut() {
            table.settle(moment.now);
        }
        let mut fields = Fields::parse(body)?;
        let (now, fields) = (moment.now, &mut fields);
        match target.strip_prefix("DynamoDB_20120810.") {
            Some("CreateTable") => self.create_table(now, fields),
            Some("DescribeTable") => self.describe_table(now, fields),
            Some("GetItem") => self.get_item(now, fields),
            Some("BatchGetItem") => self.batch_get_item(now, fields),
            Some("Query") => self.query(now, fields),
            Some("PutItem") => self.put_item(moment, fields),
            Some("DeleteItem") => self.delete_item(moment, fields),
            Some("TransactWriteItems") => self.transact_write_items(moment, fields),
            _ => Err(Error::unknown(format!("the operation {target}"))),
        }
    }

    /// The table that is asked for, when it can be used.
    pub(super) fn table(&self, now: u64, fields: &mut Fields) -> Result<&Table, Error> {
        let name = fields.text("TableName")?;
        self.usable(now, &name.ok_or_else(|| missing("TableName"))?)
    }

    pub(super) fn usable(&self, now: u64, name: &str) -> Result<&Table, Error> {
        let table = self.tables.get(name).filter(|table| table.usable <= now);
        table.ok_or_else(no_table)
    }

    /// Writes an item, or deletes it, and notes that.
    pub(super) fn write(
        &mut self,
        moment: &mut Moment<'_>,
        table: &str,
        key: &Value,
        item: Option<Item>,
    ) -> (Consumed, Option<Write>) {
        let Some(table) = self.tables.get_mut(table) else {
            return (Consumed::default(), None);
        };
        let note = Write {
            table: table.name.clone(),
            key: Item::from([(table.key.clone(), key.clone())]),
            item: item.clone(),
        };
        let changes = item.is_some() || table.items.contains_key(key);
        let (now, lag) = (moment.now, self.condition.index_lag);
        let consumed = table.write(key, item, || match lag {
            0 => now,
            lag => now + (moment.random)() % lag.saturating_add(1),
        });
        table.settle(now);
        (consumed, changes.then_some(note))
    }
}
