//! Which tokens prove an identity. A token that does not is exchanged for itself, and Entra decides.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tonic::Code;

use super::{ENTRA_AUDIENCE, Fixture, WEB, adversary::tagged};

/// Mounts two pods with tokens that `token` returns, after a pod of `default/app` has left a token to share. Returns
/// the exchanges of the two, and the codes of their failures.
async fn exchanges_of_two(fixture: &Fixture, token: impl Fn() -> String) -> (usize, Vec<Code>) {
    let before = fixture.exchanges();
    let mut failures = Vec::new();
    for _ in 0..2 {
        failures.extend(fixture.driver.mount(&fixture.pod(&token())).await.err().map(|status| status.code()));
    }
    (fixture.exchanges() - before, failures)
}

/// Returns the parts of a genuine token.
fn parts(token: &str) -> [String; 3] {
    let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts.try_into().expect("a token has three parts")
}

fn encoded(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

#[tokio::test]
async fn a_forged_token_gets_no_shared_token() {
    let fixture = Fixture::start().await;
    fixture.mount_web().await;
    let genuine = || parts(&fixture.token(&fixture.claims()));
    let key_id = fixture.azure.service_account_key_set()["keys"][0]["kid"].clone();
    let forge = |kind: &str| {
        let [header, claims, signature] = genuine();
        match kind {
            "signature" => {
                let reversed: String = signature.chars().rev().collect();
                format!("{header}.{claims}.{reversed}")
            }
            "claims" => format!("{header}.{}.{signature}", encoded(&fixture.claims())),
            "none" => format!("{}.{claims}.", encoded(&json!({ "alg": "none", "kid": key_id }))),
            "hmac" => {
                let header = encoded(&json!({ "alg": "HS256", "kid": key_id, "typ": "JWT" }));
                let public = fixture.azure.service_account_key_set()["keys"][0]["n"].to_string();
                tagged(&format!("{header}.{claims}"), public.as_bytes())
            }
            _ => {
                let header = encoded(&json!({ "alg": "RS256", "kid": "another", "typ": "JWT" }));
                format!("{header}.{claims}.{signature}")
            }
        }
    };
    for (kind, result, count) in [
        ("signature", "bad_signature", 1),
        ("claims", "bad_signature", 2),
        ("none", "bad_signature", 3),
        ("hmac", "bad_signature", 4),
        ("kid", "unknown_key", 1),
    ] {
        let before = fixture.exchanges();
        let status = fixture.driver.mount(&fixture.pod(&forge(kind))).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{kind}: {status}");
        assert_eq!(fixture.exchanges() - before, 1, "{kind}: Entra decided");
        fixture.proofs(result, count).await;
    }
    fixture.proofs("proven", 1).await;
}

#[tokio::test]
async fn an_audience_as_text_or_as_a_list_proves_the_same() {
    let fixture = Fixture::start().await;
    for audience in [json!(ENTRA_AUDIENCE), json!([ENTRA_AUDIENCE])] {
        fixture.mount(&fixture.claims_with("aud", audience)).await.unwrap();
    }
    assert_eq!(fixture.exchanges(), 1);
}

#[tokio::test]
async fn a_token_of_several_audiences_is_exchanged_for_itself() {
    let fixture = Fixture::start().await;
    fixture.mount_web().await;
    let several = || fixture.token(&fixture.claims_with("aud", json!([ENTRA_AUDIENCE, "vault"])));
    assert_eq!(exchanges_of_two(&fixture, several).await, (2, vec![]));
    let other = || fixture.token(&fixture.claims_with("aud", json!(["vault"])));
    assert_eq!(exchanges_of_two(&fixture, other).await, (2, vec![Code::Unauthenticated; 2]));
    fixture.proofs("other_audience", 4).await;
}

#[tokio::test]
async fn clocks_that_differ_by_half_a_minute_share_and_by_five_minutes_do_not() {
    for (offset, exchanges) in [(30, 1), (-30, 1), (300, 3), (-300, 1)] {
        let fixture = Fixture::start().await;
        // The issuer's and Entra's clock.
        fixture.azure.clock().set_offset(offset);
        for _ in 0..3 {
            fixture.mount_web().await;
        }
        assert_eq!(fixture.exchanges(), exchanges, "{offset} s");
    }
}

#[tokio::test]
async fn a_token_that_has_expired_shares_for_a_minute_at_the_most() {
    let fixture = Fixture::start().await;
    fixture.mount_web().await;
    let expired = |seconds: i64| {
        let fixture = &fixture;
        move || fixture.token(&fixture.claims_with("exp", fixture.azure.clock().unix() - seconds))
    };
    assert_eq!(exchanges_of_two(&fixture, expired(30)).await.0, 0);
    // Entra tolerates five minutes.
    assert_eq!(exchanges_of_two(&fixture, expired(90)).await, (2, vec![]));
    assert_eq!(exchanges_of_two(&fixture, expired(900)).await, (2, vec![Code::Unauthenticated; 2]));
    fixture.proofs("outside_its_time", 4).await;
}

#[tokio::test]
async fn a_subject_that_differs_in_case_is_another_subject() {
    let fixture = Fixture::start().await;
    fixture.mount_web().await;
    let upper = || fixture.token(&fixture.claims_with("sub", WEB.replace("app", "APP")));
    assert_eq!(exchanges_of_two(&fixture, upper).await, (2, vec![Code::Unauthenticated; 2]));
}

#[tokio::test]
async fn an_issuer_with_a_last_slash_is_another_issuer() {
    let fixture = Fixture::start().await;
    fixture.mount_web().await;
    let slash = || fixture.token(&fixture.claims_with("iss", "https://oidc.localhost/"));
    assert_eq!(exchanges_of_two(&fixture, slash).await, (2, vec![Code::Unauthenticated; 2]));
    fixture.proofs("other_issuer", 2).await;
}
