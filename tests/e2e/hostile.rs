//! Oversized requests and answers, and their effect on other mounts.

use akv_emulator::{Fault, Route, Service};
use akv_provider::proto::MountRequest;
use tonic::Code;

use crate::{
    harness::{Azure, MountCall, Provider},
    process::Process,
};

#[tokio::test]
async fn a_request_over_the_limit_is_refused_and_other_mounts_succeed() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    azure.latency().set_for(Route::vault("lab"), std::time::Duration::from_millis(50));
    let provider = Provider::start(&azure);
    let driver = provider.driver();
    let call = MountCall::of_secrets(&azure, &["db-password"]);
    let large = MountRequest { attributes: " ".repeat(5 << 20), ..call.request() };

    // All on one connection, as the driver has one.
    let (before, refused, after) = tokio::join!(driver.mount(&call), driver.send(large), driver.mount(&call));

    assert_eq!(before.unwrap().text("db-password"), "x");
    assert_eq!(after.unwrap().text("db-password"), "x");
    let status = refused.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    driver.mount(&call).await.unwrap();
}

#[tokio::test]
async fn hostile_classes_are_refused_before_any_request_to_azure() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let driver = provider.driver();
    let entry = "- {objectName: a, objectType: secret}\n";
    for objects in [
        "[".repeat(1 << 20),
        format!("{entry}# {}", "x".repeat(3 << 20)),
        entry.repeat(4_001),
        format!("array:\n- |\n  objectName: {}\n", "x".repeat(1 << 20)),
        format!("a: &a {}\narray:\n{}", "x".repeat(1 << 20), "- *a\n".repeat(90)),
    ] {
        let status = driver.mount(&MountCall::of(&objects).workload(&azure)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().len() < 2_000, "{} bytes", status.message().len());
    }
    for vault in ["xn--a", "lab.vault.azure.net", "lab/", "evil.example#", "@evil", "..", "lab\r\nHost: evil"]
    {
        let call = MountCall::of_secrets(&azure, &["db-password"]).with("keyvaultName", vault);
        let status = driver.mount(&call).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{vault:?}: {status}");
        assert!(status.message().contains("keyvaultName"), "{status}");
    }
    assert_eq!(azure.journal().total(), 0);
    let good = MountCall::of_secrets(&azure, &["db-password"]);
    assert_eq!(driver.mount(&good).await.unwrap().text("db-password"), "x");
    assert!(azure.journal().count(&Route::service(Service::Vault)) > 0);
}

#[tokio::test]
async fn one_secret_under_thousands_of_names_does_not_fill_the_memory() {
    let azure = Azure::with_secrets(&[("a", &"x".repeat(25_000))]).await;
    let process = Process::start_with(&azure, &[]).await;
    let driver = process.driver();
    let named = |names: std::ops::Range<usize>| {
        let entry = |index| format!("- {{objectName: a, objectType: secret, objectAlias: a{index}}}\n");
        MountCall::of(&names.map(entry).collect::<String>()).workload(&azure)
    };
    driver.mount(&named(0..150)).await.unwrap();
    let before = process.memory("VmHWM");

    let status = driver.mount(&named(0..4_000)).await.unwrap_err();

    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().contains("larger than 4194304 bytes, the driver's limit"), "{status}");
    let after = process.memory("VmHWM");
    // All of it would be 95 MiB.
    assert!(after < before + 30, "from {before} to {after} MiB");
}

/// A search takes memory for each state of its expression and each group, and the expression keeps it.
#[tokio::test]
async fn expressions_with_many_groups_do_not_fill_the_memory() {
    let azure = Azure::with_secrets(&[("shop", "x")]).await;
    let process = Process::start_with(&azure, &[]).await;
    let driver = process.driver();
    let finds = |source: &str| {
        let rewrite = format!("{{regexp: {{source: '{source}', target: x}}}},").repeat(8);
        let entry = |index| {
            format!(
                "- {{objectType: secret, find: {{name: shop}}, objectAlias: d{index}, rewrite: [{rewrite}]}}\n"
            )
        };
        MountCall::of(&(0..20).map(entry).collect::<String>()).workload(&azure)
    };
    driver.mount(&finds("a")).await.unwrap();
    let before = process.memory("VmHWM");

    // With a hundred groups, all searches together would take 800 MiB.
    let status = driver.mount(&finds(&format!("{}a{{1500}}", "()".repeat(100)))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().contains("too many groups for its size"), "{status}");

    // As many groups as are taken: all searches together would take 20 MiB.
    driver.mount(&finds(&format!("{}a{{200}}", "()".repeat(15)))).await.unwrap();
    let after = process.memory("VmHWM");
    assert!(after < before + 12, "from {before} to {after} MiB");
}

