//! Service limits of a vault: a number of requests a second, then 429.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Limits by vault. Only requests with an accepted token count, as in Key Vault.
///
/// Time is tokio's clock, which a test can pause.
#[derive(Clone, Debug, Default)]
pub struct RateLimits {
    limits: Arc<Mutex<HashMap<String, Limit>>>,
}

#[derive(Debug)]
enum Limit {
    /// A number for each second, which begins with the first request after the previous second.
    Window { per_second: u32, since: Instant, used: u32 },
    /// A steady rate, and a burst after a pause.
    Bucket { per_second: f64, burst: f64, tokens: f64, at: Instant },
}

impl RateLimits {
    /// Limits a vault to this many requests in each second.
    pub fn set(&self, vault: &str, per_second: u32) {
        self.insert(vault, Limit::Window { per_second, since: Instant::now(), used: 0 });
    }

    /// Limits a vault to a steady rate of requests, with a burst after a pause.
    pub fn set_bucket(&self, vault: &str, per_second: u32, burst: u32) {
        let (per_second, burst) = (f64::from(per_second), f64::from(burst));
        self.insert(vault, Limit::Bucket { per_second, burst, tokens: burst, at: Instant::now() });
    }

    /// Removes all limits.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Returns whether the vault may answer one more request now, and counts the request if so.
    pub(crate) fn admits(&self, vault: &str) -> bool {
        self.lock().get_mut(vault).is_none_or(|limit| limit.admits(Instant::now()))
    }

    fn insert(&self, vault: &str, limit: Limit) {
        self.lock().insert(vault.to_ascii_lowercase(), limit);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Limit>> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limit {
    fn admits(&mut self, now: Instant) -> bool {
        match self {
            Self::Window { per_second, since, used } => {
                if now.duration_since(*since) >= Duration::from_secs(1) {
                    *since = now;
                    *used = 0;
                }
                let fits = *used < *per_second;
                *used += u32::from(fits);
                fits
            }
            Self::Bucket { per_second, burst, tokens, at } => {
                *tokens = (*tokens + now.duration_since(*at).as_secs_f64() * *per_second).min(*burst);
                *at = now;
                let fits = *tokens >= 1.0;
                *tokens -= if fits { 1.0 } else { 0.0 };
                fits
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_without_a_limit_admits_all() {
        let limits = RateLimits::default();
        limits.set("other", 0);
        assert!(limits.admits("lab"));
        assert!(!limits.admits("other"));
    }

    #[test]
    fn the_window_admits_its_number() {
        let limits = RateLimits::default();
        limits.set("Lab", 2);
        assert_eq!([(); 3].map(|()| limits.admits("lab")), [true, true, false]);
        limits.clear();
        assert!(limits.admits("lab"));
    }

    #[test]
    fn the_bucket_admits_its_burst_and_then_its_rate() {
        let begin = Instant::now();
        let mut limit = Limit::Bucket { per_second: 100.0, burst: 3.0, tokens: 3.0, at: begin };
        for (at, expected) in [(0, 3), (25, 2), (10_000, 3)] {
            let now = begin + Duration::from_millis(at);
            assert_eq!((0..10).filter(|_| limit.admits(now)).count(), expected, "after {at} ms");
        }
    }
}
