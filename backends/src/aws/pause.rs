use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use russet_engine::{Clock, Entropy};

use super::{Fault, fault};
use crate::limits::{AWS_BACKOFF, AWS_BACKOFF_MOST};

/// Waits between tries, each up to twice as long as the one before.
#[derive(Clone)]
pub(crate) struct Pauses {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Pauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pauses")
    }
}

impl Pauses {
    pub(crate) fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    /// Waits after `tries` tries, for at least half of that try's longest pause.
    pub(crate) async fn after(&self, tries: u32) {
        let longest = (AWS_BACKOFF * (1 << tries.min(16))).min(AWS_BACKOFF_MOST);
        let half = longest / 2;
        let share = (self.entropy.next_u64() % 1_000) as u32;
        self.clock.sleep(half + half * share / 1_000).await;
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }

    /// Tries what can be repeated up to `most` times, while the service has no capacity or does
    /// not answer. A try without an answer counts for half of them: it took its time already.
    pub(crate) async fn again<T, E, F>(&self, most: u32, ask: impl Fn() -> F) -> Result<T, Fault>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let mut tries = 0;
        loop {
            let fault = match ask().await {
                Ok(reply) => return Ok(reply),
                Err(error) => fault(&error),
            };
            tries += match fault {
                Fault::Throttled(_) => 1,
                Fault::Lost(_) => most.div_ceil(2),
                _ => return Err(fault),
            };
            if tries >= most {
                return Err(fault);
            }
            tracing::debug!(%fault, tries, "AWS is asked again");
            self.after(tries).await;
        }
    }
}