#[tokio::test]
async fn thousands_of_secrets_do_not_fill_the_memory() {
    let azure = Azure::with_secrets(&[]).await;
    let names: Vec<String> = (0..2_000).map(|index| format!("s{index}")).collect();
    for name in &names {
        azure.vaults().put_secret("lab", name, &"x".repeat(25_000));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let process = Process::start_with(&azure, &[]).await;
    let driver = process.driver();
    driver.mount(&MountCall::of_secrets(&azure, &names[..150])).await.unwrap();
    let before = process.memory("VmHWM");

    let status = driver.mount(&MountCall::of_secrets(&azure, &names)).await.unwrap_err();

    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().contains("larger than 4194304 bytes, the driver's limit"), "{status}");
    let reads = azure.journal().count(&Route::service(Service::Vault).credentials(true));
    assert!(reads < 1_000, "{reads} reads for nothing");
    let after = process.memory("VmHWM");
    // All of it would be 48 MiB.
    assert!(after < before + 30, "from {before} to {after} MiB");
}

/// Any number of them would otherwise have as much of the processor each as the thread that answers probes.
#[tokio::test]
async fn long_computations_leave_the_serving_thread_its_time() {
    let azure = Azure::with_secrets(&[("db", "user: app")]).await;
    let process = Process::start_with(&azure, &[]).await;
    let call = MountCall::of("- {objectName: db, objectType: secret, extract: yaml, objectAlias: ./}")
        .workload(&azure);
    assert_eq!(process.driver().mount(&call).await.unwrap().text("user"), "app");
    let (serving, computing) = process.niceness();
    assert!(!computing.is_empty(), "YAML is parsed on a thread of its own");
    assert!(computing.iter().all(|niceness| *niceness == serving.max(10)), "{serving} and {computing:?}");
}

#[tokio::test]
async fn more_names_than_fit_into_a_volume_are_refused_before_any_read() {
    let azure = Azure::with_secrets(&[("a", "x")]).await;
    let provider = Provider::start_with(&azure, &["--max-call-recv-msg-size=100000".to_owned()]);
    let entry = |index| format!("- {{objectName: a, objectType: secret, objectAlias: a{index}}}\n");
    let call = |count| MountCall::of(&(0..count).map(entry).collect::<String>()).workload(&azure);
    let reads = Route::service(Service::Vault).credentials(true);
    let status = provider.driver().mount(&call(1_000)).await.unwrap_err();
    assert!(status.message().starts_with("[AKV-TooLarge] "), "{status}");
    assert_eq!(azure.journal().count(&reads), 0);
    assert_eq!(provider.driver().mount(&call(500)).await.unwrap().files.len(), 500);
}

#[tokio::test]
async fn more_versions_than_fit_into_a_volume_are_refused_before_they_are_read() {
    let azure = Azure::with_secrets(&[]).await;
    let names: Vec<String> = (0..20).map(|index| format!("s{index}")).collect();
    for name in &names {
        for _ in 0..200 {
            azure.vaults().put_secret("lab", name, "x");
        }
    }
    let provider = Provider::start_with(&azure, &["--max-call-recv-msg-size=100000".to_owned()]);
    let entry =
        |name: &String| format!("- {{objectName: {name}, objectType: secret, objectVersionHistory: 200}}\n");
    let call = MountCall::of(&names.iter().map(entry).collect::<String>()).workload(&azure);
    let status = provider.driver().mount(&call).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().starts_with("[AKV-TooLarge] "), "{status}");
    let lists = Route::service(Service::Vault).credentials(true).path_suffix("/versions");
    let all = azure.journal().count(&Route::service(Service::Vault).credentials(true));
    let versions = all - azure.journal().count(&lists);
    println!("{all} requests, {versions} of them for versions");
    // There are 4,000 versions, and 600 do not fit.
    assert!(versions < 1_000, "{versions} reads for nothing");
}

