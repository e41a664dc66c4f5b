use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::{super::signer::Signer, *};

const ISSUER: &str = "https://oidc.example/";
const SUBJECT: &str = "system:serviceaccount:shop:web";
const NOW: i64 = 1_800_000_000;

/// An issuer with one key, `k`.
struct Issuer {
    signer: Signer,
    keys: KeySet,
}

impl Issuer {
    fn with(signer: Signer) -> Self {
        let document = json!({ "keys": [signer.jwk("k")] }).to_string();
        Self { keys: KeySet::parse(document.as_bytes()).unwrap(), signer }
    }

    fn header(&self) -> Value {
        json!({ "alg": self.signer.algorithm(), "kid": "k", "typ": "JWT" })
    }

    fn token(&self, claims: &Value) -> String {
        self.signer.token(&self.header(), claims)
    }

    fn verify(&self, token: &str) -> Result<ProvenSubject, NotProven> {
        self.verify_at(token, NOW)
    }

    fn verify_at(&self, token: &str, seconds: i64) -> Result<ProvenSubject, NotProven> {
        let now = UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap());
        UnverifiedToken::parse(token)?.verify(&ISSUER.into(), &self.keys, now)
    }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": ["api://AzureADTokenExchange"],
        "exp": NOW + 3600, "nbf": NOW, "iat": NOW, "jti": "1",
    })
}

/// Returns the claims with `name` replaced, or removed where `value` is null.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

#[test]
fn each_algorithm_that_kubernetes_signs_with_proves_a_subject() {
    for signer in [Signer::rsa(), Signer::ec("P-256"), Signer::ec("P-384"), Signer::ec("P-521")] {
        let issuer = Issuer::with(signer);
        let algorithm = issuer.signer.algorithm();
        let proof =
            issuer.verify(&issuer.token(&claims())).unwrap_or_else(|error| panic!("{algorithm}: {error:?}"));
        assert_eq!((&*proof.issuer, proof.subject.as_str()), (ISSUER, SUBJECT));
        assert_eq!(proof.audience, "api://AzureADTokenExchange");
        let other = Issuer::with(match &issuer.signer {
            Signer::Rsa(_) => Signer::rsa(),
            Signer::Ec { curve, .. } => Signer::ec(curve),
        });
        assert_eq!(issuer.verify(&other.token(&claims())), Err(NotProven::BadSignature), "{algorithm}");
    }
}

#[test]
fn a_forged_token_proves_nothing() {
    let issuer = Issuer::with(Signer::ec("P-256"));
    let genuine = issuer.token(&claims());
    let [header, _, signature] = genuine.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let other = claims_with("sub", "system:serviceaccount:shop:admin".into());
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let forged = format!("{header}.{}.{signature}", part(&other));
    assert_eq!(issuer.verify(&forged), Err(NotProven::BadSignature));

    let none = part(&json!({ "alg": "none", "kid": "k" }));
    for signature in ["", signature] {
        let unsigned = format!("{none}.{}.{signature}", part(&claims()));
        assert_eq!(issuer.verify(&unsigned), Err(NotProven::OtherAlgorithm));
    }
    // The public key as the shared secret of an HMAC.
    let signed = format!("{}.{}", part(&json!({ "alg": "HS256", "kid": "k" })), part(&claims()));
    for secret in [issuer.signer.jwk("k").to_string(), issuer.signer.jwk("k")["x"].to_string()] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
        let token = format!("{signed}.{}", BASE64URL_NOPAD.encode(tag.as_ref()));
        assert_eq!(issuer.verify(&token), Err(NotProven::OtherAlgorithm));
    }
    for algorithm in ["RS256", "ES384", "ES512", "PS256", "EdDSA", "es256", ""] {
        let token = issuer.signer.token(&json!({ "alg": algorithm, "kid": "k" }), &claims());
        assert_eq!(issuer.verify(&token), Err(NotProven::OtherAlgorithm), "{algorithm}");
    }
}

#[test]
fn only_a_published_key_counts_whatever_the_header_says() {
    let issuer = Issuer::with(Signer::ec("P-256"));
    let own = Signer::ec("P-256");
    for (what, header, error) in [
        ("another key", json!({ "alg": "ES256", "kid": "K" }), NotProven::UnknownKey),
        ("no key", json!({ "alg": "ES256" }), NotProven::Malformed),
        (
            "a key of its own",
            json!({ "alg": "ES256", "kid": "k", "jwk": own.jwk("k") }),
            NotProven::BadSignature,
        ),
        (
            "a URL of its own",
            json!({ "alg": "ES256", "kid": "j", "jku": "https://e/" }),
            NotProven::UnknownKey,
        ),
        (
            "an extension",
            json!({ "alg": "ES256", "kid": "k", "crit": ["b64"], "b64": false }),
            NotProven::Malformed,
        ),
    ] {
        assert_eq!(issuer.verify(&own.token(&header, &claims())), Err(error), "{what}");
    }
}

