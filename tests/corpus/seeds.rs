//! Initial inputs for each target: from the recorded mounts, from the archives of these tests, and otherwise written by
//! hand.

use std::{collections::BTreeSet, fs};

use akv_provider::content::{pkcs12::Archive, work::Work};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};

use super::{files, root, targets};

/// Inputs, each with its target's name.
type Seeds = BTreeSet<(&'static str, Vec<u8>)>;

pub(super) fn seeds() -> Seeds {
    let mut seeds = written();
    seeds.extend(of_issuer());
    let folders =
        ["tests/conformance", "tests/objects", "tests/reports"].map(|folder| files(&root().join(folder)));
    for path in folders.iter().flatten().filter(|path| path.extension().unwrap() == "json") {
        let cases: Vec<Value> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        for case in cases {
            of_request(&case["request"], &mut seeds);
            for fault in case["faults"].as_array().into_iter().flatten() {
                of_fault(fault, &mut seeds);
            }
            for vault in case["vaults"].as_object().into_iter().flat_map(|vaults| vaults.values()) {
                of_vault(vault, &mut seeds);
            }
        }
    }
    for path in files(&root().join("tests/data/pkcs12")) {
        let bytes = fs::read(&path).unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("pfx") => of_archive(bytes, &mut seeds),
            Some("pem") => {
                seeds.insert(("parts", [&[0x80][..], &bytes].concat()));
                seeds.insert(("pem", bytes));
            }
            Some("der") => drop(seeds.insert(("private_key", bytes))),
            _ => {}
        }
    }
    seeds
}

fn of_request(request: &Value, seeds: &mut Seeds) {
    let attributes = &request["attributes"];
    let texts = [attributes, &request["secrets"], &request["permission"]].map(ToString::to_string);
    seeds.insert(("attributes", texts.join("\0").into_bytes()));
    if let Some(objects) = attributes["objects"].as_str() {
        seeds.insert(("objects", objects.into()));
    }
}

fn of_fault(fault: &Value, seeds: &mut Seeds) {
    let (status, body) = (fault["status"].as_u64().unwrap(), fault["body"].as_str().unwrap());
    match body.strip_prefix("@TOKEN {") {
        Some(fields) => seeds.insert(("token_response", format!(r#"{{"access_token":"t",{fields}"#).into())),
        None => seeds.insert(("refusals", refusal(u16::try_from(status).unwrap(), body))),
    };
    if let Some(challenge) = fault["headers"]["WWW-Authenticate"].as_str() {
        seeds.insert(("challenge", challenge.into()));
    }
}

/// A status and a body.
fn refusal(status: u16, body: &str) -> Vec<u8> {
    [&status.to_le_bytes(), body.as_bytes()].concat()
}

fn of_vault(vault: &Value, seeds: &mut Seeds) {
    let bodies = |kind: &str| {
        let versions = vault[kind].as_object().into_iter().flat_map(|objects| objects.values());
        versions
            .flat_map(|versions| versions.as_array().into_iter().flatten())
            .map(|version| &version["body"])
    };
    for body in bodies("secrets") {
        seeds.insert(("bundles", body.to_string().into()));
        let value = body["value"].as_str().unwrap_or_default();
        let how = match body["contentType"].as_str() {
            Some("application/x-pem-file") => 1 | 64,
            Some("application/x-pkcs12") => 2 | 64,
            _ => 0,
        };
        seeds.insert(("secret", [&[how], value.as_bytes()].concat()));
        if how == 0 {
            seeds.extend((0..3).map(|syntax| ("structured", [&[syntax], value.as_bytes()].concat())));
        }
        if let Some(archive) = BASE64.decode(value.as_bytes()).ok().filter(|_| how & 2 != 0) {
            of_archive(archive, seeds);
        }
    }
    for body in bodies("certificates") {
        seeds.insert(("bundles", body.to_string().into()));
        if let Ok(cer) = BASE64.decode(body["cer"].as_str().unwrap_or_default().as_bytes()) {
            seeds.insert(("server_name", cer.clone()));
            seeds.insert(("chain", counted(&[cer])));
        }
    }
    for body in bodies("keys") {
        seeds.insert(("bundles", body.to_string().into()));
        let key = &body["key"];
        let number = |names: [&str; 2]| {
            let text = names.iter().find_map(|name| key[*name].as_str()).unwrap_or_default();
            BASE64URL_NOPAD.decode(text.as_bytes()).unwrap_or_default()
        };
        let place = |names: &[&str], field: &str| {
            let at = names.iter().position(|name| Some(*name) == key[field].as_str());
            u8::try_from(at.unwrap_or(names.len() - 1)).unwrap()
        };
        let start = [place(&targets::KEY_TYPES, "kty"), place(&targets::CURVES, "crv")];
        seeds.insert(("jwk", [&start[..], &counted(&[number(["n", "x"])]), &number(["e", "y"])].concat()));
    }
}

fn of_archive(pfx: Vec<u8>, seeds: &mut Seeds) {
    if let Ok(archive) = Archive::open(&pfx, "", &mut Work::of_mount()) {
        seeds.extend(archive.keys.iter().map(|key| ("private_key", key.expose().clone())));
        seeds.insert(("chain", counted(&archive.certificates)));
    }
    // Without a password, and with the one of the fixtures that have one.
    seeds.insert(("parts", [&[0][..], &pfx].concat()));
    seeds.insert(("parts", [&[6][..], b"secret", &pfx].concat()));
    seeds.insert(("pkcs12", pfx));
}

/// A token that proves a subject, and one that does not, each with the key set of its issuer.
fn of_issuer() -> Seeds {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let [x, y] = [x, y].map(|number| BASE64URL_NOPAD.encode(number));
    let keys = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y }] });
    let part = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!(
        "{}.{}",
        part(json!({ "alg": "ES256", "kid": "k" })),
        part(json!({
            "iss": "https://i", "sub": "system:serviceaccount:a:b", "aud": ["api://AzureADTokenExchange"],
            "exp": 1_800_003_600, "nbf": 1_800_000_000, "iat": 1_800_000_000,
        }))
    );
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    [signature.as_ref(), b"forged"]
        .map(|signature| format!("{signed}.{}\0{keys}", BASE64URL_NOPAD.encode(signature)))
        .map(|input| ("identity_proof", input.into_bytes()))
        .into()
}

