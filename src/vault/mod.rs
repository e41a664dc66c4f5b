//! Reading a vault: the SDK's three clients behind one, with answers and errors of our own.
//!
//! SDK models stop here; a credential comes in as the SDK's `TokenCredential`.

mod auth;
mod bundle;
mod cache;
mod client;
mod error;
mod error_response;
mod host;
mod identifier;
mod lenient_json;
pub mod limiter;
mod read;
mod sdk;

pub use self::{
    auth::{Challenge, ChallengeError, ClaimsChallenge},
    bundle::{Bundle, CertificateBundle, KeyBundle, SecretBundle, VersionProperties},
    cache::{Answer, CacheSettings, MaxAge, MemorySize, Reader, TtlCache},
    client::{HostStatus, VaultClient, Vaults},
    error::VaultError,
    error_response::{Reason, VaultErrorResponse},
    read::Read,
};
