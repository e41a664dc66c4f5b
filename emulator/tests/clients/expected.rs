//! The result that every client must print, whatever its language.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};

use crate::harness::{CURRENT_VERSION, Lab, MANY, VAULT};

pub(crate) fn everything(lab: &Lab) -> Value {
    let version = &lab.web_version;
    let key = Value::Object(lab.web.key_body());
    let number = |field: &str| {
        let text = key["key"][field].as_str().expect("an RSA key has modulus and exponent");
        BASE64.encode(&BASE64URL_NOPAD.decode(text.as_bytes()).expect("JWK numbers are base64url"))
    };
    let certificate = Value::Object(lab.web.certificate_body());
    let versions: Vec<_> = (0..MANY)
        .map(|number| {
            json!({
                "version": format!("{number:032x}"),
                "enabled": number % 2 == 0,
                "created": 1_700_000_000 + number,
            })
        })
        .collect();
    json!({
        "secret": {
            "value": "pa55w0rd \u{e9}\u{1f511}",
            "contentType": "text/plain",
            "name": "db-password",
            "version": CURRENT_VERSION,
            "enabled": true,
            "created": 1_700_000_002,
        },
        "oldSecret": "old",
        "secrets": ["db-password", "disabled", "many", "web"],
        "secretVersions": versions,
        "missing": { "status": 404, "code": "SecretNotFound" },
        "disabled": { "status": 403, "code": "Forbidden" },
        "key": { "name": "web", "version": version, "type": "RSA", "n": number("n"), "e": number("e") },
        "keys": ["web"],
        "keyVersions": [version],
        "missingKey": { "status": 404, "code": "KeyNotFound" },
        "certificate": {
            "name": "web",
            "version": version,
            "cer": certificate["cer"],
            "key": format!("{VAULT}/keys/web/{version}"),
            "secret": format!("{VAULT}/secrets/web/{version}"),
            "x5t": thumbprint(certificate["cer"].as_str().expect("it has one")),
        },
        "certificates": ["web"],
        "certificateVersions": [version],
        "missingCertificate": { "status": 404, "code": "CertificateNotFound" },
    })
}

/// Returns the SHA-1 of a certificate, both in base64.
fn thumbprint(cer: &str) -> String {
    let der = BASE64.decode(cer.as_bytes()).expect("certificates are base64");
    BASE64.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &der).as_ref())
}
