//! Token renewal after a refusal: one new token for all mounts of a principal, and no more.

use std::time::Duration;

use akv_emulator::{Fault, Route, Service};
use data_encoding::BASE64;
use futures::future::join_all;
use serde_json::json;
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

fn reads() -> Route {
    Route::service(Service::Vault).credentials(true)
}

fn tokens() -> Route {
    Route::token_endpoint()
}

/// Mounts as another identity. The vault has then accepted a token, so that as many mounts run as one vault may have.
async fn accept_a_token(azure: &Azure, provider: &Provider) {
    azure.vaults().put_secret("lab", "other", "x");
    let call = MountCall::of("- objectName: other\n  objectType: secret\n").with_secrets(&[
        ("clientid", "dddddddd-0000-0000-0000-000000000003"),
        ("clientsecret", "s3cr3t~value"),
    ]);
    provider.driver().mount(&call).await.unwrap();
}

/// Returns pods of one service account, each with its own token.
fn replicas(azure: &Azure, count: u64, objects: &[&str]) -> Vec<MountCall> {
    let audience = "api://AzureADTokenExchange";
    let call = MountCall::of_secrets(azure, objects);
    let replica = |pod| {
        let token = azure.service_account_token("default", "app", audience, Duration::from_secs(3_600 + pod));
        let tokens = json!({ audience: { "token": token } }).to_string();
        call.of_another_pod().with("csi.storage.k8s.io/serviceAccount.tokens", &tokens)
    };
    (0..count).map(replica).collect()
}

#[tokio::test]
async fn a_new_token_that_the_vault_refuses_is_renewed_once() {
    let azure = Azure::with_secrets(&[("a", "1"), ("b", "2")]).await;
    let provider = Provider::start(&azure);
    azure.faults().inject_times(1, reads(), Fault::status(401));
    let mounted = provider.driver().mount(&MountCall::of_secrets(&azure, &["a", "b"])).await.unwrap();
    assert_eq!((mounted.text("a"), mounted.text("b")), ("1", "2"));
    assert_eq!(azure.journal().count(&tokens()), 2);
    assert_eq!(azure.journal().count(&reads()), 3, "only what was refused is read again");
}

