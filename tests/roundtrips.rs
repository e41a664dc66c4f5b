//! Property tests: written values parse to themselves, for values that no author of tests thought of.

use std::{
    fmt::{Debug, Display},
    str::FromStr,
    time::{Duration, SystemTime},
};

use akv_provider::{
    cloud::CloudEnvironment,
    content::{
        chain, encoding,
        jwk::{self, PublicJwk},
        pem,
        pkcs12::Archive,
        secret::{self, CertificateSettings},
        work::Work,
    },
    identity::UnverifiedClaims,
    parameters::{self, MountTexts},
    server::{deadline, endpoint::Endpoint},
    spec::{
        cloud::CloudName,
        file::{FileMode, RelativePath},
        identity::{ClientId, ServiceAccountToken, TenantId},
        object::{ObjectName, ObjectType, ObjectVersion, VersionSelector},
        rendering::{SecretEncoding, SecretFormat},
        sensitive::Sensitive,
        vault::VaultName,
    },
    transport::retry_after,
    vault::Challenge,
};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use azure_core::time::{OffsetDateTime, to_rfc7231};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use proptest::{collection::vec, option, prelude::*, sample::select, test_runner::TestCaseResult};
use serde_json::json;
use x509_parser::{prelude::FromDer, x509::SubjectPublicKeyInfo};

/// Asserts that an accepted text is displayed as it was written.
fn shows_itself<T: FromStr + Display>(text: &str) -> TestCaseResult {
    if let Ok(value) = text.parse::<T>() {
        prop_assert_eq!(value.to_string(), text);
    }
    Ok(())
}

/// Asserts that a valid text is accepted and displayed as it was written.
fn is_taken_and_shows_itself<T: FromStr<Err: Debug> + Display>(text: &str) -> TestCaseResult {
    prop_assert!(text.parse::<T>().is_ok());
    shows_itself::<T>(text)
}

/// Returns the contents of the blocks of a PEM text.
fn blocks(text: &str) -> Vec<Vec<u8>> {
    let (mut blocks, mut open) = (Vec::new(), String::new());
    for line in text.lines() {
        match line {
            _ if line.starts_with("-----BEGIN") => open.clear(),
            _ if line.starts_with("-----END") => blocks.push(BASE64.decode(open.as_bytes()).unwrap()),
            _ => open += line,
        }
    }
    blocks
}

/// Returns the key of a PEM text with nothing else in it.
fn public_key(pem: Vec<u8>) -> Vec<u8> {
    blocks(&String::from_utf8(pem).unwrap()).remove(0)
}

