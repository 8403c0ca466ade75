use crate::Millis;

/// A message that nobody acknowledged is handed to the relay again after this.
pub const RELAY_AFTER: Millis = Millis::from_secs(1);
const RELAY_AT_MOST: Millis = Millis::from_secs(60);
const UNSENT: Millis = Millis::from_secs(2);
const SENT: Millis = Millis::from_secs(300);
const SENT_AT_MOST: Millis = Millis::from_secs(6 * 3_600);

/// How long to wait for the acknowledgement of a message that was handed over `tries` times.
pub fn relay_backoff(tries: u32) -> Millis {
    RELAY_AFTER.times(1 << tries.min(16)).min(RELAY_AT_MOST)
}

/// When a queued task's message is sent again: soon while none is known to be sent, later
/// and later once there were some, since queues expire, lose and get purged. A blocked task asks
/// its parents in other partitions again as seldom.
pub fn watchdog(unsent: bool, sends: u32) -> Millis {
    if unsent {
        return UNSENT;
    }
    SENT.times(1 << sends.min(16)).min(SENT_AT_MOST)
}
