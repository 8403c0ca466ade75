//! Process groups, and how they end.

use rustix::process::{Pid, Signal, kill_process_group};

use super::guard::Watch;

/// The process group of one command. Dropping it kills whatever is left of the group.
pub(super) struct Group<'a> {
    id: Pid,
    watch: Option<&'a Watch<'a>>,
}

impl<'a> Group<'a> {
    /// The group that the process `pid` leads; `None` when there is no such id.
    pub fn led_by(pid: Option<u32>, watch: Option<&'a Watch<'a>>) -> Option<Self> {
        let id = Pid::from_raw(i32::try_from(pid?).ok()?)?;
        if let Some(watch) = watch {
            watch.started(id);
        }
        Some(Self { id, watch })
    }

    /// Asks every process of the group to stop.
    pub fn terminate(&self) {
        signal(self.id, Signal::TERM);
    }

    /// Ends every process of the group.
    pub fn kill(&self) {
        signal(self.id, Signal::KILL);
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        self.kill();
        if let Some(watch) = self.watch {
            watch.ended(self.id);
        }
    }
}

pub(super) fn signal(group: Pid, signal: Signal) {
    // A group that is gone needs no signal.
    let _ = kill_process_group(group, signal);
}