proptest! {
    #[test]
    fn displayed_names_parse_back(text in "\\PC{0,40}|[a-zA-Z0-9./-]{0,40}") {
        shows_itself::<ObjectName>(&text)?;
        shows_itself::<ObjectVersion>(&text)?;
        shows_itself::<VaultName>(&text)?;
        shows_itself::<RelativePath>(&text)?;
        shows_itself::<ClientId>(&text)?;
        shows_itself::<TenantId>(&text)?;
    }

    #[test]
    fn valid_names_are_accepted(
        segment in "[a-zA-Z0-9-]{1,127}",
        path in "[a-z0-9_-]{1,20}(/[a-zA-Z0-9_-]{1,20}){0,4}",
    ) {
        is_taken_and_shows_itself::<ObjectName>(&segment)?;
        is_taken_and_shows_itself::<ObjectVersion>(&segment)?;
        is_taken_and_shows_itself::<RelativePath>(&path)?;
        is_taken_and_shows_itself::<Endpoint>(&format!("unix:///{path}"))?;
    }

    #[test]
    fn encoded_bytes_are_decoded_unchanged(bytes in vec(any::<u8>(), 0..200), line in 1..100_usize) {
        let lines = |text: String| {
            let lines = text.as_bytes().chunks(line).map(|line| std::str::from_utf8(line).unwrap());
            lines.collect::<Vec<_>>().join("\r\n")
        };
        for (text, encoding) in [
            (BASE64.encode(&bytes), SecretEncoding::Base64),
            (lines(BASE64.encode(&bytes)), SecretEncoding::Base64),
            (HEXLOWER.encode(&bytes), SecretEncoding::Hex),
            (HEXUPPER.encode(&bytes), SecretEncoding::Hex),
        ] {
            let decoded = encoding::decode(&text, encoding).unwrap();
            prop_assert_eq!(decoded.expose(), &bytes);
        }
    }

    #[test]
    fn a_secret_that_backs_no_certificate_is_unchanged(value in any::<String>()) {
        let settings = CertificateSettings::default();
        let content = secret::render(&value, None, SecretFormat::Pem, SecretEncoding::Utf8, settings, &mut Work::of_mount()).unwrap();
        prop_assert_eq!(content.whole.expose(), value.as_bytes());
    }

    #[test]
    fn pem_blocks_are_found_between_any_text(
        parts in vec((any::<bool>(), vec(any::<u8>(), 0..300)), 0..6),
        between in "[ a-zA-Z0-9\n]{0,40}",
    ) {
        let mut text = between.clone();
        for (is_certificate, content) in &parts {
            let label = if *is_certificate { "CERTIFICATE" } else { "PRIVATE KEY" };
            let content = BASE64.encode(content);
            text += &format!("\n-----BEGIN {label}-----\n{content}\n-----END {label}-----\n{between}");
        }
        let split = pem::split(&text);
        for (part, certificates) in [(split.certificates, true), (split.keys, false)] {
            let found = blocks(std::str::from_utf8(part.expose()).unwrap());
            let wanted: Vec<Vec<u8>> =
                parts.iter().filter(|part| part.0 == certificates).map(|part| part.1.clone()).collect();
            prop_assert_eq!(found, wanted);
        }
    }

    #[test]
    fn a_timeout_is_parsed_as_grpc_writes_it(nanoseconds in 0..u64::MAX) {
        let timeout = Duration::from_nanos(nanoseconds);
        let mut request = tonic::Request::new(());
        request.set_timeout(timeout);
        let text = request.metadata().get("grpc-timeout").unwrap().to_str().unwrap().to_owned();
        let read = deadline::parse(&text).unwrap();
        // Six to eight digits are kept, rounded down: the next unit is up to a thousand times as long.
        prop_assert!(read <= timeout && timeout - read <= timeout / 100_000, "{text} is read as {read:?}");
    }

    #[test]
    fn a_retry_after_date_is_parsed_as_http_writes_it(now in 0..4_000_000_000_u64, wait in 0..10_000_000_u64) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
        let wait = Duration::from_secs(wait);
        let text = to_rfc7231(&OffsetDateTime::from(now + wait));
        prop_assert_eq!(retry_after::parse(&text, now), Some(wait));
        prop_assert_eq!(retry_after::parse(&wait.as_secs().to_string(), now), Some(wait));
    }

    #[test]
    fn a_displayed_challenge_parses_back(
        path in "[a-z0-9/._~-]{0,30}",
        scope in any::<bool>(),
        other in "[a-z]{0,9}",
    ) {
        let vault = CloudEnvironment::named(CloudName::Public).vault(&"lab".parse().unwrap());
        let name = if scope { "scope" } else { "resource" };
        let text = format!(r#"Bearer realm="{other}", {name}="https://vault.azure.net/{path}", PoP a="{other}""#);
        let challenge = Challenge::for_vault(&text, &vault).unwrap();
        prop_assert_eq!(Challenge::for_vault(&challenge.to_string(), &vault), Ok(challenge));
    }

    #[test]
    fn claims_of_a_token_are_parsed_unchanged(
        issuer in "[!-~]{1,100}",
        subject in "[!-~]{1,100}",
        audience in "[!-~]{1,100}",
    ) {
        let claims = json!({ "iss": issuer, "sub": subject, "aud": [audience], "exp": 1 }).to_string();
        let token = format!("h.{}.s", BASE64URL_NOPAD.encode(claims.as_bytes()));
        let presented = UnverifiedClaims::of(&ServiceAccountToken::new(Sensitive::new(token)));
        prop_assert_eq!(presented, Some(UnverifiedClaims { issuer, subject, audience }));
    }

    #[test]
    fn objects_are_parsed_as_they_are_written(
        objects in vec(
            ("[a-zA-Z0-9-]{1,60}", select(&["secret", "key", "cert"][..]), option::of("[0-9a-f]{32}"), any::<bool>()),
            1..20,
        ),
        mode in 0..=0o777_u32,
    ) {
        let mut yaml = "array:\n".to_owned();
        for (index, (name, kind, version, quoted)) in objects.iter().enumerate() {
            let name = if *quoted { format!("\"{name}\"") } else { format!("'{name}'") };
            yaml += &format!("  - |\n    objectName: {name}\n    objectType: {kind}\n");
            yaml += &format!("    objectAlias: file-{index}\n");
            if let Some(version) = version {
                yaml += &format!("    objectVersion: \"{version}\"\n");
            }
            if mode % 2 == 0 {
                yaml += &format!("    filePermission: \"{mode:04o}\"\n");
            }
        }
        let attributes = json!({
            "csi.storage.k8s.io/pod.name": "web-0",
            "csi.storage.k8s.io/pod.namespace": "shop",
            "keyvaultName": "lab",
            "tenantId": "11111111-2222-3333-4444-555555555555",
            "useVMManagedIdentity": "true",
            "objects": yaml,
        });
        let (attributes, permission) = (attributes.to_string(), mode.to_string());
        let texts = MountTexts { attributes: &attributes, secrets: "null", permission: &permission };
        let spec = parameters::parse(texts).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(spec.default_mode, FileMode::from_bits(mode).unwrap());
        prop_assert_eq!(spec.objects.len(), objects.len());
        for (index, (found, (name, kind, version, _))) in spec.objects.iter().zip(&objects).enumerate() {
            prop_assert_eq!(found.name.as_str(), name);
            prop_assert_eq!(found.object_type(), kind.parse::<ObjectType>().unwrap());
            let file = found.shape.as_file().unwrap();
            prop_assert_eq!(file.path.as_str(), format!("file-{index}"));
            let wanted = match version {
                Some(version) => VersionSelector::Pinned(version.parse().unwrap()),
                None => VersionSelector::Newest,
            };
            prop_assert_eq!(&found.versions, &wanted);
            let own = (mode % 2 == 0).then(|| FileMode::from_bits(mode).unwrap());
            prop_assert_eq!(file.mode, own);
        }
    }
}

