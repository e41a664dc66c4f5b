//! Answers of Azure, the node and the cluster.

use std::time::{Duration, SystemTime};

use akv_provider::{
    cloud::CloudEnvironment,
    identity::{
        TokenErrorResponse, TokenResponse, UnverifiedClaims, principal,
        proof::{KeySet, MAX_KEYS, UnverifiedToken},
        server_name,
    },
    spec::{
        cloud::CloudName,
        identity::{IdentityMode, ServiceAccountToken},
        object::ObjectType,
        sensitive::Sensitive,
    },
    transport::retry_after,
    vault::{
        CertificateBundle, Challenge, ClaimsChallenge, KeyBundle, NamedAuthority, Read, SecretBundle,
        VaultError, VaultErrorResponse,
    },
};
use azure_core::{credentials::AccessToken, http::Url, time::OffsetDateTime};
use azure_security_keyvault_certificates::models::Certificate;
use azure_security_keyvault_keys::models::Key;
use azure_security_keyvault_secrets::models::Secret;

/// The longest text of an error, in bytes.
const MAX_TEXT_BYTES: usize = 4_000;

/// A vault's `WWW-Authenticate`.
pub fn challenge(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let vault = CloudEnvironment::named(CloudName::Public).vault(&"lab".parse().expect("a vault name"));
    match Challenge::for_vault(text, &vault) {
        Ok(challenge) => {
            let ours = challenge.to_string();
            assert_eq!(
                ours, r#"Bearer resource="https://vault.azure.net""#,
                "the cloud's own, whatever the vault says"
            );
            let again = Challenge::for_vault(&ours, &vault).map(|challenge| challenge.to_string());
            assert_eq!(again, Ok(ours), "what is passed on is read as it was");
            if let NamedAuthority::Other(named) = challenge.authority() {
                is_short_and_on_one_line(&named.to_string());
            }
        }
        Err(error) => is_short_and_on_one_line(&error.to_string()),
    }
    if let Some(ClaimsChallenge { claims: Some(claims) }) = ClaimsChallenge::read(text) {
        assert!(claims.trim_start().starts_with('{'), "a JSON object");
    }
}

/// `Retry-After`.
pub fn retry_after(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    if let Some(wait) = retry_after::parse(text, now)
        && text.trim().bytes().all(|b| b.is_ascii_digit())
    {
        assert_eq!(text.trim().parse(), Ok(wait.as_secs()));
    }
}

/// A status and the body of an error answer, from the vault and from a token source.
pub fn refusals(input: &[u8]) {
    let [low, high, body @ ..] = input else { return };
    let status = u16::from_le_bytes([*low, *high]);
    let answer = VaultErrorResponse::parse(status, body);
    assert_eq!(answer.status(), status);
    let object = answer.object_id().unwrap_or_default().to_owned();
    let token = TokenErrorResponse::parse(status, body);
    let summary = token.summary().to_string();
    for text in [&answer.to_string(), answer.words(), &object, &summary, token.words(), token.trace()] {
        is_short_and_on_one_line(text);
    }
}

/// The body of a token source's successful answer, from Entra, IMDS and NMI.
pub fn token_response(input: &[u8]) {
    let now = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    for read in [TokenResponse::read, TokenResponse::read_nmi] {
        match read(input, now) {
            // At most a year, so that the SDK can add the duration to a date.
            Ok(response) => assert!(response.expires_on() <= now + Duration::from_secs(366 * 86_400)),
            Err(error) => is_short_and_on_one_line(&error.to_string()),
        }
    }
}

/// The claims of a pod's token, and of Entra's.
pub fn claims(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let token = ServiceAccountToken::new(Sensitive::new(text.to_owned()));
    if let Some(UnverifiedClaims { issuer, subject, audience }) = UnverifiedClaims::of(&token) {
        [issuer, subject, audience].iter().for_each(|claim| is_short_and_on_one_line(claim));
    }
    let authority = Url::parse("https://login.microsoftonline.com/").expect("a URL");
    let token = AccessToken::new(text.to_owned(), SystemTime::UNIX_EPOCH.into());
    let node = IdentityMode::ManagedIdentity { user_assigned: None };
    if let Some(principal) = principal::of(&token, &node, &authority) {
        assert_eq!(principal.object_id().len(), 36);
    }
}

/// A service-account token and, after a NUL, the key set of its issuer.
pub fn identity_proof(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (token, document) = text.split_once('\0').unwrap_or((text, ""));
    let Ok(keys) = KeySet::parse(document.as_bytes()) else {
        let _ = UnverifiedToken::parse(token);
        return;
    };
    assert!((1..=MAX_KEYS).contains(&keys.len()), "{} keys", keys.len());
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let verify = |token: &str| {
        let token = UnverifiedToken::parse(token)?;
        let issuer = token.issuer().into();
        token.verify(&issuer, &keys, now)
    };
    if let Ok(proof) = verify(token) {
        assert!(proof.subject.starts_with("system:serviceaccount:"), "{}", proof.subject);
        let (signed, signature) = token.rsplit_once('.').expect("a token has three parts");
        let (header, claims) = signed.split_once('.').expect("a token has three parts");
        for other in [format!("{header}.{claims}."), format!("{claims}.{header}.{signature}")] {
            assert!(verify(&other).is_err(), "a signature proves nothing else: {other}");
        }
    }
}

/// The body of a vault's answer, as each type of object.
pub fn bundles(input: &[u8]) {
    let read = |object_type| Read { object_type, name: "s".parse().expect("a name"), version: None };
    let versions = [
        serde_json::from_slice::<Secret>(input).ok().map(|model| {
            SecretBundle::answering(&read(ObjectType::Secret), model).map(|bundle| bundle.version)
        }),
        serde_json::from_slice::<Key>(input)
            .ok()
            .map(|model| KeyBundle::answering(&read(ObjectType::Key), model).map(|bundle| bundle.version)),
        serde_json::from_slice::<Certificate>(input).ok().map(|model| {
            CertificateBundle::answering(&read(ObjectType::Certificate), model).map(|bundle| bundle.version)
        }),
    ];
    for version in versions.into_iter().flatten() {
        match version {
            Ok(version) => assert!(!version.as_str().contains(['/', '\n', '?', '#']), "{version}"),
            Err(VaultError::Incomplete(_) | VaultError::OtherObject(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// The certificate of a cluster's API server.
pub fn server_name(input: &[u8]) {
    if let Ok(name) = server_name::of_certificate(input) {
        assert!(name.len() < 64 && name.ends_with(".ests.aks"), "{name}");
    }
}

fn is_short_and_on_one_line(text: &str) {
    assert!(text.len() <= MAX_TEXT_BYTES, "{} bytes", text.len());
    assert!(!text.contains(|character: char| character.is_control()), "{text:?}");
}
