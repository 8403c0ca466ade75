//! A decision in the making: reads come from the view, or from what was already written.

mod writes;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

use self::writes::Writes;

use crate::{
    Decision, ErrorKind, Event, EventKind, Message, Outbox, QueueConfig, QueueName, QueueRecord,
    Record, RecordKey, Rejection, Reply, Status, Task, TaskId, Timestamp, Undecided, View,
    Workflow, WorkflowId,
};

pub(crate) type Step<T> = Result<T, Undecided>;

pub(crate) struct Draft<'a> {
    pub view: &'a View,
    pub now: Timestamp,
    reads: RefCell<Vec<RecordKey>>,
    writes: Writes,
    /// What was written over since the start of an attempt, newest last.
    undo: Option<Vec<(RecordKey, Option<Option<Record>>)>>,
    sends: Vec<TaskId>,
    messages: Vec<Message>,
    events: Vec<Event>,
}

impl<'a> Draft<'a> {
    pub fn new(view: &'a View, now: Timestamp) -> Self {
        Self {
            view,
            now,
            reads: RefCell::default(),
            writes: Writes::new(&view.transaction),
            undo: None,
            sends: Vec::new(),
            messages: Vec::new(),
            events: Vec::new(),
        }
    }

    /// The decision. Whatever it writes must have been read, or be known to be absent, and fit
    /// into one transaction of the store.
    pub fn finish(self, reply: Reply) -> Step<Decision> {
        self.check_size()?;
        let writes = self.writes.into_vec();
        let known = &self.view.records;
        let unread = writes.iter().filter(|w| !known.contains_key(&w.key));
        let missing: Vec<_> = unread.map(|w| w.key.clone()).collect();
        if !missing.is_empty() {
            return Err(Undecided::Missing(missing));
        }
        Ok(Decision {
            reads: self.reads.into_inner(),
            writes,
            sends: self.sends,
            messages: self.messages,
            events: self.events,
            reply,
        })
    }

    /// Refuses what does not fit into one transaction of the store.
    pub fn check_size(&self) -> Result<(), Rejection> {
        let (limit, changes) = (&self.view.transaction, self.writes.len());
        if changes > limit.changes {
            return Err(Rejection::TransactionTooLarge {
                changes: changes as u64,
                limit: limit.changes as u64,
            });
        }
        // One record by itself is the store's to refuse.
        if changes > 1 && self.writes.weight() > limit.bytes {
            return Err(Rejection::TransactionTooHeavy {
                bytes: self.writes.weight() as u64,
                limit: limit.bytes as u64,
            });
        }
        Ok(())
    }

