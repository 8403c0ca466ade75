//! How a connection to the primary comes about.

mod direct;
mod sentinel;
#[cfg(not(madsim))]
mod tls;

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use russet_engine::Clock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::error::RedisOpenError;
use super::options::{Address, RedisOptions, Target, Topology};

/// Opens connections to the primary, wherever it is now. A connection that turns out to be one
/// to another server is closed, and this is asked again.
#[async_trait]
pub trait Connect: Send + Sync + 'static {
    /// A new connection, ready for the first command. Callers bound how long it takes.
    async fn connect(&self) -> io::Result<Box<dyn Stream>>;

    /// A new connection to this node of a cluster, wherever its primaries are.
    async fn connect_to(&self, node: &Address) -> io::Result<Box<dyn Stream>> {
        let why = format!("{node} is reached by nobody but by whoever names the primary");
        Err(io::Error::new(io::ErrorKind::Unsupported, why))
    }

    /// Where it goes, for people to read.
    fn describe(&self) -> String;
}

/// Bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// What the options say.
pub(crate) fn connector(
    options: &RedisOptions,
    target: &Target,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Connect>, RedisOpenError> {
    let dial = Arc::new(direct::Dial::new(options, target)?);
    Ok(match &options.topology {
        Topology::Single | Topology::Cluster { .. } => Arc::new(direct::Direct {
            address: target.address.clone(),
            dial,
        }),
        Topology::Sentinel {
            master,
            others,
            password,
        } => {
            let sentinels = target.with("sentinel", others)?;
            // Those that hang leave enough of the time for the last one and the primary.
            let shares = u32::try_from(sentinels.len() + 1).unwrap_or(u32::MAX);
            Arc::new(sentinel::Sentinels {
                master: master.clone(),
                patience: options.timeout / shares,
                sentinels,
                password: password.clone(),
                login: target.login.clone(),
                dial,
                clock: clock.clone(),
            })
        }
    })
}

async fn tcp(address: &Address) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
