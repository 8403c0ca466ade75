//! The DynamoDB store and the SQS queue on servers that speak as AWS does.
#![cfg(not(madsim))]

mod chain;
mod dynamo;
mod engine;
mod secrets;
mod servers;
mod sqs;
mod stub;
