use crate::Millis;

/// A message that nobody acknowledged is handed to the relay again after this.
pub const RELAY_AFTER: Millis = Millis::from_secs(1);
const RELAY_AT_MOST: Millis = Millis::from_secs(60);
const UNSENT: Millis = Millis::from_secs(2);
const UNSENT_AT_MOST: Millis = Millis::from_secs(60);
const SELDOM: Millis = Millis::from_secs(300);
const SELDOM_AT_MOST: Millis = Millis::from_secs(6 * 3_600);

/// How long to wait for the acknowledgement of a message that was handed over `tries` times.
pub fn relay_backoff(tries: u32) -> Millis {
    RELAY_AFTER.times(1 << tries.min(16)).min(RELAY_AT_MOST)
}

/// How long until the message of a queued task is sent again, which is not known to be sent after
/// so many tries: its queue may be missing.
pub fn unsent_backoff(tries: u32) -> Millis {
    UNSENT.times(1 << tries.min(16)).min(UNSENT_AT_MOST)
}

/// How long until the message of a queued task is sent again, which was sent when the task had
/// been ready for so long: later and later, since queues expire, lose and get purged.
pub fn resend_after(ready: Millis) -> Millis {
    ready.max(SELDOM).min(SELDOM_AT_MOST)
}

/// How long until a blocked task asks its parents in other partitions again, which it has done so
/// often.
pub fn ask_after(asked: u32) -> Millis {
    SELDOM.times(1 << asked.min(16)).min(SELDOM_AT_MOST)
}
