//! Connections that are not made, break, or lead nowhere.

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
use akv_provider::transport::{self, Client, Names, Patience, Proxy, Resolve, Roots, Route, Transports};
use azure_core::http::Transport;
use futures::future::BoxFuture;
use tonic::Code::FailedPrecondition;

use super::rig::{At, ONCE, PATIENCE, Rig, TRIES, TRIES_AND_DEAD_CONNECTIONS};
use crate::harness::Azure;

const BREAKS: [Fault; 4] = [Fault::Drop, Fault::Reset, Fault::Hang, Fault::HangInBody];

#[tokio::test]
async fn a_vault_that_breaks_off_or_hangs() {
    let faults = BREAKS.into_iter().chain([Fault::CutBody { after: 5 }]);
    let rows = faults.map(|fault| async move {
        let rig = Rig::new().await;
        rig.heals(At::Vault, fault.clone(), 2).await;
        rig.fails(At::Vault, fault, FailedPrecondition, TRIES_AND_DEAD_CONNECTIONS).await;
    });
    futures::future::join_all(rows).await;
}

#[tokio::test]
async fn a_vault_that_hangs_before_it_knows_who_asks() {
    let rig = Rig::new().await;
    rig.azure.faults().inject(At::Probe.route(), Fault::Hang);
    let names: Vec<String> = (0..20).map(|index| format!("secret-{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let call = crate::harness::MountCall::of_secrets(&rig.azure, &names);
    let told = rig.driver().mount(&call).await.unwrap_err();
    assert_eq!(told.code(), FailedPrecondition, "{told}");
    assert!(
        told.message().contains("secret/secret-0, secret/secret-1, secret/secret-2 and 17 more"),
        "{told}"
    );
    let probes = rig.azure.journal().count(&At::Probe.route());
    assert!(
        probes <= 3 * TRIES.end(),
        "{probes} probes: who waits for one does not wait for another of its own"
    );
}

#[tokio::test]
async fn entra_that_breaks_off_or_hangs() {
    let faults = BREAKS.into_iter().chain([Fault::CutBody { after: 5 }]);
    let rows = faults.map(|fault| async move {
        let rig = Rig::new().await;
        rig.heals(At::Entra, fault.clone(), 2).await;
        rig.fails(At::Entra, fault, FailedPrecondition, TRIES_AND_DEAD_CONNECTIONS).await;
    });
    futures::future::join_all(rows).await;
}

#[tokio::test]
async fn all_pooled_connections_die_at_once() {
    let (azure, names) = Azure::with_numbered_secrets(40).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // Nothing hangs here, and a busy machine is not to look as if.
    let patience = Patience { silence: Duration::from_secs(20), ..PATIENCE };
    let transports = azure.transports_with(patience);
    let rig = Rig::over(azure, |_| {}, |ways| *ways = transports);
    let all = crate::harness::MountCall::of_secrets(&rig.azure, &names);
    // Answers take a while, so that each read has a connection.
    rig.azure.latency().set_for(At::Vault.route(), Duration::from_millis(100));
    let one = crate::harness::MountCall::of_secrets(&rig.azure, &names[..1]);
    for fault in [Fault::Drop, Fault::Reset] {
        for (call, reads) in [(&all, 40..=80), (&one, 2..=2)] {
            // The pool is full, and then every connection in it dies.
            rig.driver().mount(&all.of_another_pod()).await.unwrap();
            let (known, before) =
                (rig.azure.journal().connections(), rig.azure.journal().count(&At::Vault.route()));
            let dead = At::Vault.route().matching(move |head| head.connection < known);
            let dead = rig.azure.faults().inject(dead, fault.clone());
            let mounted = rig.driver().mount(&call.of_another_pod()).await;
            mounted.unwrap_or_else(|status| panic!("{fault:?}: {status}"));
            assert!(rig.azure.faults().hits(dead) > 0, "{fault:?}");
            // One object has fewer tries than there are dead connections: the first tells of the others.
            let reads_now = rig.azure.journal().count(&At::Vault.route()) - before;
            assert!(reads.contains(&reads_now), "{fault:?}: {reads_now} reads");
            rig.azure.faults().clear();
        }
    }
}

/// Names that lead where there is nobody, or nowhere, for so many look-ups, and then to the emulator.
struct Switch {
    left: AtomicUsize,
    before: Before,
    then: SocketAddr,
}

#[derive(Clone, Copy)]
enum Before {
    Nobody(SocketAddr),
    Unknown,
    Silence,
}

impl Resolve for Switch {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        let answer = match (left, self.before) {
            (Err(_), _) => Ok(vec![self.then]),
            (Ok(_), Before::Nobody(address)) => Ok(vec![address]),
            (Ok(_), Before::Silence) => return Box::pin(std::future::pending()),
            (Ok(_), Before::Unknown) => Err(io::Error::other(format!("no such name as {name}"))),
        };
        Box::pin(async { answer })
    }
}

/// An address that refuses connections.
fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Ways to Azure by names, with or without a proxy.
fn by_names(azure: &Azure, proxy: Option<&str>, names: Switch) -> impl FnOnce(&mut Transports) + use<> {
    let roots = Roots::from_pem(azure.ca_pem().as_bytes()).unwrap();
    let proxy = proxy.map_or_else(Proxy::none, Proxy::all);
    let names = Names(Arc::new(names));
    let client = Client::new(Route { roots: Some(roots), proxy, names, patience: PATIENCE });
    move |transports| {
        transports.azure = Transport::new(Arc::new(client.clone()));
        transports.ahead = client;
    }
}

/// For good is longer than anybody tries.
const FOR_GOOD: usize = 10_000;

async fn mounts_once_names_lead_there(before: Before, proxy: Option<&str>, mention: &str) {
    for (lookups, well) in [(1, true), (FOR_GOOD, false)] {
        let azure = Azure::with_secrets(&[("db-password", "x")]).await;
        let then = match proxy {
            Some(_) => {
                azure.proxy_url().strip_prefix("http://").unwrap().trim_end_matches('/').parse().unwrap()
            }
            None => azure.https_address(),
        };
        let switch = Switch { left: AtomicUsize::new(lookups), before, then };
        let ways = by_names(&azure, proxy, switch);
        let rig = Rig::over(azure, |_| {}, ways);
        match rig.mount().await {
            Ok(mounted) => assert!(well && mounted.text("db-password") == "x"),
            Err(status) => {
                assert!(!well, "{status}");
                assert_eq!(status.code(), FailedPrecondition, "{status}");
                assert!(status.message().contains(mention), "no {mention} in {status}");
                assert_eq!(rig.azure.journal().total(), 0);
            }
        }
    }
}

#[tokio::test]
async fn connections_that_are_refused() {
    mounts_once_names_lead_there(Before::Nobody(nobody()), None, "login.microsoftonline.com").await;
}

#[tokio::test]
async fn names_that_are_not_known() {
    mounts_once_names_lead_there(Before::Unknown, None, "login.microsoftonline.com").await;
}

#[tokio::test]
async fn name_servers_that_do_not_answer() {
    for (lookups, well) in [(1, true), (FOR_GOOD, false)] {
        let azure = Azure::with_secrets(&[("db-password", "x")]).await;
        let switch =
            Switch { left: AtomicUsize::new(lookups), before: Before::Silence, then: azure.https_address() };
        let ways = by_names(&azure, None, switch);
        let budget = if well { Duration::from_secs(60) } else { Duration::from_secs(1) };
        let rig = Rig::over(azure, |config| config.mounts.budget = budget, ways);
        match rig.mount().await {
            Ok(mounted) => assert!(well && mounted.text("db-password") == "x"),
            Err(status) => {
                assert!(!well, "{status}");
                assert_eq!(status.code(), FailedPrecondition, "{status}");
                for part in ["AKV-TimeOutConnect", "a token from Entra (an answer of DNS)"] {
                    assert!(status.message().contains(part), "no {part} in {status}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_proxy_that_is_down() {
    let proxy = Some("http://proxy.example");
    mounts_once_names_lead_there(Before::Nobody(nobody()), proxy, "proxy.example").await;
}

#[tokio::test]
async fn a_vault_alone_that_cannot_be_reached() {
    for before in [Before::Nobody(nobody()), Before::Unknown] {
        let azure = Azure::with_secrets(&[("db-password", "x")]).await;
        let names = VaultGone { before, entra: azure.https_address() };
        let roots = Roots::from_pem(azure.ca_pem().as_bytes()).unwrap();
        let names = Names(Arc::new(names));
        let route = Route { roots: Some(roots), proxy: Proxy::none(), names, patience: PATIENCE };
        let client = Client::new(route);
        let rig = Rig::over(
            azure,
            |_| {},
            |transports| {
                transports.azure = Transport::new(Arc::new(client.clone()));
                transports.ahead = client;
            },
        );
        let status = rig.mount().await.unwrap_err();
        assert_eq!(status.code(), FailedPrecondition, "{status}");
        assert!(
            status.message().contains("secret/db-password") && status.message().contains("lab"),
            "{status}"
        );
        rig.saw(At::Entra, ONCE, "the token is there");
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
            (false, Before::Nobody(address)) => Ok(vec![address]),
            (false, Before::Silence) => return Box::pin(std::future::pending()),
            (false, Before::Unknown) => Err(io::Error::other("no such name")),
        };
        Box::pin(async { answer })
    }
}

#[tokio::test]
async fn certificates_that_nobody_trusts() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let other = Azure::with_own_authority().await;
    let roots = Roots::from_pem(other.ca_pem().as_bytes()).unwrap();
    let client = transport::azure(roots, Proxy::all(&azure.proxy_url()), PATIENCE);
    let rig = Rig::over(
        azure,
        |_| {},
        |transports| {
            transports.azure = Transport::new(Arc::new(client.clone()));
            transports.ahead = client;
        },
    );
    let status = rig.mount().await.unwrap_err();
    assert_eq!(status.code(), FailedPrecondition, "{status}");
    assert!(status.message().contains("certificate"), "{status}");
    assert_eq!(rig.azure.journal().total(), 0, "nothing was sent to who is not trusted");
}
