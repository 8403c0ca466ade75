use std::fmt::Error;
use std::sync::{Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use russet_core::{Status, Timestamp};
use russet_engine::QueueView;

/// The queues, as the store's counters have them at a scrape.
#[derive(Debug, Default)]
pub(super) struct Queues(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    queues: Vec<QueueView>,
    at: Timestamp,
}

impl Queues {
    pub fn set(&self, queues: Vec<QueueView>, at: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Seen { queues, at };
    }
}

impl Collector for Queues {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gauge = MetricType::Gauge;
        let mut tasks = encoder.encode_descriptor("tasks", "Tasks by status", None, gauge)?;
        for view in &seen.queues {
            for status in Status::ALL {
                let labels = [("queue", view.queue.as_str()), ("status", status.as_str())];
                let count = i64::try_from(view.stats.count(status)).unwrap_or(i64::MAX);
                ConstGauge::new(count).encode(tasks.encode_family(&labels)?)?;
            }
        }
        let help = "How long the task that is ready longest has been ready";
        let unit = Some(&Unit::Seconds);
        let mut latency = encoder.encode_descriptor("queue_latency", help, unit, gauge)?;
        for view in &seen.queues {
            let waited = view.stats.oldest_ready_at.map(|ready| seen.at.since(ready));
            let waited = waited.unwrap_or_default().as_millis() as f64 / 1_000.0;
            let labels = [("queue", view.queue.as_str())];
            ConstGauge::new(waited).encode(latency.encode_family(&labels)?)?;
        }
        let help = "1 while the queue is paused";
        let mut paused = encoder.encode_descriptor("queue_paused", help, None, gauge)?;
        let known = seen.queues.iter();
        for view in known.filter(|view| view.unreadable.is_none()) {
            let labels = [("queue", view.queue.as_str())];
            let value = i64::from(view.config.paused);
            ConstGauge::new(value).encode(paused.encode_family(&labels)?)?;
        }
        let help = "1 while the settings of the queue cannot be read: none of its tasks starts";
        let mut damaged = encoder.encode_descriptor("queue_damaged", help, None, gauge)?;
        for view in &seen.queues {
            let labels = [("queue", view.queue.as_str())];
            let value = i64::from(view.unreadable.is_some());
            ConstGauge::new(value).encode(damaged.encode_family(&labels)?)?;
        }
        let help = "How many workers the tasks of the queue want";
        let mut wanted = encoder.encode_descriptor("queue_desired_workers", help, None, gauge)?;
        for view in &seen.queues {
            if let Some(workers) = view.desired_workers {
                let labels = [("queue", view.queue.as_str())];
                ConstGauge::new(i64::from(workers)).encode(wanted.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
