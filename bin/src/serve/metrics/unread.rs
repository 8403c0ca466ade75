use std::fmt::Error;
use std::sync::{Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use russet_engine::Unreadable;

/// What the node could not read until a scrape.
#[derive(Debug, Default)]
pub(super) struct Unread(Mutex<Unreadable>);

impl Unread {
    pub fn set(&self, unreadable: Unreadable) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = unreadable;
    }
}

impl Collector for Unread {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let Unreadable { store, queue } = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = [
            (
                "store_unreadable",
                "Records and index entries that this node met and could not read",
                store,
            ),
            (
                "queue_undecodable",
                "Messages of the queue that this node received and could not read",
                queue,
            ),
        ];
        for (name, help, count) in counts {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        Ok(())
    }
}