    /// Stops unless all of `keys` are known, so that they are loaded at once.
    pub fn need(&self, keys: impl IntoIterator<Item = RecordKey>) -> Step<()> {
        let missing: Vec<_> = keys
            .into_iter()
            .filter(|key| !self.writes.contains(key) && !self.view.records.contains_key(key))
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Undecided::Missing(missing))
        }
    }

    pub fn get(&self, key: &RecordKey) -> Step<Option<&Record>> {
        if let Some(written) = self.writes.get(key) {
            return Ok(written.as_ref());
        }
        match self.view.records.get(key) {
            Some(known) => {
                self.reads.borrow_mut().push(key.clone());
                Ok(known.as_ref())
            }
            None => Err(Undecided::Missing(vec![key.clone()])),
        }
    }

    /// How many more records the decision may change.
    pub fn room(&self) -> usize {
        let most = self.view.transaction.changes;
        most.saturating_sub(self.writes.len())
    }

    /// About how many more bytes of records the decision may change.
    pub fn room_bytes(&self) -> usize {
        let most = self.view.transaction.bytes;
        most.saturating_sub(self.writes.weight())
    }

    /// Whether this decision writes the record.
    pub fn is_written(&self, key: &RecordKey) -> bool {
        self.writes.contains(key)
    }

    pub fn put(&mut self, key: RecordKey, record: Record) {
        self.write(key, Some(record));
    }

    pub fn remove(&mut self, key: RecordKey) {
        self.write(key, None);
    }

    fn write(&mut self, key: RecordKey, record: Option<Record>) {
        if let Some(undo) = &mut self.undo {
            undo.push((key.clone(), self.writes.get(&key).cloned()));
        }
        self.writes.insert(key, record);
    }

    /// Takes a step of a larger decision. When it is refused nothing of it stays, and the
    /// decision goes on.
    pub fn attempt<T>(
        &mut self,
        step: impl FnOnce(&mut Self) -> Step<T>,
    ) -> Step<Result<T, Rejection>> {
        let (sends, messages, events) = (self.sends.len(), self.messages.len(), self.events.len());
        self.undo = Some(Vec::new());
        let result = step(self);
        let undo = self.undo.take().unwrap_or_default();
        match result {
            Ok(done) => Ok(Ok(done)),
            Err(Undecided::Rejected(rejection)) => {
                for (key, before) in undo.into_iter().rev() {
                    self.writes.restore(key, before);
                }
                self.sends.truncate(sends);
                self.messages.truncate(messages);
                self.events.truncate(events);
                Ok(Err(rejection))
            }
            Err(missing) => Err(missing),
        }
    }

    pub fn find_task(&self, id: TaskId) -> Step<Option<&Arc<Task>>> {
        match self.get(&RecordKey::Task(id))? {
            Some(Record::Task(task)) => Ok(Some(task)),
            None => Ok(None),
            Some(other) => wrong_record("task", other),
        }
    }

    /// The task as it is, to look at; one behind a closed gate is not there.
    pub fn known_task(&self, id: TaskId) -> Step<Arc<Task>> {
        let Some(task) = self.find_task(id)? else {
            return Err(Rejection::NotFound { task: id }.into());
        };
        if task.status == Status::Blocked && task.workflow.is_some() {
            self.need(crate::rules::beside(task))?;
        }
        match crate::rules::is_accepted(self, task)? {
            true => Ok(task.clone()),
            false => Err(Rejection::NotFound { task: id }.into()),
        }
    }

    /// A copy of the task to change.
    pub fn task(&self, id: TaskId) -> Step<Task> {
        self.known_task(id).map(|task| Task::clone(&task))
    }

    /// Stores the task; what is stored is returned.
    pub fn put_task(&mut self, mut task: Task) -> Arc<Task> {
        task.updated_at = self.now_for(&task);
        task.due_at = crate::rules::timer(&task, self.view);
        let task = Arc::new(task);
        self.put(RecordKey::Task(task.id), Record::Task(task.clone()));
        task
    }

    /// The time of a decision about `task`: never before the last one.
    pub fn now_for(&self, task: &Task) -> Timestamp {
        self.now.max(task.updated_at)
    }

    pub fn queue(&self, name: &QueueName) -> Step<Option<&QueueRecord>> {
        match self.get(&RecordKey::Queue(name.clone()))? {
            Some(Record::Queue(queue)) => Ok(Some(queue)),
            None => Ok(None),
            Some(other) => wrong_record("queue", other),
        }
    }

    /// The queue's record, or the one that it would get now.
    pub fn queue_or_default(&self, name: &QueueName) -> Step<QueueRecord> {
        Ok(match self.queue(name)? {
            Some(queue) => QueueRecord::clone(queue),
            None => QueueRecord {
                name: name.clone(),
                config: self.view.queue_defaults.clone(),
                running: 0,
                updated_at: self.now,
            },
        })
    }

    pub fn queue_config(&self, name: &QueueName) -> Step<&QueueConfig> {
        Ok(match self.queue(name)? {
            Some(queue) => &queue.config,
            None => &self.view.queue_defaults,
        })
    }

    pub fn workflow(&self, id: WorkflowId) -> Step<Option<Workflow>> {
        match self.get(&RecordKey::Workflow(id))? {
            Some(Record::Workflow(workflow)) => Ok(Some(Workflow::clone(workflow))),
            None => Ok(None),
            Some(other) => wrong_record("workflow", other),
        }
    }

    pub fn put_queue(&mut self, queue: QueueRecord) {
        let key = RecordKey::Queue(queue.name.clone());
        self.put(key, Record::Queue(Arc::new(queue)));
    }

    pub fn put_workflow(&mut self, workflow: Workflow) {
        let key = RecordKey::Workflow(workflow.id);
        self.put(key, Record::Workflow(Arc::new(workflow)));
    }

    pub fn send(&mut self, task: TaskId) {
        self.sends.push(task);
    }

    /// Puts a message into the outbox.
    pub fn message(&mut self, message: Message) {
        let outbox = Outbox {
            message,
            tries: 0,
            due_at: self.now + crate::policy::RELAY_AFTER,
        };
        self.put(
            RecordKey::Outbox(message.id()),
            Record::Outbox(Arc::new(outbox)),
        );
        self.messages.push(message);
    }

    pub fn event(&mut self, task: &Task, kind: EventKind, reason: Option<ErrorKind>) {
        self.events.push(Event {
            at: self.now_for(task),
            task: task.id,
            queue: task.queue.clone(),
            workflow: task.workflow,
            attempt: task.attempt,
            kind,
            reason,
        });
    }
}

/// Records that contradict one another.
pub(crate) fn contradiction<T>(why: String) -> Step<T> {
    Err(Undecided::Contradiction(why))
}

/// A record of another kind under a key is a broken store: going on would spread the damage.
pub(crate) fn wrong_record<T>(expected: &str, found: &Record) -> T {
    panic!("broken invariant: expected a {expected} record, found {found:?}")
}
