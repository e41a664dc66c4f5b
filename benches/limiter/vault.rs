//! A simulated vault that throttles.

use std::time::Duration;

use tokio::time::Instant;

/// The requests that a vault answers; it throttles all others.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// All requests.
    None,
    /// All but the request with this number.
    AllBut { number: usize },
    /// A number in each window, which begins with the first request after the previous window.
    Window { number: usize, length: Duration },
    /// A rate a second, and a burst after a pause.
    TokenBucket { per_second: u32, burst: u32 },
}

/// A vault and its state.
pub(crate) struct Vault {
    limit: Limit,
    asked: usize,
    /// The start of the window, or the last time that tokens were counted.
    since: Option<Instant>,
    answered: usize,
    tokens: f64,
}

impl Limit {
    /// Returns the shortest possible time for this many reads of an idle vault.
    pub(crate) fn shortest(self, reads: usize) -> Duration {
        match self {
            Self::None | Self::AllBut { .. } => Duration::ZERO,
            Self::Window { number, length } => {
                length * u32::try_from(reads.div_ceil(number) - 1).unwrap_or(u32::MAX)
            }
            Self::TokenBucket { per_second, burst } => {
                let later = u32::try_from(reads).unwrap_or(u32::MAX).saturating_sub(burst);
                Duration::from_secs(1) * later / per_second
            }
        }
    }
}

impl Vault {
    pub(crate) fn new(limit: Limit) -> Self {
        let tokens = if let Limit::TokenBucket { burst, .. } = limit { f64::from(burst) } else { 0.0 };
        Self { limit, asked: 0, since: None, answered: 0, tokens }
    }

    /// Returns whether the vault answers one more request.
    pub(crate) fn answers(&mut self, now: Instant) -> bool {
        self.asked += 1;
        match self.limit {
            Limit::None => true,
            Limit::AllBut { number } => self.asked != number,
            Limit::Window { number, length } => {
                if self.since.is_none_or(|since| now.duration_since(since) >= length) {
                    self.since = Some(now);
                    self.answered = 0;
                }
                let fits = self.answered < number;
                self.answered += usize::from(fits);
                fits
            }
            Limit::TokenBucket { per_second, burst } => {
                let passed = self.since.map_or(Duration::ZERO, |since| now.duration_since(since));
                self.since = Some(now);
                self.tokens += passed.as_secs_f64() * f64::from(per_second);
                self.tokens = self.tokens.min(f64::from(burst));
                let fits = self.tokens >= 1.0;
                self.tokens -= f64::from(u8::from(fits));
                fits
            }
        }
    }
}
