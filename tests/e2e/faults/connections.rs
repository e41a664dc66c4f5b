//! Connections that fail, break, or lead to the wrong host.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use akv_emulator::Fault;
use akv_provider::transport::{
    self, Client, Observer, Proxy, Resolve, Resolver, Roots, Route, Timeouts, Transports,
};
use futures::future::BoxFuture;
use tonic::Code::FailedPrecondition;

use super::fixture::{At, FaultFixture, ONCE, TIMEOUTS, TRIES, TRIES_AND_DEAD_CONNECTIONS};
use crate::harness::{Azure, MountCall, refused_address};

const BREAKS: [Fault; 4] = [Fault::Drop, Fault::Reset, Fault::Hang, Fault::HangInBody];

/// Asserts that requests with a broken or silent connection are repeated, and then reported.
async fn are_asked_again_and_then_reported(at: At) {
    let faults = BREAKS.into_iter().chain([Fault::CutBody { after: 5 }]);
    let rows = faults.map(|fault| async move {
        let fixture = FaultFixture::new().await;
        fixture.recovers_from(at, fault.clone(), 2).await;
        fixture.fails(at, fault, FailedPrecondition, TRIES_AND_DEAD_CONNECTIONS).await;
    });
    futures::future::join_all(rows).await;
}

#[tokio::test]
async fn a_vault_that_breaks_off_or_hangs_is_asked_again_and_then_reported() {
    are_asked_again_and_then_reported(At::Vault).await;
}

