//! Service limits of a vault: so many requests a second, then 429.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Limits by vault. Only requests with an accepted token count, as with Key Vault.
///
/// The window is one second of real time (tokio's clock, so a paused runtime holds it still).
#[derive(Clone, Debug, Default)]
pub struct RateLimits {
    windows: Arc<Mutex<HashMap<String, Window>>>,
}

#[derive(Debug)]
struct Window {
    per_second: u32,
    since: Instant,
    used: u32,
}

impl RateLimits {
    /// Lets a vault answer so many requests a second.
    pub fn set(&self, vault: &str, per_second: u32) {
        let window = Window { per_second, since: Instant::now(), used: 0 };
        self.lock().insert(vault.to_ascii_lowercase(), window);
    }

    /// Takes every limit away.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Whether one more request fits now; it is counted when it does.
    pub(crate) fn admits(&self, vault: &str) -> bool {
        let mut windows = self.lock();
        let Some(window) = windows.get_mut(vault) else {
            return true;
        };
        let now = Instant::now();
        if now.duration_since(window.since) >= Duration::from_secs(1) {
            window.since = now;
            window.used = 0;
        }
        let fits = window.used < window.per_second;
        window.used += u32::from(fits);
        fits
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
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
}