#[test]
fn an_audience_is_one_text_or_a_list_of_one() {
    let issuer = Issuer::with(Signer::ec("P-256"));
    let entra = "api://AzureADTokenExchange";
    for (audience, is_proof) in [
        (json!(entra), true),
        (json!([entra]), true),
        (json!([entra, "vault"]), false),
        (json!([entra, entra]), false),
        (json!("vault"), false),
        (json!(["API://AzureADTokenExchange"]), false),
        (json!([]), false),
    ] {
        let proof = issuer.verify(&issuer.token(&claims_with("aud", audience.clone())));
        assert_eq!(proof.is_ok(), is_proof, "{audience}");
        assert!(is_proof || proof == Err(NotProven::OtherAudience), "{audience}");
    }
}

#[test]
fn a_token_counts_within_its_time_and_a_minute_around_it() {
    let issuer = Issuer::with(Signer::ec("P-256"));
    let token = issuer.token(&claims());
    for (now, is_proof) in
        [(NOW - 61, false), (NOW - 60, true), (NOW, true), (NOW + 3659, true), (NOW + 3660, false)]
    {
        let proof = issuer.verify_at(&token, now);
        assert_eq!(proof.is_ok(), is_proof, "{now}");
        assert!(is_proof || proof == Err(NotProven::OutsideItsTime), "{now}");
    }
    for name in ["nbf", "iat"] {
        let later = issuer.token(&claims_with(name, (NOW + 61).into()));
        assert_eq!(issuer.verify(&later), Err(NotProven::OutsideItsTime), "{name}");
    }
    for extreme in [i64::MAX, i64::MIN] {
        let token = issuer.token(&claims_with("exp", extreme.into()));
        assert_eq!(issuer.verify(&token).is_ok(), extreme > 0, "{extreme}");
    }
}

#[test]
fn issuer_and_subject_are_compared_letter_by_letter() {
    let issuer = Issuer::with(Signer::ec("P-256"));
    for other in ["https://oidc.example", "https://OIDC.example/", "https://oidc.example//", ""] {
        let token = issuer.token(&claims_with("iss", other.into()));
        assert_eq!(issuer.verify(&token), Err(NotProven::OtherIssuer), "{other}");
    }
    let proof = issuer.verify(&issuer.token(&claims_with("sub", SUBJECT.to_uppercase().into())));
    assert_eq!(proof, Err(NotProven::OtherSubject));
    let upper = "system:serviceaccount:shop:WEB";
    let proof = issuer.verify(&issuer.token(&claims_with("sub", upper.into()))).unwrap();
    assert_eq!(proof.subject, upper, "another subject than {SUBJECT}");
    let long = format!("system:serviceaccount:shop:{}", "w".repeat(MAX_SUBJECT_BYTES));
    for other in ["", "system:node:a", "system:serviceaccount:shop", "system:serviceaccount::web", &long] {
        let token = issuer.token(&claims_with("sub", other.into()));
        assert_eq!(issuer.verify(&token), Err(NotProven::OtherSubject), "{other}");
    }
    let ambiguous = issuer.token(&claims_with("sub", "system:serviceaccount:a:b:c".into()));
    assert_eq!(issuer.verify(&ambiguous), Err(NotProven::OtherSubject));
}

#[test]
fn a_text_that_is_not_a_token_of_kubernetes_is_malformed() {
    let issuer = Issuer::with(Signer::ec("P-256"));
    for claim in ["iss", "sub", "aud", "exp", "nbf", "iat"] {
        let token = issuer.token(&claims_with(claim, Value::Null));
        assert_eq!(issuer.verify(&token), Err(NotProven::Malformed), "no {claim}");
    }
    let genuine = issuer.token(&claims());
    let padded = genuine.replacen('.', "==.", 1);
    for text in ["", ".", "..", "...", "a.b.c", padded.as_str(), &format!("a.{genuine}")] {
        assert_eq!(issuer.verify(text), Err(NotProven::Malformed), "{text}");
    }
    let largest = MAX_TOKEN_BYTES - genuine.len();
    let filled = |length: usize| issuer.token(&claims_with("fill", "x".repeat(length).into()));
    assert!(issuer.verify(&filled(largest / 2)).is_ok());
    assert_eq!(issuer.verify(&filled(MAX_TOKEN_BYTES)), Err(NotProven::Malformed), "too long");
}