#[tokio::test]
async fn a_vault_that_refuses_every_token_fails_the_mount_after_one_renewal() {
    let azure = Azure::with_secrets(&[("a", "1")]).await;
    let provider = Provider::start(&azure);
    azure.faults().inject(reads(), Fault::status(401));
    let call = MountCall::of_secrets(&azure, &["a"]);
    let status = provider.driver().mount(&call).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    assert!(status.message().contains("AKV-VaultRefusedToken"), "{status}");
    assert_eq!((azure.journal().count(&tokens()), azure.journal().count(&reads())), (2, 2));
    // Each try of kubelet may renew the token once, whatever came before.
    provider.driver().mount(&call).await.unwrap_err();
    assert_eq!((azure.journal().count(&tokens()), azure.journal().count(&reads())), (3, 4));
    azure.faults().clear();
    provider.driver().mount(&call).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_are_denied_share_their_reads_and_one_new_token() {
    let (azure, names) = Azure::with_numbered_secrets(20).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    azure.directory().revoke_all("cccccccc-0000-0000-0000-000000000002");
    let provider = Provider::start(&azure);
    let calls = replicas(&azure, 40, &names);
    let driver = &provider.driver();
    // Two rounds of 20 reads, and more for a mount that begins while others end.
    for (attempt, most_tokens, most_reads) in [(1, 42, 85), (2, 2, 45), (3, 2, 45)] {
        if attempt > 1 {
            // Nothing waits for a token now. The vault is so far away that all mounts begin before it answers.
            azure.latency().set_for(self::reads(), Duration::from_secs(2));
        }
        azure.journal().clear();
        for result in join_all(calls.iter().map(|call| driver.mount(call))).await {
            assert_eq!(result.unwrap_err().code(), Code::PermissionDenied);
        }
        let (tokens, reads) = (azure.journal().count(&tokens()), azure.journal().count(&reads()));
        assert!(tokens <= most_tokens, "attempt {attempt}: {tokens} tokens");
        assert!(reads <= most_reads, "attempt {attempt}: {reads} reads");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_of_the_nodes_identity_that_are_denied_share_one_token() {
    let (azure, names) = Azure::with_numbered_secrets(20).await;
    let entry = |name: &String| format!("- objectName: {name}\n  objectType: secret\n");
    let call =
        MountCall::of(&names.iter().map(entry).collect::<String>()).with("useVMManagedIdentity", "true");
    let provider = Provider::start(&azure);
    accept_a_token(&azure, &provider).await;
    azure.faults().inject(reads(), Fault::status(403));
    azure.latency().set_for(reads(), Duration::from_secs(2));
    let calls: Vec<_> = (0..40).map(|_| call.of_another_pod()).collect();
    let driver = &provider.driver();
    for attempt in 1..=3 {
        azure.journal().clear();
        for result in join_all(calls.iter().map(|call| driver.mount(call))).await {
            assert_eq!(result.unwrap_err().code(), Code::PermissionDenied);
        }
        let (tokens, reads) =
            (azure.journal().count(&Route::service(Service::Imds)), azure.journal().count(&reads()));
        assert!(tokens <= 2 && reads <= 45, "attempt {attempt}: {tokens} requests to IMDS, {reads} reads");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_whose_tokens_were_revoked_share_one_new_token() {
    let (azure, names) = Azure::with_numbered_secrets(5).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let provider = Provider::start(&azure);
    let calls = replicas(&azure, 10, &names);
    let driver = &provider.driver();
    for result in join_all(calls.iter().map(|call| driver.mount(call))).await {
        result.unwrap();
    }
    azure.journal().clear();
    // For the vault the tokens have long expired, for the provider they have not.
    azure.clock().advance(Duration::from_secs(3_000));
    let refused = azure.faults().inject_times(5, reads(), Fault::status(401));
    let calls: Vec<_> = calls.iter().map(MountCall::of_another_pod).collect();
    for result in join_all(calls.iter().map(|call| driver.mount(call))).await {
        result.unwrap();
    }
    assert_eq!(azure.faults().hits(refused), 5);
    assert_eq!(azure.journal().count(&tokens()), 1);
}

#[tokio::test]
async fn a_token_of_the_nodes_identity_is_not_renewed_after_a_refusal() {
    for status in [401, 403] {
        let azure = Azure::with_secrets(&[("a", "1")]).await;
        let provider = Provider::start(&azure);
        azure.faults().inject(reads(), Fault::status(status));
        let objects = "- objectName: a\n  objectType: secret\n";
        let call = MountCall::of(objects).with("useVMManagedIdentity", "true");
        for _ in 0..3 {
            provider.driver().mount(&call.of_another_pod()).await.unwrap_err();
        }
        assert_eq!(azure.journal().count(&Route::service(Service::Imds)), 1, "{status}");
        assert_eq!(azure.journal().count(&reads()), 3, "{status}");
    }
}

fn more_claims(claims: &str) -> Fault {
    Fault::Challenge(format!(
        "Bearer authorization=\"https://login.microsoftonline.com/t\", resource=\"https://vault.azure.net\", \
         error=\"insufficient_claims\", claims=\"{claims}\""
    ))
}

#[tokio::test]
async fn a_claims_challenge_gets_a_token_with_the_claims() {
    let azure = Azure::with_secrets(&[("a", "1")]).await;
    let provider = Provider::start(&azure);
    let claims = json!({"access_token": {"nbf": {"essential": true, "value": "1604106651"}}}).to_string();
    azure.faults().inject_times(1, reads(), more_claims(&BASE64.encode(claims.as_bytes())));
    let mounted = provider.driver().mount(&MountCall::of_secrets(&azure, &["a"])).await.unwrap();
    assert_eq!(mounted.text("a"), "1");
    assert_eq!(azure.journal().count(&tokens()), 2);
}

/// Otherwise a new pod could start with the values of a session that was revoked.
#[tokio::test]
async fn a_claims_challenge_drops_what_the_principal_had_read() {
    let azure = Azure::with_secrets(&[("a", "1"), ("b", "2")]).await;
    let provider = Provider::start_changed(&azure, |config| {
        config.mounts.cache.object_cache_ttl = Duration::from_secs(300);
    });
    let kept = MountCall::of_secrets(&azure, &["a"]);
    provider.driver().mount(&kept).await.unwrap();
    let before = azure.journal().count(&reads());
    provider.driver().mount(&kept.of_another_pod()).await.unwrap();
    assert_eq!(azure.journal().count(&reads()), before, "the value was kept");
    let claims = BASE64.encode(br#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#);
    azure.faults().inject(reads(), more_claims(&claims));
    provider.driver().mount(&MountCall::of_secrets(&azure, &["b"]).of_another_pod()).await.unwrap_err();
    for call in [kept.of_another_pod(), kept.clone()] {
        let status = provider.driver().mount(&call).await.unwrap_err();
        assert!(status.message().contains("AKV-ClaimsChallenge"), "{status}");
    }
}

#[tokio::test]
async fn a_claims_challenge_that_no_token_meets_is_reported_as_conditional_access() {
    let claims = BASE64.encode(br#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#);
    for (claims, tokens_used) in [(claims.as_str(), 2), ("not base64!", 1)] {
        let azure = Azure::with_secrets(&[("a", "1")]).await;
        let provider = Provider::start(&azure);
        azure.faults().inject(reads(), more_claims(claims));
        let status = provider.driver().mount(&MountCall::of_secrets(&azure, &["a"])).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        for part in ["AKV-ClaimsChallenge", "Conditional Access", "secret/a"] {
            assert!(status.message().contains(part), "no {part} in {status}");
        }
        assert_eq!(azure.journal().count(&tokens()), tokens_used);
    }
}