#[tokio::test]
async fn a_probe_that_hangs_fails_all_waiting_reads_together() {
    let fixture = FaultFixture::new().await;
    fixture.azure.faults().inject(At::Probe.route(), Fault::Hang);
    let names: Vec<String> = (0..20).map(|index| format!("secret-{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let call = MountCall::of_secrets(&fixture.azure, &names);
    let status = fixture.driver().mount(&call).await.unwrap_err();
    assert_eq!(status.code(), FailedPrecondition, "{status}");
    assert!(
        status.message().contains("secret/secret-0, secret/secret-1, secret/secret-2 and 17 more"),
        "{status}"
    );
    let probes = fixture.azure.journal().count(&At::Probe.route());
    assert!(probes <= 3 * TRIES.end(), "{probes} probes: waiting reads must share a probe");
}

#[tokio::test]
async fn entra_that_breaks_off_or_hangs_is_asked_again_and_then_reported() {
    are_asked_again_and_then_reported(At::Entra).await;
}

#[tokio::test]
async fn dead_pooled_connections_are_replaced_at_once() {
    let (azure, names) = Azure::with_numbered_secrets(40).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // Nothing hangs in this test, so a busy machine must not cause a timeout.
    let timeouts = Timeouts { read_idle: Duration::from_secs(20), ..TIMEOUTS };
    let transports = azure.transports_with(timeouts);
    let fixture = FaultFixture::over(azure, |_| {}, |ways| *ways = transports);
    let all = MountCall::of_secrets(&fixture.azure, &names);
    // Slow answers, so that each read opens a connection.
    fixture.azure.latency().set_for(At::Vault.route(), Duration::from_millis(100));
    let one = MountCall::of_secrets(&fixture.azure, &names[..1]);
    for fault in [Fault::Drop, Fault::Reset] {
        for (call, reads) in [(&all, 40..=80), (&one, 2..=2)] {
            // Fills the pool, and then breaks every connection in it.
            fixture.driver().mount(&all.of_another_pod()).await.unwrap();
            let (known, before) =
                (fixture.azure.journal().connections(), fixture.azure.journal().count(&At::Vault.route()));
            let dead = At::Vault.route().matching(move |head| head.connection < known);
            let dead = fixture.azure.faults().inject(dead, fault.clone());
            let mounted = fixture.driver().mount(&call.of_another_pod()).await;
            mounted.unwrap_or_else(|status| panic!("{fault:?}: {status}"));
            assert!(fixture.azure.faults().hits(dead) > 0, "{fault:?}");
            // A single object has fewer tries than there are dead connections. The first dead one must therefore empty
            // the pool.
            let reads_now = fixture.azure.journal().count(&At::Vault.route()) - before;
            assert!(reads.contains(&reads_now), "{fault:?}: {reads_now} reads");
            fixture.azure.faults().clear();
        }
    }
}

/// A resolver whose first look-ups fail or return a wrong address. Later ones return the emulator's.
struct Switch {
    left: AtomicUsize,
    before: Before,
    then: SocketAddr,
}

#[derive(Clone, Copy)]
enum Before {
    Refused(SocketAddr),
    Unknown,
    Silence,
}

impl Resolve for Switch {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        let answer = match (left, self.before) {
            (Err(_), _) => Ok(vec![self.then]),
            (Ok(_), Before::Refused(address)) => Ok(vec![address]),
            (Ok(_), Before::Silence) => return Box::pin(std::future::pending()),
            (Ok(_), Before::Unknown) => Err(io::Error::other(format!("no such name as {name}"))),
        };
        Box::pin(async { answer })
    }
}

/// Sets a resolver, with or without a proxy.
fn by_names(azure: &Azure, proxy: Option<&str>, names: Switch) -> impl FnOnce(&mut Transports) + use<> {
    let roots = Roots::from_pem(azure.ca_pem().as_bytes()).unwrap();
    let proxy = proxy.map_or_else(Proxy::none, Proxy::all);
    let names = Resolver(Arc::new(names));
    let observer = Observer::none();
    let client = Client::new(Route { roots: Some(roots), proxy, names, timeouts: TIMEOUTS, observer });
    move |transports| transports.set_azure(client)
}

/// More look-ups than any test makes.
const ALWAYS: usize = 10_000;

async fn mounts_once_names_lead_there(before: Before, proxy: Option<&str>, mention: &str) {
    for (lookups, well) in [(1, true), (ALWAYS, false)] {
        let azure = Azure::with_secrets(&[("db-password", "x")]).await;
        let then = match proxy {
            Some(_) => {
                azure.proxy_url().strip_prefix("http://").unwrap().trim_end_matches('/').parse().unwrap()
            }
            None => azure.https_address(),
        };
        let switch = Switch { left: AtomicUsize::new(lookups), before, then };
        let ways = by_names(&azure, proxy, switch);
        let fixture = FaultFixture::over(azure, |_| {}, ways);
        match fixture.mount().await {
            Ok(mounted) => assert!(well && mounted.text("db-password") == "x"),
            Err(status) => {
                assert!(!well, "{status}");
                assert_eq!(status.code(), FailedPrecondition, "{status}");
                assert!(status.message().contains(mention), "no {mention} in {status}");
                assert_eq!(fixture.azure.journal().total(), 0);
            }
        }
    }
}

#[tokio::test]
async fn a_refused_connection_is_reported_with_its_host() {
    mounts_once_names_lead_there(Before::Refused(refused_address()), None, "login.microsoftonline.com").await;
}

#[tokio::test]
async fn an_unknown_name_is_reported_with_its_host() {
    mounts_once_names_lead_there(Before::Unknown, None, "login.microsoftonline.com").await;
}

#[tokio::test]
async fn name_servers_that_do_not_answer_are_reported_as_dns() {
    for (lookups, well) in [(1, true), (ALWAYS, false)] {
        let azure = Azure::with_secrets(&[("db-password", "x")]).await;
        let switch =
            Switch { left: AtomicUsize::new(lookups), before: Before::Silence, then: azure.https_address() };
        let ways = by_names(&azure, None, switch);
        let budget = if well { Duration::from_secs(60) } else { Duration::from_secs(1) };
        let fixture = FaultFixture::over(azure, |config| config.mounts.budget = budget, ways);
        match fixture.mount().await {
            Ok(mounted) => assert!(well && mounted.text("db-password") == "x"),
            Err(status) => {
                assert!(!well, "{status}");
                assert_eq!(status.code(), FailedPrecondition, "{status}");
                for part in ["AKV-DnsTimeout", "a token from Entra (an answer of DNS)"] {
                    assert!(status.message().contains(part), "no {part} in {status}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_proxy_that_is_down_is_reported_as_the_proxy() {
    let proxy = Some("http://proxy.example");
    mounts_once_names_lead_there(Before::Refused(refused_address()), proxy, "proxy.example").await;
}

#[tokio::test]
async fn an_unreachable_vault_is_reported_with_its_name() {
    for before in [Before::Refused(refused_address()), Before::Unknown] {
        let azure = Azure::with_secrets(&[("db-password", "x")]).await;
        let names = VaultGone { before, entra: azure.https_address() };
        let roots = Roots::from_pem(azure.ca_pem().as_bytes()).unwrap();
        let names = Resolver(Arc::new(names));
        let (proxy, observer) = (Proxy::none(), Observer::none());
        let route = Route { roots: Some(roots), proxy, names, timeouts: TIMEOUTS, observer };
        let client = Client::new(route);
        let fixture = FaultFixture::over(azure, |_| {}, |transports| transports.set_azure(client));
        let status = fixture.mount().await.unwrap_err();
        assert_eq!(status.code(), FailedPrecondition, "{status}");
        assert!(
            status.message().contains("secret/db-password") && status.message().contains("lab"),
            "{status}"
        );
        fixture.saw(At::Entra, ONCE, "the token is there");
    }
}

struct VaultGone {
    before: Before,
    entra: SocketAddr,
}

impl Resolve for VaultGone {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let answer = match (name.starts_with("login."), self.before) {
            (true, _) => Ok(vec![self.entra]),
            (false, Before::Refused(address)) => Ok(vec![address]),
            (false, Before::Silence) => return Box::pin(std::future::pending()),
            (false, Before::Unknown) => Err(io::Error::other("no such name")),
        };
        Box::pin(async { answer })
    }
}

#[tokio::test]
async fn an_untrusted_certificate_is_reported_as_such() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let other = Azure::with_own_authority().await;
    let roots = Roots::from_pem(other.ca_pem().as_bytes()).unwrap();
    let client = transport::azure(roots, Proxy::all(&azure.proxy_url()), TIMEOUTS);
    let fixture = FaultFixture::over(azure, |_| {}, |transports| transports.set_azure(client));
    let status = fixture.mount().await.unwrap_err();
    assert_eq!(status.code(), FailedPrecondition, "{status}");
    assert!(status.message().contains("certificate"), "{status}");
    assert_eq!(fixture.azure.journal().total(), 0, "nothing was sent to an untrusted host");
}
