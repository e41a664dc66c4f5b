//! Where an issuer's keys come from. No mount fails or waits because there are none.

use std::time::Duration;

use akv_emulator::{Fault, Federation, FormerKeys, RequestHead, Route};
use serde_json::{Value, json};
use tonic::Code;

use super::{Fixture, ISSUER, adversary::Signer, issuer_requests};
use crate::harness::Azure;

const DISCOVERY: &str = "/.well-known/openid-configuration";

const KEYS: &str = "/openid/v1/jwks";

fn json_answer(body: &Value) -> Fault {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Fault::Answer { code: 200, headers, body: body.to_string() }
}

fn at_host(host: &'static str) -> impl Fn(&RequestHead) -> bool {
    move |head| head.host.split(':').next() == Some(host)
}

#[tokio::test]
async fn keys_come_from_two_documents_at_the_start() {
    let fixture = Fixture::start().await;
    let requests = fixture.azure.journal().filter(&issuer_requests());
    let paths: Vec<&str> = requests.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, [DISCOVERY, KEYS]);
    let metrics = fixture.provider.metrics().await;
    for line in [
        "akv_upstream_requests_total{operation=\"discovery\",status=\"200\",upstream=\"issuer\"} 1",
        "akv_upstream_requests_total{operation=\"keys\",status=\"200\",upstream=\"issuer\"} 1",
    ] {
        assert!(metrics.contains(line), "no {line} in {metrics}");
    }
    let fetched = metrics.lines().find_map(|line| {
        line.strip_prefix("akv_issuer_keys_fetched_timestamp_seconds{issuer=\"https://oidc.localhost\"} ")
    });
    let fetched: f64 = fetched.expect("the time of the fetch").parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - 600.0..=now).contains(&fetched), "{fetched}");
}

#[tokio::test]
async fn documents_that_cannot_be_used_leave_each_token_its_own_exchange() {
    let elsewhere = "https://elsewhere.localhost/keys".to_owned();
    let other_origin = json!({ "issuer": ISSUER, "jwks_uri": elsewhere });
    let other_issuer =
        json!({ "issuer": "https://oidc.localhost/", "jwks_uri": "https://oidc.localhost/openid/v1/jwks" });
    for (what, path, fault) in [
        ("a redirect", KEYS, Fault::Redirect(elsewhere.clone())),
        ("a redirected discovery document", DISCOVERY, Fault::Redirect(elsewhere)),
        ("megabytes", KEYS, Fault::HugeBody(200 << 20)),
        ("megabytes without a length", KEYS, Fault::UnannouncedBody(200 << 20)),
        ("more than is taken of keys", KEYS, Fault::HugeBody(65 << 10)),
        ("silence", KEYS, Fault::Hang),
        ("half an answer", DISCOVERY, Fault::HangInBody),
        ("a status", DISCOVERY, Fault::status(404)),
        ("no keys", KEYS, json_answer(&json!({ "keys": [] }))),
        ("a page", KEYS, Fault::page(200, "<html>sign in</html>")),
        ("keys at another origin", DISCOVERY, json_answer(&other_origin)),
        ("another issuer", DISCOVERY, json_answer(&other_issuer)),
    ] {
        let azure = Azure::with_secrets(&[("a", "1")]).await;
        let fault = azure.faults().inject(issuer_requests().path(path), fault);
        let fixture = Fixture::start_without_keys(azure, |_| {});
        let hit = async {
            while fixture.azure.faults().hits(fault) == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), hit)
            .await
            .unwrap_or_else(|_| panic!("{what}: no fetch"));
        for _ in 0..3 {
            fixture.mount_web().await;
        }
        assert_eq!(fixture.exchanges(), 3, "{what}");
        fixture.proofs("no_keys", 3).await;
        let elsewhere = fixture.azure.journal().count(&Route::any().matching(at_host("elsewhere.localhost")));
        assert_eq!(elsewhere, 0, "{what}: no other host is asked");
    }
}

