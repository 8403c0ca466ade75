use super::Memory;
use crate::lanes::fused_queue;

fused_queue!(Memory, lanes);
