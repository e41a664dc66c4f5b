//! Clients of Key Vault: one interface over the SDK's three clients, with its own types for answers and errors.
//!
//! SDK models do not leave this module; credentials come in as the SDK's `TokenCredential`.

mod auth;
mod authenticated;
mod bundle;
mod cache;
mod client;
mod error;
mod error_response;
mod heap;
mod host;
mod identifier;
mod json_values;
mod lenient_json;
pub mod limiter;
mod list;
mod properties;
mod read;
mod request;
mod request_sender;
mod sdk;

pub use self::{
    auth::{Challenge, ChallengeError, ClaimsChallenge, NamedAuthority, TenantError},
    authenticated::AuthenticatedVaults,
    bundle::{Bundle, CertificateBundle, KeyBundle, SecretBundle, VersionProperties},
    cache::{
        Answer, Attributes, CacheSettings, Decision, KnownLists, LastRead, Lists, MAX_UNREAD, MaxAge,
        MemorySize, Reader, RepublishCheck, TtlCache, page_budget, turn,
    },
    client::{HostStatus, VaultClient, Vaults},
    error::VaultError,
    error_response::{Reason, VaultErrorResponse},
    list::{Extent, List, ListedObject, ObjectList},
    properties::{Lifecycle, Properties},
    read::Read,
};
