//! A model of DynamoDB, as far as Russet's adapter uses it: tables with a partition key and no
//! sort key, global indexes that follow them, conditional writes, transactions, consistent reads
//! by key, queries of indexes. What a real DynamoDB does only now and then, it does when its
//! [`Condition`] says so.

mod condition;
mod error;
mod expression;
mod index;
mod query;
mod read;
mod schema;
mod server;
mod table;
mod transact;
mod units;
mod value;
mod write;

pub use self::condition::Condition;
pub use self::server::{Commit, Dynamo, Write};
pub use self::value::{Item, Value};
pub use crate::aws::{Fault, Reply};
