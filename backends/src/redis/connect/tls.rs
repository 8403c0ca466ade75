use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::redis::error::RedisOpenError;
use crate::redis::options::{Address, RedisOptions};

pub(crate) struct Tls {
    connector: TlsConnector,
}

impl Tls {
    pub(crate) fn new(options: &RedisOptions) -> Result<Self, RedisOpenError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(options, &error))?
            .with_root_certificates(roots(options)?)
            .with_no_client_auth();
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
        })
    }

    pub(crate) async fn wrap(
        &self,
        address: &Address,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
        self.connector.connect(name, stream).await
    }
}

fn roots(options: &RedisOptions) -> Result<RootCertStore, RedisOpenError> {
    let mut roots = RootCertStore::empty();
    match &options.ca_file {
        Some(file) => {
            let found = CertificateDer::pem_file_iter(file).map_err(|e| wrong(options, &e))?;
            for certificate in found {
                let certificate = certificate.map_err(|e| wrong(options, &e))?;
                roots.add(certificate).map_err(|e| wrong(options, &e))?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs().certs;
            roots.add_parsable_certificates(found);
        }
    }
    match roots.is_empty() {
        true => Err(wrong(options, &"there is no certificate")),
        false => Ok(roots),
    }
}

fn wrong(options: &RedisOptions, why: &dyn std::fmt::Display) -> RedisOpenError {
    RedisOpenError::Certificates {
        file: options.ca_file.clone(),
        why: why.to_string(),
    }
}
