//! The newest keys of one issuer, and when they are fetched anew.

use std::{
    convert::Infallible,
    future::Future,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{metrics::Metrics, report::Report};

use super::{IssuerUrl, KeySet, fetch::FetchError};

/// When the keys of an issuer are fetched, and how long they are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRefresh {
    /// The time between two fetches.
    pub interval: Duration,
    /// The shortest time between two fetches, whatever unknown keys tokens name. After a failure, the next fetch
    /// begins then.
    pub min_interval: Duration,
    /// How long keys are used while newer ones cannot be fetched: the issuer may no longer trust one of them.
    pub max_age: Duration,
}

impl Default for KeyRefresh {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(600),
            min_interval: Duration::from_secs(60),
            max_age: Duration::from_secs(1_800),
        }
    }
}

/// An issuer and its newest keys.
#[derive(Debug)]
pub(super) struct IssuerKeys {
    url: IssuerUrl,
    issuer: Arc<str>,
    newest: RwLock<Option<Published>>,
    /// Asks for a fetch before the interval ends.
    wanted: Notify,
    refresh: KeyRefresh,
    metrics: Metrics,
}

#[derive(Debug, Clone)]
struct Published {
    keys: Arc<KeySet>,
    fetched: Instant,
}

impl IssuerKeys {
    /// Returns an issuer without keys yet.
    pub(super) fn new(url: IssuerUrl, refresh: KeyRefresh, metrics: Metrics) -> Self {
        metrics.issuer_keys(url.as_str(), 0);
        let issuer = url.as_str().into();
        Self { url, issuer, newest: RwLock::default(), wanted: Notify::new(), refresh, metrics }
    }

    /// Returns the issuer's URL.
    pub(super) fn url(&self) -> &IssuerUrl {
        &self.url
    }

    /// Returns the issuer as the operator wrote it.
    pub(super) fn issuer(&self) -> &Arc<str> {
        &self.issuer
    }

    /// Returns the keys, unless they are too old.
    pub(super) fn keys(&self) -> Option<Arc<KeySet>> {
        let newest = self.newest.read().unwrap_or_else(PoisonError::into_inner);
        newest
            .as_ref()
            .filter(|newest| newest.fetched.elapsed() < self.refresh.max_age)
            .map(|newest| newest.keys.clone())
    }

    /// Asks for newer keys, since a token names a key that is not there. Returns at once.
    pub(super) fn want_newer(&self) {
        self.wanted.notify_one();
    }

