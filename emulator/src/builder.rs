//! Settings of an emulator before it starts.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use thiserror::Error;

use crate::{
    clock::Clock, directory::Directory, emulator::Emulator, keys::Keys, seed::Seed, tls::TlsError,
    trusted_issuer::TrustedIssuer, vault::VaultSet,
};

/// A builder of an emulator; each setting has a default.
#[derive(Debug)]
pub struct EmulatorBuilder {
    pub(crate) https: SocketAddr,
    pub(crate) proxy: SocketAddr,
    pub(crate) imds: SocketAddr,
    pub(crate) nmi: SocketAddr,
    pub(crate) directory: Directory,
    pub(crate) vaults: VaultSet,
    pub(crate) keys: Option<Keys>,
    pub(crate) clock: Clock,
    pub(crate) api_server_id: String,
    pub(crate) trusted_issuers: Vec<TrustedIssuer>,
}

/// The emulator did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address is in use, or does not belong to this host.
    #[error("listen for {listener} on {address}")]
    Listen {
        /// The listener's name.
        listener: &'static str,
        /// The listener's address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The kernel's timer for delayed connections could not be created.
    #[error("make a timer")]
    Timer(#[source] io::Error),
    /// The certificate authority could not be created.
    #[error("set up the certificate authority")]
    Tls(#[from] TlsError),
}

impl EmulatorBuilder {
    /// Sets the address of the HTTPS listener. Default: a free port of 127.0.0.1.
    #[must_use]
    pub fn https_on(self, address: SocketAddr) -> Self {
        Self { https: address, ..self }
    }

    /// Sets the address of the HTTP proxy. Default: a free port of 127.0.0.1.
    #[must_use]
    pub fn proxy_on(self, address: SocketAddr) -> Self {
        Self { proxy: address, ..self }
    }

    /// Sets the address of IMDS, in production 169.254.169.254:80. Default: a free port of 127.0.0.1.
    #[must_use]
    pub fn imds_on(self, address: SocketAddr) -> Self {
        Self { imds: address, ..self }
    }

    /// Sets the address of NMI, in production 127.0.0.1:2579. Default: a free port of 127.0.0.1.
    #[must_use]
    pub fn nmi_on(self, address: SocketAddr) -> Self {
        Self { nmi: address, ..self }
    }

    /// Sets the directory. Default: [`Directory::conformance`].
    #[must_use]
    pub fn directory(self, directory: Directory) -> Self {
        Self { directory, ..self }
    }

    /// Sets the vaults. Default: none.
    #[must_use]
    pub fn vaults(self, vaults: VaultSet) -> Self {
        Self { vaults, ..self }
    }

    /// Sets directory and vaults of a seed.
    #[must_use]
    pub fn seed(self, seed: Seed) -> Self {
        self.directory(seed.directory).vaults(seed.vaults)
    }

    /// Sets existing keys. Default: new ones.
    #[must_use]
    pub fn keys(self, keys: Keys) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// Sets the clock. Default: the system's time.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Sets the cluster's id in the API server's certificate (`hcp-kubernetes.<id>.svc.cluster.local`).
    #[must_use]
    pub fn api_server_id(self, id: &str) -> Self {
        Self { api_server_id: id.to_owned(), ..self }
    }

    /// Lets Entra accept the service-account tokens of another cluster. Default: those of the emulated cluster alone.
    #[must_use]
    pub fn trust_issuer(mut self, issuer: TrustedIssuer) -> Self {
        self.trusted_issuers.push(issuer);
        self
    }

    /// Starts the emulator on the current tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] if a listener cannot be bound.
    pub async fn start(self) -> Result<Emulator, StartError> {
        Emulator::start_with(self).await
    }
}

impl Default for EmulatorBuilder {
    fn default() -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            https: free,
            proxy: free,
            imds: free,
            nmi: free,
            directory: Directory::conformance(),
            vaults: VaultSet::new(),
            keys: None,
            clock: Clock::default(),
            api_server_id: "64f0a1b2c3d4e5f601234567".to_owned(),
            trusted_issuers: Vec::new(),
        }
    }
}
