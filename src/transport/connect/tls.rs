//! The TLS configuration and its trusted roots.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    client::{VerifierBuilderError, WebPkiServerVerifier},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};

/// A store of the certificate authorities that a client trusts.
#[derive(Debug, Clone)]
pub struct Roots(Arc<RootCertStore>);

/// An error of missing or invalid roots.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The node has no roots.
    #[error("there are no TLS roots: neither among the system's certificates nor where SSL_CERT_FILE or SSL_CERT_DIR point{}", why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default())]
    None {
        /// The first error of the system's certificates.
        why: Option<String>,
    },
    /// The text is not a list of certificates.
    #[error("not a list of certificates in PEM: {0}")]
    NotPem(String),
}

impl Roots {
    /// Returns the system's roots, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`. Single invalid ones are skipped.
    ///
    /// # Errors
    /// There are no roots.
    pub fn system() -> Result<Self, RootsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            return Err(RootsError::None { why: found.errors.first().map(ToString::to_string) });
        }
        Ok(Self(Arc::new(store)))
    }

    /// Returns the roots in a PEM text alone.
    ///
    /// # Errors
    /// One of them is not a certificate, or there is none.
    pub fn from_pem(pem: &[u8]) -> Result<Self, RootsError> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| RootsError::NotPem(error.to_string()))?;
            store.add(certificate).map_err(|error| RootsError::NotPem(error.to_string()))?;
        }
        if store.is_empty() {
            return Err(RootsError::NotPem("no certificate in it".to_owned()));
        }
        Ok(Self(Arc::new(store)))
    }

    /// Returns the configuration of TLS 1.2 and 1.3 for HTTP/1.1. Connections with the same configuration resume
    /// sessions.
    pub(in crate::transport) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::builder().with_root_certificates(self.0.clone()).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config
    }

    /// Returns the verifier of the same configuration.
    pub(super) fn verifier(&self) -> Result<Arc<WebPkiServerVerifier>, VerifierBuilderError> {
        WebPkiServerVerifier::builder(self.0.clone()).build()
    }
}

/// Returns an I/O error for a TLS error, as the connector's errors are I/O errors.
pub(in crate::transport) fn failed(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}
