//! What a node tells of its work to whoever listens.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use russet_engine::core::{Millis, When};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::world::*;

/// The fields of a span, and of what was told in it.
#[derive(Clone, Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{}={value:?} ", field.name());
    }
}

/// Keeps what is told in spans of one name.
#[derive(Clone)]
struct Listener {
    span: &'static str,
    told: Arc<Mutex<Vec<String>>>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listener {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let span = context.span(id).expect("the span is there");
        span.extensions_mut().insert(fields);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else {
            return;
        };
        if span.name() == self.span {
            let mut fields = span
                .extensions()
                .get::<Fields>()
                .cloned()
                .unwrap_or_default();
            event.record(&mut fields);
            self.told.lock().expect("lock").push(fields.0);
        }
    }
}

/// What a node tells in spans of this name, while a task is submitted and becomes due.
async fn told(span: &'static str) -> Vec<String> {
    let world = World::new(Plan {
        nodes: 1,
        ..Plan::default()
    });
    // The node has become leader by then.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let told = Arc::<Mutex<Vec<String>>>::default();
    let listener = Listener {
        span,
        told: told.clone(),
    };
    let subscriber = tracing_subscriber::registry().with(listener);
    let _listening = tracing::subscriber::set_default(subscriber);
    let mut task = world.task();
    task.start = Some(When::In(Millis::from_secs(5)));
    world.submit(task).await;
    world.work(1).await;
    told.lock().expect("lock").clone()
}

#[tokio::test(start_paused = true)]
async fn a_submit_is_told_as_a_commit_with_its_partition_and_its_outcome() {
    let told = told("commit").await;
    assert_eq!(
        told.first().map(String::as_str),
        Some("partition=0 commands=1 message=committed transactions=1 conflicts=0 ")
    );
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_fires_is_told_with_its_partition() {
    let told = told("fire").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("partition=0 timers=1"), "{told:?}");
}
