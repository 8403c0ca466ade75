//! The DynamoDB store and the SQS queue on servers that speak as AWS does.
#![cfg(not(madsim))]

mod chain;
mod cost;
mod dynamo;
mod engine;
mod policy;
mod secrets;
mod servers;
mod sqs;
mod stub;
