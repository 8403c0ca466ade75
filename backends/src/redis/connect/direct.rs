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
            return Ok(Box::new(tls.wrap(address, stream).await?));
        }
        Ok(Box::new(stream))
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
