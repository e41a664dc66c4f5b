//! TLS handshakes, and the certificate that a host shows in one that fails.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use http::Uri;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;

use super::{
    connection::Stream,
    tls::{self, Roots},
};

/// A TLS client whose connections trust the same roots.
pub(super) struct TlsClient {
    connector: TlsConnector,
    roots: Roots,
}

impl TlsClient {
    pub(super) fn new(roots: Roots) -> Self {
        Self { connector: TlsConnector::from(Arc::new(roots.config())), roots }
    }

    /// Secures a stream to the host of `uri`. If the handshake fails, `shown` has the certificate that the host showed.
    pub(super) async fn secure(
        &self,
        uri: &Uri,
        stream: Stream,
        shown: Option<&ShownCertificate>,
    ) -> io::Result<Stream> {
        let host = uri.host().unwrap_or_default();
        // An IPv6 address is in brackets in a URI, and without brackets in a certificate.
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(host.to_owned()).map_err(tls::failed)?;
        let stream = match shown {
            None => self.connector.connect(name, stream).await?,
            Some(shown) => {
                let watched = TlsConnector::from(Arc::new(self.watched(shown)?));
                let stream = watched.connect(name, stream).await?;
                shown.set(None);
                stream
            }
        };
        Ok(Stream::Tls(Box::new(stream)))
    }

    /// Returns a configuration for one connection. A failed handshake of rustls keeps no certificate, so the verifier
    /// does.
    fn watched(&self, shown: &ShownCertificate) -> io::Result<ClientConfig> {
        let webpki = self.roots.verifier().map_err(tls::failed)?;
        let mut config = self.roots.config();
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(KeepingVerifier { webpki, shown: shown.clone() }));
        Ok(config)
    }
}

/// The certificate that a host showed in an unfinished handshake, in DER.
#[derive(Debug, Clone, Default)]
pub(super) struct ShownCertificate(Arc<Mutex<Option<Vec<u8>>>>);

impl ShownCertificate {
    fn set(&self, certificate: Option<Vec<u8>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = certificate;
    }

    /// Returns the certificate; `None` if no handshake failed after the host had shown one.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A verifier that keeps the host's certificate. Each decision is the inner verifier's.
#[derive(Debug)]
struct KeepingVerifier {
    webpki: Arc<WebPkiServerVerifier>,
    shown: ShownCertificate,
}

impl ServerCertVerifier for KeepingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.shown.set(Some(end_entity.to_vec()));
        self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
