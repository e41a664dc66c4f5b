//! Tokens of another cluster, signed by a key that the emulator did not make.

use akv_emulator::{Directory, Emulator, Federation, Route, Service, TrustedIssuer};
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize, PublicKeyComponents},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use azure_core::time::OffsetDateTime;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::harness::{
    ENTRA_AUDIENCE, TENANT, WORKLOAD, emulator, http, keys_made_once, status_and_code, with_token,
};

const SCOPE: &[&str] = &["https://vault.azure.net/.default"];
pub(crate) const ISSUER: &str = "https://cluster.test";

/// A cluster that signs tokens.
pub(crate) struct Cluster(KeyPair);

impl Cluster {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate(KeySize::Rsa2048).expect("a key can be made"))
    }

    pub(crate) fn key_set(&self) -> Value {
        let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(self.0.public_key());
        let (n, e) = (BASE64URL_NOPAD.encode(&n), BASE64URL_NOPAD.encode(&e));
        json!({ "keys": [
            { "kty": "EC", "kid": "other", "crv": "P-256", "x": "AA", "y": "AA" },
            { "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": n, "e": e },
        ]})
    }

    /// Signs a token of `default/app` that expires after this number of seconds.
    pub(crate) fn token(&self, key_id: &str, lifetime: i64) -> String {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let encode = |part: Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let header = encode(json!({ "alg": "RS256", "kid": key_id }));
        let claims = encode(json!({
            "iss": ISSUER, "sub": "system:serviceaccount:default:app", "aud": [ENTRA_AUDIENCE],
            "nbf": now - 7200, "exp": now + lifetime,
        }));
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .expect("the buffer has the length of the modulus");
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}

async fn emulator_that_trusts(cluster: &Cluster) -> Emulator {
    let issuer = TrustedIssuer::parse(ISSUER, &cluster.key_set().to_string()).expect("it is valid");
    Emulator::builder().keys(keys_made_once()).trust_issuer(issuer).start().await.expect("ports are free")
}

/// Returns the status and Entra's code for a token, or 200 where Entra accepts it.
async fn outcome(azure: &Emulator, token: &str) -> (u16, String) {
    match with_token(azure, TENANT, WORKLOAD, token).get_token(SCOPE, None).await {
        Ok(_) => (200, String::new()),
        Err(error) => status_and_code(&error),
    }
}

#[tokio::test]
async fn the_tokens_of_a_trusted_cluster_are_accepted() {
    let cluster = Cluster::new();
    let azure = emulator_that_trusts(&cluster).await;
    assert_eq!(outcome(&azure, &cluster.token("one", 600)).await, (200, String::new()));
    // The emulated cluster's tokens still are.
    let own = azure.service_account_token("default", "app", ENTRA_AUDIENCE, crate::harness::HOUR);
    assert_eq!(outcome(&azure, &own).await, (200, String::new()));
}

#[tokio::test]
async fn tokens_that_a_trusted_cluster_did_not_sign_are_refused() {
    let cluster = Cluster::new();
    let azure = emulator_that_trusts(&cluster).await;
    let refused = |code: &str| (401, code.to_owned());
    for (label, token, code) in [
        ("another key", Cluster::new().token("one", 600), "700027"),
        ("an unknown key id", cluster.token("two", 600), "5000811"),
        ("expired", cluster.token("one", -3600), "700024"),
    ] {
        assert_eq!(outcome(&azure, &token).await, refused(code), "{label}");
    }
    let stranger = emulator().await;
    assert_eq!(outcome(&stranger, &cluster.token("one", 600)).await, refused("70021"));
}

#[tokio::test]
async fn an_issuer_that_only_a_credential_names_is_not_trusted() {
    let azure = emulator().await;
    azure.directory().update(|directory: &mut Directory| {
        let credential =
            Federation { issuer: ISSUER.to_owned(), ..Federation::service_account("default", "app") };
        directory.applications[0].federations.push(credential);
    });
    assert_eq!(outcome(&azure, &Cluster::new().token("one", 600)).await, (400, "90061".to_owned()));
}

#[tokio::test]
async fn the_keys_of_a_trusted_cluster_are_published_at_its_issuer() {
    let cluster = Cluster::new();
    let azure = emulator_that_trusts(&cluster).await;
    let client = http(&azure);
    let fetch = async |url: &str| -> Value {
        let answer = client.get(url).send().await.expect("the emulator answers");
        serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON")
    };
    let discovery = fetch(&format!("{ISSUER}/.well-known/openid-configuration")).await;
    assert_eq!(discovery["issuer"], ISSUER);
    assert_eq!(fetch(discovery["jwks_uri"].as_str().expect("an address")).await, cluster.key_set());
    assert_eq!(azure.journal().count(&Route::service(Service::Issuer)), 2);
}
