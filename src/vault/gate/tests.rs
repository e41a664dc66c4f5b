use std::sync::Mutex as StdMutex;

use futures::future::join_all;

use super::*;

/// As one who can wait for a minute.
async fn turn<'a>(gate: &'a Gate, ask: &Ask) -> Turn<'a> {
    gate.turn(ask, Instant::now() + Duration::from_secs(60)).await.expect("a turn within the minute")
}

/// A gate that is closed for a second.
async fn closed() -> Arc<Gate> {
    let gate = Arc::new(Gate::new(Duration::from_secs(1)));
    turn(&gate, &Ask::new(true)).await.throttled(Some(Duration::from_secs(1)), 0.0);
    gate
}

/// Has a task wait at the gate that writes `name` down when its turn comes.
async fn wait(gate: &Arc<Gate>, ask: Arc<Ask>, name: &'static str, log: &Arc<StdMutex<Vec<&'static str>>>) {
    let (gate, log) = (gate.clone(), log.clone());
    tokio::spawn(async move {
        let turn = turn(&gate, &ask).await;
        log.lock().unwrap().push(name);
        turn.answered();
    });
    // Until it stands in the line.
    tokio::task::yield_now().await;
}

#[tokio::test(start_paused = true)]
async fn first_mounts_go_before_republishes_and_else_who_came_first() {
    let gate = closed().await;
    let log = Arc::default();
    let raised = Arc::new(Ask::new(false));
    wait(&gate, Arc::new(Ask::new(false)), "republish", &log).await;
    wait(&gate, Arc::new(Ask::new(true)), "first", &log).await;
    wait(&gate, raised.clone(), "republish that a first mount joined", &log).await;
    wait(&gate, Arc::new(Ask::new(true)), "second", &log).await;
    raised.raise();
    tokio::time::sleep(Duration::from_millis(999)).await;
    assert!(log.lock().unwrap().is_empty(), "not before the vault's word");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(*log.lock().unwrap(), ["first", "republish that a first mount joined", "second", "republish"]);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_keeps_nobody_waiting() {
    let gate = closed().await;
    let log = Arc::default();
    let first = tokio::spawn({
        let gate = gate.clone();
        async move { drop(turn(&gate, &Ask::new(true)).await) }
    });
    tokio::task::yield_now().await;
    wait(&gate, Arc::new(Ask::new(true)), "second", &log).await;
    first.abort();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(*log.lock().unwrap(), ["second"]);
    assert_eq!(gate.lock().line.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_ends_lets_the_next_in() {
    let gate = Arc::new(Gate::new(Duration::from_secs(1)));
    let mut turns = Vec::new();
    for _ in 0..64 {
        turns.push(turn(&gate, &Ask::new(true)).await);
    }
    let log = Arc::default();
    wait(&gate, Arc::new(Ask::new(true)), "next", &log).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(log.lock().unwrap().is_empty());
    // Dropped without an answer, as by a mount that is given up.
    turns.pop();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(*log.lock().unwrap(), ["next"]);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_wait_as_long_as_the_vault_wants_is_told_at_once() {
    let gate = Arc::new(Gate::new(Duration::from_secs(1)));
    let begin = Instant::now();
    let (closes, patient) = (turn(&gate, &Ask::new(true)).await, Arc::new(Ask::new(true)));
    // These stand in the line already when the vault says so.
    let turns: Vec<_> = join_all((1..64).map(|_| turn(&gate, &patient))).await;
    let waiting: Vec<_> = [30, 60, 90]
        .into_iter()
        .map(|seconds| {
            let gate = gate.clone();
            tokio::spawn(async move {
                let latest = Instant::now() + Duration::from_secs(seconds);
                let admitted = gate.turn(&Ask::new(true), latest).await.is_ok();
                (admitted, begin.elapsed().as_secs())
            })
        })
        .collect();
    tokio::task::yield_now().await;
    closes.throttled(Some(Duration::from_secs(70)), 0.0);
    let waited: Vec<_> = join_all(waiting).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(waited, [(false, 0), (false, 0), (true, 70)]);
    drop(turns);
}
