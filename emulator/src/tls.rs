//! The emulator's certificate authority, and a certificate for every name that a client requests.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber,
};
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::{CertifiedKey, SigningKey},
};
use thiserror::Error;
use time::{Duration, OffsetDateTime};

use crate::{cloud::API_SERVER_HOST, ids::random};

/// A certificate authority (ECDSA P-256), and the key of the certificates that it issues.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    server_key: KeyPair,
    signer: Arc<dyn SigningKey>,
    provider: Arc<CryptoProvider>,
}

/// A certificate or TLS configuration could not be created.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A key or certificate could not be generated.
    #[error("make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The TLS configuration is invalid.
    #[error("set up TLS")]
    Tls(#[from] rustls::Error),
}

impl Authority {
    pub(crate) fn generate() -> Result<Self, TlsError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        validity(&mut params, 3650);
        name(&mut params, "akv-emulator CA");
        let pem = params.self_signed(&key)?.pem();
        Self::new(Issuer::new(params, key), pem)
    }

    /// Reads an authority from its certificate and its private key in PKCS#8, both PEM.
    pub(crate) fn from_pem(certificate: &str, key: &str) -> Result<Self, TlsError> {
        let key = KeyPair::from_pem(key)?;
        Self::new(Issuer::from_ca_cert_pem(certificate, key)?, certificate.to_owned())
    }

    fn new(issuer: Issuer<'static, KeyPair>, pem: String) -> Result<Self, TlsError> {
        let server_key = KeyPair::generate()?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        let signer = provider.key_provider.load_private_key(der)?;
        Ok(Self { issuer, pem, server_key, signer, provider })
    }

    /// Returns the certificate that clients must trust.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    fn certify(&self, names: Vec<String>) -> Result<CertifiedKey, TlsError> {
        let common = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        validity(&mut params, 365);
        name(&mut params, &common);
        let certificate = params.signed_by(&self.server_key, &self.issuer)?;
        Ok(CertifiedKey::new(vec![certificate.der().clone()], Arc::clone(&self.signer)))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// Returns the configuration of a server with every name, over HTTP/1.1 only.
pub(crate) fn server_config(
    authority: &Arc<Authority>,
    api_server_id: &str,
) -> Result<ServerConfig, TlsError> {
    let names = Names {
        authority: Arc::clone(authority),
        api_server: vec![
            API_SERVER_HOST.to_owned(),
            format!("hcp-kubernetes.{api_server_id}.svc.cluster.local"),
        ],
        made: Mutex::default(),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&authority.provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(names));
    // Tickets, because the default session store keeps only the newest few hundred sessions.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A resolver that issues a certificate for each server name, once.
#[derive(Debug)]
struct Names {
    authority: Arc<Authority>,
    api_server: Vec<String>,
    made: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or_default().to_ascii_lowercase();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = made.get(&name) {
            return Some(Arc::clone(key));
        }
        let names = match name.as_str() {
            "" => vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()],
            API_SERVER_HOST => self.api_server.clone(),
            _ => vec![name.clone()],
        };
        let key = Arc::new(self.authority.certify(names).ok()?);
        made.insert(name, Arc::clone(&key));
        Some(key)
    }
}

fn validity(params: &mut CertificateParams, days: i64) {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(days);
    params.serial_number = Some(SerialNumber::from_slice(&random::<16>()));
}

fn name(params: &mut CertificateParams, common: &str) {
    params.distinguished_name = rcgen::DistinguishedName::new();
    // RFC 5280 bounds a common name to 64 characters; the alternative name holds the whole name.
    params.distinguished_name.push(DnType::CommonName, common.chars().take(64).collect::<String>());
}
