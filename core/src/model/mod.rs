//! What is stored: records and the keys that name them.

mod dependency;
mod end;
mod epoch;
mod extra;
mod gate;
mod message;
mod queue;
mod record;
mod resources;
mod status;
mod task;
mod weight;
mod workflow;

pub use dependency::{Dependencies, Dependency, DependencyOn, Dependents, IfUnsatisfied};
pub use end::End;
pub use epoch::Epoch;
pub use extra::Extra;
pub use gate::{Gate, GateState};
pub use message::{Message, Outbox};
pub use queue::{QueueConfig, QueuePatch, QueueRecord};
pub use record::{Dedup, Leader, Named, Record, RecordKey, TimerKey};
pub use resources::Resources;
pub use status::Status;
pub use task::{
    ErrorKind, Idempotency, Lease, LeaseEnd, Progress, RetryPolicy, Task, TaskError, Window,
};
pub use weight::TransactionLimit;
pub use workflow::Workflow;
