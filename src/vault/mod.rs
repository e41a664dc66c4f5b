//! Reading a vault: the SDK's three clients behind one, with answers and errors of our own.
//!
//! SDK models stop here; a credential comes in as the SDK's `TokenCredential`.

mod answer;
mod bundle;
mod challenge;
mod client;
mod error;
mod flight;
mod freshness;
mod host;
mod identifier;
mod lenient_json;
pub mod limiter;
pub mod memory;
mod probe;
mod read;
mod sdk;
mod sharing;
mod standing;

pub use self::{
    answer::{Reason, ServiceAnswer},
    bundle::{Bundle, CertificateBundle, KeyBundle, SecretBundle, VersionProperties},
    challenge::{Challenge, ChallengeError, ClaimsChallenge},
    client::{VaultClient, Vaults},
    error::VaultError,
    freshness::{CacheSettings, Freshness},
    read::Read,
    sharing::{Answer, Reader},
    standing::Standing,
};
