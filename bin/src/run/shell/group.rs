use rustix::process::{Pid, Signal, kill_process_group};

use super::Guard;

/// The process group of one command. Dropping it kills whatever is left of the group.
pub(super) struct Group<'a> {
    id: Pid,
    guard: &'a Guard,
}

impl<'a> Group<'a> {
    /// The group that the process `pid` leads; `None` when there is no such id.
    pub fn led_by(pid: Option<u32>, guard: &'a Guard) -> Option<Self> {
        let id = Pid::from_raw(i32::try_from(pid?).ok()?)?;
        guard.watch(id);
        Some(Self { id, guard })
    }

    /// Asks every process of the group to stop.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends every process of the group.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // A group that is gone needs no signal.
        let _ = kill_process_group(self.id, signal);
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        self.kill();
        self.guard.forget(self.id);
    }
}
