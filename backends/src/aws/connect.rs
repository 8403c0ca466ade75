use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use futures::future::BoxFuture;
use russet_engine::{Clock, Entropy, SystemEntropy};

use super::fault::chain;
use super::{AwsOptions, OpenError, Pauses};
use crate::limits::AWS_CONNECT_TIMEOUT;
use crate::secret::Url;

/// What the clients of all services are made from.
pub(crate) struct Connection {
    pub(crate) config: SdkConfig,
    pub(crate) pauses: Pauses,
    /// Where requests go, for errors.
    pub(crate) endpoint: String,
}

/// Reads the settings, and the credentials for the first time. Nothing is sent to a service,
/// but the credentials may be asked for at the machine's or a role's endpoint.
pub(crate) async fn connect(
    options: &AwsOptions,
    clock: &Arc<dyn Clock>,
    timeout: Duration,
) -> Result<Connection, OpenError> {
    options.endpoint_url.iter().try_for_each(|url| check(url))?;
    let config = load(options, clock).await?;
    config.endpoint_url().map_or(Ok(()), check)?;
    let Some(region) = config.region() else {
        return Err(OpenError::NoRegion);
    };
    let endpoint = match config.endpoint_url() {
        Some(url) => Url(url.to_owned()).to_string(),
        None => format!("the region {region}"),
    };
    let Some(credentials) = config.credentials_provider() else {
        let why = "no source of credentials is configured".to_owned();
        return Err(OpenError::NoCredentials { why });
    };
    if let Err(error) = credentials.provide_credentials().await {
        let why = chain(&error);
        return Err(OpenError::NoCredentials { why });
    }
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(AWS_CONNECT_TIMEOUT)
        .operation_attempt_timeout(timeout)
        .build();
    // Whether and when to try again is decided here: a conditional write whose reply was lost
    // would be refused the second time.
    let config = config
        .into_builder()
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build();
    let entropy: Arc<dyn Entropy> = match &options.seams.entropy {
        Some(entropy) => entropy.clone(),
        None => Arc::new(SystemEntropy::new()),
    };
    Ok(Connection {
        config,
        pauses: Pauses::new(clock.clone(), entropy),
        endpoint,
    })
}

fn check(url: &str) -> Result<(), OpenError> {
    let refuse = |problem: &'static str| {
        let setting = "endpoint_url";
        Err(OpenError::Setting { setting, problem })
    };
    let Some((scheme, rest)) = url.split_once("://") else {
        return refuse("has no scheme: write it like https://dynamodb.eu-central-1.amazonaws.com");
    };
    if !["http", "https"].contains(&scheme) {
        return refuse("is neither http:// nor https://: use one of them");
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return refuse("holds a user name or password: leave it out, AWS takes neither");
    }
    if host.is_empty() {
        return refuse("names no host: write it like http://127.0.0.1:4566");
    }
    Ok(())
}

#[cfg(not(madsim))]
async fn load(options: &AwsOptions, clock: &Arc<dyn Clock>) -> Result<SdkConfig, OpenError> {
    use aws_smithy_http_client::{Builder, tls};
    use aws_types::region::Region;

    let http = options.seams.http_client.clone().unwrap_or_else(|| {
        let ring = tls::rustls_provider::CryptoMode::Ring;
        Builder::new()
            .tls_provider(tls::Provider::Rustls(ring))
            .build_https()
    });
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .sleep_impl(sleep(clock))
        .time_source(time(clock));
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(url.clone());
    }
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile.clone());
    }
    if let Some(credentials) = &options.seams.credentials {
        loader = loader.credentials_provider(credentials.clone());
    }
    Ok(loader.load().await)
}

/// There is no environment and no machine to ask: everything comes through the options.
#[cfg(madsim)]
async fn load(options: &AwsOptions, clock: &Arc<dyn Clock>) -> Result<SdkConfig, OpenError> {
    use aws_types::region::Region;

    let mut builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .sleep_impl(sleep(clock))
        .time_source(time(clock))
        .region(options.region.clone().map(Region::new));
    builder.set_endpoint_url(options.endpoint_url.clone());
    builder.set_http_client(options.seams.http_client.clone());
    builder.set_credentials_provider(options.seams.credentials.clone());
    Ok(builder.build())
}

fn sleep(clock: &Arc<dyn Clock>) -> SharedAsyncSleep {
    SharedAsyncSleep::new(ByClock(clock.clone()))
}

fn time(clock: &Arc<dyn Clock>) -> SharedTimeSource {
    SharedTimeSource::new(ByClock(clock.clone()))
}

/// The engine's clock, as the SDK asks for it.
struct ByClock(Arc<dyn Clock>);

impl fmt::Debug for ByClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByClock")
    }
}

impl AsyncSleep for ByClock {
    fn sleep(&self, duration: Duration) -> Sleep {
        let clock = self.0.clone();
        let sleep = Box::pin(async move { clock.sleep(duration).await });
        Sleep::new(Shareable(Mutex::new(sleep)))
    }
}

/// A future that may be shared, as the SDK asks for; nobody does, so the lock is never taken.
struct Shareable(Mutex<BoxFuture<'static, ()>>);

impl Future for Shareable {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let future = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        future.as_mut().poll(context)
    }
}

impl TimeSource for ByClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0.now().as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_is_none_is_refused_without_repeating_it() {
        for (url, names) in [
            ("127.0.0.1:4566", "scheme"),
            ("ftp://host", "neither"),
            ("https://me:hunter2@host/", "password"),
            ("https:///path", "host"),
        ] {
            let error = check(url).expect_err("it is refused").to_string();
            assert!(error.contains("endpoint_url"), "{error}");
            assert!(error.contains(names), "{error}");
            let options = AwsOptions {
                endpoint_url: Some(url.into()),
                ..AwsOptions::default()
            };
            for text in [error, format!("{options:?}")] {
                assert!(!text.contains("hunter2"), "{text}");
            }
        }
    }
}
