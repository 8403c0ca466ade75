use crate::Millis;

/// How busy a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Tasks that wait to be leased.
    pub queued: u64,
    /// Tasks that are leased.
    pub running: u64,
    /// How many may be leased at once; `None`: any number.
    pub most: Option<u64>,
    /// How long the oldest ready task has waited.
    pub oldest_wait: Millis,
}

/// How many workers a queue wants, each running `per_worker` tasks at once: as many as its
/// queued tasks need, as far as they may start, and its running ones, so that busy workers are
/// not taken away. A wait beyond `target_wait` asks for at least twice as many as are busy.
pub fn desired_workers(
    load: Load,
    per_worker: u32,
    target_wait: Millis,
    min: u32,
    max: u32,
) -> u32 {
    let per_worker = u64::from(per_worker.max(1));
    let room = load.most.map(|most| most.saturating_sub(load.running));
    let startable = load.queued.min(room.unwrap_or(u64::MAX));
    let needed = startable.saturating_add(load.running).div_ceil(per_worker);
    let busy = load.running.div_ceil(per_worker).max(1);
    let late = startable > 0 && load.oldest_wait > target_wait;
    let wanted = if late { needed.max(busy * 2) } else { needed };
    u32::try_from(wanted)
        .unwrap_or(u32::MAX)
        .clamp(min.min(max), max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(queued: u64, running: u64, wait_secs: u64) -> Load {
        Load {
            queued,
            running,
            most: None,
            oldest_wait: Millis::from_secs(wait_secs),
        }
    }

    #[test]
    fn busy_workers_are_never_taken_away() {
        let target = Millis::from_secs(10);
        assert_eq!(desired_workers(load(0, 40, 0), 10, target, 0, 100), 4);
        assert_eq!(desired_workers(load(0, 0, 0), 10, target, 0, 100), 0);
    }

    #[test]
    fn tasks_that_may_not_start_ask_for_no_workers() {
        let target = Millis::from_secs(10);
        let limited = |most| Load {
            most: Some(most),
            ..load(100, 20, 60)
        };
        assert_eq!(desired_workers(limited(0), 10, target, 0, 100), 2);
        assert_eq!(desired_workers(limited(20), 10, target, 0, 100), 2);
        assert_eq!(desired_workers(limited(70), 10, target, 0, 100), 7);
    }

    #[test]
    fn late_tasks_ask_for_more_within_the_bounds() {
        let target = Millis::from_secs(10);
        assert_eq!(desired_workers(load(5, 40, 60), 10, target, 0, 100), 8);
        assert_eq!(
            desired_workers(load(1_000_000, 0, 60), 10, target, 1, 100),
            100
        );
    }
}
