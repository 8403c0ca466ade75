//! `russet serve`

use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use russet_backends::config::{Finding, StoreBackend};
use russet_engine::{Configuration, ONLY_NODE, Scheduler, SystemClock, SystemEntropy};
use tokio::signal::unix::{SignalKind, signal};

use super::config::Source;
use super::{CliError, Global, report};
use crate::config::{self, Config};
use crate::log::{self, LogFormat};
use crate::run::is_of_a_run;
use crate::serve::{Metrics, Place, Server, Stop, Tokens, limits};

/// Where a server listens, and to whom.
#[derive(Debug, Args)]
pub struct Listening {
    /// Where to listen; 127.0.0.1:7718 when absent. Other machines can reach it only when
    /// tokens are configured.
    #[arg(long, value_name = "ADDRESS:PORT", env = "RUSSET_LISTEN")]
    pub listen: Option<String>,
    /// Tokens that clients must show one of, separated by commas; better in the environment
    /// or in the configuration than on the command line.
    #[arg(
        long,
        value_name = "TOKENS",
        env = "RUSSET_TOKENS",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub tokens: Vec<String>,
}

impl Listening {
    /// Lays what is given here over the configuration.
    pub(super) fn lay_over(&self, config: &mut Config) {
        if let Some(listen) = &self.listen {
            config.server.listen = Some(listen.clone());
        }
        if !self.tokens.is_empty() {
            config.server.tokens.clone_from(&self.tokens);
        }
    }

    /// The address and the tokens that hold: those that are given here, else the configured ones.
    pub(super) fn settle(&self, config: &Config) -> Result<(SocketAddr, Tokens), CliError> {
        let mut config = config.clone();
        self.lay_over(&mut config);
        Ok((
            config::listen(config.listen())?,
            Tokens::new(config::tokens(config.server.tokens)?),
        ))
    }
}

/// `russet serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub source: Source,
    /// Where it listens, and to whom.
    #[command(flatten)]
    pub listening: Listening,
    /// How log lines look; RUSSET_LOG says what is logged, such as RUSSET_LOG=debug.
    #[arg(long, value_enum, default_value_t, env = "RUSSET_LOG_FORMAT")]
    pub log_format: LogFormat,
}

impl Serve {
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        log::start(self.log_format, "info")?;
        let config = self.source.load()?;
        let (listen, tokens) = self.listening.settle(&config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|why| CliError::System {
                what: "cannot start",
                why,
            })?;
        runtime.block_on(self.serve(&config, listen, tokens, global))
    }

    async fn serve(
        &self,
        config: &Config,
        listen: SocketAddr,
        tokens: Tokens,
        global: &Global,
    ) -> Result<ExitCode, CliError> {
        let max_clock_skew = config.max_clock_skew()?;
        let tokens_known = tokens.len();
        // Before a store is made or touched: another server may have the address.
        let place = Place::take(listen, tokens)?;
        let clock = Arc::new(SystemClock);
        let settings = config.backend(self.source.data_dir());
        refuse_directory_of_a_run(&settings)?;
        for (table, why) in settings.unused() {
            tracing::warn!("[{table}] {why}");
        }
        let backend = settings.open(clock.clone()).await?;
        let store = settings.describe();
        let metrics = Arc::new(Metrics::new());
        let configuration = Configuration {
            node: (!settings.store.backend.is_shared()).then_some(ONLY_NODE),
            max_clock_skew,
            observers: vec![metrics.clone()],
            ..Configuration::default()
        };
        let partitions = backend.store.partitions();
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            config = self.source.config.as_deref().map(|file| tracing::field::display(file.display())),
            %listen,
            tokens = tokens_known,
            %max_clock_skew,
            store = settings.store.backend.as_str(),
            queue = ?settings.queue.backend,
            partitions,
            "configured"
        );
        let entropy = Arc::new(SystemEntropy::new());
        let scheduler = Scheduler::start(backend, configuration, clock.clone(), entropy);
        let server = match Server::listen(place, partitions, scheduler.clone(), metrics) {
            Ok(server) => server,
            Err(error) => {
                scheduler.stop().await;
                return Err(error.into());
            }
        };
        stop_on_signal(server.stop())?;
        let url = format!("http://{}", server.address());
        tracing::info!(url, store, "russet serves; stop it with Ctrl-C");
        // Clients are served whether or not anybody reads this.
        let _ = report::either(
            global,
            &serde_json::json!({"url": url, "store": store}),
            |_| format!("listening on {url}, {store}\n"),
        );
        let mut serving = pin!(server.run());
        tokio::select! {
            biased;
            served = &mut serving => served?,
            () = examine(&settings, clock) => serving.await?,
        }
        tracing::info!("russet has stopped");
        Ok(ExitCode::SUCCESS)
    }
}

/// Tells the log what `russet config check` finds on AWS, while the server serves: what is wrong with
/// one queue, or not allowed, leaves much that works, and can be set right meanwhile.
async fn examine(settings: &russet_backends::config::Config, clock: Arc<SystemClock>) {
    let examined = settings.examine_aws(clock);
    let Ok(findings) = tokio::time::timeout(limits::EXAMINATION, examined).await else {
        tracing::warn!("what is on AWS was not looked at in time: see `russet config check`");
        return;
    };
    for Finding {
        table,
        ok,
        warning,
        detail,
    } in findings
    {
        match (ok, warning) {
            (false, _) => tracing::error!("[{table}] {detail}"),
            (true, true) => tracing::warn!("[{table}] {detail}"),
            (true, false) => tracing::debug!("[{table}] {detail}"),
        }
    }
}

/// A `russet run` has a store of its own in its directory: a second one beside it would be a mistake.
fn refuse_directory_of_a_run(settings: &russet_backends::config::Config) -> Result<(), CliError> {
    if settings.store.backend != StoreBackend::Embedded {
        return Ok(());
    }
    match settings.settled().store.data_dir {
        Some(dir) if is_of_a_run(&dir) => {
            let why = format!(
                "{} is the data directory of a `russet run`: name another one",
                dir.display()
            );
            Err(CliError::input("[store] data_dir", why))
        }
        _ => Ok(()),
    }
}

/// Stops the server with the first signal, and the process with the second.
fn stop_on_signal(stop: Arc<Stop>) -> Result<(), CliError> {
    let listen = |kind| {
        signal(kind).map_err(|why| CliError::System {
            what: "cannot listen for signals",
            why,
        })
    };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let mut first = true;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if !first {
                tracing::warn!(
                    "stopping at once: requests are cut off, nothing acknowledged is lost"
                );
                std::process::exit(1);
            }
            first = false;
            tracing::info!(
                "stopping: requests that have begun are finished; once more to stop at once"
            );
            stop.now();
        }
    });
    Ok(())
}
