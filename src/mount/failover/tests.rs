use crate::{cloud::CloudEnvironment, spec::cloud::CloudName};

use super::*;

fn pair(own: &str, cloud: CloudName) -> Pair {
    let cloud = CloudEnvironment::named(cloud);
    let [own, second] = [own, "spare"].map(|name| cloud.vault(&name.parse().unwrap()));
    Pair { own, second }
}

#[tokio::test(start_paused = true)]
async fn the_second_vault_is_read_at_once_for_a_minute() {
    let failovers = Failovers::new();
    let lab = || pair("lab", CloudName::Public);
    assert!(!failovers.is_recent(&lab()));
    failovers.add(lab());
    tokio::time::advance(MAX_AGE - Duration::from_millis(1)).await;
    assert!(failovers.is_recent(&lab()) && failovers.is_recent(&pair("LAB", CloudName::Public)));
    assert!(!failovers.is_recent(&pair("lab", CloudName::China)));
    assert!(!failovers.is_recent(&pair("lab-2", CloudName::Public)));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(!failovers.is_recent(&lab()));
}

fn patience(failovers: &Failovers) -> Patience {
    Patience::within(Duration::from_secs(90), failovers, &pair("lab", CloudName::Public))
}

#[tokio::test(start_paused = true)]
async fn patience_lasts_for_all_waits_together() {
    let patience = patience(&Failovers::new());
    let wait = async |seconds| {
        let answer = pin!(tokio::time::sleep(Duration::from_secs(seconds)));
        patience.wait(answer).await
    };
    assert_eq!(wait(20).await, Ok(()));
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(wait(9).await, Ok(()), "what passes between the waits does not count");
    assert_eq!(wait(2).await, Err(EndOfPatience::Share));
    assert_eq!(wait(1).await, Err(EndOfPatience::Share));
}

/// Adds a pair after a second, and returns how `waiting` ends, and after how many seconds.
async fn beside_a_failover<T>(
    failovers: &Failovers,
    own: &str,
    waiting: impl Future<Output = T>,
) -> (T, u64) {
    let begun = Instant::now();
    let waiting = async { (waiting.await, begun.elapsed().as_secs()) };
    let add = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        failovers.add(pair(own, CloudName::Public));
    };
    tokio::join!(waiting, add).0
}

#[tokio::test(start_paused = true)]
async fn pods_that_wait_for_a_vault_read_the_second_one_as_soon_as_another_pod_did() {
    let failovers = Failovers::new();
    let queued = patience(&failovers);
    let permit = queued.wait_for_permit(std::future::pending::<()>());
    assert_eq!(beside_a_failover(&failovers, "lab", permit).await, (None, 1));
    assert!(queued.is_told() && !queued.is_vaults_fault());
    assert_eq!(queued.wait_for_permit(std::future::ready(())).await, None, "it is known");

    let failovers = Failovers::new();
    let reading = patience(&failovers);
    let answers = async { reading.wait(pin!(std::future::pending::<()>())).await };
    let ended = beside_a_failover(&failovers, "lab", answers).await;
    assert_eq!(ended, (Err(EndOfPatience::Failover), 1));
    let answer = std::future::ready(());
    assert_eq!(reading.wait(pin!(answer)).await, Ok(()), "an answer that is there counts");
}

#[tokio::test(start_paused = true)]
async fn a_failover_of_another_vault_ends_no_wait() {
    let failovers = Failovers::new();
    let patience = patience(&failovers);
    let permit = patience.wait_for_permit(tokio::time::sleep(Duration::from_secs(5)));
    let ended = beside_a_failover(&failovers, "lab-2", permit).await;
    assert_eq!(ended, (Some(()), 5));
    let answers = async { patience.wait(pin!(std::future::pending::<()>())).await };
    let ended = beside_a_failover(&failovers, "lab-2", answers).await;
    assert_eq!(ended, (Err(EndOfPatience::Share), 30));
}

#[test]
fn the_number_of_remembered_pairs_is_bounded() {
    let failovers = Failovers::new();
    for number in 0..10 * MAX_PAIRS {
        failovers.add(pair(&format!("lab-{number}"), CloudName::Public));
    }
    let remembered = failovers.0.pairs.len();
    assert!(remembered <= MAX_PAIRS, "{remembered}");
}
