use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::short_buckets;

/// What the HTTP server did.
#[derive(Clone, Debug)]
pub struct Requests {
    requests: Family<Answered, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
}

/// One kind of request, by its route and not by its address: there are few.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Route {
    method: &'static str,
    route: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Answered {
    route: Route,
    status: u16,
}

impl Requests {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests = Family::default();
        let new: fn() -> Histogram = || Histogram::new(short_buckets());
        let durations = Family::new_with_constructor(new);
        registry.register(
            "http_requests",
            "Requests by their answer",
            requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "From a request's head to its answer's head; long polls wait on purpose",
            Unit::Seconds,
            durations.clone(),
        );
        Self {
            requests,
            durations,
        }
    }

    /// Counts one request.
    pub fn count(&self, method: &'static str, route: Arc<str>, status: u16, took: Duration) {
        let route = Route { method, route };
        let duration = self.durations.get_or_create(&route);
        duration.observe(took.as_secs_f64());
        drop(duration);
        self.requests
            .get_or_create(&Answered { route, status })
            .inc();
    }
}

impl EncodeLabelSet for Route {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        [("method", self.method), ("route", self.route.as_ref())].encode(encoder)
    }
}

impl EncodeLabelSet for Answered {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.route.encode(encoder)?;
        [("status", u32::from(self.status))].encode(encoder)
    }
}
