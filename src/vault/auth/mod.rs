//! How a vault asks for a token, and what is remembered of that.

mod challenge;
mod challenge_cache;

pub use self::challenge::{Challenge, ChallengeError, ClaimsChallenge};

pub(super) use self::challenge_cache::ChallengeCachePolicy;
