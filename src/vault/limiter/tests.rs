use std::sync::Mutex as StdMutex;

use futures::future::join_all;

use super::*;

/// As one who can wait for a minute.
async fn permit<'a>(limiter: &'a Limiter, ask: &QueuedRequest) -> Permit<'a> {
    limiter.acquire(ask, Instant::now() + Duration::from_secs(60)).await.expect("a turn within the minute")
}

/// A gate that is closed for a second.
async fn closed() -> Arc<Limiter> {
    let limiter = Arc::new(Limiter::new(Duration::from_secs(1)));
    permit(&limiter, &QueuedRequest::new(true)).await.throttled(Some(Duration::from_secs(1)), 0.0);
    limiter
}

/// Has a task wait at the gate that writes `name` down when its turn comes.
async fn wait(
    limiter: &Arc<Limiter>,
    ask: Arc<QueuedRequest>,
    name: &'static str,
    log: &Arc<StdMutex<Vec<&'static str>>>,
) {
    let (limiter, log) = (limiter.clone(), log.clone());
    tokio::spawn(async move {
        let permit = permit(&limiter, &ask).await;
        log.lock().unwrap().push(name);
        permit.answered();
    });
    // Until it stands in the line.
    tokio::task::yield_now().await;
}

#[tokio::test(start_paused = true)]
async fn first_mounts_go_before_republishes_and_else_who_came_first() {
    let limiter = closed().await;
    let log = Arc::default();
    let raised = Arc::new(QueuedRequest::new(false));
    wait(&limiter, Arc::new(QueuedRequest::new(false)), "republish", &log).await;
    wait(&limiter, Arc::new(QueuedRequest::new(true)), "first", &log).await;
    wait(&limiter, raised.clone(), "republish that a first mount joined", &log).await;
    wait(&limiter, Arc::new(QueuedRequest::new(true)), "second", &log).await;
    raised.promote();
    tokio::time::sleep(Duration::from_millis(999)).await;
    assert!(log.lock().unwrap().is_empty(), "not before the vault's word");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(*log.lock().unwrap(), ["first", "republish that a first mount joined", "second", "republish"]);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_keeps_nobody_waiting() {
    let limiter = closed().await;
    let log = Arc::default();
    let first = tokio::spawn({
        let limiter = limiter.clone();
        async move { drop(permit(&limiter, &QueuedRequest::new(true)).await) }
    });
    tokio::task::yield_now().await;
    wait(&limiter, Arc::new(QueuedRequest::new(true)), "second", &log).await;
    first.abort();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(*log.lock().unwrap(), ["second"]);
    assert_eq!(limiter.lock().line.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_ends_lets_the_next_in() {
    let limiter = Arc::new(Limiter::new(Duration::from_secs(1)));
    let mut permits = Vec::new();
    for _ in 0..64 {
        permits.push(permit(&limiter, &QueuedRequest::new(true)).await);
    }
    let log = Arc::default();
    wait(&limiter, Arc::new(QueuedRequest::new(true)), "next", &log).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(log.lock().unwrap().is_empty());
    // Dropped without an answer, as by a mount that is given up.
    permits.pop();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(*log.lock().unwrap(), ["next"]);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_wait_as_long_as_the_vault_wants_is_told_at_once() {
    let limiter = Arc::new(Limiter::new(Duration::from_secs(1)));
    let begin = Instant::now();
    let (closes, patient) =
        (permit(&limiter, &QueuedRequest::new(true)).await, Arc::new(QueuedRequest::new(true)));
    // These stand in the line already when the vault says so.
    let permits: Vec<_> = join_all((1..64).map(|_| permit(&limiter, &patient))).await;
    let waiting: Vec<_> = [30, 60, 90]
        .into_iter()
        .map(|seconds| {
            let limiter = limiter.clone();
            tokio::spawn(async move {
                let latest = Instant::now() + Duration::from_secs(seconds);
                let admitted = limiter.acquire(&QueuedRequest::new(true), latest).await.is_ok();
                (admitted, begin.elapsed().as_secs())
            })
        })
        .collect();
    tokio::task::yield_now().await;
    closes.throttled(Some(Duration::from_secs(70)), 0.0);
    let waited: Vec<_> = join_all(waiting).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(waited, [(false, 0), (false, 0), (true, 70)]);
    drop(permits);
}
