//! The promises of the design, each a function of its name.

use std::collections::{BTreeMap, BTreeSet};

use russet_core::{PartitionId, TaskId};

use crate::account::Account;
use crate::history::Kind;
use crate::producers::QUEUES;

impl Account<'_> {
    /// An acknowledged task reaches exactly one terminal state.
    pub fn no_loss(&self) {
        for (label, id) in &self.history.acknowledged {
            assert!(
                self.tasks.contains_key(id),
                "{label} was acknowledged as {id} and is lost"
            );
            assert_eq!(self.label(id), label, "{id} is another task");
        }
        for id in self.tasks.keys() {
            let status = self.status(id);
            assert!(
                matches!(status, "succeeded" | "dead" | "cancelled"),
                "{id} is {status}"
            );
        }
        for (id, status) in &self.history.ends {
            assert_eq!(self.status(id), status, "{id} had ended {status}");
        }
    }

    /// No task exists, runs or ends that nobody submitted.
    pub fn no_ghost(&self) {
        let mut seen = BTreeSet::new();
        for id in self.tasks.keys() {
            let label = self.label(id);
            assert!(
                seen.insert(label),
                "{label} exists twice, the second time as {id}"
            );
            let intent = self.history.intents.get(label);
            let intent = intent.unwrap_or_else(|| panic!("nobody submitted {id}, {label:?}"));
            if let Some((parent, attempt)) = &intent.follows {
                let attempts = self.number(parent, "attempt");
                assert_eq!(
                    self.status(parent),
                    "succeeded",
                    "{label} follows what did not succeed"
                );
                assert_eq!(
                    attempts, *attempt,
                    "{label} follows an attempt that was not the last"
                );
            }
        }
        let follows = self
            .history
            .intents
            .iter()
            .filter_map(|(l, i)| Some((l, i.follows.as_ref()?)));
        for (label, (parent, attempt)) in follows {
            let completed = self
                .accepted(Kind::Complete)
                .any(|(t, a)| t == parent && a == *attempt);
            assert_eq!(
                completed,
                seen.contains(label.as_str()),
                "{label} comes with a completion"
            );
        }
        for lease in &self.history.leases {
            assert!(
                self.tasks.contains_key(&lease.task),
                "{} ran and does not exist",
                lease.task
            );
        }
    }

    /// At most one completion of a task is accepted, from the newest token; tokens never
    /// repeat or fall.
    pub fn one_holder(&self) {
        for (task, leases) in self.leases() {
            for pair in leases.windows(2) {
                let [earlier, later] = pair else { continue };
                assert_ne!(
                    earlier.attempt, later.attempt,
                    "{task}: a token was granted twice"
                );
                assert_ne!(
                    earlier.lease, later.lease,
                    "{task}: a lease was granted twice"
                );
                let fell = later.span.is_before(earlier.span);
                assert!(
                    !fell,
                    "{task}: token {} came after {}",
                    earlier.attempt, later.attempt
                );
            }
            let newest = leases.last().map_or(0, |lease| lease.attempt);
            assert!(
                newest <= self.number(task, "attempt"),
                "{task}: its token fell"
            );
        }
        let mut completed = BTreeMap::new();
        for (task, attempt) in self.accepted(Kind::Complete) {
            let other = completed.insert(task, attempt);
            assert!(
                other.is_none(),
                "{task}: attempts {other:?} and {attempt} both completed it"
            );
            assert_eq!(
                self.number(task, "attempt"),
                attempt,
                "{task}: not its newest token"
            );
            let result = &self.tasks[task]["result"]["attempt"];
            assert!(
                result.is_null() || result.as_u64() == Some(attempt),
                "{task}: {result}"
            );
        }
        for task in self.tasks.keys() {
            let succeeded = self.status(task) == "succeeded";
            assert_eq!(
                succeeded,
                completed.contains_key(task.as_str()),
                "{task} and its completion"
            );
        }
    }

    /// What comes from a stale lease is refused, and the worker is told.
    pub fn stale_refused(&self) {
        let leases = self.leases();
        for report in &self.history.reports {
            let newer = leases[report.task.as_str()].iter();
            let mut newer = newer.filter(|lease| lease.attempt > report.attempt);
            let taken_over = newer.any(|lease| lease.span.is_before(report.span));
            let stale = report.late || taken_over;
            assert!(
                !(stale && report.accepted),
                "a stale report was accepted: {report:?}"
            );
            let told = report.accepted || report.code == "stale_lease";
            assert!(told, "a worker was told something else: {report:?}");
        }
        let late = self
            .history
            .reports
            .iter()
            .filter(|report| report.late)
            .count();
        assert!(late > 0, "no worker stalled: the test shows nothing");
    }

    /// At most `max_retries + 1` counted attempts, and never before the backoff.
    pub fn bounded_retry(&self) {
        let mut released: BTreeMap<&str, u64> = BTreeMap::new();
        for report in self
            .history
            .reports
            .iter()
            .filter(|report| report.kind == Kind::Release)
        {
            *released.entry(&report.task).or_default() += 1;
        }
        for (id, task) in self.tasks {
            let intent = &self.history.intents[self.label(id)];
            let most = intent.max_retries + 1 + released.get(id.as_str()).unwrap_or(&0);
            let attempts = self.number(id, "attempt");
            assert!(
                attempts <= most,
                "{id} was tried {attempts} times, and {most} are allowed"
            );
            let retries = self.number(id, "retry_count");
            assert!(
                retries <= intent.max_retries,
                "{id} was retried {retries} times"
            );
            let error = task["last_error"]["kind"].as_str().unwrap_or_default();
            let early = self.status(id) == "dead" && retries < intent.max_retries;
            assert!(!early || error == "final", "{id} is dead too early: {task}");
        }
        let leases = self.leases();
        for report in &self.history.reports {
            let Some(not_before) = report.not_before.as_ref().filter(|_| report.accepted) else {
                continue;
            };
            let next = leases[report.task.as_str()].iter();
            let next = next.filter(|lease| lease.attempt == report.attempt + 1);
            for lease in next {
                assert!(
                    lease.started_at >= *not_before,
                    "{lease:?} is before {not_before}"
                );
            }
        }
    }

    /// What fails for good is dead once, by its last attempt, with the error of that attempt;
    /// nothing happens to it later.
    pub fn dead_once(&self) {
        let leases = self.leases();
        let mut deaths = BTreeMap::new();
        for report in self.history.reports.iter().filter(|report| report.dead) {
            let task = report.task.as_str();
            let other = deaths.insert(task, report);
            assert!(
                other.is_none(),
                "two reports killed it: {other:?}, {report:?}"
            );
            assert_eq!(self.status(task), "dead", "it lives on: {report:?}");
            let mut later = leases[task].iter();
            let later = later.find(|lease| lease.attempt > report.attempt);
            assert!(
                later.is_none(),
                "{later:?} came after its death: {report:?}"
            );
            let mut later = self.history.reports.iter();
            let later = later.find(|other| {
                other.task == task && other.accepted && report.span.is_before(other.span)
            });
            assert!(
                later.is_none(),
                "{later:?} came after its death: {report:?}"
            );
        }
        let dead = self.tasks.iter();
        for (id, task) in dead.filter(|(id, _)| self.status(id) == "dead") {
            let error = &task["last_error"];
            assert!(
                error["message"].is_string(),
                "{id} is dead without an error"
            );
            let kind = error["kind"].as_str().unwrap_or_default();
            if kind == "dependency_unsatisfied" {
                continue;
            }
            let newest = self.number(id, "attempt");
            assert_eq!(error["attempt"].as_u64(), Some(newest), "{task}");
            // A worker hears of every death by its own report; of the others nobody does.
            let death = deaths.get(id.as_str()).map(|report| report.attempt);
            let reported = matches!(kind, "failed" | "final");
            assert_eq!(death, reported.then_some(newest), "{task}");
        }
        assert!(!deaths.is_empty(), "nothing died: the test shows nothing");
    }

    /// A key names one task, whenever and however often it was submitted.
    pub fn dedup(&self) {
        let mut named = BTreeMap::new();
        for (label, id) in &self.history.acknowledged {
            let other = named.insert(label, id).filter(|other| *other != id);
            assert_eq!(other, None, "{label} is {id}, too");
        }
    }

    /// No task starts before the tasks that it waits for have succeeded.
    pub fn order(&self) {
        let ids: BTreeMap<_, _> = self.tasks.keys().map(|id| (self.label(id), id)).collect();
        let children = self
            .history
            .intents
            .iter()
            .filter(|(_, i)| !i.parents.is_empty());
        for (label, intent) in children {
            let Some(child) = ids.get(label.as_str()) else {
                continue;
            };
            let Some(started) = self.tasks[*child]["started_at"].as_str() else {
                continue;
            };
            for parent in &intent.parents {
                let parent = ids[parent.as_str()];
                assert_eq!(
                    self.status(parent),
                    "succeeded",
                    "{label} ran without its parent"
                );
                let ended = self.tasks[parent]["completed_at"]
                    .as_str()
                    .unwrap_or_default();
                assert!(
                    ended <= started,
                    "{label} started at {started}, its parent ended {ended}"
                );
            }
        }
    }

    /// Never do more tasks of a limited queue run at once in a partition than the limit says.
    pub fn limits_held(&self, limit: usize) {
        let mut changes: BTreeMap<PartitionId, Vec<(u64, i64)>> = BTreeMap::new();
        let held = self
            .history
            .leases
            .iter()
            .filter(|lease| lease.queue == QUEUES[2]);
        for lease in held {
            // From when the worker has it, until it sends what was accepted, it surely runs.
            let ends = self.history.reports.iter().filter(|report| {
                let same = report.task == lease.task && report.attempt == lease.attempt;
                same && report.accepted
            });
            if let Some(until) = ends.map(|report| report.span.begin).max() {
                let task: TaskId = lease.task.parse().expect("is an id");
                let changes = changes.entry(task.partition()).or_default();
                changes.extend([(lease.span.end, 1), (until, -1)]);
            }
        }
        for mut changes in changes.into_values() {
            changes.sort_unstable();
            let mut running = 0;
            for (_, change) in changes {
                running += change;
                assert!(
                    running <= limit as i64,
                    "{running} tasks of a queue limited to {limit} ran"
                );
            }
        }
    }
}
