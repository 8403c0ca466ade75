//! What every queue is: at-least-once delivery, and nothing about the order.

pub mod delivery;
pub mod lanes;
pub mod waiting;
