use std::{sync::atomic::AtomicUsize, time::Duration};

use azure_core::http::{Method, Url};
use futures::future::join_all;
use tokio::time::Instant;

use crate::{
    cloud::CloudEnvironment,
    metrics::Metrics,
    spec::{cloud::CloudName, mount_kind::MountKind},
    transport::Timeouts,
    vault::limiter::{LimiterPolicy, QueuedRequest, SharedRoom},
};

use super::*;

const OWN: &str = r#"Bearer authorization="https://login.windows.net/t", resource="https://vault.azure.net""#;

/// A vault that answers with a status, a challenge, or the path of the request.
#[derive(Debug)]
struct Vault {
    asked: AtomicUsize,
    /// The answers in order; the last one repeats.
    answers: Vec<Answer>,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Challenge(&'static str),
    Status(u16),
    Path,
}

#[async_trait]
impl Policy for Vault {
    async fn send(&self, _: &Context, request: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        // So that other requests arrive while the answer is in flight.
        tokio::task::yield_now().await;
        let mut headers = Headers::new();
        Ok(match self.answers[asked.min(self.answers.len() - 1)] {
            Answer::Challenge(challenge) => {
                headers.insert(WWW_AUTHENTICATE, challenge);
                AsyncRawResponse::from_bytes(StatusCode::Unauthorized, headers, &b""[..])
            }
            Answer::Status(status) => AsyncRawResponse::from_bytes(status.into(), headers, &b""[..]),
            Answer::Path => {
                let path = request.url().path().to_owned();
                AsyncRawResponse::from_bytes(StatusCode::Ok, headers, path)
            }
        })
    }
}

struct Setup {
    policy: ChallengeCachePolicy,
    vault: Arc<Vault>,
}

impl Setup {
    fn new(answers: &[Answer]) -> Self {
        let cloud = CloudEnvironment::named(CloudName::Public);
        Self {
            policy: ChallengeCachePolicy::new(cloud.vault(&"lab".parse().unwrap())),
            vault: Arc::new(Vault { asked: AtomicUsize::new(0), answers: answers.to_vec() }),
        }
    }

    async fn send(&self, path: &str) -> azure_core::Result<(u16, String)> {
        let next: [Arc<dyn Policy>; 1] = [self.vault.clone()];
        self.send_through(&Context::new(), path, &next).await
    }

    async fn send_through(
        &self,
        ctx: &Context<'_>,
        path: &str,
        next: &[Arc<dyn Policy>],
    ) -> azure_core::Result<(u16, String)> {
        self.answer(ctx, request(path), next).await
    }

    /// Sends a request with a token.
    async fn send_with_token(&self, path: &str) -> azure_core::Result<(u16, String)> {
        let next: [Arc<dyn Policy>; 1] = [self.vault.clone()];
        let mut request = request(path);
        request.insert_header(AUTHORIZATION, "Bearer t");
        self.answer(&Context::new(), request, &next).await
    }

    async fn answer(
        &self,
        ctx: &Context<'_>,
        mut request: Request,
        next: &[Arc<dyn Policy>],
    ) -> azure_core::Result<(u16, String)> {
        let answer = self.policy.send(ctx, &mut request, next).await?;
        let raw = answer.try_into_raw_response().await?;
        Ok((raw.status().into(), String::from_utf8(raw.body().to_vec()).unwrap()))
    }

