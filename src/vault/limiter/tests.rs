use std::sync::Mutex as StdMutex;

use futures::future::join_all;

use MountKind::{Initial, Republish};

use super::*;

const MS: Duration = Duration::from_millis(1);

type Log = Arc<StdMutex<Vec<&'static str>>>;

fn limiter() -> Arc<Limiter> {
    Arc::new(Limiter::new(Duration::from_secs(1)))
}

/// Returns a request for a pod of one namespace.
fn queued(kind: MountKind) -> QueuedRequest {
    QueuedRequest::new(kind, "shop".into())
}

/// Waits for the permit of a request that can wait for a minute.
async fn permit(limiter: &Limiter, request: &QueuedRequest) -> Permit {
    let latest = Instant::now() + Duration::from_secs(60);
    limiter.acquire(request, latest).await.expect("a permit within the minute")
}

/// Returns a limiter that is closed for a second, and then limits the rate.
async fn closed() -> Arc<Limiter> {
    let limiter = limiter();
    let request = queued(Initial);
    for permit in join_all([permit(&limiter, &request), permit(&limiter, &request)]).await {
        permit.refused(Some(Duration::from_secs(1)), 0.0);
    }
    limiter
}

/// Spawns a task that waits for a permit, and then logs its name.
async fn wait(limiter: &Arc<Limiter>, request: Arc<QueuedRequest>, name: &'static str, log: &Log) {
    let (limiter, log) = (limiter.clone(), log.clone());
    tokio::spawn(async move {
        let permit = permit(&limiter, &request).await;
        log.lock().unwrap().push(name);
        permit.answered();
    });
    // Until it is in the queue.
    tokio::task::yield_now().await;
}

