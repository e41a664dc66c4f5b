//! A class with a second vault, which is read in place of its own one.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use akv_emulator::{Fault, Route};
use akv_provider::transport::{Client, Observer, Proxy, Resolve, Resolver, Roots, Route as WayOut, Timeouts};
use futures::future::BoxFuture;
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

const OBJECTS: &str = "- {objectName: a, objectType: secret}\n- {objectName: b, objectType: secret}\n- {objectName: a, objectType: \
     secret, keyvaultName: other, objectAlias: other}\n";

/// Starts an Azure whose vaults `lab`, `spare` and `other` hold secrets `a` and `b` with the vault's name.
async fn azure() -> Azure {
    let azure = Azure::with_secrets(&[]).await;
    for vault in ["lab", "spare", "other"] {
        for name in ["a", "b"] {
            azure.vaults().put_secret(vault, name, vault);
        }
    }
    azure
}

/// Starts a provider with a mount timeout of six seconds.
fn provider(azure: &Azure) -> Provider {
    let budget = Duration::from_secs(6);
    let transports = azure.transports_with(Timeouts::within(budget));
    Provider::start_over_changed(azure, transports, |config| {
        config.admin.metrics_port = Some(0);
        config.mounts.budget = budget;
    })
}

fn call(azure: &Azure) -> MountCall {
    MountCall::of(OBJECTS).workload(azure).with("failoverVault", "spare").of_another_pod()
}

fn reads(vault: &str) -> Route {
    Route::vault(vault).credentials(true)
}

#[tokio::test]
async fn a_vault_that_is_down_is_replaced_as_a_whole() {
    for fault in [Fault::status(503), Fault::Hang, Fault::Drop, Fault::throttled(60)] {
        let azure = azure().await;
        let provider = provider(&azure);
        // One object alone: the other one comes from the second vault too.
        azure.faults().inject(reads("lab").path_prefix("/secrets/b"), fault.clone());
        let mounted = provider.driver().mount(&call(&azure)).await.unwrap();
        assert_eq!(
            ["a", "b", "other"].map(|path| mounted.text(path)),
            ["spare", "spare", "other"],
            "{fault:?}"
        );
        let ids: Vec<_> = mounted.versions.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["spare/secret/a", "spare/secret/b", "other/secret/a"]);
        provider.wait_for_metric("akv_failover_total{vault=\"lab.vault.azure.net\"} 1").await;

        // For a minute the first vault is not asked, also after it is back.
        azure.faults().clear();
        azure.journal().clear();
        let mounted = provider.driver().mount(&call(&azure)).await.unwrap();
        assert_eq!(mounted.text("a"), "spare");
        assert_eq!(azure.journal().count(&Route::vault("lab")), 0);
        provider.wait_for_metric("akv_failover_total{vault=\"lab.vault.azure.net\"} 2").await;
    }
}

#[tokio::test]
async fn an_optional_item_that_is_absent_does_not_keep_the_mount_at_a_vault_that_hangs() {
    let azure = azure().await;
    let provider = provider(&azure);
    azure.faults().inject(reads("lab"), Fault::Hang);
    let items = "[{key: A, objectName: nope, optional: true}, {key: B, objectName: a}]";
    let objects = format!(
        "- {{objectName: b, objectType: secret}}\n- {{objectAlias: f, keyvaultName: other, combine: {{format: json, items: {items}}}}}\n"
    );
    let call = MountCall::of(&objects).workload(&azure).with("failoverVault", "spare");
    let mounted = provider.driver().mount(&call).await.unwrap();
    assert_eq!((mounted.text("b"), mounted.text("f")), ("spare", "{\"B\":\"other\"}"));
}

#[tokio::test]
async fn a_vault_that_gives_no_challenge_is_replaced_without_a_tenant() {
    let azure = azure().await;
    azure.faults().inject(Route::vault("lab"), Fault::Hang);
    let call = call(&azure).with("tenantId", "");
    let mounted = provider(&azure).driver().mount(&call).await.unwrap();
    assert_eq!(mounted.text("a"), "spare");
}

