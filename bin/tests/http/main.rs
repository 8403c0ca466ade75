//! The HTTP API, end to end over a loopback socket. Every answer of every test is checked
//! against the server's own OpenAPI document.

mod access;
mod bulk;
mod contract;
mod events;
mod explain;
mod health;
mod held;
mod keys;
mod leases;
mod objects;
mod overload;
mod queues;
mod redrives;
mod refusals;
mod site;
mod stopping;
mod tasks;
mod workers;
mod workflows;
