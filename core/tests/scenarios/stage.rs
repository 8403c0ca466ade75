//! What the lines of a scenario do. Names stand for tasks; a worker's name stands for its last
//! lease of the task; times count from the start of the story.
//!
//! ```text
//! given clocks differ by=2s                      given mail concurrency=1 keep_finished=1h
//! when submit a after=b,c:failure max_retries=1 backoff=1s delay=5s expires=1m timeout=10s
//!             lease=30s key=k window=1h|live priority=9 queue=mail keep=0s unsatisfied=run
//!             payload=text partition=1 label=text
//! when submit workflow w key=k                   and with a after=b          (see pieces.rs)
//! when lease a by ann                            when extend a by ann checkpoint="page 3"
//! when complete a by ann result=4 follow_up=b    when fail a by ann kind=final error="no"
//! when release a by ann delay=5s                 when cancel a because "too late"
//! when redrive a cancelled=yes                   when purge a
//! when redrive workflow w a b id=7 cancelled=yes
//! when 5s pass                                   when timers fire
//! when messages arrive | arrive twice | arrive unnoticed | are lost
//! then a is queued attempt=1 error="no" ...      then a is gone       (see look.rs)
//! then it is refused "text"                      then it means b, c   (see look.rs)
//! ```

use std::collections::BTreeMap;

use russet_core::command::{
    Acknowledge, Cancel, Complete, Configure, Deliver, Extend, Fail, Fire, LeaseTask, NewWorkflow,
    Purge, Redrive, RedriveWorkflow, Release, Submit,
};
use russet_core::{
    Command, Decision, Epoch, Label, LeaseId, Message, Millis, PartitionId, Progress, QueueName,
    QueuePatch, Rejection, Reply, TaskId, TimerKey, Timestamp, View, WorkerId, WorkflowId, entries,
};

use crate::asks::{error_kind, idempotency};
use crate::line::{Line, duration};
use crate::store::Partition;

#[derive(Default)]
pub struct Stage {
    pub now: Timestamp,
    pub settings: View,
    pub partitions: Vec<Partition>,
    pub names: BTreeMap<String, TaskId>,
    leases: BTreeMap<(String, TaskId), LeaseId>,
    /// A workflow whose tasks are still being named.
    workflow: Option<Submit>,
    /// The last workflow, and the pieces of it that are to be stored.
    pub large: (Submit, Vec<russet_core::Stage>),
    flight: Vec<Message>,
    /// What the last command came to.
    pub last: Option<Result<Decision, Rejection>>,
    pub serial: u64,
}

pub type Played = Result<(), String>;

impl Stage {
    pub fn play(&mut self, line: Line) -> Played {
        if line.spoken().first() != Some(&"with") && !line.keyword.is_empty() {
            self.submit_workflow()?;
        }
        match line.keyword.as_str() {
            "given" => self.given(line),
            "when" => self.when(line),
            "then" => self.look(line),
            _ => Ok(()),
        }
    }

    /// A refusal that is not expected is a mistake.
    pub fn curtain(&mut self) -> Played {
        self.submit_workflow()?;
        match self.last.take() {
            Some(Err(rejection)) => Err(format!("it was refused: {rejection}")),
            _ => Ok(()),
        }
    }

    fn given(&mut self, mut line: Line) -> Played {
        match line.spoken().as_slice() {
            ["clocks", "differ"] => {
                self.settings.max_clock_skew = line.duration("by")?.unwrap_or_default();
                line.finish()
            }
            ["transactions"] => self.small_transactions(line),
            [queue] => {
                let queue = QueueName::new(queue).map_err(|e| e.to_string())?;
                self.configure(queue, line)
            }
            _ => Err("this cannot be given".into()),
        }
    }

    fn configure(&mut self, queue: QueueName, mut line: Line) -> Played {
        let patch = QueuePatch {
            paused: line.take("paused").map(|text| text == "yes"),
            concurrency: line.number("concurrency")?.map(Some),
            aging: line.duration("aging")?,
            keep_finished: line.duration("keep_finished")?,
            keep_dead: line.duration("keep_dead")?,
        };
        line.finish()?;
        self.run(
            PartitionId(0),
            &Command::Configure(Configure { queue, patch }),
        )
    }

