//! The model of DynamoDB beside a server that speaks as DynamoDB: the same requests, the same
//! answers.
//!
//! Left out is what depends on the order of entries with the same sort key, which DynamoDB does
//! not promise, and what is consumed. Of reasons why a transaction was cancelled the messages are
//! not compared. The server takes keys of indexes that are too long, and in transactions items and
//! keys that lack the table's key; the model refuses them, as DynamoDB does.

mod ask;
mod conditions;
mod model;
mod pair;
mod same;
