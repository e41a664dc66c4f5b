//! Oversized requests and answers, and their effect on other mounts.

use akv_emulator::{Route, Service};
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
