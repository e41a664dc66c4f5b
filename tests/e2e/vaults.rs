//! Objects of several vaults in one volume.

use akv_emulator::{Fault, Route, Service};
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

/// Starts an Azure whose vaults hold secret `a` with their own name.
async fn azure(vaults: &[&str]) -> Azure {
    let azure = Azure::with_secrets(&[]).await;
    for vault in vaults {
        azure.vaults().put_secret(vault, "a", vault);
    }
    azure
}

/// Returns an entry for secret `a` of this vault, in a file with the vault's name.
fn entry(vault: &str) -> String {
    format!("- {{objectName: a, objectType: secret, keyvaultName: {vault}, objectAlias: of-{vault}}}\n")
}

fn reads() -> Route {
    Route::service(Service::Vault).credentials(true)
}

#[tokio::test]
async fn each_vault_gets_one_challenge_and_all_share_one_token() {
    let azure = azure(&["lab", "lab-2", "lab-3"]).await;
    let provider = Provider::start(&azure);
    let objects = ["lab", "lab-2", "lab-3"].map(entry).concat();
    let call = MountCall::of(&objects).workload(&azure);
    for _ in 0..2 {
        let mounted = provider.driver().mount(&call.of_another_pod()).await.unwrap();
        for vault in ["lab", "lab-2", "lab-3"] {
            assert_eq!(mounted.text(&format!("of-{vault}")), vault);
        }
        let ids: Vec<_> = mounted.versions.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["secret/a", "lab-2/secret/a", "lab-3/secret/a"]);
    }
    for vault in ["lab", "lab-2", "lab-3"] {
        assert_eq!(azure.journal().count(&Route::vault(vault).credentials(false)), 1, "{vault}");
        assert_eq!(azure.journal().count(&Route::vault(vault).credentials(true)), 2, "{vault}");
    }
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 1);
}

#[tokio::test]
async fn names_of_vaults_are_compared_in_any_case() {
    let azure = azure(&["lab", "lab-2"]).await;
    let objects = "- {objectName: a, objectType: secret, keyvaultName: LAB}\n\
                   - {objectName: a, objectType: secret, keyvaultName: Lab-2, objectAlias: b}\n\
                   - {objectName: a, objectType: secret, keyvaultName: LAB-2, objectAlias: c}\n";
    let call = MountCall::of(objects).workload(&azure);
    let mounted = Provider::start(&azure).driver().mount(&call).await.unwrap();
    assert_eq!(["a", "b", "c"].map(|path| mounted.text(path)), ["lab", "lab-2", "lab-2"]);
    assert!(mounted.versions.iter().any(|(id, _)| id == "secret/a"), "{:?}", mounted.versions);
    assert!(mounted.versions.iter().any(|(id, _)| id == "Lab-2/secret/a"), "as the first entry writes it");
    assert_eq!(azure.journal().count(&reads()), 2, "one read of each object");
}

#[tokio::test]
async fn a_vault_that_no_entry_reads_is_not_asked() {
    let azure = azure(&["lab", "lab-2"]).await;
    let call =
        MountCall::of(&entry("lab-2")).workload(&azure).with("tenantId", "").with("failoverVault", "lab-3");
    Provider::start(&azure).driver().mount(&call).await.unwrap();
    for vault in ["lab", "lab-3"] {
        assert_eq!(azure.journal().count(&Route::vault(vault)), 0, "{vault}");
    }
}

#[tokio::test]
async fn failures_of_several_vaults_are_in_one_message() {
    let azure = azure(&["lab", "lab-2"]).await;
    azure.faults().inject(Route::vault("lab").credentials(true), Fault::status(403));
    azure.faults().inject(Route::vault("lab-2").credentials(true), Fault::status(404));
    let call = MountCall::of(&["lab", "lab-2"].map(entry).concat()).workload(&azure);
    let status = Provider::start(&azure).driver().mount(&call).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    let message = status.message();
    assert!(message.contains("cannot read 2 objects from several vaults: secret/a: 403"), "{message}");
    assert!(message.contains("[AKV-NotFound] lab-2/secret/a: 404"), "{message}");
    assert!(message.contains("; asked lab.vault.azure.net as workload identity"), "{message}");
}

#[tokio::test]
async fn a_token_that_one_vault_refuses_is_renewed_for_its_objects_alone() {
    let azure = azure(&["lab", "lab-2"]).await;
    let provider = Provider::start(&azure);
    let call = MountCall::of(&["lab", "lab-2"].map(entry).concat()).workload(&azure);
    provider.driver().mount(&call.of_another_pod()).await.unwrap();
    azure.journal().clear();
    azure.faults().inject_times(1, Route::vault("lab-2").credentials(true), Fault::status(401));
    provider.driver().mount(&call.of_another_pod()).await.unwrap();
    assert_eq!(azure.journal().count(&Route::vault("lab").credentials(true)), 1);
    assert_eq!(azure.journal().count(&Route::vault("lab-2").credentials(true)), 2);
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 1, "one new token");
}

#[tokio::test]
async fn a_class_names_eight_vaults_at_most() {
    let names: Vec<String> = (1..=9).map(|number| format!("lab-{number}")).collect();
    let azure = azure(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let provider = Provider::start(&azure);
    let call = |count: usize| {
        let objects: String = names[..count].iter().map(|name| entry(name)).collect();
        MountCall::of(&objects).workload(&azure)
    };
    provider.driver().mount(&call(7)).await.unwrap();
    azure.journal().clear();
    for call in [call(8), call(7).with("failoverVault", "spare")] {
        let status = provider.driver().mount(&call).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains("objects: names more than 8 vaults"), "{status}");
    }
    assert!(azure.journal().entries().is_empty(), "nothing is asked");
}

#[tokio::test]
async fn the_example_of_several_vaults_mounts() {
    let azure = azure(&[]).await;
    azure.vaults().put_secret("demo", "db-password", "x");
    azure.vaults().put_secret("shared", "ca-bundle", "y");
    let file = include_str!("../../manifests/examples/several-vaults.yaml");
    let class = file.split("\n---\n").find(|object| object.contains("kind: SecretProviderClass"));
    let class: serde_json::Value = serde_saphyr::from_str(class.unwrap()).unwrap();
    let mut call = MountCall::of("").workload(&azure).with("tenantId", "");
    for (key, value) in class["spec"]["parameters"].as_object().unwrap() {
        call = call.with(key, value.as_str().unwrap());
    }
    let provider = Provider::start(&azure);
    let mounted = provider.driver().mount(&call).await.unwrap();
    assert_eq!((mounted.text("db-password"), mounted.text("ca-bundle.pem")), ("x", "y"));

    azure.vaults().put_secret("demo-copy", "db-password", "copy");
    azure.faults().inject(Route::vault("demo"), Fault::Drop);
    let mounted = provider.driver().mount(&call.of_another_pod()).await.unwrap();
    assert_eq!((mounted.text("db-password"), mounted.text("ca-bundle.pem")), ("copy", "y"));
}