/// The lists of all mounts would otherwise hold up to 20,000 versions each.
#[tokio::test]
async fn a_few_long_lists_are_read_at_once_and_short_ones_do_not_wait() {
    let names: Vec<String> = (0..20).map(|index| format!("s{index}")).collect();
    let secrets: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    let azure = Azure::with_secrets(&secrets).await;
    // Each list has a second page, which hangs.
    let next = Route::vault("lab").path_prefix("/secrets/next");
    let hang = azure.faults().inject(next.clone(), Fault::Hang);
    for name in &names[1..] {
        let version = format!(
            r#"{{"id":"https://lab.vault.azure.net/secrets/{name}/v","attributes":{{"enabled":true}}}}"#
        );
        let link = "https://lab.vault.azure.net/secrets/next/versions?x=y";
        let body = format!(r#"{{"value":[{version}],"nextLink":"{link}"}}"#).into();
        let page = Fault::InvalidBody { content_type: "application/json".to_owned(), body };
        azure.faults().inject(Route::vault("lab").path_prefix(&format!("/secrets/{name}/versions")), page);
    }
    let history =
        |name: &String| format!("- {{objectName: {name}, objectType: secret, objectVersionHistory: 2}}\n");
    let provider = Provider::start(&azure);
    let driver = provider.driver();
    let call = MountCall::of(&names[1..].iter().map(history).collect::<String>()).workload(&azure);
    let first = call.of_another_pod();
    let long = tokio::spawn(async move { driver.mount(&first).await });
    let lists = Route::vault("lab").path_suffix("/versions").credentials(true);
    azure.journal().wait_until(|journal| journal.count(&lists) == 19 + 4 && journal.in_flight() == 4).await;

    let short = MountCall::of(&history(&names[0])).workload(&azure).of_another_pod();
    assert_eq!(provider.driver().mount(&short).await.unwrap().text("s0/0"), "x");
    assert_eq!(azure.journal().count(&next), 4, "the other lists wait");
    long.abort();
    azure.faults().remove(hang);
    let last =
        Fault::InvalidBody { content_type: "application/json".to_owned(), body: r#"{"value":[]}"#.into() };
    azure.faults().inject(next.clone(), last);
    let status = provider.driver().mount(&call.of_another_pod()).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "there is no version v: {status}");
    assert_eq!(azure.journal().count(&next), 4 + 19, "all lists end");
}

/// Each error would otherwise be in memory until the mount ends, of up to 20,000 versions.
#[tokio::test]
async fn a_history_of_refused_versions_ends_after_a_hundred_of_them() {
    let azure = Azure::with_secrets(&[]).await;
    for _ in 0..400 {
        azure.vaults().put_secret("lab", "a", "x");
    }
    let reads = Route::vault("lab").credentials(true).matching(|head| !head.path.ends_with("/versions"));
    azure.faults().inject(reads.clone(), Fault::Status { code: 400, retry_after: None, body: None });
    let provider = Provider::start(&azure);
    let call = MountCall::of("- {objectName: a, objectType: secret, objectVersionHistory: 400}\n");
    let call = call.workload(&azure);
    let first = provider.driver().mount(&call).await.unwrap_err();
    let sent = azure.journal().count(&reads);
    assert!((100..200).contains(&sent), "{sent} reads");
    assert!(first.message().contains(" and 99 more from vault lab"), "{first}");
    let second = provider.driver().mount(&call.of_another_pod()).await.unwrap_err();
    assert_eq!(first.message(), second.message(), "each try has the same message");
}

/// Returns a page of 4,000 versions of a secret, of about 400 KB, with a link to the next page.
fn long_page(name: &str, next: Option<&str>) -> Fault {
    let version = |number| {
        format!(r#"{{"id":"https://lab.vault.azure.net/secrets/{name}/{number:032}","attributes":{{}}}}"#)
    };
    let versions: Vec<String> = (0..4_000).map(version).collect();
    let link = next.map(|next| format!(r#","nextLink":"{next}""#)).unwrap_or_default();
    let body = format!(r#"{{"value":[{}]{link}}}"#, versions.join(",")).into();
    Fault::InvalidBody { content_type: "application/json".to_owned(), body }
}

/// Returns a mount of a history of each of these secrets.
fn histories(azure: &Azure, names: &[String]) -> MountCall {
    let history =
        |name: &String| format!("- {{objectName: {name}, objectType: secret, objectVersionHistory: 2}}\n");
    MountCall::of(&names.iter().map(history).collect::<String>()).workload(azure)
}

/// A vault may send a first page as long as forty of Key Vault's, for each of 64 lists of a mount.
#[tokio::test]
async fn long_first_pages_of_lists_that_wait_do_not_fill_the_memory() {
    let azure = Azure::with_secrets(&[("short", "x")]).await;
    let next = Route::vault("lab").path_prefix("/secrets/next");
    let hang = azure.faults().inject(next.clone(), Fault::Hang);
    let names: Vec<String> = (0..72).map(|index| format!("s{index}")).collect();
    let (names, others) = names.split_at(64);
    for name in names.iter().chain(others) {
        let page = long_page(name, Some("https://lab.vault.azure.net/secrets/next/versions?x=y"));
        azure.faults().inject(Route::vault("lab").path_prefix(&format!("/secrets/{name}/versions")), page);
    }
    let process = Process::start_with(&azure, &[]).await;
    let short = MountCall::of_secrets(&azure, &["short"]);
    process.driver().mount(&short).await.unwrap();
    let before = process.memory("VmHWM");

    let (driver, call) = (process.driver(), histories(&azure, names));
    let long = tokio::spawn(async move { driver.mount(&call).await.map(drop) });
    let lists = Route::vault("lab").path_suffix("/versions").credentials(true);
    azure.journal().wait_until(|journal| journal.count(&lists) == 64 + 4 && journal.in_flight() == 4).await;
    process.driver().mount(&short.of_another_pod()).await.unwrap();
    let after = process.memory("VmHWM");
    // All of the pages would be 45 MiB.
    assert!(after < before + 30, "from {before} to {after} MiB");
    assert!(!long.is_finished());
    long.abort();

    // Eight lists for four permits: those that wait are requested again.
    azure.faults().remove(hang);
    let last =
        Fault::InvalidBody { content_type: "application/json".to_owned(), body: r#"{"value":[]}"#.into() };
    azure.faults().inject(next.clone(), last);
    let status = process.driver().mount(&histories(&azure, others).of_another_pod()).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "there are no such versions: {status}");
    assert_eq!(azure.journal().count(&next), 4 + 8, "all lists end");
}

/// A list ends before the versions of its history are read, and the reads may hang.
#[tokio::test]
async fn lists_of_histories_whose_reads_hang_do_not_fill_the_memory() {
    let azure = Azure::with_secrets(&[("short", "x")]).await;
    let names: Vec<String> = (0..64).map(|index| format!("s{index}")).collect();
    let process = Process::start_with(&azure, &[]).await;
    process.driver().mount(&MountCall::of_secrets(&azure, &["short"])).await.unwrap();
    let reads = Route::vault("lab").credentials(true).matching(|head| !head.path.ends_with("/versions"));
    azure.faults().inject(reads, Fault::Hang);
    for name in &names {
        let list = Route::vault("lab").path_prefix(&format!("/secrets/{name}/versions"));
        azure.faults().inject(list, long_page(name, None));
    }
    let before = process.memory("VmHWM");

    let (driver, call) = (process.driver(), histories(&azure, &names));
    let mount = tokio::spawn(async move { driver.mount(&call).await.map(drop) });
    let lists = Route::vault("lab").path_suffix("/versions").credentials(true);
    azure.journal().wait_until(|journal| journal.count(&lists) == 64 && journal.in_flight() == 64).await;
    let after = process.memory("VmHWM");
    // All of the lists would be 38 MiB, beside the buffers of 64 connections.
    assert!(after < before + 30, "from {before} to {after} MiB");
    assert!(!mount.is_finished());
    mount.abort();
}

/// Returns a mount of a volume that needs a permit for large volumes, with this secret as its last object.
fn large(azure: &Azure, last: &str) -> MountCall {
    for index in 0..20 {
        azure.vaults().put_secret("lab", &format!("large-{index}"), &"x".repeat(25_000));
    }
    let names: Vec<String> = (0..20).map(|index| format!("large-{index}")).chain([last.to_owned()]).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    MountCall::of_secrets(azure, &names).of_another_pod()
}

#[tokio::test]
async fn large_volumes_wait_for_memory_with_nothing_in_hand_and_small_ones_do_not() {
    let azure = Azure::with_secrets(&[("hangs", "x"), ("small", "y")]).await;
    let hang = azure.faults().inject(Route::vault("lab").path_prefix("/secrets/hangs"), Fault::Hang);
    let (provider, _) = Provider::start_changed_with_ports(&azure, |config| {
        // Memory for one large volume.
        config.mounts.large_volume_memory = 0;
        config.admin.metrics_port = Some(0);
    });
    let reads = Route::service(Service::Vault).credentials(true);
    let mount = |call: MountCall| {
        let driver = provider.driver();
        tokio::spawn(async move { driver.mount(&call).await })
    };
    let first = mount(large(&azure, "hangs"));
    azure.journal().wait_until(|journal| journal.count(&reads) == 21 && journal.in_flight() == 1).await;
    let second = mount(large(&azure, "small"));
    provider.wait_for_metric("akv_mounts_waiting 1").await;
    azure.journal().wait_until(|journal| journal.in_flight() == 1).await;
    let before = azure.journal().count(&reads);
    let small = MountCall::of_secrets(&azure, &["small"]).of_another_pod();
    assert_eq!(provider.driver().mount(&small).await.unwrap().text("small"), "y");
    assert_eq!(azure.journal().count(&reads), before + 1, "the second large volume reads nothing");
    assert!(!second.is_finished());
    azure.faults().remove(hang);
    first.abort();
    assert_eq!(second.await.unwrap().unwrap().files.len(), 21);
}

#[tokio::test]
async fn a_namespace_with_many_large_volumes_does_not_delay_anothers() {
    let azure = Azure::with_secrets(&[("hangs", "x"), ("small", "y")]).await;
    azure.faults().inject(Route::vault("lab").path_prefix("/secrets/hangs"), Fault::Hang);
    let (provider, _) = Provider::start_with_ports(&azure, |admin| admin.metrics_port = Some(0));
    let reads = Route::service(Service::Vault).credentials(true);
    let of = |namespace: &str, last| large(&azure, last).with("csi.storage.k8s.io/pod.namespace", namespace);
    let hostile: Vec<_> = (0..5)
        .map(|_| {
            let (driver, call) = (provider.driver(), of("hostile", "hangs"));
            tokio::spawn(async move { driver.mount(&call).await.map(drop) })
        })
        .collect();
    provider.wait_for_metric("akv_mounts_waiting 4").await;
    azure.journal().wait_until(|journal| journal.in_flight() == 1).await;
    let before = azure.journal().count(&reads);
    assert_eq!(provider.driver().mount(&of("honest", "small")).await.unwrap().files.len(), 21);
    assert_eq!(azure.journal().count(&reads), before + 21);
    for mount in hostile {
        assert!(!mount.is_finished());
        mount.abort();
    }
}

#[tokio::test]
async fn a_large_volume_that_waits_for_memory_reports_it() {
    let azure = Azure::with_secrets(&[("hangs", "x"), ("small", "y")]).await;
    azure.faults().inject(Route::vault("lab").path_prefix("/secrets/hangs"), Fault::Hang);
    let provider = Provider::start_changed(&azure, |config| config.mounts.large_volume_memory = 0);
    let (driver, call) = (provider.driver(), large(&azure, "hangs"));
    let first = tokio::spawn(async move { driver.mount(&call).await.map(drop) });
    let reads = Route::service(Service::Vault).credentials(true);
    azure.journal().wait_until(|journal| journal.count(&reads) == 21 && journal.in_flight() == 1).await;
    let mut request = tonic::Request::new(large(&azure, "small").request());
    request.set_timeout(std::time::Duration::from_secs(6));
    let status = provider.driver().client().mount(request).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().starts_with("[AKV-TimeoutQueued] "), "{status}");
    assert!(status.message().contains("waiting for memory that other large volumes use"), "{status}");
    first.abort();
}
