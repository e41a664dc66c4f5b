//! A pod author with every token that they can get or make never receives what another subject may read.

use akv_emulator::{Application, RoleAssignment};
use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tonic::Code;

use super::{ENTRA_AUDIENCE, Fixture, ISSUER, TOKENS, WEB};

/// A key that no cluster published.
pub(super) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(super) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key can be made"))
    }

    /// Returns the public key as an issuer would publish it.
    pub(super) fn jwk(&self, id: &str) -> Value {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|number| BASE64URL_NOPAD.encode(number));
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id, "x": x, "y": y })
    }

    pub(super) fn token(&self, id: &str, claims: &Value) -> String {
        self.token_with_header(&json!({ "alg": "ES256", "kid": id, "typ": "JWT" }), claims)
    }

    fn token_with_header(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encoded(header), encoded(claims));
        let signature =
            self.0.sign(&SystemRandom::new(), signed.as_bytes()).expect("a message can be signed");
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}

/// Returns a token whose signature is an HMAC.
pub(super) fn tagged(signed: &str, secret: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
}

fn encoded(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

/// Returns the tokens of a pod author in the namespace `evil`, each with what it is.
fn tokens(fixture: &Fixture) -> Vec<(String, String)> {
    let azure = &fixture.azure;
    let key = azure.service_account_key_set()["keys"][0].clone();
    let id = key["kid"].as_str().expect("a key has an id");
    let own = Signer::new();
    let victim = fixture.claims();
    let as_subject = |subject: &str| fixture.claims_with("sub", subject);
    let mut tokens = vec![
        ("the author's own".to_owned(), fixture.token(&as_subject("system:serviceaccount:evil:app"))),
        (
            "of an account with the victim's name".to_owned(),
            fixture.token(&as_subject("system:serviceaccount:evil:default:app")),
        ),
        (
            "of a namespace that ends like the victim's".to_owned(),
            fixture.token(&as_subject("system:serviceaccount:my-default:app")),
        ),
        (
            "of an account that begins like the victim's".to_owned(),
            fixture.token(&as_subject("system:serviceaccount:default:app2")),
        ),
        ("the victim's, in capitals".to_owned(), fixture.token(&as_subject(&WEB.to_uppercase()))),
        ("the victim's, signed with a key of the author's".to_owned(), own.token(id, &victim)),
        ("the victim's, with a key of its own".to_owned(), own.token("own", &victim)),
        (
            "the victim's, with its key in the header".to_owned(),
            own.token_with_header(&json!({ "alg": "ES256", "kid": id, "jwk": own.jwk(id) }), &victim),
        ),
        (
            "the victim's, with a URL of keys in the header".to_owned(),
            own.token_with_header(
                &json!({ "alg": "ES256", "kid": id, "jku": "https://evil.localhost/keys" }),
                &victim,
            ),
        ),
        (
            "of an issuer of the author's".to_owned(),
            own.token(id, &fixture.claims_with("iss", "https://evil.localhost")),
        ),
    ];
    for algorithm in ["none", "None", "", "HS256", "RS256", "ES256", "PS256"] {
        let signed = format!("{}.{}", encoded(&json!({ "alg": algorithm, "kid": id })), encoded(&victim));
        tokens.push((format!("unsigned, {algorithm:?}"), format!("{signed}.")));
        for secret in [key.to_string(), key["n"].to_string(), String::new()] {
            tokens.push((format!("an HMAC, {algorithm:?}"), tagged(&signed, secret.as_bytes())));
        }
    }
    // The author's own signed parts with the victim's claims, in each combination.
    let genuine = fixture.token(&as_subject("system:serviceaccount:evil:app"));
    let [header, _, signature] = genuine.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    tokens.push((
        "the author's signature of the victim's claims".to_owned(),
        format!("{header}.{}.{signature}", encoded(&victim)),
    ));
    let doubled = format!(r#"{{"iss":"{ISSUER}","sub":"{WEB}","sub":"system:serviceaccount:evil:app"}}"#);
    let doubled = format!("{header}.{}.{signature}", BASE64URL_NOPAD.encode(doubled.as_bytes()));
    tokens.push(("two subjects".to_owned(), doubled));
    tokens.push(("a token within a token".to_owned(), format!("{genuine}.{}", encoded(&victim))));
    tokens
}

#[tokio::test]
async fn no_token_that_a_pod_author_can_get_or_make_shares_another_subjects_token() {
    let fixture = Fixture::start().await;
    let (web, evil) = ("cccccccc-0000-0000-0000-000000000002", "ffffffff-0000-0000-0000-000000000006");
    fixture.azure.directory().update(|directory| {
        directory.applications.push(Application::new(evil).federated_to("evil", "app"));
    });
    fixture.azure.directory().grant(RoleAssignment::administrator(web));
    fixture.azure.vaults().put_secret("lab", "a", "only for default/app");
    fixture.mount_web().await;
    let shared = fixture.exchanges();
    for (what, token) in tokens(&fixture) {
        for client in [web, evil] {
            let pod = fixture.pod(&token).with("clientID", client);
            for call in [pod.clone(), pod.with("csi.storage.k8s.io/serviceAccount.name", "app")] {
                let status = fixture.driver.mount(&call).await.expect_err(&what);
                let refusals = [Code::Unauthenticated, Code::PermissionDenied];
                assert!(refusals.contains(&status.code()), "{what} as {client}: {status}");
                assert!(!status.message().contains("only for"), "{what}: {status}");
            }
        }
    }
    assert!(fixture.exchanges() > shared, "Entra decided");
    // The victim's token under an audience of the author's choice is no token for Entra.
    let elsewhere = fixture.token(&fixture.claims_with("aud", json!(["vault"])));
    let tokens = json!({ ENTRA_AUDIENCE: { "token": elsewhere } }).to_string();
    let status = fixture.driver.mount(&fixture.pod("").with(TOKENS, &tokens)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    let before = fixture.exchanges();
    fixture.mount_web().await;
    assert_eq!(fixture.exchanges(), before, "the victim's pods still share their token");
}
