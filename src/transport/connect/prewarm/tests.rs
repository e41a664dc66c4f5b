use VaultStanding::{Authenticated, Unauthenticated};

use super::*;

/// Opens a connection, and returns its other end.
fn open(prewarmed: &PrewarmedConnections, authority: &str) -> oneshot::Sender<io::Result<PooledConnection>> {
    let (promise, promised) = oneshot::channel();
    prewarmed.keep(authority, promised);
    promise
}

#[tokio::test(start_paused = true)]
async fn connections_without_a_request_are_dropped() {
    let prewarmed = PrewarmedConnections::default();
    let mut mount = prewarmed.enter("lab:443", Authenticated, &web(), 1);
    let first = open(&prewarmed, "lab:443");
    tokio::time::advance(UNCLAIMED / 2).await;
    let second = open(&prewarmed, "lab:443");
    mount.succeeded();
    drop(mount);
    tokio::time::advance(UNCLAIMED / 2).await;
    prewarmed.evict_expired("lab:443");
    assert!(first.is_closed() && !second.is_closed());
    assert!(prewarmed.take("lab:443").is_some() && prewarmed.take("lab:443").is_none());
    assert!(prewarmed.lock().hosts.is_empty(), "a host that nothing waits for is forgotten");
}

#[test]
fn connections_are_dropped_with_the_last_mount_that_failed() {
    let prewarmed = PrewarmedConnections::default();
    let (one, other) = (
        prewarmed.enter("lab", Unauthenticated, &web(), 1),
        prewarmed.enter("lab", Unauthenticated, &web(), 1),
    );
    let connection = open(&prewarmed, "lab");
    drop(one);
    assert!(!connection.is_closed(), "the other mount may use it");
    drop(other);
    assert!(connection.is_closed());
    assert!(prewarmed.lock().hosts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_request_ends_before_it_is_open_is_the_next_requests() {
    let prewarmed = PrewarmedConnections::default();
    let mount = prewarmed.enter("lab", Authenticated, &web(), 1);
    let first = open(&prewarmed, "lab");
    tokio::time::advance(UNCLAIMED / 4).await;
    let second = open(&prewarmed, "lab");
    let taken = [(); 2].map(|()| prewarmed.take("lab").unwrap());
    taken.into_iter().for_each(drop);
    assert!(!first.is_closed() && !second.is_closed());
    let failed = |name: &str| Err(io::Error::other(name.to_owned()));
    drop([first.send(failed("first")), second.send(failed("second"))]);
    for expected in ["first", "second"] {
        let error = prewarmed.take("lab").unwrap().opened().await.err().unwrap();
        assert_eq!(error.to_string(), expected);
    }
    assert!(prewarmed.take("lab").is_none());

    // It is as old as before, and takes no more room than there is.
    let old = open(&prewarmed, "lab");
    let taken = prewarmed.take("lab").unwrap();
    tokio::time::advance(UNCLAIMED).await;
    drop(taken);
    assert!(old.is_closed());
    let surplus = open(&prewarmed, "lab");
    let taken = prewarmed.take("lab").unwrap();
    let others: Vec<_> = (0..MAX_UNCLAIMED).map(|_| open(&prewarmed, "lab")).collect();
    drop(taken);
    assert!(surplus.is_closed() && others.iter().all(|other| !other.is_closed()));
    drop(mount);
}

fn web() -> Arc<str> {
    "web".into()
}

#[tokio::test(start_paused = true)]
async fn a_host_needs_connections_for_the_reads_of_each_identity() {
    let prewarmed = PrewarmedConnections::default();
    let enter =
        |host: &str, identity: &str, reads| prewarmed.enter(host, Authenticated, &identity.into(), reads);
    let few = enter("lab", "web", 5);
    let more = enter("lab", "web", 20);
    assert_eq!(prewarmed.needed("lab"), 20, "mounts of one identity share their reads");
    let shop = enter("lab", "shop", 10);
    let _elsewhere = enter("other", "web", 7);
    assert_eq!((prewarmed.needed("lab"), prewarmed.needed("other")), (30, 7));
    drop(more);
    assert_eq!(prewarmed.needed("lab"), 15);
    drop(shop);
    tokio::time::advance(UNCLAIMED).await;
    assert_eq!(prewarmed.needed("lab"), 0, "a mount that waits for long has lost its connections");
    let later = enter("lab", "web", 1);
    assert_eq!(prewarmed.needed("lab"), 1);
    drop((few, later));
    assert_eq!((prewarmed.needed("lab"), prewarmed.needed("unknown")), (0, 0));
}

#[test]
fn all_hosts_share_the_room_for_unclaimed_connections() {
    let prewarmed = PrewarmedConnections::default();
    let mut open_ones = Vec::new();
    let mut fill = |standing, name: &str| {
        let before = open_ones.len();
        for number in 0..200 {
            let host = format!("{name}-{number}");
            let guard = prewarmed.enter(&host, standing, &web(), 1);
            for _ in 0..64.min(prewarmed.room(standing)) {
                open_ones.push(open(&prewarmed, &host));
            }
            std::mem::forget(guard);
        }
        open_ones.len() - before
    };
    assert_eq!(fill(Unauthenticated, "invented"), 64);
    assert_eq!(fill(Authenticated, "lab"), 64);
    assert_eq!((prewarmed.room(Authenticated), prewarmed.room(Unauthenticated)), (0, 0));
    let _lab = prewarmed.take("lab-0").unwrap();
    assert_eq!((prewarmed.room(Authenticated), prewarmed.room(Unauthenticated)), (1, 0));
    let _invented = prewarmed.take("invented-0").unwrap();
    assert_eq!((prewarmed.room(Authenticated), prewarmed.room(Unauthenticated)), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn connections_that_failed_mounts_leave_unused_take_their_room_for_ten_seconds() {
    let prewarmed = PrewarmedConnections::default();
    let mount = |standing, connections| {
        let guard = prewarmed.enter("lab", standing, &web(), 1);
        (0..connections).for_each(|_| drop(open(&prewarmed, "lab")));
        drop(guard);
    };
    mount(Unauthenticated, 40);
    tokio::time::advance(UNCLAIMED / 2).await;
    mount(Unauthenticated, 20);
    assert_eq!((prewarmed.room(Authenticated), prewarmed.room(Unauthenticated)), (128, 4));
    tokio::time::advance(UNCLAIMED / 2).await;
    assert_eq!(prewarmed.room(Unauthenticated), 44);
    mount(Authenticated, 20);
    assert_eq!(prewarmed.room(Unauthenticated), 44);
    tokio::time::advance(UNCLAIMED / 2).await;
    assert_eq!(prewarmed.room(Unauthenticated), 64);
}
