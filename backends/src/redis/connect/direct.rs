use std::io;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Connect, Stream, tcp};
use crate::redis::error::RedisOpenError;
use crate::redis::options::{Address, RedisOptions, Target};

/// Opens connections to any address, with TLS if that is asked for.
pub(crate) struct Dial {
    #[cfg(not(madsim))]
    tls: Option<super::tls::Tls>,
}

impl Dial {
    #[cfg(not(madsim))]
    pub(crate) fn new(options: &RedisOptions, target: &Target) -> Result<Self, RedisOpenError> {
        let tls = target.tls.then(|| super::tls::Tls::new(options));
        let tls = tls.transpose()?;
        Ok(Self { tls })
    }

    #[cfg(madsim)]
    pub(crate) fn new(_: &RedisOptions, target: &Target) -> Result<Self, RedisOpenError> {
        match target.tls {
            true => Err(RedisOpenError::Url {
                why: "the simulator has no TLS".to_owned(),
            }),
            false => Ok(Self {}),
        }
    }

    pub(crate) async fn dial(&self, address: &Address) -> io::Result<Box<dyn Stream>> {
        let stream = tcp(address).await?;
        #[cfg(not(madsim))]
        if let Some(tls) = &self.tls {
            let stream = tls.wrap(address, stream).await;
            return Ok(Box::new(stream.map_err(no_tls)?));
        }
        Ok(Box::new(stream))
    }
}

/// A server that speaks no TLS answers with something that is none.
#[cfg(not(madsim))]
fn no_tls(error: io::Error) -> io::Error {
    let cause = error.get_ref().and_then(|e| e.downcast_ref());
    match cause {
        Some(rustls::Error::InvalidMessage(_)) => io::Error::new(
            error.kind(),
            "the server speaks no TLS there; write redis:// in the url, or the port on which it does",
        ),
        _ => error,
    }
}

/// The server of the URL, or any other that is named.
pub(crate) struct Direct {
    pub(crate) address: Address,
    pub(crate) dial: Arc<Dial>,
}

#[async_trait]
impl Connect for Direct {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        self.dial.dial(&self.address).await
    }

    async fn connect_to(&self, node: &Address) -> io::Result<Box<dyn Stream>> {
        self.dial.dial(node).await
    }

    fn describe(&self) -> String {
        self.address.to_string()
    }
}
