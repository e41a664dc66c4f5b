use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use serde_json::{Value, json};

use crate::{blocking::Computations, spec::sensitive::Sensitive};

use super::*;

fn pem() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/pkcs12/rsa.pem");
    std::fs::read_to_string(path).unwrap()
}

fn assertion(text: String, scheme: Scheme, chain: SentChain) -> CertificateAssertion {
    let certificate =
        ClientCertificate { text: Sensitive::new(text), password: Sensitive::new(String::new()), chain };
    let audience = "https://login.example/t/oauth2/v2.0/token".parse().unwrap();
    let computations = Computations::of_machine().of("default");
    CertificateAssertion::new(certificate, "client".parse().unwrap(), audience, scheme, computations)
}

fn part(part: &str) -> Value {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

#[tokio::test]
async fn an_assertion_has_the_form_that_its_authority_takes() {
    let key = ClientKey::open(&pem(), "", OffsetDateTime::now_utc()).unwrap();
    let thumbprint = |algorithm| BASE64URL_NOPAD.encode(digest(algorithm, &key.certificates[0]).as_ref());
    let entra = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint(&SHA256) });
    let adfs = json!({ "alg": "RS256", "typ": "JWT", "x5t": thumbprint(&SHA1_FOR_LEGACY_USE_ONLY) });
    let pss: &RsaParameters = &RSA_PSS_2048_8192_SHA256;
    for (scheme, mut header, verification) in
        [(Scheme::Entra, entra, pss), (Scheme::Adfs, adfs, &RSA_PKCS1_2048_8192_SHA256)]
    {
        for chain in [SentChain::Omitted, SentChain::Sent] {
            if chain == SentChain::Sent {
                header["x5c"] = json!([BASE64.encode(&key.certificates[0])]);
            }
            let source = assertion(pem(), scheme, chain);
            let (one, two) = (source.secret(None).await.unwrap(), source.secret(None).await.unwrap());
            let [head, claims, signature] = one.split('.').collect::<Vec<_>>()[..] else { panic!("{one}") };
            assert_eq!(part(head), header);
            let claims = part(claims);
            assert_eq!(claims["aud"], "https://login.example/t/oauth2/v2.0/token");
            assert_eq!((&claims["iss"], &claims["sub"]), (&json!("client"), &json!("client")));
            assert_eq!(claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap(), LIFETIME);
            assert_ne!(claims["jti"], part(two.split('.').nth(1).unwrap())["jti"], "each has its own id");
            let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
            let (signed, _) = one.rsplit_once('.').unwrap();
            UnparsedPublicKey::new(verification, key.pair.public_key().as_ref())
                .verify(signed.as_bytes(), &signature)
                .unwrap();
        }
    }
}

#[tokio::test]
async fn the_text_of_the_secret_is_dropped_once_it_is_opened() {
    let source = assertion(pem(), Scheme::Entra, SentChain::Omitted);
    assert!(matches!(*source.state.lock().await, State::Sealed(_)));
    source.secret(None).await.unwrap();
    assert!(matches!(*source.state.lock().await, State::Open(_)));
}

#[tokio::test]
async fn a_fault_is_found_behind_the_error_of_the_sdk() {
    let source = assertion("canary".to_owned(), Scheme::Entra, SentChain::Omitted);
    let error = source.secret(None).await.unwrap_err();
    let fault = crate::transport::cause(error).downcast::<ClientKeyError>().unwrap();
    assert_eq!(*fault, ClientKeyError::UnknownFormat);
    assert!(!format!("{source:?}").contains("canary"));
}
