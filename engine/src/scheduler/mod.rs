pub struct Backend;
pub struct Configuration;
pub struct LeaseRequest;
pub struct QueueView;
pub struct Scheduler;
pub struct Submitted;
pub struct TaskNow;
