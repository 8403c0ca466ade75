//! Russet for Rust users: a [`Client`], a [`Worker`] and typed tasks.
//!
//! ```
//! use std::time::Duration;
//! use russet::{Client, TaskContext, TaskFailure, TaskKind, Worker, wire::SubmitTask};
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Greet {
//!     name: String,
//! }
//!
//! impl TaskKind for Greet {
//!     const TYPE: &'static str = "greet";
//!     type Output = String;
//! }
//!
//! async fn greet(_: TaskContext, task: Greet) -> Result<String, TaskFailure> {
//!     Ok(format!("Hello {}!", task.name))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), russet::Error> {
//! // Or `Client::http("http://127.0.0.1:7718")?`.
//! let client = Client::in_memory();
//! let name = "Ada".to_owned();
//! let greeting = client.submit(SubmitTask::of(&Greet { name })?).await?.task;
//!
//! let worker = Worker::new(client.clone()).register(greet);
//! let result = client.result::<Greet>(greeting, Duration::from_secs(10));
//! tokio::select! {
//!     result = result => assert_eq!(result?, "Hello Ada!"),
//!     stopped = worker.run_until(std::future::pending()) => { stopped?; }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Handlers may run more than once: a worker may crash after the effect and before the
//! report. [`TaskContext::steps`] and [`TaskContext::idempotency_key`] make effects happen
//! once.

mod api;
mod backoff;
mod client;
mod error;
mod kind;
pub mod limits;
mod submission;
pub mod wire;
mod worker;

pub use api::Api;
pub use client::Client;
#[cfg(feature = "http")]
pub use client::{Transport, TransportError};
pub use error::Error;
pub use kind::TaskKind;
pub use russet_core as core;
pub use worker::{
    BoxError, Handler, Room, Steps, Stopped, TaskContext, TaskFailure, TaskOutput, Worker, handler,
};
