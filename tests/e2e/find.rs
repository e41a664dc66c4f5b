//! Entries that find objects in the vault's list: what they cost, what they follow, and how they fail.

use std::time::Duration;

use akv_emulator::{
    Denial, DeniedScope, Fault, ObjectKind, Route,
    fixtures::{BundleFormat, CertificateFixture, ChainOrder, KeyKind},
};
use akv_provider::transport::Timeouts;
use futures::future::join_all;
use serde_json::json;
use tonic::Code;

use crate::harness::{Azure, MountCall, Mounted, Provider};

const WORKLOAD: &str = "cccccccc-0000-0000-0000-000000000002";

fn lists() -> Route {
    Route::vault("lab").path("/secrets").credentials(true)
}

fn reads(name: &str) -> Route {
    Route::vault("lab").path_prefix(&format!("/secrets/{name}")).credentials(true)
}

fn call(azure: &Azure, objects: &str) -> MountCall {
    MountCall::of(objects).workload(azure).of_another_pod()
}

async fn mount(azure: &Azure, objects: &str) -> Result<Mounted, tonic::Status> {
    Provider::start(azure).driver().mount(&call(azure, objects)).await
}

fn forbidden(inner: &str) -> Fault {
    let body = json!({ "error": { "code": "Forbidden", "message": "m", "innererror": { "code": inner } } });
    Fault::Status { code: 403, retry_after: None, body: Some(body.to_string()) }
}

fn not_found() -> Fault {
    let body = json!({ "error": { "code": "SecretNotFound", "message": "m" } });
    Fault::Status { code: 404, retry_after: None, body: Some(body.to_string()) }
}

