//! Authentication challenges of vaults, and their cache.

mod challenge;
mod challenge_cache;

pub use self::challenge::{Challenge, ChallengeError, ClaimsChallenge};

pub(super) use self::challenge_cache::ChallengeCachePolicy;
