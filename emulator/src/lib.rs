//! Microsoft Entra, Azure Key Vault, IMDS and NMI on loopback, for tests, demos and benchmarks.
//!
//! An [`Emulator`] answers under production host names through its HTTP proxy, and under names below `.localhost`
//! directly. Its own authority issues the TLS certificates. It consists of
//!
//! - the listeners (`listen`, `tls`): HTTPS, the proxy, and plain HTTP for IMDS and NMI;
//! - the services: Entra's token endpoint with the token proxy of AKS identity binding (`entra`), Key Vault (`vault`),
//!   `imds`, `nmi`, the cluster's token issuer (`service_account`), and the issuers of other clusters (`trusted_issuer`);
//! - the state behind the services: [`Directory`], [`Vaults`] and [`Clock`];
//! - the handles for tests: [`Faults`], [`Latency`], [`RateLimits`] and [`Journal`], addressed by [`Route`].

mod access_token;
mod answer;
mod azure;
mod body;
mod builder;
mod clock;
mod cloud;
mod directory;
mod emulator;
mod endpoints;
mod entra;
mod entry;
mod faults;
pub mod fixtures;
mod ids;
mod imds;
mod journal;
mod jws;
mod keys;
mod latency;
mod listen;
mod nmi;
mod rate;
mod route;
mod seed;
mod service_account;
mod timer;
mod tls;
mod trusted_issuer;
mod vault;

pub use self::{
    builder::{EmulatorBuilder, StartError},
    clock::Clock,
    directory::{
        Application, CertificateTrust, Denial, DeniedScope, Directory, DirectoryHandle, Federation, Identity,
        Role, RoleAssignment, VaultScope,
    },
    emulator::Emulator,
    entry::Entry,
    faults::{Fault, FaultId, Faults},
    journal::Journal,
    keys::Keys,
    latency::Latency,
    rate::RateLimits,
    route::{RequestHead, Route, Service},
    seed::{Seed, SeedError},
    service_account::FormerKeys,
    tls::TlsError,
    trusted_issuer::{TrustedIssuer, TrustedIssuerError},
    vault::{ObjectKind, ObjectVersion, UnknownObject, VaultAccess, VaultContent, VaultSet, Vaults},
};