#[tokio::test]
async fn any_other_answer_stands() {
    for (fault, code) in [
        (Fault::status(404), Code::NotFound),
        (Fault::status(403), Code::PermissionDenied),
        (Fault::status(401), Code::Unauthenticated),
        (Fault::status(400), Code::InvalidArgument),
    ] {
        let azure = azure().await;
        let provider = provider(&azure);
        azure.faults().inject(reads("lab").path_prefix("/secrets/a"), fault.clone());
        // Beside an answer, silence of the same vault does not matter.
        azure.faults().inject(reads("lab").path_prefix("/secrets/b"), Fault::status(503));
        let status = provider.driver().mount(&call(&azure)).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert_eq!(azure.journal().count(&Route::vault("spare")), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn a_failure_of_an_entrys_own_vault_stands() {
    let azure = azure().await;
    let provider = provider(&azure);
    for fault in [Fault::status(503), Fault::Hang] {
        azure.faults().clear();
        azure.faults().inject(reads("other"), fault);
        let status = provider.driver().mount(&call(&azure)).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        assert!(status.message().contains("other"), "{status}");
    }
    assert_eq!(azure.journal().count(&Route::vault("spare")), 0);
}

/// A resolver that returns the emulator for every name but that of vault `lab`.
struct LabAt {
    azure: SocketAddr,
    lab: Result<SocketAddr, ErrorKind>,
}

impl Resolve for LabAt {
    fn resolve(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        let address = if name.starts_with("lab.") { self.lab } else { Ok(self.azure) };
        Box::pin(async move { Ok(vec![address?]) })
    }
}

/// Starts a provider that finds vault `lab` at this address.
fn provider_with(azure: &Azure, lab: Result<SocketAddr, ErrorKind>) -> Provider {
    let budget = Duration::from_secs(6);
    let timeouts = Timeouts::within(budget);
    let client = Client::new(WayOut {
        roots: Some(Roots::from_pem(azure.ca_pem().as_bytes()).unwrap()),
        proxy: Proxy::none(),
        names: Resolver(Arc::new(LabAt { azure: azure.https_address(), lab })),
        timeouts,
        observer: Observer::none(),
    });
    let mut transports = azure.transports_with(timeouts);
    transports.set_azure(client);
    Provider::start_over_changed(azure, transports, |config| config.mounts.budget = budget)
}

#[tokio::test]
async fn a_vault_without_a_connection_is_replaced() {
    let azure = azure().await;
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for lab in [Ok(refused), Err(ErrorKind::TimedOut)] {
        let mounted = provider_with(&azure, lab).driver().mount(&call(&azure)).await.unwrap();
        assert_eq!(mounted.text("a"), "spare", "{lab:?}");
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_mistake() {
    let azure = azure().await;
    let provider = provider_with(&azure, Err(ErrorKind::NotFound));
    let status = provider.driver().mount(&call(&azure)).await.unwrap_err();
    assert!(status.message().starts_with("[AKV-VaultDnsFailed]"), "{status}");
    assert_eq!(azure.journal().count(&reads("spare")), 0);
}

#[tokio::test]
async fn a_republish_reads_the_own_vault_alone() {
    let azure = azure().await;
    let provider = provider(&azure);
    let call = call(&azure);
    provider.driver().mount(&call).await.unwrap();
    azure.faults().inject(Route::vault("lab"), Fault::status(503));
    // An object that no cache has.
    let again = call.with("objects", "- {objectName: c, objectType: secret}");
    let status = provider.driver().mount(&again).await.unwrap_err();
    assert!(
        status.message().starts_with("[AKV-VaultDown] cannot read secret/c from vault lab: "),
        "{status}"
    );
    assert_eq!(azure.journal().count(&Route::vault("spare")), 0);
}

#[tokio::test]
async fn a_failure_of_both_vaults_is_the_second_ones_in_each_try() {
    let azure = azure().await;
    let provider = provider(&azure);
    azure.faults().inject(Route::vault("lab"), Fault::status(503));
    azure.faults().inject(reads("spare"), Fault::status(403));
    let tries = [
        provider.driver().mount(&call(&azure)).await.unwrap_err(),
        provider.driver().mount(&call(&azure)).await.unwrap_err(),
    ];
    let message = tries[0].message();
    assert_eq!(tries[0].code(), Code::PermissionDenied, "{message}");
    assert!(
        message.contains("cannot read spare/secret/a, spare/secret/b from vault spare: 403"),
        "{message}"
    );
    assert_eq!(message, tries[1].message());
    assert!(azure.journal().count(&Route::vault("lab")) > 0);
}

#[tokio::test]
async fn the_second_vault_is_another_one() {
    let azure = azure().await;
    for (name, reason) in [
        ("LAB", "failoverVault: is the vault LAB of keyvaultName; name another vault"),
        ("a/b", "failoverVault: invalid vault name \"a/b\""),
    ] {
        let status =
            provider(&azure).driver().mount(&call(&azure).with("failoverVault", name)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains(reason), "{status}");
    }
    assert_eq!(azure.journal().total(), 0);
}

/// Each wait for the vault takes a third of a mount's time, and there are permits for a fifth of the pods. So the third
/// fifth would time out.
#[tokio::test]
async fn pods_in_the_queue_do_not_wait_once_more_for_a_vault_that_hangs() {
    let azure = azure().await;
    let budget = Duration::from_secs(18);
    let transports = azure.transports_with(Timeouts::within(budget));
    let provider = Provider::start_over_changed(&azure, transports, |config| config.mounts.budget = budget);
    azure.faults().inject(reads("lab"), Fault::Hang);
    let call = call(&azure);
    let mounts: Vec<_> = (0..60)
        .map(|_| {
            let (driver, call) = (provider.driver(), call.of_another_pod());
            tokio::spawn(async move { driver.mount(&call).await })
        })
        .collect();
    for mount in mounts {
        let mounted = mount.await.unwrap().unwrap();
        assert_eq!(["a", "b", "other"].map(|path| mounted.text(path)), ["spare", "spare", "other"]);
    }
}

#[tokio::test]
async fn a_mount_that_waits_for_another_vault_moves_no_other_pod_to_the_second_vault() {
    let azure = azure().await;
    let budget = Duration::from_secs(12);
    // So long that no slow read is repeated.
    let timeouts = Timeouts { read_idle: Duration::from_secs(30), ..Timeouts::within(budget) };
    let provider = Provider::start_over_changed(&azure, azure.transports_with(timeouts), |config| {
        config.mounts.budget = budget;
    });
    // As many reads from another vault as are in flight at once: the read from the own vault is not sent in time.
    let mut objects: String = (0..64)
        .map(|number| {
            azure.vaults().put_secret("other", &format!("s-{number}"), "x");
            format!("- {{objectName: s-{number}, objectType: secret, keyvaultName: other}}\n")
        })
        .collect();
    objects.push_str("- {objectName: a, objectType: secret}\n");
    azure.latency().set_for(reads("other"), budget / 3 + Duration::from_millis(400));
    let slow = MountCall::of(&objects).workload(&azure).with("failoverVault", "spare").of_another_pod();
    assert_eq!(provider.driver().mount(&slow).await.unwrap().text("a"), "spare");

    azure.latency().clear();
    azure.journal().clear();
    let mounted = provider.driver().mount(&call(&azure)).await.unwrap();
    assert_eq!(["a", "b"].map(|path| mounted.text(path)), ["lab", "lab"]);
    assert_eq!(azure.journal().count(&Route::vault("spare")), 0);
}

#[tokio::test]
async fn a_mount_that_waits_to_read_the_second_vault_keeps_no_memory_from_the_mounts_before_it() {
    let azure = Azure::with_secrets(&[]).await;
    let names: Vec<String> = (0..12).map(|number| format!("large-{number}")).collect();
    for vault in ["lab", "spare"] {
        for name in &names {
            azure.vaults().put_secret(vault, name, &"x".repeat(25_000));
        }
        azure.vaults().put_secret(vault, "last", vault);
    }
    let budget = Duration::from_secs(24);
    let timeouts = Timeouts { read_idle: Duration::from_secs(60), ..Timeouts::within(budget) };
    let provider = Provider::start_over_changed(&azure, azure.transports_with(timeouts), |config| {
        config.admin.metrics_port = Some(0);
        config.mounts.budget = budget;
        // Memory for one large volume.
        config.mounts.large_volume_memory = 0;
    });
    let objects: String = names
        .iter()
        .map(String::as_str)
        .chain(["last"])
        .map(|name| format!("- {{objectName: {name}, objectType: secret}}\n"))
        .collect();
    let large = MountCall::of(&objects).workload(&azure);
    let mount = |call: MountCall| {
        let driver = provider.driver();
        tokio::spawn(async move { driver.mount(&call).await })
    };
    // It has the memory when its vault stops answering.
    azure.faults().inject(reads("lab").path_prefix("/secrets/last"), Fault::Hang);
    let moves = mount(large.clone().with("failoverVault", "spare").of_another_pod());
    let journal = azure.journal();
    journal.wait_until(|journal| journal.count(&reads("lab")) == 13 && journal.in_flight() == 1).await;
    // More than a namespace may mount from one vault at once. Some wait for the memory, others for a permit to run.
    let at_spare = large.with("keyvaultName", "spare");
    let before: Vec<_> = (0..55).map(|_| mount(at_spare.of_another_pod())).collect();
    provider.wait_for_metric("akv_mounts_waiting 55").await;
    assert_eq!(moves.await.unwrap().unwrap().text("last"), "spare");
    for mount in before {
        mount.abort();
    }
}
