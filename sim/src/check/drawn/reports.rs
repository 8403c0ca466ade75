//! Draws what workers report.

use russet::wire::SubmitTask;
use russet_core::{Command, Extend, Fail, Millis, PartitionId, Release};
use russet_engine::Entropy;

use super::{Asked, Drawn};
use crate::history::Ask;

impl Drawn {
    pub(super) fn report(&mut self, partition: PartitionId) -> Option<Asked> {
        let own: Vec<_> = self
            .held
            .iter()
            .rev()
            .filter(|(id, ..)| id.partition() == partition)
            .collect();
        let recent = own.len().min(6);
        let (task, lease, worker) =
            **own.get(self.random.within(0..recent.max(1) as u64) as usize)?;
        let ms = self.random.within(0..2_000);
        let some = self.random.percent(40).then_some(ms);
        use russet_core::ErrorKind::{Failed, Final, Panicked};
        let kind = *self.random.one_of(&[Failed, Failed, Panicked, Final]);
        let (ask, command) = match self.random.within(0..8) {
            0..3 => (
                Ask::Extend {
                    task,
                    lease,
                    lease_ms: None,
                    progress: None,
                },
                Command::Extend(Extend {
                    task,
                    lease,
                    duration: None,
                    progress: None,
                }),
            ),
            3..5 => {
                let follow_up = self.draw_task(partition);
                let follow_up = SubmitTask {
                    dependencies: Vec::new(),
                    ..follow_up
                };
                let with = follow_up.id.filter(|_| self.random.percent(50));
                let new = with.map(|_| follow_up).into_iter().collect();
                // A completion that is repeated is the same.
                let follow_ups = self.follow_ups.entry(lease).or_insert(new).clone();
                let new = follow_ups
                    .iter()
                    .filter_map(|new| Some(self.new_task(new, new.id?)));
                let command = self.complete(task, lease, new.collect());
                (
                    Ask::Complete {
                        task,
                        lease,
                        follow_ups,
                    },
                    command,
                )
            }
            5..7 => (
                Ask::Fail {
                    task,
                    lease,
                    kind,
                    retry_after_ms: some,
                },
                Command::Fail(Fail {
                    task,
                    lease,
                    kind,
                    message: String::new(),
                    retry_after: some.map(Millis::new),
                    progress: None,
                    random: self.random.next_u64(),
                }),
            ),
            _ => (
                Ask::Release {
                    task,
                    lease,
                    delay_ms: some,
                },
                Command::Release(Release {
                    task,
                    lease,
                    delay: some.map(Millis::new),
                    progress: None,
                }),
            ),
        };
        Some(self.send(worker, ask, command))
    }
}
