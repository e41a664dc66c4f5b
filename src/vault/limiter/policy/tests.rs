mod connections;

use std::{
    sync::{Mutex, atomic::AtomicUsize},
    time::Duration,
};

use azure_core::http::{AsyncRawResponse, Method, headers::Headers};
use futures::future::join_all;

use super::*;

/// A policy whose jitter is always in the middle of its range.
fn policy() -> LimiterPolicy {
    policy_in(&SharedRoom::new())
}

fn policy_in(room: &SharedRoom) -> LimiterPolicy {
    let timeouts = Timeouts::within(Duration::from_secs(90));
    LimiterPolicy { jitter: || 0.5, ..LimiterPolicy::new("lab".into(), room, Metrics::new(false), timeouts) }
}

fn request() -> Request {
    Request::new("https://lab.vault.azure.net/".parse().unwrap(), Method::Get)
}

/// A vault that answers with one status after the other.
#[derive(Debug)]
struct Statuses(Mutex<Vec<u16>>);

#[async_trait]
impl Policy for Statuses {
    async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        let status = self.0.lock().unwrap().remove(0);
        Ok(AsyncRawResponse::from_bytes(status.into(), Headers::new(), &b""[..]))
    }
}

/// Otherwise a new pod could get a list whose first page is from before a change.
#[tokio::test(start_paused = true)]
async fn a_list_of_several_pages_is_as_old_as_its_first() {
    let policy = policy();
    let (begin, queued) = (Instant::now(), Arc::new(QueuedRequest::new(MountKind::Initial, "shop".into())));
    let mut ctx = Context::new();
    ctx.insert(Arc::new(policy.admit(queued.clone()).await.unwrap()));
    // The first page comes at the third try, and the second page at its second try.
    for (statuses, sent) in [(&[503][..], 0), (&[429, 200], 5), (&[429, 200], 5), (&[200], 5)] {
        let vault: Arc<dyn Policy> = Arc::new(Statuses(Mutex::new(statuses.to_vec())));
        policy.send(&ctx, &mut request(), &[vault]).await.unwrap();
        let at = queued.sent_at().map(|sent| sent.duration_since(begin).as_secs());
        assert_eq!(at, Some(sent), "{statuses:?}");
        tokio::time::advance(Duration::from_secs(4)).await;
    }
}

/// A vault at a distance of ten milliseconds that refuses requests above its limit, with a `Retry-After` of one
/// second.
#[derive(Debug)]
struct ThrottlingVault {
    allows: Mutex<Allows>,
    asked: AtomicUsize,
    refused: AtomicUsize,
}

#[derive(Debug)]
enum Allows {
    /// Allows all requests but the one of this number.
    AllBut(usize),
    /// Allows a number of requests in each second; the first second begins with the first request.
    InEachSecond { number: u32, since: Instant, used: u32 },
    /// Allows a rate with a burst.
    TokenBucket { per_second: f64, burst: f64, tokens: f64, at: Instant },
}

impl ThrottlingVault {
    fn new(allows: Allows) -> Arc<Self> {
        Arc::new(Self {
            allows: Mutex::new(allows),
            asked: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        })
    }

    fn admits(&self, number: usize) -> bool {
        let now = Instant::now();
        match &mut *self.allows.lock().unwrap() {
            Allows::AllBut(stray) => number != *stray,
            Allows::InEachSecond { number, since, used } => {
                if now.duration_since(*since) >= Duration::from_secs(1) {
                    (*since, *used) = (now, 0);
                }
                *used += 1;
                *used <= *number
            }
            Allows::TokenBucket { per_second, burst, tokens, at } => {
                *tokens = (*tokens + now.duration_since(*at).as_secs_f64() * *per_second).min(*burst);
                *at = now;
                let admits = *tokens >= 1.0;
                *tokens -= if admits { 1.0 } else { 0.0 };
                admits
            }
        }
    }
}