    fn when(&mut self, mut line: Line) -> Played {
        let words = line.words.clone();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["submit", "workflow", name] => {
                let id = WorkflowId::from(self.new_id(name, PartitionId(0)));
                let idempotency = idempotency(&mut line)?;
                let label = Label::new(name).map_err(|e| e.to_string())?;
                self.workflow = Some(Submit {
                    workflow: Some(NewWorkflow {
                        id,
                        name: Some(label),
                        idempotency,
                    }),
                    tasks: Vec::new(),
                });
                line.finish()
            }
            ["with", name] => {
                let task = self.new_task(name, line)?;
                let workflow = self.workflow.as_mut().ok_or("with goes with a workflow")?;
                workflow.tasks.push(task);
                Ok(())
            }
            ["submit", name] => {
                let task = self.new_task(name, line)?;
                let home = task.id.partition();
                self.run(
                    home,
                    &Command::Submit(Submit {
                        workflow: None,
                        tasks: vec![task],
                    }),
                )
            }
            [name, "is", "submitted", "again"] => self.submit_again(name),
            ["the", which, "piece", "is", "stored"] => self.store_piece(which),
            ["messages", "arrive"] => self.deliver(1, true),
            ["messages", "arrive", "twice"] => self.deliver(2, true),
            ["messages", "arrive", "unnoticed"] => self.deliver(1, false),
            ["messages", "are", "lost"] => {
                self.flight.clear();
                Ok(())
            }
            [time, "pass"] => {
                self.now = self.now + duration(time)?;
                Ok(())
            }
            ["timers", "fire"] => self.fire(),
            ["configure", queue] => {
                let queue = QueueName::new(queue).map_err(|e| e.to_string())?;
                self.configure(queue, line)
            }
            ["redrive", "workflow", name, tasks @ ..] => self.redrive_workflow(name, tasks, line),
            [verb, name, more @ ..] => self.act(verb, name, more, line),
            _ => Err("this cannot be done".into()),
        }
    }

    fn act(&mut self, verb: &str, name: &str, more: &[&str], mut line: Line) -> Played {
        let task = *self.names.get(name).ok_or(format!("who is {name}?"))?;
        if let ["by", worker] = more {
            let command = self.act_of(worker, verb, task, line)?;
            return self.run(task.partition(), &command);
        }
        self.serial += 1;
        let command = match (verb, more) {
            ("cancel", []) => Command::Cancel(Cancel { task, reason: None }),
            ("cancel", ["because", reason]) => Command::Cancel(Cancel {
                task,
                reason: Some((*reason).into()),
            }),
            ("redrive", []) => Command::Redrive(Redrive {
                task,
                id: self.serial,
                cancelled: line.take("cancelled").is_some(),
            }),
            ("purge", []) => Command::Purge(Purge { task }),
            _ => return Err(format!("{verb} means nothing")),
        };
        line.finish()?;
        self.run(task.partition(), &command)
    }

    fn redrive_workflow(&mut self, name: &str, tasks: &[&str], mut line: Line) -> Played {
        self.serial += 1;
        let called = |name: &str| self.names.get(name).ok_or(format!("who is {name}?"));
        let tasks = tasks.iter().map(|name| called(name).copied());
        let redrive = RedriveWorkflow {
            workflow: WorkflowId::from(*called(name)?),
            tasks: tasks.collect::<Result<_, _>>()?,
            id: line.number("id")?.unwrap_or(self.serial),
            cancelled: line.take("cancelled").is_some(),
        };
        line.finish()?;
        self.run(PartitionId(0), &Command::RedriveWorkflow(redrive))
    }

    /// What a worker does with its lease of a task.
    fn act_of(
        &mut self,
        worker: &str,
        verb: &str,
        task: TaskId,
        mut line: Line,
    ) -> Result<Command, String> {
        let key = (worker.to_owned(), task);
        if verb == "lease" {
            self.serial += 1;
            self.leases
                .insert(key.clone(), LeaseId::from_u128(self.serial.into()));
        }
        let lease = *self
            .leases
            .get(&key)
            .ok_or(format!("{worker} never leased it"))?;
        let progress = (verb != "lease").then(|| Progress {
            percent: line.take("percent").and_then(|text| text.parse().ok()),
            message: line.take("message"),
            checkpoint: line.take("checkpoint").map(|text| text.into_bytes().into()),
        });
        let command = match verb {
            "lease" => Command::Lease(LeaseTask {
                task,
                lease,
                worker: WorkerId(worker.into()),
                duration: line.duration("lasts")?,
            }),
            "extend" => Command::Extend(Extend {
                task,
                lease,
                duration: line.duration("by")?,
                progress,
            }),
            "complete" => Command::Complete(Complete {
                task,
                lease,
                result: line.take("result").map(|text| text.into_bytes().into()),
                follow_ups: match line.take("follow_up") {
                    Some(name) => vec![self.new_task(&name, std::mem::take(&mut line))?],
                    None => Vec::new(),
                },
                progress,
            }),
            "fail" => Command::Fail(Fail {
                task,
                lease,
                kind: error_kind(line.take("kind"))?,
                message: line.take("error").unwrap_or_default(),
                retry_after: line.duration("retry_after")?,
                progress,
                random: 0,
            }),
            "release" => Command::Release(Release {
                task,
                lease,
                delay: line.duration("delay")?,
                progress,
            }),
            other => return Err(format!("workers do not {other}")),
        };
        line.finish()?;
        Ok(command)
    }

    fn submit_workflow(&mut self) -> Played {
        match self.workflow.take() {
            Some(submit) => self.submit_large(submit),
            None => Ok(()),
        }
    }

    fn fire(&mut self) -> Played {
        let mut due = Vec::new();
        for (at, stored) in self.partitions.iter().enumerate() {
            for record in stored.records.values() {
                let timer = match record {
                    russet_core::Record::Task(task) => TimerKey::Task(task.id),
                    russet_core::Record::Outbox(sent) => TimerKey::Outbox(sent.message.id()),
                    russet_core::Record::Workflow(flow) => TimerKey::Workflow(flow.id),
                    _ => continue,
                };
                due.extend(entries(record).timer.map(|time| (time, at, timer)));
            }
        }
        due.retain(|(time, ..)| *time <= self.now);
        due.sort();
        for (_, at, timer) in due {
            let fire = Command::Fire(Fire { timer, random: 0 });
            self.run(PartitionId(at as u16), &fire)?;
        }
        Ok(())
    }

    fn deliver(&mut self, times: usize, acknowledge: bool) -> Played {
        for message in std::mem::take(&mut self.flight) {
            for _ in 0..times {
                self.run(message.target(), &Command::Deliver(Deliver { message }))?;
            }
            if !acknowledge {
                continue;
            }
            let acknowledge = Acknowledge {
                message: message.id(),
                epoch: Epoch::default(),
            };
            self.run(message.source(), &Command::Acknowledge(acknowledge))?;
        }
        Ok(())
    }

    pub fn run(&mut self, partition: PartitionId, command: &Command) -> Played {
        if let Some(Err(rejection)) = self.last.take() {
            return Err(format!("before this, something was refused: {rejection}"));
        }
        while self.partitions.len() <= usize::from(partition.0) {
            let partition = PartitionId(self.partitions.len() as u16);
            let settings = View {
                partition,
                ..self.settings.clone()
            };
            self.partitions.push(Partition::new(settings));
        }
        let stored = &mut self.partitions[usize::from(partition.0)];
        let (_, result) = stored.decide(command, self.now);
        if let Ok(decision) = &result {
            stored.commit(decision);
            self.flight.extend(&decision.messages);
            if let Reply::Fired { relay, .. } = &decision.reply {
                self.flight.extend(relay);
            }
        }
        self.last = Some(result);
        Ok(())
    }
}

/// Times of a story as seconds since its start.
pub fn seconds(time: Timestamp) -> String {
    let ms = time.since(Timestamp::ZERO).as_millis();
    let text = Millis::new(ms).as_millis();
    if text.is_multiple_of(1_000) {
        format!("{}s", text / 1_000)
    } else {
        format!("{text}ms")
    }
}
