//! The signing keys of an emulator.

use std::{sync::Arc, thread};

use crate::{
    jws::SigningKey,
    tls::{Authority, TlsError},
};

/// The certificate authority, Entra's signing key and the cluster issuer's signing key.
///
/// Two RSA keys take most of an emulator's start time. Tests that start many emulators can generate the keys once and
/// share them.
#[derive(Clone, Debug)]
pub struct Keys {
    pub(crate) authority: Arc<Authority>,
    pub(crate) entra: Arc<SigningKey>,
    pub(crate) issuer: Arc<SigningKey>,
}

impl Keys {
    /// Generates new keys. This takes about a tenth of a second of CPU time.
    ///
    /// # Errors
    /// The authority cannot issue its own certificate.
    pub fn generate() -> Result<Self, TlsError> {
        Ok(Self::with(Authority::generate()?))
    }

    /// Reads the certificate authority from its certificate and its private key in PKCS#8, both PEM, and generates the
    /// signing keys. A client that trusts the certificate then trusts each emulator with it.
    ///
    /// # Errors
    /// Certificate or key cannot be read.
    pub fn with_authority(certificate: &str, key: &str) -> Result<Self, TlsError> {
        Ok(Self::with(Authority::from_pem(certificate, key)?))
    }

    fn with(authority: Authority) -> Self {
        let (entra, issuer) = thread::scope(|scope| {
            let entra = scope.spawn(SigningKey::generate);
            let issuer = SigningKey::generate();
            (entra.join().expect("making a key does not panic"), issuer)
        });
        Self { authority: Arc::new(authority), entra: Arc::new(entra), issuer: Arc::new(issuer) }
    }
}
