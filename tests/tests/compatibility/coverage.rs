//! Nothing that is stored is without a fixture.

use std::collections::BTreeSet;

use russet_core::{
    Dependency, DependencyOn, End, ErrorKind, GateState, Idempotency, IfUnsatisfied, LeaseEnd,
    Message, Named, Record, RecordKey, Status, Window,
};

use super::samples;

/// The names of all variants. A new one does not compile until it stands here, and then the
/// tests below ask for its fixture.
macro_rules! all {
    ($type:ident: $($variant:ident)+) => {{
        let _ = |value: $type| match value {
            $($type::$variant { .. } => (),)+
        };
        [$(concat!(stringify!($type), "::", stringify!($variant))),+]
    }};
}

/// `Type::Variant` of a value.
fn variant(kind: &str, value: impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let name: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
    format!("{kind}::{name}")
}

/// Every variant that stands in some sample.
#[derive(Default)]
struct Seen(BTreeSet<String>);

impl Seen {
    fn all() -> Self {
        let mut seen = Self::default();
        for (_, record) in samples() {
            seen.record(&record);
        }
        seen
    }

    fn add(&mut self, kind: &str, value: impl std::fmt::Debug) {
        self.0.insert(variant(kind, value));
    }

    fn record(&mut self, record: &Record) {
        self.add("Record", record);
        match record {
            Record::Task(task) => {
                self.add("Status", task.status);
                self.add("IfUnsatisfied", task.if_unsatisfied);
                self.edges(&task.dependencies.inline);
                self.edges(&task.dependents.inline);
                self.idempotency(task.idempotency.as_deref());
                let ended = task.lease.as_ref().and_then(|lease| lease.ended);
                ended.into_iter().for_each(|end| self.add("LeaseEnd", end));
                let error = task.last_error.as_ref().map(|error| error.kind);
                error
                    .into_iter()
                    .for_each(|kind| self.add("ErrorKind", kind));
            }
            Record::Dependencies(edges) | Record::Dependents(edges) => self.edges(edges),
            Record::Waits(edge) => self.edges(std::slice::from_ref(edge)),
            Record::Dedup(dedup) => {
                self.add("Named", dedup.named);
                self.add("Window", dedup.window);
            }
            Record::Workflow(workflow) => {
                self.idempotency(workflow.idempotency.as_ref());
                let gate = workflow.gate.into_iter();
                gate.for_each(|gate| self.add("GateState", gate.state));
            }
            Record::Outbox(outbox) => {
                self.add("Message", outbox.message);
                if let Message::Settled { end: Some(end), .. } = outbox.message {
                    self.add("End", end);
                }
            }
            Record::Queue(_) | Record::Leader(_) | Record::Gated(_) => {}
        }
    }

    fn edges(&mut self, edges: &[Dependency]) {
        edges
            .iter()
            .for_each(|edge| self.add("DependencyOn", edge.on));
    }

    fn idempotency(&mut self, known: Option<&Idempotency>) {
        known
            .into_iter()
            .for_each(|known| self.add("Window", known.window));
    }

    fn has_all(&self, names: &[&str]) {
        let missing: Vec<_> = names
            .iter()
            .filter(|name| !self.0.contains(**name))
            .collect();
        assert!(
            missing.is_empty(),
            "without a fixture: {missing:?}; add a sample"
        );
    }
}

#[test]
fn every_kind_of_record_has_a_fixture() {
    let kinds =
        all!(Record: Task Dependencies Dependents Waits Dedup Workflow Queue Outbox Leader Gated);
    let seen = Seen::all();
    seen.has_all(&kinds);
    // Each key names the kind of record of the same name, but for one.
    let keys = all!(RecordKey: Task Dependencies Dependents Waits Dedup Workflow Queue Outbox Leader Gated Copy);
    let named = |key: &str| key.replace("RecordKey::Copy", "RecordKey::Leader");
    let records = keys.map(|key| named(key).replace("RecordKey", "Record"));
    seen.has_all(&records.each_ref().map(String::as_str));
}

#[test]
fn every_variant_inside_a_record_has_a_fixture() {
    let seen = Seen::all();
    seen.has_all(&all!(Status: Blocked Scheduled Queued Running Succeeded Dead Cancelled));
    seen.has_all(&all!(LeaseEnd: Completed Failed Released Expired));
    seen.has_all(
        &all!(ErrorKind: Failed Final Panicked LeaseExpired TimedOut Expired
        DependencyUnsatisfied Cancelled NotNeeded),
    );
    seen.has_all(&all!(IfUnsatisfied: Cancel Dead Run));
    seen.has_all(&all!(DependencyOn: Success Completion Failure));
    seen.has_all(&all!(Window: For WhileLive));
    seen.has_all(&all!(Named: Task Workflow));
    seen.has_all(&all!(Message: Watch Ask Settled));
    seen.has_all(&all!(End: Succeeded Dead Cancelled NotNeeded));
    seen.has_all(&all!(GateState: Closed Open GivenUp));
}
