//! Which pods share an Entra token, and for how long.

use std::time::Duration;

use akv_emulator::{Fault, Federation, Route, Service};
use futures::future::join_all;
use serde_json::json;
use tonic::Code;

use super::{Fixture, TOKENS, issuer_requests};
use crate::harness::{Azure, MountCall, Provider};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_pods_of_one_subject_at_once_make_one_exchange() {
    let fixture = Fixture::start().await;
    let mounts = (0..50).map(|_| fixture.mount_web());
    join_all(mounts).await;
    assert_eq!(fixture.exchanges(), 1);
    fixture.mount_web().await;
    assert_eq!(fixture.exchanges(), 1, "a later pod shares the token too");
}

#[tokio::test]
async fn each_subject_has_an_exchange_of_its_own() {
    let fixture = Fixture::start().await;
    let accounts: Vec<String> = (0..10).map(|number| format!("app-{number}")).collect();
    fixture.azure.directory().update(|directory| {
        let federations = accounts.iter().map(|account| Federation::service_account("shop", account));
        directory.applications[0].federations.extend(federations);
    });
    let mount = |account: &String| {
        let claims = fixture.claims_with("sub", format!("system:serviceaccount:shop:{account}"));
        async { fixture.mount(&{ claims }).await.unwrap() }
    };
    join_all(accounts.iter().chain(&accounts).map(mount)).await;
    assert_eq!(fixture.exchanges(), 10);
}

#[tokio::test]
async fn without_the_flag_each_token_is_exchanged_and_no_issuer_is_asked() {
    for settings in [None, Some(Duration::ZERO)] {
        let azure = Azure::with_secrets(&[("a", "1")]).await;
        let fixture = Fixture::start_without_keys(azure, |proofs| match settings {
            None => proofs.issuers.clear(),
            Some(max_age) => proofs.max_age = max_age,
        });
        for _ in 0..3 {
            fixture.mount_web().await;
        }
        assert_eq!(fixture.exchanges(), 3);
        assert_eq!(fixture.azure.journal().count(&issuer_requests()), 0);
        assert!(!fixture.provider.metrics().await.contains("akv_identity_proofs_total{"));
    }
}

#[tokio::test]
async fn flags_turn_proofs_on() {
    let azure = Azure::with_secrets(&[("a", "1")]).await;
    let flags = ["--service-account-issuer=https://oidc.localhost", "--identity-proof-max-age=5m"];
    let provider = Provider::start_with(&azure, &flags.map(str::to_owned));
    azure.journal().wait_for_route(2, &issuer_requests()).await;
    provider.driver().mount(&MountCall::of_secrets(&azure, &["a"])).await.unwrap();
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 1);
}

#[tokio::test]
async fn a_token_older_than_the_max_age_is_exchanged_anew() {
    let fixture = Fixture::start_changed(|proofs| proofs.max_age = Duration::from_nanos(1)).await;
    let first = fixture.pod(&fixture.token(&fixture.claims()));
    for _ in 0..2 {
        // The pod's own token was exchanged itself, and so serves the pod as it does without proofs.
        fixture.driver.mount(&first).await.unwrap();
    }
    assert_eq!(fixture.exchanges(), 1);
    fixture.mount_web().await;
    fixture.mount_web().await;
    assert_eq!(fixture.exchanges(), 3);
}

#[tokio::test]
async fn a_removed_federated_credential_counts_after_the_max_age() {
    for (max_age, is_shared) in [(Duration::from_secs(600), true), (Duration::from_nanos(1), false)] {
        let fixture = Fixture::start_changed(|proofs| proofs.max_age = max_age).await;
        fixture.mount_web().await;
        fixture.azure.directory().update(|directory| directory.applications[0].federations.clear());
        let mounted = fixture.mount(&fixture.claims()).await;
        assert_eq!(mounted.is_ok(), is_shared, "{max_age:?}");
        if let Err(status) = mounted {
            assert!(status.message().starts_with("[AKV-NoFederatedCredential] "), "{status}");
        }
    }
}

#[tokio::test]
async fn a_token_that_nears_its_end_is_not_shared() {
    for (lifetime, exchanges) in [(590, 2), (700, 1)] {
        let fixture = Fixture::start().await;
        let lifetime = Duration::from_secs(lifetime);
        fixture.azure.directory().update(|directory| directory.token_lifetime = lifetime);
        fixture.mount_web().await;
        fixture.mount_web().await;
        assert_eq!(fixture.exchanges(), exchanges, "{lifetime:?}");
    }
}

#[tokio::test]
async fn another_client_has_an_exchange_of_its_own() {
    let fixture = Fixture::start().await;
    fixture.mount_web().await;
    let token = fixture.token(&fixture.claims());
    let other = fixture.pod(&token).with("clientID", "eeeeeeee-0000-0000-0000-000000000004");
    let status = fixture.driver.mount(&other).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    assert!(fixture.exchanges() >= 2);
    let elsewhere = fixture.pod(&token).with("tenantId", "22222222-2222-3333-4444-555555555555");
    let status = fixture.driver.mount(&elsewhere).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
}

#[tokio::test]
async fn identity_binding_and_pod_identity_share_nothing_by_proof() {
    let fixture = Fixture::start().await;
    let audience = "api://AKSIdentityBinding";
    for _ in 0..2 {
        let token = fixture.token(&fixture.claims_with("aud", json!([audience])));
        let tokens = json!({ audience: { "token": token } }).to_string();
        let bound = MountCall::of_secrets(&fixture.azure, &["a"]).with("useAzureTokenProxy", "true");
        fixture.driver.mount(&bound.with(TOKENS, &tokens).of_another_pod()).await.unwrap();
        let named = MountCall::of("- objectName: a\n  objectType: secret\n").with("usePodIdentity", "true");
        fixture.driver.mount(&named.of_another_pod()).await.unwrap();
    }
    let requests = |service| fixture.azure.journal().count(&Route::service(service));
    assert_eq!((requests(Service::TokenProxy), requests(Service::Nmi)), (2, 2));
    assert!(!fixture.provider.metrics().await.contains("akv_identity_proofs_total{"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_token_that_the_vault_refuses_is_renewed_once() {
    for status in [401, 403] {
        let fixture = Fixture::start().await;
        let first = fixture.pod(&fixture.token(&fixture.claims()));
        fixture.driver.mount(&first).await.unwrap();
        let refused = fixture.azure.faults().inject_times(
            1,
            Route::vault("lab").credentials(true),
            Fault::status(status),
        );
        join_all((0..10).map(|_| fixture.mount_web())).await;
        assert_eq!(fixture.azure.faults().hits(refused), 1, "{status}");
        assert_eq!(fixture.exchanges(), 2, "{status}");
        fixture.mount_web().await;
        fixture.driver.mount(&first.of_another_pod()).await.unwrap();
        assert_eq!(fixture.exchanges(), 2, "{status}: later pods share the new token");
    }
}

#[tokio::test]
async fn a_vault_that_refuses_each_shared_token_fails_the_mount_after_one_renewal() {
    let fixture = Fixture::start().await;
    fixture.mount_web().await;
    fixture.azure.faults().inject(Route::vault("lab").credentials(true), Fault::status(401));
    let status = fixture.mount(&fixture.claims()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    assert_eq!(fixture.exchanges(), 2);
}