    fn asked(&self) -> usize {
        self.vault.asked.load(Ordering::Relaxed)
    }
}

fn request(path: &str) -> Request {
    let url = Url::parse("https://lab.vault.azure.net").unwrap().join(path).unwrap();
    Request::new(url, Method::Get)
}

#[tokio::test]
async fn a_challenge_that_cannot_be_used_is_not_remembered() {
    let foreign = r#"Bearer authorization="https://login.windows.net/t", resource="https://evil""#;
    for (first, probes) in [(OWN, 1), (foreign, 2), ("", 2)] {
        let setup = Setup::new(&[Answer::Challenge(first), Answer::Challenge(OWN)]);
        for attempt in 0..4 {
            let answer = setup.send("/secrets/s").await;
            assert_eq!(answer.is_ok(), first == OWN || attempt > 0, "{first} {attempt}");
        }
        assert_eq!(setup.asked(), probes, "{first}");
    }
}

#[tokio::test]
async fn a_vault_that_needs_no_token_gives_each_request_its_own_answer() {
    let setup = Setup::new(&[Answer::Path]);
    let paths: Vec<_> = (0..40).map(|index| format!("/secrets/s{index}/")).collect();
    for _ in 0..3 {
        let answers = futures::future::join_all(paths.iter().map(|path| setup.send(path))).await;
        for (path, answer) in paths.iter().zip(answers) {
            assert_eq!(answer.unwrap(), (200, path.clone()));
        }
    }
    assert_eq!(setup.asked(), 120, "each request is sent once");
}

#[tokio::test]
async fn a_missing_object_is_missing_for_its_own_request_alone() {
    let setup = Setup::new(&[Answer::Status(404), Answer::Path]);
    let (missing, there) = tokio::join!(setup.send("/secrets/missing"), setup.send("/secrets/there"));
    assert_eq!(missing.unwrap().0, 404);
    assert_eq!(there.unwrap(), (200, "/secrets/there".to_owned()));
}

#[tokio::test]
async fn a_failure_is_shared_by_the_requests_that_waited_for_it() {
    for status in [429, 500, 503] {
        let setup = Setup::new(&[Answer::Status(status)]);
        let requests = (0..20).map(|_| setup.send("/secrets/s"));
        for answer in futures::future::join_all(requests).await {
            assert_eq!(answer.unwrap().0, status);
        }
        assert_eq!(setup.asked(), 1);
        setup.send("/secrets/s").await.unwrap();
        assert_eq!(setup.asked(), 2, "a later request asks again");
    }
}

#[tokio::test]
async fn a_vault_that_begins_to_ask_for_tokens_is_probed_once_more() {
    let setup = Setup::new(&[Answer::Path, Answer::Challenge(OWN)]);
    assert_eq!(setup.send("/secrets/s").await.unwrap().0, 200);
    for _ in 0..3 {
        assert_eq!(setup.send("/secrets/s").await.unwrap().0, 401);
    }
    assert_eq!(setup.asked(), 2);
}

#[tokio::test]
async fn one_refused_token_does_not_make_all_mounts_wait_for_a_probe() {
    let claims = r#"Bearer resource="https://vault.azure.net", error="insufficient_claims", claims="e30""#;
    let foreign = r#"Bearer resource="https://evil""#;
    for (refusal, probes) in [(OWN, 1), (claims, 1), (foreign, 2), ("", 2)] {
        let answers = [Answer::Challenge(OWN), Answer::Challenge(refusal), Answer::Challenge(OWN)];
        let setup = Setup::new(&answers);
        setup.send("/secrets/s").await.unwrap();
        assert_eq!(setup.send_with_token("/secrets/s").await.is_ok(), refusal != claims, "{refusal}");
        assert_eq!(setup.policy.is_known(), probes == 1, "{refusal}");
        for _ in 0..2 {
            assert_eq!(setup.send("/secrets/s").await.unwrap().0, 401, "{refusal}");
        }
        assert_eq!(setup.asked(), probes + 1, "{refusal}");
    }
}

/// Otherwise the probe would wait for turns that the reads behind it hold.
#[tokio::test(start_paused = true)]
async fn reads_that_wait_for_a_probe_leave_it_their_turns() {
    let (setup, begin) = (Setup::new(&[Answer::Challenge(OWN)]), Instant::now());
    let (metrics, timeouts) = (Metrics::new(false), Timeouts::within(Duration::from_secs(90)));
    let limiter = Arc::new(LimiterPolicy::new("lab".into(), &SharedRoom::new(), metrics, timeouts));
    let probe = Context::new();
    let mut contexts = vec![probe];
    for _ in 0..64 {
        let mut read = Context::new();
        let queued = Arc::new(QueuedRequest::new(MountKind::Initial, "shop".into()));
        read.insert(Arc::new(limiter.admit(queued).await.unwrap()));
        contexts.push(read);
    }
    let next: [Arc<dyn Policy>; 2] = [limiter, setup.vault.clone()];
    let answers = join_all(contexts.iter().map(|ctx| setup.send_through(ctx, "/secrets/db", &next))).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|(status, _)| *status == 401)));
    assert_eq!((setup.asked(), begin.elapsed()), (1, Duration::ZERO));
}
