//! The command line, end to end: the real binary against the real binary.

mod address;
mod aws;
mod bench;
mod bulk;
mod commands;
mod config;
mod ended;
mod events;
mod front;
mod full;
mod logs;
mod migrate;
mod nodes;
mod options;
mod problems;
mod process;
mod queues;
mod redis_sqs;
mod redrives;
mod serve;
mod submit;
mod tasks;
mod tls;
mod unsure;
mod worker;
mod workflows;