#[tokio::test]
async fn an_issuer_written_with_a_last_slash_has_no_keys() {
    let azure = Azure::with_secrets(&[("a", "1")]).await;
    let fixture = Fixture::start_without_keys(azure, |proofs| {
        proofs.issuers = vec!["https://oidc.localhost/".parse().unwrap()];
    });
    fixture.azure.journal().wait_for_route(1, &issuer_requests()).await;
    for _ in 0..2 {
        fixture.mount_web().await;
    }
    assert_eq!(fixture.exchanges(), 2);
    fixture.proofs("other_issuer", 2).await;
    assert_eq!(fixture.azure.journal().count(&issuer_requests().path(KEYS)), 0);
}

#[tokio::test]
async fn a_rotated_key_is_fetched_and_the_former_key_counts_while_it_is_published() {
    let fixture = Fixture::start_changed(|proofs| proofs.refresh.min_interval = Duration::ZERO).await;
    let former = [fixture.token(&fixture.claims()), fixture.token(&fixture.claims())];
    fixture.mount_web().await;
    fixture.azure.rotate_service_account_key(FormerKeys::Published);
    let newer = fixture.pod(&fixture.token(&fixture.claims()));
    fixture.driver.mount(&newer).await.unwrap();
    assert_eq!(fixture.exchanges(), 2, "the first token of an unknown key takes its own way");
    fixture.keys(ISSUER, 2).await;
    fixture.mount_web().await;
    fixture.driver.mount(&fixture.pod(&former[0])).await.unwrap();
    assert_eq!(fixture.exchanges(), 2);

    fixture.azure.rotate_service_account_key(FormerKeys::Withdrawn);
    fixture.mount_web().await;
    assert_eq!(fixture.exchanges(), 3);
    fixture.keys(ISSUER, 1).await;
    let status = fixture.driver.mount(&fixture.pod(&former[1])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "Entra refuses a withdrawn key: {status}");
    assert_eq!(fixture.exchanges(), 4);
}

#[tokio::test]
async fn an_unknown_key_causes_one_fetch_a_minute() {
    let fixture = Fixture::start().await;
    fixture.azure.rotate_service_account_key(FormerKeys::Published);
    for _ in 0..3 {
        fixture.mount_web().await;
    }
    fixture.proofs("unknown_key", 3).await;
    assert_eq!(fixture.azure.journal().count(&issuer_requests().path(KEYS)), 1, "that of the start");
    assert_eq!(fixture.exchanges(), 3);
}

#[tokio::test]
async fn two_issuers_with_one_key_id_are_two_issuers() {
    const OTHER: &str = "https://other.localhost";
    let azure = Azure::with_secrets(&[("a", "1")]).await;
    let key_id = azure.service_account_key_set()["keys"][0]["kid"].as_str().unwrap().to_owned();
    let other = Signer::new();
    let at_other = |path: &str| Route::any().path(path).matching(at_host("other.localhost"));
    let document = json!({ "issuer": OTHER, "jwks_uri": "https://other.localhost/keys" });
    azure.faults().inject(at_other(DISCOVERY), json_answer(&document));
    azure.faults().inject(at_other("/keys"), json_answer(&json!({ "keys": [other.jwk(&key_id)] })));
    azure.directory().update(|directory| {
        let federation = Federation::service_account("default", "app");
        directory.applications[0].federations.push(Federation { issuer: OTHER.to_owned(), ..federation });
    });
    let fixture = Fixture::start_without_keys(azure, |proofs| proofs.issuers.push(OTHER.parse().unwrap()));
    fixture.keys(ISSUER, 1).await;
    fixture.keys(OTHER, 1).await;
    fixture.mount_web().await;
    // The emulated Entra reads the keys of its own cluster alone, so it refuses both.
    for (what, issuer) in [("its own issuer", OTHER), ("the cluster's issuer", ISSUER)] {
        let before = fixture.exchanges();
        let token = other.token(&key_id, &fixture.claims_with("iss", issuer));
        let status = fixture.driver.mount(&fixture.pod(&token)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{what}: {status}");
        assert_eq!(fixture.exchanges() - before, 1, "{what}");
    }
    fixture.proofs("proven", 2).await;
    fixture.proofs("bad_signature", 1).await;
}
