//! The tenant of a vault, as its challenge names it.

use crate::spec::excerpt::Excerpt;

use super::super::error::VaultError;

/// An error of a vault whose tenant cannot be learned.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// The challenge names an authority that is not the cloud's, so its tenant is not believed.
    #[error("the vault's challenge names the authority {0}, which is not the cloud's")]
    OtherAuthority(Excerpt),
    /// The challenge names no authority, or no tenant in it.
    #[error("the vault's challenge names no tenant")]
    NotNamed,
    /// The vault answers a request without a token with something other than a challenge.
    #[error("the vault answers without a challenge, which would name the tenant")]
    NoChallenge,
    /// There is no answer, or none of a vault.
    #[error(transparent)]
    Vault(VaultError),
}
