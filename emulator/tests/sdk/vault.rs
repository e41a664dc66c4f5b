use akv_emulator::{ObjectKind, Route};
use azure_security_keyvault_certificates::models::CertificateClientGetCertificateOptions;
use azure_security_keyvault_secrets::{
    ResourceExt as _,
    models::{SecretClientGetSecretOptions, SecretClientListSecretPropertiesVersionsOptions},
};
use futures::TryStreamExt as _;

use crate::harness::{
    SERVICE_PRINCIPAL, TENANT, VAULT, certificates, emulator, keys, secrets, status_and_code, with_secret,
    workload,
};

#[tokio::test]
async fn a_secret_is_read_with_the_requests_that_azure_would_see() {
    let azure = emulator().await;
    let client = secrets(&azure, workload(&azure));
    let secret =
        client.get_secret("db-password", None).await.expect("it is there").into_model().expect("it parses");
    assert_eq!(secret.value.as_deref(), Some("pa55w0rd"));
    let id = secret.resource_id().expect("it has an id");
    assert_eq!(
        (id.vault_url.as_str(), id.version.as_deref()),
        (VAULT, Some("c81e728d9d4c2f636f067f89cc14862c"))
    );
    let attributes = secret.attributes.expect("it has attributes");
    assert_eq!(attributes.created.map(azure_core::time::OffsetDateTime::unix_timestamp), Some(1_700_000_002));
    assert_eq!(attributes.enabled, Some(true));
    assert_eq!(
        azure.journal().lines(),
        [
            "GET /secrets/db-password/ 401".to_owned(),
            format!("POST /{TENANT}/oauth2/v2.0/token 200"),
            "GET /secrets/db-password/ 200".to_owned(),
        ]
    );
    assert_eq!(azure.journal().connects(), ["lab.vault.azure.net:443", "login.microsoftonline.com:443"]);
}

#[tokio::test]
async fn an_old_version_is_read_by_its_id_whatever_the_case_of_the_name() {
    let azure = emulator().await;
    let client = secrets(&azure, workload(&azure));
    let options = SecretClientGetSecretOptions {
        secret_version: Some("c4ca4238a0b923820dcc509a6f75849b".into()),
        ..Default::default()
    };
    let secret = client.get_secret("DB-Password", Some(options)).await.expect("it is there");
    let secret = secret.into_model().expect("it parses");
    assert_eq!((secret.value.as_deref(), secret.content_type.as_deref()), (Some("old"), Some("text/plain")));
}

#[tokio::test]
async fn a_key_and_a_certificate_are_read() {
    let azure = emulator().await;
    let key = keys(&azure, workload(&azure)).get_key("k", None).await.expect("it is there");
    let key = key.into_model().expect("it parses").key.expect("it has a key");
    assert_eq!(key.kid.as_deref(), Some("https://lab.vault.azure.net/keys/k/0c"));
    assert_eq!(key.n.as_deref(), Some(&[1, 0, 1][..]));
    let client = certificates(&azure, workload(&azure));
    let options = CertificateClientGetCertificateOptions {
        certificate_version: Some("0d".into()),
        ..Default::default()
    };
    let certificate = client.get_certificate("c", Some(options)).await.expect("it is there");
    let certificate = certificate.into_model().expect("it parses");
    assert_eq!(certificate.cer.as_deref(), Some(&[0x30, 3, 2, 1, 0][..]));
    assert_eq!(certificate.sid.as_deref(), Some("https://lab.vault.azure.net/secrets/c/0d"));
    assert_eq!(certificate.x509_thumbprint.map(|hash| hash.len()), Some(20));
}

#[tokio::test]
async fn sixty_versions_are_listed_in_three_pages() {
    let azure = emulator().await;
    let client = secrets(&azure, workload(&azure));
    let pager = client.list_secret_properties_versions("many", None).expect("the name is valid");
    let found: Vec<_> = pager.try_collect().await.expect("every page is there");
    let numbers: Vec<_> = found
        .iter()
        .map(|version| version.resource_id().expect("it has an id").version.expect("and a version"))
        .collect();
    assert_eq!(numbers, (0..60).map(|number| format!("{number:032x}")).collect::<Vec<_>>());
    let listings = Route::vault("lab").path_suffix("/versions").credentials(true);
    assert_eq!(azure.journal().count(&listings), 3);
}

#[tokio::test]
async fn the_page_size_can_be_chosen() {
    let azure = emulator().await;
    let client = secrets(&azure, workload(&azure));
    let options =
        SecretClientListSecretPropertiesVersionsOptions { maxresults: Some(20), ..Default::default() };
    let pager = client.list_secret_properties_versions("many", Some(options)).expect("the name is valid");
    let pages: Vec<_> = pager.into_pages().try_collect().await.expect("every page is there");
    assert_eq!(pages.len(), 3);
}

#[tokio::test]
async fn listing_versions_of_an_unknown_secret_finds_none() {
    let azure = emulator().await;
    let client = secrets(&azure, workload(&azure));
    let pager = client.list_secret_properties_versions("nope", None).expect("the name is valid");
    let found: Vec<_> = pager.try_collect().await.expect("an empty list is an answer");
    assert!(found.is_empty());
}

#[tokio::test]
async fn all_objects_of_a_kind_are_listed_by_name() {
    let azure = emulator().await;
    let pager =
        secrets(&azure, workload(&azure)).list_secret_properties(None).expect("there are no parameters");
    let found: Vec<_> = pager.try_collect().await.expect("the list is there");
    let names: Vec<_> = found.iter().map(|secret| secret.resource_id().expect("it has an id").name).collect();
    assert_eq!(names, ["db-password", "many", "off"]);
}

#[tokio::test]
async fn a_put_secret_is_the_current_one_at_once() {
    let azure = emulator().await;
    let client = secrets(&azure, with_secret(&azure, SERVICE_PRINCIPAL, "s3cr3t~value"));
    let version = azure.vaults().put_secret("lab", "db-password", "rotated");
    let secret =
        client.get_secret("db-password", None).await.expect("it is there").into_model().expect("it parses");
    assert_eq!(secret.value.as_deref(), Some("rotated"));
    assert_eq!(secret.resource_id().expect("it has an id").version, Some(version.clone()));
    azure
        .vaults()
        .set_enabled("lab", ObjectKind::Secret, "db-password", Some(&version), false)
        .expect("it is there");
    let error = client.get_secret("db-password", None).await.expect_err("the newest version is disabled");
    assert_eq!(status_and_code(&error).0, 403);
}

#[tokio::test]
async fn replaced_vaults_are_seen_at_once() {
    let azure = emulator().await;
    let client = secrets(&azure, workload(&azure));
    client.get_secret("db-password", None).await.expect("it is there");
    let other = serde_json::json!({ "lab": { "secrets": { "new": [{ "version": "1", "created": 1, "body": { "value": "v" } }] } } });
    azure.vaults().replace(serde_json::from_value(other).expect("it has the stored form"));
    let error = client.get_secret("db-password", None).await.expect_err("it is gone");
    assert_eq!(status_and_code(&error).0, 404);
    client.get_secret("new", None).await.expect("it is there");
}
