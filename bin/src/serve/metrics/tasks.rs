use std::fmt::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use russet_core::{Event, EventKind, QueueName};
use rustc_hash::FxHashMap;

use crate::serve::limits;

/// The label of queues beyond [`limits::MEASURED_QUEUES`].
const OTHER: &str = "_other";

type Counts = [AtomicU64; EventKind::ALL.len()];

/// How often what happened in which queue.
#[derive(Debug, Default)]
pub(super) struct Events {
    queues: RwLock<FxHashMap<QueueName, Counts>>,
    other: Counts,
}

impl Events {
    pub fn count(&self, events: &[Event]) {
        let known = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        let unknown = events.iter().filter(|event| match known.get(&event.queue) {
            Some(counts) => {
                add(counts, event);
                false
            }
            None => true,
        });
        let unknown: Vec<_> = unknown.collect();
        drop(known);
        if !unknown.is_empty() {
            self.count_new(&unknown);
        }
    }

    fn count_new(&self, events: &[&Event]) {
        let mut known = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            let room = known.len() < limits::MEASURED_QUEUES;
            if room || known.contains_key(&event.queue) {
                add(known.entry(event.queue.clone()).or_default(), event);
            } else {
                add(&self.other, event);
            }
        }
    }
}

fn add(counts: &Counts, event: &Event) {
    counts[event.kind as usize].fetch_add(1, Ordering::Relaxed);
}

impl Collector for Events {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut family = encoder.encode_descriptor(
            "task_events",
            "What this node decided about tasks",
            None,
            MetricType::Counter,
        )?;
        let known = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        let named = known.iter().map(|(queue, counts)| (queue.as_str(), counts));
        for (queue, counts) in named.chain([(OTHER, &self.other)]) {
            for (kind, count) in EventKind::ALL.iter().zip(counts) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = [("queue", queue), ("event", kind.as_str())];
                    ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}
