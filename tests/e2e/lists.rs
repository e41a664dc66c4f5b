//! Lists of a vault's objects, as the client of a vault reads them.

use std::{sync::Arc, time::Duration};

use akv_emulator::{Denial, DeniedScope, Fault, ObjectKind, ObjectVersion, Route};
use akv_provider::{
    cloud::CloudEnvironment,
    metrics::Metrics,
    spec::{cloud::CloudName, mount_kind::MountKind, object::ObjectType, principal::Principal},
    transport::ClientFactory,
    vault::{
        CacheSettings, Extent, List, ListedObject, ObjectList, Reader, RepublishCheck, VaultClient,
        VaultError, Vaults,
    },
};
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    time::OffsetDateTime,
};
use serde_json::json;

use crate::harness::Azure;

const SECRETS: List = List { object_type: ObjectType::Secret, max_objects: 2_500, max_pages: 200 };
const WORKLOAD: &str = "cccccccc-0000-0000-0000-000000000002";

/// A token that was issued before.
#[derive(Debug)]
struct Issued(String);

#[async_trait::async_trait]
impl TokenCredential for Issued {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(self.0.clone(), OffsetDateTime::now_utc() + Duration::from_secs(3600)))
    }
}

/// Returns the clients of a number of mounts, of equal principals, at the vault `lab`.
fn clients(azure: &Azure, count: usize) -> Vec<VaultClient> {
    let metrics = Metrics::new(false);
    let factory = ClientFactory { transports: azure.transports(), user_agent: None, metrics };
    let cache = CacheSettings {
        republish_max_age: Duration::ZERO,
        object_cache_ttl: Duration::ZERO,
        republish_check: RepublishCheck::Get,
    };
    let vaults = Vaults::new(&factory, cache);
    let endpoint = CloudEnvironment::named(CloudName::Public).vault(&"lab".parse().unwrap());
    let token = azure.access_token(WORKLOAD, "https://vault.azure.net", Duration::from_secs(3600));
    let credential: Arc<dyn TokenCredential> = Arc::new(Issued(token));
    let reader = Reader {
        principal: Some(Principal::new("https://login.microsoftonline.com/", "t", "o")),
        kind: MountKind::Initial,
        namespace: "shop".into(),
        began: tokio::time::Instant::now(),
        renewed: None,
    };
    let client = |_| vaults.connect(&endpoint, credential.clone(), reader.clone()).unwrap();
    (0..count).map(client).collect()
}

async fn list(azure: &Azure, list: List) -> Result<Arc<ObjectList>, Arc<VaultError>> {
    clients(azure, 1)[0].list(list).await
}

fn pages(azure: &Azure, collection: &str) -> usize {
    azure.journal().count(&Route::vault("lab").path(&format!("/{collection}")).credentials(true))
}

fn names(list: &ObjectList) -> Vec<&str> {
    list.objects.iter().map(|object| object.name.as_str()).collect()
}

#[tokio::test]
async fn a_list_comes_in_pages_of_25_without_deleted_objects() {
    let (azure, mut expected) = Azure::with_numbered_secrets(60).await;
    azure.vaults().set_enabled("lab", ObjectKind::Secret, "secret-7", None, false).unwrap();
    azure.vaults().delete("lab", ObjectKind::Secret, "secret-8").unwrap();
    expected.retain(|name| name != "secret-8");
    expected.sort();

    let found = list(&azure, SECRETS).await.unwrap();

    assert_eq!(names(&found), expected);
    assert_eq!((found.extent, found.pages, pages(&azure, "secrets")), (Extent::Whole, 3, 3));
    let is_disabled = |object: &&ListedObject| object.properties.lifecycle.enabled == Some(false);
    let disabled: Vec<_> = found.objects.iter().filter(is_disabled).map(|object| &object.name).collect();
    assert_eq!(disabled, [&"secret-7".parse().unwrap()]);

    azure.vaults().recover("lab", ObjectKind::Secret, "secret-8").unwrap();
    assert_eq!(list(&azure, SECRETS).await.unwrap().objects.len(), 60);
}

#[tokio::test]
async fn a_list_shows_the_attributes_of_the_newest_version() {
    let azure = Azure::with_secrets(&[]).await;
    let body = |body| serde_json::Value::as_object(&body).cloned().unwrap();
    let old = json!({ "value": "v", "contentType": "old", "tags": { "old": "yes" } });
    let new =
        json!({ "value": "v", "contentType": "text/plain", "tags": { "env": "prod" }, "managed": true });
    let version = |id, created, content| ObjectVersion {
        updated: Some(created + 5),
        not_before: Some(7),
        expires: Some(4_000_000_000),
        ..ObjectVersion::new(id, created, content)
    };
    let vaults = azure.vaults();
    vaults.put_version("lab", ObjectKind::Secret, "s", version("0b", 1_700_000_010, body(new)));
    vaults.put_version("lab", ObjectKind::Secret, "s", version("0a", 1_700_000_000, body(old)));
    let key = json!({ "key": { "kty": "EC" }, "managed": true, "tags": { "k": "v" } });
    vaults.put_version("lab", ObjectKind::Key, "k", version("0c", 1_700_000_000, body(key)));
    let certificate = json!({ "cer": "MAMCAQA=", "tags": { "c": "d" } });
    vaults.put_version("lab", ObjectKind::Certificate, "c", version("0d", 1_700_000_000, body(certificate)));

    let mut found = Vec::new();
    for object_type in [ObjectType::Secret, ObjectType::Key, ObjectType::Certificate] {
        let list = list(&azure, List { object_type, ..SECRETS }).await.unwrap();
        assert_eq!((list.objects.len(), list.extent), (1, Extent::Whole), "{object_type}");
        found.push(list.objects[0].clone());
    }

    let [secret, key, certificate] = found.try_into().unwrap();
    let seconds = |time: Option<OffsetDateTime>| time.map(OffsetDateTime::unix_timestamp);
    let of_secret = secret.properties.lifecycle;
    assert_eq!(secret.properties.id, "https://lab.vault.azure.net/secrets/s");
    assert_eq!(seconds(of_secret.created), Some(1_700_000_010));
    assert_eq!(seconds(of_secret.updated), Some(1_700_000_015));
    assert_eq!(seconds(of_secret.not_before), Some(7));
    assert_eq!(seconds(of_secret.expires), Some(4_000_000_000));
    assert_eq!(of_secret.enabled, Some(true));
    assert_eq!(secret.properties.content_type.as_deref(), Some("text/plain"));
    assert_eq!(secret.properties.tags, [("env".to_owned(), "prod".to_owned())].into());
    assert_eq!((secret.properties.managed, key.properties.managed), (Some(true), Some(true)));
    assert_eq!(key.properties.tags, [("k".to_owned(), "v".to_owned())].into());
    assert_eq!(certificate.properties.tags, [("c".to_owned(), "d".to_owned())].into());
    assert_eq!((key.name.as_str(), certificate.name.as_str()), ("k", "c"));
    assert_eq!((pages(&azure, "keys"), pages(&azure, "certificates")), (1, 1));
}

