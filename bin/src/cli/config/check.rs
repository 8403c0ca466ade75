use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use russet::wire::Info;
use russet_backends::config::{Config as Backend, ConfigError, Finding, StoreBackend};
use russet_backends::embedded::OpenError;
use russet_engine::SystemClock;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::Source;
use crate::cli::serve::Listening;
use crate::cli::{CliError, Global, report};
use crate::serve::{self, ServeError, Tokens};

/// How long an answer is awaited from what listens at the address.
const ANSWER: Duration = Duration::from_secs(2);

/// `russet config check`
#[derive(Debug, Args)]
pub struct Check {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub source: Source,
    /// Where the server would listen, and to whom.
    #[command(flatten)]
    pub listening: Listening,
}

impl Check {
    pub(super) async fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        let config = self.source.load()?;
        config.check()?;
        let backend = config.backend(self.source.data_dir());
        let (listen, tokens) = self.listening.settle(&config)?;
        let (address, is_served) = address(listen, &tokens, global).await;
        let mut findings = vec![address];
        findings.extend(examine(&backend, is_served).await);
        report::either(global, &findings, |findings| {
            findings.iter().map(line).collect()
        })?;
        Ok(match findings.iter().all(|finding| finding.ok) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

fn line(finding: &Finding) -> String {
    let sign = match (finding.ok, finding.warning) {
        (false, _) => "BAD",
        (true, true) => "WARN",
        (true, false) => "ok",
    };
    format!("{sign:<5}{:<9}{}\n", finding.table, finding.detail)
}

/// What is to be said of the address, and whether a russet serves there already.
async fn address(listen: SocketAddr, tokens: &Tokens, global: &Global) -> (Finding, bool) {
    let finding = |ok, warning, detail| Finding {
        table: "server",
        ok,
        warning,
        detail,
    };
    if let Err(open) = serve::check(listen, tokens) {
        return (finding(false, false, open.to_string()), false);
    }
    let Err(why) = TcpListener::bind(listen).await else {
        let detail = format!("will listen on {listen}");
        return (finding(true, false, detail), false);
    };
    if why.kind() == ErrorKind::AddrInUse && is_served(listen, global).await {
        let detail = format!(
            "russet serves on {listen} already; unless it is this one, choose another listen"
        );
        return (finding(true, false, detail), true);
    }
    let unusable = ServeError::Listen { listen, why };
    (finding(true, true, unusable.to_string()), false)
}

/// Whether a russet answers there, be it that it wants a token.
async fn is_served(listen: SocketAddr, global: &Global) -> bool {
    let there = Global {
        url: format!("http://{listen}"),
        token: None,
        ..global.clone()
    };
    match timeout(ANSWER, there.fetch::<Info>("/v1/info")).await {
        Ok(Ok(_)) => true,
        Ok(Err(CliError::Refused(problem))) => problem.kind.starts_with("urn:russet:"),
        _ => false,
    }
}

/// What is to be said of the store and the queue. While a russet serves, an embedded store that
/// is in use is no mistake.
async fn examine(backend: &Backend, is_served: bool) -> Vec<Finding> {
    let mut findings = backend.examine(Arc::new(SystemClock)).await;
    let store = findings.iter_mut().find(|finding| finding.table == "store");
    if let Some(store) = store.filter(|store| is_served && !store.ok)
        && is_in_use(backend)
    {
        store.ok = true;
        store.warning = true;
        store.detail = format!(
            "embedded: {}, in use, as it is while russet serves: only one process can have it",
            backend.describe()
        );
    }
    findings
}

/// Whether it is an embedded store that another process has open.
fn is_in_use(backend: &Backend) -> bool {
    if backend.store.backend != StoreBackend::Embedded {
        return false;
    }
    match backend.store.open_embedded(Arc::new(SystemClock)) {
        Err(ConfigError::Open { source, .. }) => matches!(source, OpenError::Locked { .. }),
        _ => false,
    }
}