#[async_trait]
impl Policy for ThrottlingVault {
    async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let admits = self.admits(self.asked.fetch_add(1, Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(5)).await;
        let mut headers = Headers::new();
        if admits {
            return Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, headers, &b""[..]));
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        headers.insert("retry-after", "1");
        Ok(AsyncRawResponse::from_bytes(StatusCode::TooManyRequests, headers, &b""[..]))
    }
}

/// Sends a number of reads at once, none of which fails, and returns how long they took.
async fn read(vault: &Arc<ThrottlingVault>, reads: usize) -> Duration {
    let (policy, begin) = (policy(), Instant::now());
    let next: [Arc<dyn Policy>; 1] = [vault.clone()];
    let read = async || policy.send(&Context::new(), &mut request(), &next).await;
    for answer in join_all((0..reads).map(|_| read())).await {
        assert_eq!(answer.unwrap().status(), StatusCode::Ok);
    }
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_reads_take_sixteen_round_trips() {
    let vault = ThrottlingVault::new(Allows::AllBut(usize::MAX));
    assert!(read(&vault, 1_000).await <= Duration::from_millis(200));
}

/// These reads took 45 seconds while the rate came from a second before any request was sent.
#[tokio::test(start_paused = true)]
async fn one_stray_429_costs_a_thousand_reads_its_wait() {
    for stray in [0, 1, 63, 64, 500] {
        let vault = ThrottlingVault::new(Allows::AllBut(stray));
        let took = read(&vault, 1_000).await;
        assert!(took <= Duration::from_millis(1_400), "request {stray}: {took:?}");
        assert_eq!(vault.asked.load(Ordering::Relaxed), 1_001);
    }
}

#[tokio::test(start_paused = true)]
async fn a_vault_of_two_hundred_reads_a_second_gives_nearly_as_many() {
    let now = Instant::now();
    for (allows, ideal) in [
        (Allows::InEachSecond { number: 200, since: now, used: 0 }, 3.8),
        (Allows::TokenBucket { per_second: 200.0, burst: 40.0, tokens: 40.0, at: now }, 3.8),
    ] {
        let vault = ThrottlingVault::new(allows);
        let took = read(&vault, 800).await;
        assert!(took.as_secs_f64() <= ideal * 1.25 + 0.1, "{took:?} {vault:?}");
        assert!((1..=100).contains(&vault.refused.load(Ordering::Relaxed)), "{vault:?}");
    }
}

/// A vault that never answers, and counts the requests in flight.
#[derive(Debug, Default)]
struct HangingVault(AtomicUsize);

#[async_trait]
impl Policy for HangingVault {
    async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        struct InFlight<'a>(&'a AtomicUsize);
        impl Drop for InFlight<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        let _in_flight = InFlight(&self.0);
        std::future::pending().await
    }
}

/// Sends a hundred reads of a vault that hangs, and gives up after a second.
async fn hang(policy: &LimiterPolicy, vault: &Arc<HangingVault>) {
    let next: [Arc<dyn Policy>; 1] = [vault.clone()];
    let read = async || policy.send(&Context::new(), &mut request(), &next).await.map(drop);
    let reads = join_all((0..100).map(|_| read()));
    tokio::time::timeout(Duration::from_secs(1), reads).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn vaults_that_hang_leave_others_their_own_requests() {
    let (room, vault) = (SharedRoom::new(), Arc::new(HangingVault::default()));
    let in_flight = || vault.0.load(Ordering::Relaxed);
    let policies: Vec<_> = (0..30).map(|_| policy_in(&room)).collect();
    let hanging = join_all(policies.iter().map(|policy| hang(policy, &vault)));
    let other = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(in_flight(), 256 + 30 * 8);
        let (policy, vault) = (policy_in(&room), ThrottlingVault::new(Allows::AllBut(usize::MAX)));
        let next: [Arc<dyn Policy>; 1] = [vault];
        let read = async || policy.send(&Context::new(), &mut request(), &next).await;
        let (begin, answers) = (Instant::now(), join_all((0..80).map(|_| read())).await);
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status() == 200)));
        assert!(begin.elapsed() <= Duration::from_millis(150), "ten round trips: {:?}", begin.elapsed());
    };
    tokio::join!(hanging, other);
    assert_eq!(in_flight(), 0);
    let (again, alone) = (Arc::new(HangingVault::default()), policy_in(&room));
    let most = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(again.0.load(Ordering::Relaxed), 64, "the room of requests that ended is free");
    };
    tokio::join!(hang(&alone, &again), most);
}