#[tokio::test]
async fn the_caller_bounds_the_pages_of_a_list() {
    let (azure, _) = Azure::with_numbered_secrets(60).await;
    for (max_objects, max_pages, objects, requests, extent) in [
        (2_500, 1, 25, 1, Extent::Beginning),
        (2_500, 2, 50, 2, Extent::Beginning),
        (2_500, 3, 60, 3, Extent::Whole),
        (60, 200, 60, 3, Extent::Whole),
        (59, 200, 59, 3, Extent::Beginning),
        (20, 200, 20, 1, Extent::Beginning),
    ] {
        azure.journal().clear();
        let found = list(&azure, List { max_objects, max_pages, ..SECRETS }).await.unwrap();
        let seen = (found.objects.len(), pages(&azure, "secrets"), found.extent);
        assert_eq!(seen, (objects, requests, extent), "{max_objects} objects, {max_pages} pages");
    }
}

#[tokio::test]
async fn equal_lists_of_concurrent_mounts_are_one() {
    let (azure, _) = Azure::with_numbered_secrets(60).await;
    let lists = clients(&azure, 50).into_iter().map(|client| client.list(SECRETS));
    let found = futures::future::join_all(lists.collect::<Vec<_>>()).await;
    assert!(found.iter().all(|list| list.as_ref().is_ok_and(|list| list.objects.len() == 60)));
    assert_eq!(pages(&azure, "secrets"), 3);
}

#[tokio::test]
async fn a_page_that_is_throttled_is_requested_again() {
    let (azure, _) = Azure::with_numbered_secrets(60).await;
    let second = Route::vault("lab").credentials(true).matching(|head| head.query.contains("skiptoken"));
    azure.faults().inject_times(1, second, Fault::throttled(0));
    let found = list(&azure, SECRETS).await.unwrap();
    assert_eq!((found.objects.len(), found.pages, pages(&azure, "secrets")), (60, 3, 4));
}

#[tokio::test]
async fn a_list_without_the_permission_is_forbidden() {
    let (azure, _) = Azure::with_numbered_secrets(1).await;
    azure.directory().update(|directory| {
        let (principal, vault) = (WORKLOAD.to_owned(), "lab".to_owned());
        directory.denials.push(Denial { principal, vault, scope: DeniedScope::Lists });
    });
    let error = list(&azure, SECRETS).await.unwrap_err();
    assert!(matches!(*error, VaultError::Forbidden(_)), "{error}");
}

#[tokio::test]
async fn a_next_page_elsewhere_or_the_same_page_again_ends_the_list() {
    let (azure, _) = Azure::with_numbered_secrets(1).await;
    let lists = || Route::vault("lab").path("/secrets").credentials(true);
    let body = |body: &str| Fault::InvalidBody {
        content_type: "application/json".to_owned(),
        body: body.to_owned().into(),
    };
    let elsewhere = r#"{"value":[],"nextLink":"https://evil.vault.azure.net/secrets?api-version=7.6"}"#;
    azure.faults().inject(lists(), body(elsewhere));
    list(&azure, SECRETS).await.unwrap_err();
    let evil = Route::any().matching(|head| head.host.contains("evil"));
    assert_eq!(azure.journal().count(&evil), 0, "{:?}", azure.journal().lines());
    azure.faults().clear();

    let again = r#"{"value":[{"id":"https://lab.vault.azure.net/secrets/a"}],
        "nextLink":"https://lab.vault.azure.net/secrets?api-version=7.6&$skiptoken=AAAA"}"#;
    azure.faults().inject(lists(), body(again));
    let error = list(&azure, SECRETS).await.unwrap_err();
    assert!(matches!(*error, VaultError::RepeatedObject(_)), "{error}");
    azure.faults().clear();

    azure.journal().clear();
    let empty =
        r#"{"value":[],"nextLink":"https://lab.vault.azure.net/secrets?api-version=7.6&$skiptoken=AAAA"}"#;
    azure.faults().inject(lists(), body(empty));
    let found = list(&azure, List { max_pages: 20, ..SECRETS }).await.unwrap();
    assert_eq!((found.extent, pages(&azure, "secrets")), (Extent::Beginning, 20));
}
