//! Authentication challenges of vaults, and their cache.

mod challenge;
mod challenge_cache;
mod tenant;

pub use self::{
    challenge::{Challenge, ChallengeError, ClaimsChallenge, NamedAuthority},
    tenant::TenantError,
};

pub(super) use self::challenge_cache::ChallengeCachePolicy;