#[tokio::test]
async fn a_find_costs_a_page_for_each_25_listed_and_a_read_for_each_found() {
    let (azure, _) = Azure::with_numbered_secrets(60).await;
    let objects = "- {objectType: secret, find: {name: secret-1*}}\n- {objectType: secret, find: {name: {regexp: '-5$'}}, objectAlias: x}";
    let mounted = mount(&azure, objects).await.unwrap();
    let expected: Vec<_> = ["1", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19"]
        .map(|n| format!("secret-{n}"))
        .into();
    assert_eq!(mounted.paths()[..11], expected);
    assert_eq!(mounted.paths()[11..], ["x/secret-5"]);
    assert_eq!(azure.journal().count(&lists()), 3, "both finds share the list");
    assert_eq!(azure.journal().count(&reads("")), 12);
}

#[tokio::test]
async fn fifty_pods_share_a_list_whatever_they_search_for() {
    let (azure, _) = Azure::with_numbered_secrets(60).await;
    let provider = Provider::start(&azure);
    // The vault has accepted a token, and the token is known.
    let before = call(&azure, "- {objectName: secret-0, objectType: secret}");
    provider.driver().mount(&before).await.unwrap();
    azure.journal().clear();
    azure.latency().set_for(lists(), Duration::from_millis(300));
    let mounts = (0..50).map(|pod| {
        let objects = format!("- {{objectType: secret, find: {{name: 'secret-{}'}}}}", pod % 10);
        let (driver, call) = (provider.driver(), call(&azure, &objects));
        async move { driver.mount(&call).await.unwrap().paths().len() }
    });
    assert_eq!(join_all(mounts.collect::<Vec<_>>()).await, [1; 50]);
    assert_eq!(azure.journal().count(&lists()), 3, "{:?}", azure.journal().lines());
}

#[tokio::test]
async fn a_republish_finds_new_secrets_and_drops_those_that_are_gone() {
    let azure = Azure::with_secrets(&[("shop-a", "1"), ("shop-b", "2"), ("web", "3")]).await;
    let provider =
        Provider::start_changed(&azure, |config| config.mounts.cache.republish_max_age = Default::default());
    let call = call(&azure, "- {objectType: secret, find: {name: shop-*}, optional: true}");
    let paths = async || {
        let mounted = provider.driver().mount(&call).await.unwrap();
        mounted.paths().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(paths().await, ["shop-a", "shop-b"]);
    azure.vaults().put_secret("lab", "shop-c", "4");
    azure.vaults().delete("lab", ObjectKind::Secret, "shop-a").unwrap();
    assert_eq!(paths().await, ["shop-b", "shop-c"]);
    azure.vaults().set_enabled("lab", ObjectKind::Secret, "shop-c", None, false).unwrap();
    azure.vaults().purge("lab", ObjectKind::Secret, "shop-b");
    let empty = provider.driver().mount(&call).await.unwrap();
    assert_eq!(empty.paths(), [".absent"]);
    assert_eq!(empty.versions, [("secret/*".to_owned(), "absent".to_owned())]);
    azure.vaults().recover("lab", ObjectKind::Secret, "shop-a").unwrap();
    assert_eq!(paths().await, ["shop-a"]);
}

#[tokio::test]
async fn a_kept_list_serves_republishes_for_as_long_as_kept_values() {
    let (azure, _) = Azure::with_numbered_secrets(30).await;
    let provider = Provider::start(&azure);
    let call = call(&azure, "- {objectType: secret, find: {name: secret-1}}");
    for lists_so_far in [2, 2, 2] {
        provider.driver().mount(&call).await.unwrap();
        assert_eq!(azure.journal().count(&lists()), lists_so_far);
    }
    let another = call.of_another_pod();
    provider.driver().mount(&another).await.unwrap();
    assert_eq!(azure.journal().count(&lists()), 4, "a new pod sees what there is now");
}

#[tokio::test]
async fn listed_and_found_objects_are_bounded() {
    let (azure, _) = Azure::with_numbered_secrets(250).await;
    let all = "- {objectType: secret, find: {name: '*'}}";
    assert_eq!(mount(&azure, all).await.unwrap().paths().len(), 250);
    azure.vaults().put_secret("lab", "secret-250", "x");
    azure.journal().clear();
    let status = mount(&azure, all).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().starts_with("[AKV-TooManyFound] cannot read secret/* (objects[0])"), "{status}");
    assert!(status.message().contains("more than 250 objects; narrow find"), "{status}");
    assert_eq!(azure.journal().count(&reads("")), 0);

    for number in 251..2_500 {
        azure.vaults().put_secret("lab", &format!("secret-{number}"), "x");
    }
    let few = "- {objectType: secret, find: {name: secret-?}}";
    assert_eq!(mount(&azure, few).await.unwrap().paths().len(), 10);
    azure.vaults().put_secret("lab", "secret-2500", "x");
    azure.journal().clear();
    let status = mount(&azure, few).await.unwrap_err();
    assert!(status.message().starts_with("[AKV-TooManyFound]"), "{status}");
    assert!(status.message().contains("more than 2500 objects of type secret"), "{status}");
    assert_eq!(azure.journal().count(&lists()), 101);
}

#[tokio::test]
async fn a_find_without_a_match_fails_unless_it_is_optional() {
    let azure = Azure::with_secrets(&[("db", "x")]).await;
    let status = mount(&azure, "- {objectType: secret, find: {name: nope-*}}").await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(
        status.message().starts_with(
            "[AKV-NothingFound] cannot read secret/* (objects[0]) from vault lab: no enabled object meets the conditions of find; \
             correct find, or set optional: true"
        ),
        "{status}"
    );
    let objects = "- {objectType: secret, find: {name: nope-*}, optional: true}\n- {objectName: db, objectType: secret}\n- \
                   {objectType: key, find: {name: '*'}, optional: true}";
    let mounted = mount(&azure, objects).await.unwrap();
    assert_eq!(mounted.paths(), ["db"]);
    let ids: Vec<_> = mounted.versions.iter().map(|(id, version)| (id.as_str(), version.len())).collect();
    assert_eq!(ids, [("secret/db", 32), ("secret/*", 6), ("key/*", 6)]);
}

#[tokio::test]
async fn an_object_that_goes_between_list_and_read_is_passed_over() {
    let azure = Azure::with_secrets(&[("a", "1"), ("b", "2")]).await;
    let all = "- {objectType: secret, find: {name: '*'}}";
    azure.faults().inject(reads("a"), not_found());
    assert_eq!(mount(&azure, all).await.unwrap().paths(), ["b"]);
    azure.faults().clear();
    azure.faults().inject(reads("a"), forbidden("SecretDisabled"));
    assert_eq!(mount(&azure, all).await.unwrap().paths(), ["b"]);
    azure.faults().inject(reads("b"), not_found());
    let status = mount(&azure, all).await.unwrap_err();
    assert!(status.message().starts_with("[AKV-NothingFound]"), "{status}");
    azure.faults().clear();
    azure.faults().inject(reads("a"), forbidden("ForbiddenByRbac"));
    let status =
        mount(&azure, "- {objectType: secret, find: {name: '*'}, optional: true}").await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    assert!(status.message().contains("cannot read secret/a from vault lab"), "{status}");
}

#[tokio::test]
async fn a_list_without_the_permission_says_what_find_needs() {
    let azure = Azure::with_secrets(&[("a", "1")]).await;
    azure.directory().update(|directory| {
        let (principal, vault) = (WORKLOAD.to_owned(), "lab".to_owned());
        directory.denials.push(Denial { principal, vault, scope: DeniedScope::Lists });
    });
    let all = "- {objectType: secret, find: {name: '*'}, optional: true}";
    let status = mount(&azure, all).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    for words in [
        "[AKV-ForbiddenByRbac] cannot read secret/* (objects[0]) from vault lab: cannot list the vault: ",
        "find lists the vault: grant the role Key Vault Secrets User on vault lab to object id ",
    ] {
        assert!(status.message().contains(words), "{status}");
    }
    azure.faults().inject(lists(), forbidden("AccessDenied"));
    let status = mount(&azure, all).await.unwrap_err();
    assert!(status.message().starts_with("[AKV-ForbiddenByPolicy]"), "{status}");
    assert!(status.message().contains(": secret list, which find needs, and get"), "{status}");
}

#[tokio::test]
async fn a_list_that_refuses_the_token_is_requested_with_a_new_one() {
    let (azure, _) = Azure::with_numbered_secrets(30).await;
    azure.faults().inject_times(1, lists(), Fault::status(401));
    let mounted = mount(&azure, "- {objectType: secret, find: {name: secret-2}}").await.unwrap();
    assert_eq!(mounted.paths(), ["secret-2"]);
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 2);
    assert_eq!(azure.journal().count(&lists()), 3);
}

