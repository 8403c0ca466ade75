//! One page of an index.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity, Select};
use russet_core::planted;
use russet_engine::{Order, StoreError};

use super::item::{DUE, ID, Item, LISTED, TIMERS, WORKFLOW};
use super::shape::{LISTINGS, TIMERS as BY_TIMER, WORKFLOWS};
use super::{Dynamo, fail, item};

/// Entries of an index that are next to each other.
#[derive(Clone, Debug)]
pub(super) enum Group {
    /// A part of a partition's timers, by when they are due.
    Timers(Vec<u8>),
    /// Tasks or names that are listed together, by id or name.
    Listed(Vec<u8>),
    /// Tasks of a workflow, by id.
    Workflow([u8; 16]),
}

impl Group {
    /// The index, and the attributes by which its entries are grouped and sorted.
    fn index(&self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Timers(_) => (BY_TIMER, TIMERS, DUE),
            Self::Listed(_) => (LISTINGS, LISTED, ID),
            Self::Workflow(_) => (WORKFLOWS, WORKFLOW, ID),
        }
    }

    /// What the index is called.
    pub(super) fn index_name(&self) -> &'static str {
        let (name, ..) = self.index();
        name
    }

    fn value(&self) -> AttributeValue {
        match self {
            Self::Timers(group) | Self::Listed(group) => item::bytes(group.as_slice()),
            Self::Workflow(id) => item::bytes(id.as_slice()),
        }
    }
}

/// What is read of a group.
pub(super) struct Query<'a> {
    dynamo: &'a Dynamo,
    group: Group,
    /// A condition on what entries are sorted by.
    within: Option<(&'static str, AttributeValue)>,
    order: Order,
    limit: Option<usize>,
    start: Option<Item>,
    count: bool,
}

/// What a page holds.
pub(super) struct Entries {
    /// Its entries; none when they were only counted.
    pub(super) entries: Vec<Item>,
    /// How many they are.
    pub(super) count: u64,
    /// Where the next page starts; `None` on the last one.
    pub(super) next: Option<Item>,
}

impl Dynamo {
    /// All entries of a group, in ascending order.
    pub(super) fn query(&self, group: Group) -> Query<'_> {
        Query {
            dynamo: self,
            group,
            within: None,
            order: Order::Oldest,
            limit: None,
            start: None,
            count: false,
        }
    }
}

impl Query<'_> {
    /// Only entries that are sorted so, compared with `value`.
    pub(super) fn within(mut self, comparison: &'static str, value: AttributeValue) -> Self {
        self.within = Some((comparison, value));
        self
    }

    pub(super) fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// At most so many, at least 1.
    pub(super) fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit.max(1));
        self
    }

    pub(super) fn from(mut self, start: Option<Item>) -> Self {
        self.start = start;
        self
    }

    /// Counts, and leaves the entries out.
    pub(super) fn count(mut self) -> Self {
        self.count = true;
        self
    }

    pub(super) async fn read(self) -> Result<Entries, StoreError> {
        let (index, hash, sort) = self.group.index();
        let condition = match &self.within {
            Some((comparison, _)) => format!("{hash} = :group AND {sort} {comparison} :edge"),
            None => format!("{hash} = :group"),
        };
        let limit = self.limit.map(|n| i32::try_from(n).unwrap_or(i32::MAX));
        let ask = || {
            let request = self.dynamo.client.query().table_name(&self.dynamo.table);
            let request = request
                .index_name(index)
                .key_condition_expression(&condition)
                .expression_attribute_values(":group", self.group.value())
                .scan_index_forward(self.order == Order::Oldest)
                .set_limit(limit)
                .set_exclusive_start_key(self.start.clone())
                .set_select(self.count.then_some(Select::Count))
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            match &self.within {
                Some((_, edge)) => request.expression_attribute_values(":edge", edge.clone()),
                None => request,
            }
            .send()
        };
        let found = self.dynamo.again(ask).await;
        let found = found.map_err(|fault| fail::reading(&fault))?;
        let consumed = found.consumed_capacity.as_slice();
        self.dynamo.meter.read_units(consumed);
        Ok(Entries {
            count: u64::try_from(found.count).unwrap_or(0),
            entries: found.items.unwrap_or_default(),
            next: found
                .last_evaluated_key
                .filter(|key| !key.is_empty() && !planted!(DynamoFirstPageOnly)),
        })
    }
}