/// Otherwise each of them would be refused again, and lengthen the wait.
#[tokio::test(start_paused = true)]
async fn reads_that_waited_for_room_keep_the_pause_of_a_vault_that_throttles() {
    let room = SharedRoom::new();
    let taken: Vec<_> = (0..4).map(|_| policy_in(&room)).collect();
    let hanging = Arc::new(HangingVault::default());
    let full = join_all(taken.iter().map(|policy| hang(policy, &hanging)));
    let throttled = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let extra = policy_in(&room);
        let rest = hang(&extra, &hanging);
        let read = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let vault =
                ThrottlingVault::new(Allows::InEachSecond { number: 4, since: Instant::now(), used: 0 });
            let (policy, next): (_, [Arc<dyn Policy>; 1]) = (policy_in(&room), [vault.clone()]);
            let read = async || policy.send(&Context::new(), &mut request(), &next).await.map(drop);
            let reads = join_all((0..40).map(|_| read()));
            tokio::time::timeout(Duration::from_millis(500), reads).await.unwrap_err();
            (vault.asked.load(Ordering::Relaxed), vault.refused.load(Ordering::Relaxed))
        };
        tokio::join!(rest, read).1
    };
    assert_eq!(tokio::join!(full, throttled).1, (8, 4));
}

/// Otherwise a thousand requests that wait would be built, and take 10 MiB.
#[tokio::test(start_paused = true)]
async fn a_turn_that_came_before_the_request_is_used_once() {
    let policy = policy();
    let admit = || policy.admit(Arc::new(QueuedRequest::new(MountKind::Initial, "shop".into())));
    let mut admitted = Vec::new();
    for _ in 0..64 {
        admitted.push(Arc::new(admit().await.unwrap()));
    }
    let mut late = std::pin::pin!(admit());
    assert!(futures::poll!(late.as_mut()).is_pending(), "64 requests have a turn");
    let mut ctx = Context::new();
    ctx.insert(admitted.pop().unwrap());
    let vault: [Arc<dyn Policy>; 1] = [Arc::new(Statuses(Mutex::new(vec![200, 200])))];
    policy.send(&ctx, &mut request(), &vault).await.unwrap();
    let late = late.await.unwrap();
    let mut request = request();
    let mut again = policy.send(&ctx, &mut request, &vault);
    assert!(futures::poll!(&mut again).is_pending(), "a further request waits for a turn of its own");
    late.give_way();
    again.await.unwrap();
}

/// Otherwise it would go to the vault before the moment that the vault named.
#[tokio::test(start_paused = true)]
async fn a_turn_that_came_before_a_refusal_is_waited_for_again() {
    let policy = policy();
    let admit = || policy.admit(Arc::new(QueuedRequest::new(MountKind::Initial, "shop".into())));
    let (mut early, begin) = (Context::new(), Instant::now());
    early.insert(Arc::new(admit().await.unwrap()));
    let mut refused = Context::new();
    refused.insert(Arc::new(admit().await.unwrap()));
    let vault: [Arc<dyn Policy>; 1] = [Arc::new(Statuses(Mutex::new(vec![429, 200, 200])))];
    let send = async |ctx: Context<'static>| {
        policy.send(&ctx, &mut request(), &vault).await.unwrap();
        begin.elapsed()
    };
    // In this order: the first one is refused before the second one is sent.
    let (first, second) = tokio::join!(send(refused), send(early));
    assert!([first, second].iter().all(|waited| *waited >= Duration::from_secs(1)), "{first:?} {second:?}");
}