#[tokio::test(start_paused = true)]
async fn initial_mounts_go_before_republishes_and_otherwise_the_earlier_request() {
    let (limiter, log) = (closed().await, Log::default());
    let promoted = Arc::new(queued(Republish));
    wait(&limiter, Arc::new(queued(Republish)), "republish", &log).await;
    wait(&limiter, Arc::new(queued(Initial)), "first", &log).await;
    wait(&limiter, promoted.clone(), "republish that an initial mount joined", &log).await;
    wait(&limiter, Arc::new(queued(Initial)), "second", &log).await;
    promoted.promote();
    tokio::time::sleep(MS * 999).await;
    assert!(log.lock().unwrap().is_empty(), "not before the moment that the vault named");
    tokio::time::sleep(MS * 100).await;
    assert_eq!(
        *log.lock().unwrap(),
        ["first", "republish that an initial mount joined", "second", "republish"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_republish_gets_its_turn_while_new_pods_keep_coming() {
    let (limiter, log) = (closed().await, Log::default());
    wait(&limiter, Arc::new(queued(Republish)), "republish", &log).await;
    for _ in 0..200 {
        wait(&limiter, Arc::new(queued(Initial)), "initial", &log).await;
    }
    tokio::time::sleep(MS * 1_100).await;
    let republish = log.lock().unwrap().iter().position(|name| *name == "republish");
    assert_eq!(republish, Some(3), "the fourth permit");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_goes_first_when_the_vault_is_open_again() {
    let (limiter, log) = (limiter(), Log::default());
    let refused = Arc::new(queued(Initial));
    let permit = permit(&limiter, &refused).await;
    permit.refused(Some(Duration::from_secs(1)), 0.0);
    wait(&limiter, Arc::new(queued(Initial)), "later", &log).await;
    wait(&limiter, refused, "refused", &log).await;
    tokio::time::sleep(MS * 1_100).await;
    assert_eq!(*log.lock().unwrap(), ["refused", "later"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_keeps_no_other_waiting() {
    let (limiter, log) = (closed().await, Log::default());
    let first = tokio::spawn({
        let limiter = limiter.clone();
        async move { drop(permit(&limiter, &queued(Initial)).await) }
    });
    tokio::task::yield_now().await;
    wait(&limiter, Arc::new(queued(Initial)), "second", &log).await;
    first.abort();
    tokio::time::sleep(MS * 1_100).await;
    assert_eq!(*log.lock().unwrap(), ["second"]);
    assert_eq!(limiter.lock().waiting().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_ends_lets_the_next_request_go() {
    let (limiter, log) = (limiter(), Log::default());
    let request = queued(Initial);
    let mut permits = join_all((0..64).map(|_| permit(&limiter, &request))).await;
    wait(&limiter, Arc::new(queued(Initial)), "next", &log).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(log.lock().unwrap().is_empty());
    // Dropped without an answer, as by a mount that ends.
    permits.pop();
    tokio::time::sleep(MS).await;
    assert_eq!(*log.lock().unwrap(), ["next"]);
}

#[tokio::test(start_paused = true)]
async fn requests_that_cannot_wait_as_long_as_the_vault_wants_fail_at_once() {
    let limiter = limiter();
    let begin = Instant::now();
    let request = queued(Initial);
    let closes = permit(&limiter, &request).await;
    // These requests wait already when the vault names its wait.
    let permits = join_all((1..64).map(|_| permit(&limiter, &request))).await;
    let waiting: Vec<_> = [90, 30, 60]
        .into_iter()
        .map(|seconds| {
            let limiter = limiter.clone();
            tokio::spawn(async move {
                let latest = Instant::now() + Duration::from_secs(seconds);
                let granted = limiter.acquire(&queued(Initial), latest).await.is_ok();
                (granted, begin.elapsed().as_secs())
            })
        })
        .collect();
    tokio::task::yield_now().await;
    closes.refused(Some(Duration::from_secs(70)), 0.0);
    let waited: Vec<_> = join_all(waiting).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(waited, [(true, 70), (false, 0), (false, 0)]);
    drop(permits);
}

/// These reads waited for nine seconds while nothing woke the queue at the time of the next permit.
#[tokio::test(start_paused = true)]
async fn reads_that_hang_do_not_keep_those_of_other_pods_waiting() {
    let limiter = limiter();
    let request = queued(Initial);
    let read = async || {
        let permit = permit(&limiter, &request).await;
        tokio::time::sleep(MS * 10).await;
        permit.answered();
    };
    let _hang = join_all((0..12).map(|_| permit(&limiter, &request))).await;
    join_all((0..180).map(|_| read())).await;
    let begin = Instant::now();
    join_all((0..120).map(|_| read())).await;
    assert!(begin.elapsed() <= MS * 40, "{:?} for 120 reads, 52 at once", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn requests_go_at_the_vaults_rate_though_nothing_else_happens() {
    let (limiter, log) = (closed().await, Log::default());
    let begin = Instant::now();
    for _ in 0..207 {
        wait(&limiter, Arc::new(queued(Initial)), "read", &log).await;
    }
    tokio::time::sleep(MS * 2_010).await;
    assert_eq!(log.lock().unwrap().len(), 207, "{:?}", begin.elapsed());
    assert!(limiter.is_limited() && !limiter.is_throttling(), "limited, and nothing waits");
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_the_vaults_rate_say_that_it_throttles() {
    assert!(!limiter().is_throttling());
    let (limiter, log) = (closed().await, Log::default());
    assert!(limiter.is_throttling(), "closed");
    for _ in 0..100 {
        wait(&limiter, Arc::new(queued(Initial)), "read", &log).await;
    }
    tokio::time::sleep(MS * 1_001).await;
    let read = log.lock().unwrap().len();
    assert!((1..100).contains(&read) && limiter.is_throttling(), "{read} went, and the others wait");
}

/// These 20 reads once waited for six seconds.
#[tokio::test(start_paused = true)]
async fn a_mount_is_served_beside_thousands_of_reads_of_another_namespace() {
    let limiter = limiter();
    let read = async |namespace: &'static str| {
        let permit = permit(&limiter, &QueuedRequest::new(Initial, namespace.into())).await;
        tokio::time::sleep(MS * 10).await;
        permit.answered();
    };
    let many = join_all((0..3_200).map(|_| read("shop")));
    let honest = async {
        // Until the vault has had its burst.
        tokio::time::sleep(MS * 1_000).await;
        let begin = Instant::now();
        join_all((0..20).map(|_| read("bank"))).await;
        assert!(begin.elapsed() <= MS * 200, "{:?} for 20 reads in 40 turns", begin.elapsed());
    };
    tokio::join!(many, honest);
}

/// With the node's identity, namespaces share reads.
#[tokio::test(start_paused = true)]
async fn a_mount_that_joins_the_last_read_of_a_namespace_does_not_wait_for_all_others_of_it() {
    let (limiter, log) = (closed().await, Log::default());
    for _ in 0..300 {
        wait(&limiter, Arc::new(queued(Initial)), "other", &log).await;
    }
    let shared = Arc::new(queued(Initial));
    wait(&limiter, shared.clone(), "shared", &log).await;
    shared.join(Initial, &"bank".into());
    tokio::time::sleep(MS * 1_200).await;
    let gone = log.lock().unwrap().iter().position(|name| *name == "shared");
    assert!(gone.is_some_and(|place| place < 2), "{gone:?}");
}

/// The state machine computes when a request may go. This test shows that the task that waits for it finds out.
#[tokio::test(start_paused = true)]
async fn no_request_waits_that_may_go() {
    for seed in 0..6 {
        let limiter = limiter();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut tasks = Vec::new();
        for _ in 0..800 {
            for _ in 0..random.usize(0..3) {
                let kind = if random.bool() { Initial } else { Republish };
                let namespace = if random.bool() { "shop" } else { "bank" };
                let (takes, outcome) = (random.u64(0..200), random.u8(0..100));
                let (is_promoted, timeouts) = (random.u8(0..10) == 0, random.u64(1..2_000));
                let limiter = limiter.clone();
                tasks.push(tokio::spawn(async move {
                    let request = QueuedRequest::new(kind, namespace.into());
                    let read = async {
                        let permit = permit(&limiter, &request).await;
                        tokio::time::sleep(MS * u32::try_from(takes).unwrap_or(0)).await;
                        match outcome {
                            0..2 => permit.refused(Some(MS * 300), 0.5),
                            2..5 => drop(permit),
                            _ => permit.answered(),
                        }
                    };
                    let promotion = async {
                        tokio::time::sleep(Duration::from_millis(timeouts / 2)).await;
                        if is_promoted {
                            request.promote();
                        }
                        std::future::pending().await
                    };
                    // Ended by a mount that has timed out.
                    tokio::select! {
                        () = read => {}
                        () = promotion => {}
                        () = tokio::time::sleep(Duration::from_millis(timeouts)) => {}
                    }
                }));
            }
            tokio::time::sleep(MS).await;
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            let next = limiter.lock().next(Instant::now());
            assert!(!matches!(next, Next::Go(_)), "seed {seed}: {next:?}");
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(limiter.lock().next(Instant::now()), Next::Idle);
    }
}
