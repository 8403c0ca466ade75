//! The models of services of AWS beside servers that speak as they do.

mod dynamodb;
mod http;
mod sqs;
