use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use futures::future::BoxFuture;
use tokio::net::TcpListener;

use super::*;
use crate::transport::{
    NetworkFailure, Resolve,
    observe::{NetworkEvent, Observe},
};

#[test]
fn a_connection_that_was_given_up_within_a_second_does_not_say_zero() {
    let stuck = |millis| {
        let after = Duration::from_millis(millis);
        NoConnection { host: "lab.example".to_owned(), connect_phase: ConnectPhase::Tls, after }.to_string()
    };
    assert_eq!(
        stuck(10_000),
        "no connection to lab.example within 10 seconds: it waited for the TLS handshake"
    );
    assert!(stuck(555).contains("within 0.555 seconds"), "{}", stuck(555));
}

/// A resolver whose names all lead to one address, or have none, or get no answer.
#[derive(Clone)]
struct Counting {
    leads: Leads,
    lookups: Arc<AtomicUsize>,
}

#[derive(Clone, Copy)]
enum Leads {
    To(SocketAddr),
    Nowhere,
    Silence,
}

impl Counting {
    fn new(leads: Leads) -> Self {
        Self { leads, lookups: Arc::default() }
    }

    fn lookups(&self) -> usize {
        self.lookups.load(Ordering::Relaxed)
    }

    fn connector(&self, proxy: Proxy) -> Connector {
        let timeouts = Timeouts::within(Duration::from_secs(9));
        let names = Resolver(Arc::new(self.clone()));
        Connector::new(Route { roots: None, proxy, names, timeouts, observer: Observer::none() })
    }
}

impl Resolve for Counting {
    fn resolve(&self, _: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        match self.leads {
            Leads::To(address) => Box::pin(async move { Ok(vec![address]) }),
            Leads::Nowhere => Box::pin(async { Err(io::Error::other("no such name")) }),
            Leads::Silence => Box::pin(std::future::pending()),
        }
    }
}

fn lab() -> Uri {
    Uri::from_static("http://lab.example")
}

#[tokio::test]
async fn connections_made_ahead_share_one_look_up_of_the_hosts_name_or_of_the_proxys() {
    for proxy in [Proxy::none(), Proxy::all("http://proxy.example")] {
        let host = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let names = Counting::new(Leads::To(host.local_addr().unwrap()));
        let _mount =
            names.connector(proxy).prewarm(&lab(), VaultStanding::Unauthenticated, &"web".into(), 20);
        let mut connections = Vec::new();
        while connections.len() < 20 {
            connections.push(host.accept().await.unwrap());
        }
        assert_eq!(names.lookups(), 1);
    }
}

#[tokio::test]
async fn a_name_that_is_not_known_is_looked_up_once_for_all_that_are_made_ahead() {
    let names = Counting::new(Leads::Nowhere);
    let connector = names.connector(Proxy::none());
    let _mount = connector.prewarm(&lab(), VaultStanding::Unauthenticated, &"web".into(), 20);
    for _ in 0..20 {
        assert!(connector.prewarmed.take("lab.example").unwrap().opened().await.is_err());
    }
    assert_eq!(names.lookups(), 1);
    // The name may be known by now, so a request looks it up again, and reports the new failure.
    let error = connector.link(lab()).await.err().unwrap();
    assert_eq!((names.lookups(), NetworkFailure::of(&error)), (2, NetworkFailure::Name));
}

#[tokio::test(start_paused = true)]
async fn connections_that_wait_for_one_name_each_say_so() {
    let names = Counting::new(Leads::Silence);
    let connector = names.connector(Proxy::none());
    let _mount = connector.prewarm(&lab(), VaultStanding::Unauthenticated, &"web".into(), 3);
    tokio::task::yield_now().await;
    assert_eq!(connector.shared.dials.to("lab.example"), Some((3, ConnectPhase::Dns)));
    for _ in 0..3 {
        let error = connector.prewarmed.take("lab.example").unwrap().opened().await.err().unwrap();
        assert!(error.to_string().ends_with("it waited for an answer of DNS"), "{error}");
    }
    assert_eq!(names.lookups(), 1);
}

#[tokio::test]
async fn a_connect_that_hangs_is_not_reported_as_a_proxy_that_cannot_be_reached() {
    // The system accepts connections to it, and nothing reads them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let names = Counting::new(Leads::To(silent.local_addr().unwrap()));
    let connector = names.connector(Proxy::all("http://proxy.example"));
    let error = connector.link(lab()).await.err().expect("there is no tunnel");
    assert_eq!(error.to_string(), "the proxy proxy.example did not open the tunnel in time (1 seconds)");
    assert_eq!(NetworkFailure::of(&error), NetworkFailure::ProxyRefused);
}

#[tokio::test]
async fn a_connection_that_is_being_opened_is_given_up_with_the_mount_that_failed() {
    let names = Counting::new(Leads::Silence);
    let connector = names.connector(Proxy::none());
    let mount = connector.prewarm(&lab(), VaultStanding::Unauthenticated, &"web".into(), 3);
    tokio::task::yield_now().await;
    assert_eq!(connector.connection_count.open("lab.example"), 3);
    drop(mount);
    while connector.connection_count.open("lab.example") > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(connector.shared.dials.to("lab.example"), None);
}

/// A watcher that keeps what it sees.
#[derive(Default)]
struct Seen(std::sync::Mutex<Vec<NetworkEvent>>);

impl Observe for Seen {
    fn observe(&self, event: NetworkEvent) {
        self.0.lock().unwrap().push(event);
    }
}

async fn outcomes(leads: Leads) -> Vec<NetworkOutcome> {
    let seen = Arc::new(Seen::default());
    let route = Route {
        roots: None,
        proxy: Proxy::none(),
        names: Resolver(Arc::new(Counting::new(leads))),
        timeouts: Timeouts::within(Duration::from_secs(9)),
        observer: Observer::new(seen.clone()),
    };
    let _ = Connector::new(route).link(lab()).await;
    let events = std::mem::take(&mut *seen.0.lock().unwrap());
    assert!(events.iter().all(|event| event.host == "lab.example"), "{events:?}");
    events.into_iter().map(|event| event.outcome).collect()
}

#[tokio::test]
async fn an_observer_sees_addresses_and_connections() {
    let host = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = host.local_addr().unwrap();
    assert_eq!(
        outcomes(Leads::To(address)).await,
        [NetworkOutcome::Resolved(vec![address.ip()]), NetworkOutcome::Connected(Some(address))]
    );
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_the_phase_of_a_connection_that_fails() {
    for (leads, cause) in [(Leads::Nowhere, "no such name"), (Leads::Silence, "waited for an answer of DNS")]
    {
        let outcomes = outcomes(leads).await;
        let [NetworkOutcome::NotConnected { phase: ConnectPhase::Dns, error, .. }] = &outcomes[..] else {
            panic!("{outcomes:?}")
        };
        assert!(error.contains(cause), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_gets_no_connection_of_a_full_host_says_so() {
    let connector = Counting::new(Leads::Silence).connector(Proxy::none());
    let host = authority(&lab());
    let open: Vec<_> =
        (0..MAX_CONNECTIONS_OF_HOST).map(|_| connector.connection_count.count(&host)).collect();
    let error = connector.clone().link(lab()).await.err().expect("the host is full");
    assert_eq!(error.to_string(), "all connections to the host are in use");
    drop(open);
    let error = connector.link(lab()).await.err().expect("nobody answers for the name");
    assert_ne!(error.to_string(), "all connections to the host are in use");
}