proptest! {
    // Signatures and keys take time.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_chain_comes_out_in_order_however_it_is_stored(order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle()) {
        let stored = Archive::open(include_bytes!("data/pkcs12/shuffled-chain.pfx"), "", &mut Work::of_mount()).unwrap().certificates;
        let shuffled: Vec<Vec<u8>> = order.iter().map(|index| stored[*index].clone()).collect();
        prop_assert_eq!(chain::order(&shuffled, &[], &mut Work::of_mount()).unwrap(), chain::order(&stored, &[], &mut Work::of_mount()).unwrap());
    }

    #[test]
    fn an_rsa_key_holds_the_numbers_that_it_was_made_of(
        mut modulus in vec(any::<u8>(), 256..=512),
        exponent in (2..1_u32 << 31).prop_map(|number| number | 1),
    ) {
        modulus[0] |= 0x80;
        *modulus.last_mut().unwrap() |= 1;
        let exponent: Vec<u8> = exponent.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
        let jwk = PublicJwk {
            kty: "RSA".to_owned(),
            n: Some(modulus.clone()),
            e: Some(exponent.clone()),
            ..PublicJwk::default()
        };
        let info = public_key(jwk::render(&jwk).unwrap());
        let (rest, info) = SubjectPublicKeyInfo::from_der(&info).unwrap();
        prop_assert!(rest.is_empty());
        let Ok(x509_parser::public_key::PublicKey::RSA(key)) = info.parsed() else { panic!("no RSA key") };
        let number = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
        prop_assert_eq!(number(key.modulus), modulus);
        prop_assert_eq!(number(key.exponent), exponent);
    }
}

#[test]
fn every_displayed_file_mode_parses_back() {
    for bits in 0..=0o777 {
        let mode = FileMode::from_bits(bits).unwrap();
        assert_eq!(mode.to_string().parse(), Ok(mode));
    }
    assert!(FileMode::from_bits(0o1000).is_err());
}

#[test]
fn a_public_key_holds_the_point_that_it_was_made_of() {
    for _ in 0..32 {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(48);
        let jwk = PublicJwk {
            kty: "EC".to_owned(),
            curve: Some("P-384".to_owned()),
            x: Some(x.to_vec()),
            y: Some(y.to_vec()),
            ..PublicJwk::default()
        };
        let info = public_key(jwk::render(&jwk).unwrap());
        let (rest, info) = SubjectPublicKeyInfo::from_der(&info).unwrap();
        assert!(rest.is_empty());
        assert_eq!(&info.subject_public_key.data[..], point);
    }
}
