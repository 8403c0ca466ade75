use super::Embedded;
use crate::lanes::fused_queue;

fused_queue!(Embedded, shared.lanes);