    /// Fetches the keys with `fetch` at once, and then at intervals. Never completes.
    pub(super) async fn keep_fresh<F>(&self, fetch: impl Fn() -> F) -> Infallible
    where
        F: Future<Output = Result<KeySet, FetchError>>,
    {
        let KeyRefresh { interval, min_interval, .. } = self.refresh;
        let mut is_reported = false;
        loop {
            let begun = Instant::now();
            let next = match fetch().await {
                Ok(keys) => {
                    self.publish(keys);
                    if std::mem::take(&mut is_reported) {
                        tracing::info!(issuer = %self.url, "the issuer's keys are fetched again");
                    }
                    begun + interval
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_reported, true) {
                        tracing::warn!(
                            issuer = %self.url,
                            error = %Report(&error),
                            "cannot fetch the issuer's keys; until then each token of its pods is exchanged for itself"
                        );
                    }
                    self.drop_old();
                    begun + min_interval
                }
            };
            sleep_until(begun + min_interval).await;
            // Ends early if newer keys are wanted; a wish from before is kept.
            let _ = timeout_at(next, self.wanted.notified()).await;
        }
    }

    fn publish(&self, keys: KeySet) {
        self.metrics.issuer_keys(&self.issuer, keys.len());
        self.metrics.issuer_keys_fetched(&self.issuer, SystemTime::now());
        let published = Published { keys: Arc::new(keys), fetched: Instant::now() };
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Some(published);
    }

    fn drop_old(&self) {
        if self.keys().is_none() {
            *self.newest.write().unwrap_or_else(PoisonError::into_inner) = None;
            self.metrics.issuer_keys(&self.issuer, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use serde_json::json;

    use crate::logging::captured_log::CapturedLog;

    use super::{super::signer::Signer, *};

    fn key_set(id: &str) -> KeySet {
        let document = json!({ "keys": [Signer::ec("P-256").jwk(id)] }).to_string();
        KeySet::parse(document.as_bytes()).unwrap()
    }

    /// An issuer and the seconds at which its keys were fetched.
    struct Fixture {
        issuer: Rc<IssuerKeys>,
        is_down: Rc<RefCell<bool>>,
        fetches: Rc<RefCell<Vec<u64>>>,
        metrics: Metrics,
    }

    impl Fixture {
        /// Starts to keep the keys fresh, on the current local set.
        fn start() -> Self {
            let metrics = Metrics::new(false);
            let url = "https://oidc.example".parse().unwrap();
            let issuer = Rc::new(IssuerKeys::new(url, KeyRefresh::default(), metrics.clone()));
            let fixture = Self { issuer, is_down: Rc::default(), fetches: Rc::default(), metrics };
            let (issuer, is_down, fetches) =
                (fixture.issuer.clone(), fixture.is_down.clone(), fixture.fetches.clone());
            let begun = Instant::now();
            tokio::task::spawn_local(async move {
                let fetch = || {
                    fetches.borrow_mut().push(begun.elapsed().as_secs());
                    let is_down = *is_down.borrow();
                    std::future::ready(if is_down { Err(FetchError::Timeout) } else { Ok(key_set("k")) })
                };
                issuer.keep_fresh(fetch).await
            });
            fixture
        }

        async fn pass(&self, seconds: u64) {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }

        fn fetches(&self) -> Vec<u64> {
            self.fetches.borrow().clone()
        }
    }

    async fn on_local_set(test: impl Future<Output = ()>) {
        tokio::task::LocalSet::new().run_until(test).await;
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_fetched_at_once_and_every_ten_minutes() {
        on_local_set(async {
            let fixture = Fixture::start();
            fixture.pass(1_900).await;
            assert_eq!(fixture.fetches(), [0, 600, 1_200, 1_800]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn unknown_keys_cause_a_fetch_a_minute_at_the_most() {
        on_local_set(async {
            let fixture = Fixture::start();
            fixture.pass(100).await;
            fixture.issuer.want_newer();
            fixture.pass(1).await;
            assert_eq!(fixture.fetches(), [0, 100], "at once, since the last fetch is a minute ago");
            for _ in 0..150 {
                fixture.issuer.want_newer();
                fixture.pass(1).await;
            }
            assert_eq!(fixture.fetches(), [0, 100, 160, 220]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_to_fetch_keys_is_logged_once_and_so_is_its_end() {
        let log = CapturedLog::begin();
        on_local_set(async {
            let fixture = Fixture::start();
            *fixture.is_down.borrow_mut() = true;
            fixture.pass(6_000).await;
            *fixture.is_down.borrow_mut() = false;
            fixture.pass(6_000).await;
        })
        .await;
        let counts = (log.count("cannot fetch the issuer's keys"), log.count("are fetched again"));
        let log = log.text();
        assert_eq!(counts, (1, 1), "{log}");
        assert!(log.contains("https://oidc.example") && log.contains("no answer within 30s"), "{log}");
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_cannot_be_renewed_are_dropped_after_half_an_hour() {
        on_local_set(async {
            let fixture = Fixture::start();
            fixture.pass(1).await;
            assert!(fixture.issuer.keys().is_some());
            *fixture.is_down.borrow_mut() = true;
            fixture.pass(1_798).await;
            assert!(fixture.issuer.keys().is_some());
            fixture.pass(1).await;
            assert!(fixture.issuer.keys().is_none());
            fixture.pass(60).await;
            let gauge = |keys| format!("akv_issuer_keys{{issuer=\"https://oidc.example\"}} {keys}\n");
            assert!(fixture.metrics.page().contains(&gauge(0)), "{}", fixture.metrics.page());
            assert_eq!(fixture.fetches()[..4], [0, 600, 660, 720], "a failure is repeated after a minute");
            *fixture.is_down.borrow_mut() = false;
            fixture.pass(60).await;
            assert!(fixture.issuer.keys().is_some());
            assert!(fixture.metrics.page().contains(&gauge(1)), "{}", fixture.metrics.page());
        })
        .await;
    }
}