/// Each part with its length in two bytes before it.
fn counted(parts: &[Vec<u8>]) -> Vec<u8> {
    let counted = |part: &Vec<u8>| [&u16::try_from(part.len()).unwrap().to_be_bytes(), &part[..]].concat();
    parts.iter().flat_map(counted).collect()
}

/// Inputs that no recorded mount has.
fn written() -> Seeds {
    let token = |claims: Value| format!("h.{}.s", BASE64URL_NOPAD.encode(claims.to_string().as_bytes()));
    let refusal = |status: u16, body: Value| refusal(status, &body.to_string());
    let guid = "11111111-2222-3333-4444-555555555555";
    let bearer = r#"Bearer authorization="https://login.microsoftonline.com/t", "#;
    [
        (
            "cloud_file",
            json!({
                "activeDirectoryEndpoint": "https://login.local/",
                "keyVaultEndpoint": "https://vault.local/",
                "keyVaultDNSSuffix": "vault.local:8443",
            })
            .to_string()
            .into_bytes(),
        ),
        (
            "tokens",
            json!({ "api://AzureADTokenExchange": { "token": "t", "expirationTimestamp": "2030-01-01T00:00:00Z" } })
                .to_string()
                .into_bytes(),
        ),
        ("challenge", format!(r#"{bearer}resource="https://vault.azure.net""#).into()),
        ("challenge", format!(r#"{bearer}scope="https://vault.azure.net/.default", PoP realm="a\"b""#).into()),
        ("objects", "array:\n- |\n  - objectName: a\n- - a\n- 5\n- {objectname: a, \u{a0}objectType: b}\n".into()),
        ("objects", "array:\n\u{a0}- |\n\tobjectName: a\n".into()),
        ("objects", "- {objectName: a, objectType: secret, objectVersionHistory: 0b-1_0}".into()),
        ("key_path", br#"a."b c"[-1].Db-Host"#.to_vec()),
        ("key_path", b"[0].ConnectionStrings:Default".to_vec()),
        ("key_path", b"hosts[*] | length(@)".to_vec()),
        ("retry_after", b"120".to_vec()),
        ("retry_after", b"Thu, 26 Nov 2026 00:01:30 GMT".to_vec()),
        ("token_response", json!({ "access_token": "t", "expires_on": "2030-12-31T23:59:59Z" }).to_string().into()),
        ("token_response", json!({ "token": { "access_token": "t", "expires_on": "4000000000" } }).to_string().into()),
        ("token_response", json!({ "error": "invalid_grant", "error_description": "d" }).to_string().into()),
        ("grpc_timeout", b"119995m".to_vec()),
        ("grpc_timeout", b"2M".to_vec()),
        ("claims", token(json!({ "iss": "https://i/", "sub": "system:serviceaccount:a:b", "aud": ["a"] })).into()),
        ("claims", token(json!({ "iss": "i", "sub": "s", "aud": "a", "tid": guid, "oid": guid })).into()),
        (
            "refusals",
            refusal(403, json!({ "error": {
                "code": "Forbidden",
                "message": format!("Caller is not authorized.\r\nCaller: appid=a;oid={guid};iss=b"),
                "innererror": { "code": "ForbiddenByRbac" },
            } })),
        ),
        (
            "refusals",
            refusal(401, json!({
                "error": "invalid_client",
                "error_description": "AADSTS7000215: Invalid.\r\nTrace ID: 1\r\nCorrelation ID: 2",
                "error_codes": [7_000_215],
            })),
        ),
    ]
    .into()
}