#[tokio::test]
async fn found_files_that_collide_name_both_owners() {
    let azure = Azure::with_secrets(&[("a-x", "1"), ("b-x", "2"), ("c", "3")]).await;
    let objects = "- {objectType: secret, find: {name: '*-x'}, rewrite: [{regexp: {source: '^[ab]-', target: ''}}]}\n\
                   - {objectName: c, objectType: secret, objectAlias: x/c}";
    let status = mount(&azure, objects).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().starts_with("[AKV-FileClash]"), "{status}");
    for words in ["secret/b-x", "its file \"x\" is also that of secret/a-x", "secret/c"] {
        assert!(status.message().contains(words), "{status}");
    }
}

#[tokio::test]
async fn an_object_of_two_finds_is_written_by_both_and_read_once() {
    let azure = Azure::with_secrets(&[("a", "1"), ("ab", "2")]).await;
    let objects = "- {objectType: secret, find: {name: 'a*'}, objectAlias: all}\n- {objectType: secret, find: {name: '?'}, \
                   objectAlias: short}\n- {objectType: secret, find: {name: '*b'}, objectAlias: all}";
    let mounted = mount(&azure, objects).await.unwrap();
    assert_eq!(mounted.paths(), ["all/a", "all/ab", "short/a", "all/ab"]);
    assert_eq!(mounted.versions.len(), 2, "{:?}", mounted.versions);
    assert_eq!(azure.journal().count(&reads("")), 2);
}

#[tokio::test]
async fn a_rewritten_name_that_is_no_path_fails_before_anything_is_read() {
    let azure = Azure::with_secrets(&[("a", "1")]).await;
    let objects =
        "- {objectType: secret, find: {name: '*'}, rewrite: [{regexp: {source: '^', target: ../}}]}";
    let status = mount(&azure, objects).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().contains("secret/a"), "{status}");
    assert!(
        status.message().contains("its path \"../a\" must not contain \"..\"; change rewrite"),
        "{status}"
    );
    assert_eq!(azure.journal().count(&reads("")), 0);
}

#[tokio::test]
async fn the_second_vault_is_listed_where_the_first_cannot_be_reached() {
    for fault in [Fault::status(503), Fault::Hang] {
        let azure = Azure::with_secrets(&[("a", "lab"), ("b", "lab")]).await;
        azure.vaults().put_secret("spare", "a", "spare");
        azure.faults().inject(lists(), fault.clone());
        let budget = Duration::from_secs(6);
        let transports = azure.transports_with(Timeouts::within(budget));
        let provider =
            Provider::start_over_changed(&azure, transports, |config| config.mounts.budget = budget);
        let call = call(&azure, "- {objectType: secret, find: {name: '*'}}").with("failoverVault", "spare");
        let mounted = provider.driver().mount(&call).await.unwrap();
        assert_eq!((mounted.paths(), mounted.text("a")), (vec!["a"], "spare"), "{fault:?}");
        assert_eq!(mounted.versions[0].0, "spare/secret/a");
    }
}

#[tokio::test]
async fn passwords_of_found_stores_are_read_and_not_found() {
    let azure = Azure::with_secrets(&[("store-password", "correct horse")]).await;
    let fixture = CertificateFixture::generate("web.example", KeyKind::P256).unwrap();
    for name in ["web", "api"] {
        let (format, order) = (BundleFormat::Pfx, ChainOrder::Shuffled);
        azure.vaults().put_certificate("lab", name, &fixture, format, order).unwrap();
    }
    let objects = "- {objectType: secret, find: {name: '*', managed: true}, objectAlias: tls, outputs: [{objectAlias: key.p12, \
                   content: keystore, passwordObject: store-password}, {objectAlias: tls.crt, content: fullChain}]}";
    let mounted = mount(&azure, objects).await.unwrap();
    let expected = ["tls/api/key.p12", "tls/api/tls.crt", "tls/web/key.p12", "tls/web/tls.crt"];
    assert_eq!(mounted.paths(), expected);
    assert_eq!(azure.journal().count(&reads("store-password")), 1);
    let ids: Vec<_> = mounted.versions.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["secret/api", "secret/web"]);
}
