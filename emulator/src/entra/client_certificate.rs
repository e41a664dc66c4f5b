//! Client assertions that an application signs with the key of its certificate
//! (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>).

use aws_lc_rs::{
    digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest},
    signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, UnparsedPublicKey},
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde::Deserialize;
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use super::{ADFS, Entra, assertion::moment, errors::EntraError};
use crate::{
    directory::{Application, CertificateTrust},
    jws::decode,
};

/// The header of an assertion that is signed with a certificate's key.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(rename = "x5t#S256")]
    sha256: Option<String>,
    #[serde(rename = "x5t")]
    sha1: Option<String>,
    #[serde(rename = "x5c", default)]
    chain: Vec<String>,
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    sub: String,
    #[serde(rename = "jti")]
    _jti: String,
    nbf: i64,
    exp: i64,
}

/// How the endpoint of a tenant wants assertions signed.
struct Scheme {
    alg: &'static str,
    verification: &'static RsaParameters,
    digest: &'static Algorithm,
    path: &'static str,
}

const ENTRA: Scheme = Scheme {
    alg: "PS256",
    verification: &RSA_PSS_2048_8192_SHA256,
    digest: &SHA256,
    path: "oauth2/v2.0/token",
};

const OLDER: Scheme = Scheme {
    alg: "RS256",
    verification: &RSA_PKCS1_2048_8192_SHA256,
    digest: &SHA1_FOR_LEGACY_USE_ONLY,
    path: "oauth2/token",
};

/// Returns whether a client assertion names a certificate, and so is not a service-account token.
pub(super) fn names_certificate(assertion: &str) -> bool {
    let header = assertion.split('.').next().and_then(decode::<Header>);
    header.is_some_and(|header| header.sha256.is_some() || header.sha1.is_some())
}

impl Entra<'_> {
    /// Checks that the application trusts the certificate, that its key signed the assertion, and that the assertion is
    /// for this endpoint and valid now.
    pub(super) fn check_certificate(
        &self,
        tenant: &str,
        application: &Application,
        assertion: &str,
    ) -> Result<(), EntraError> {
        let scheme = if tenant == ADFS { OLDER } else { ENTRA };
        let (signed, signature) = assertion.rsplit_once('.').ok_or(EntraError::MalformedAssertion)?;
        let (header, claims) = signed.split_once('.').ok_or(EntraError::MalformedAssertion)?;
        let header: Header = decode(header).ok_or(EntraError::MalformedAssertion)?;
        let claims: Claims = decode(claims).ok_or(EntraError::MalformedAssertion)?;
        let signature =
            BASE64URL_NOPAD.decode(signature.as_bytes()).map_err(|_| EntraError::MalformedAssertion)?;
        let thumbprint = match scheme.alg {
            alg if header.alg != alg => return Err(EntraError::MalformedAssertion),
            "PS256" => header.sha256.as_deref(),
            _ => header.sha1.as_deref(),
        };
        let thumbprint = thumbprint.ok_or(EntraError::MalformedAssertion)?;
        let client_id = &application.identity.client_id;
        let has_thumbprint =
            |der: &[u8]| BASE64URL_NOPAD.encode(digest(scheme.digest, der).as_ref()) == thumbprint;
        let now = self.clock.unix();
        let sent: Vec<Vec<u8>> = header
            .chain
            .iter()
            .map(|der| BASE64.decode(der.as_bytes()).map_err(|_| EntraError::MalformedAssertion))
            .collect::<Result<_, _>>()?;
        let trusted = application.certificates.iter().find_map(|trust| match trust {
            CertificateTrust::Thumbprint(der) => has_thumbprint(der).then(|| der.clone()),
            CertificateTrust::SubjectName { name, roots } => {
                let leaf = sent.first().filter(|leaf| has_thumbprint(leaf) && is_named(leaf, name))?;
                leads_to(&sent, roots, now).then(|| leaf.clone())
            }
        });
        let unknown = || EntraError::UnknownCertificate { thumbprint: thumbprint.to_owned() };
        let leaf = trusted.ok_or_else(unknown)?;
        let (_, certificate) = X509Certificate::from_der(&leaf).map_err(|_| unknown())?;
        let key = &certificate.public_key().subject_public_key.data;
        UnparsedPublicKey::new(scheme.verification, key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| EntraError::BadSignature)?;
        if claims.iss != *client_id || claims.sub != *client_id {
            return Err(EntraError::OtherClient { client_id: client_id.clone() });
        }
        let path = format!("/{tenant}/{}", scheme.path);
        let is_for_host = |host: &str| claims.aud == format!("https://{host}{path}");
        if !self.cloud.login_hosts().iter().any(|host| is_for_host(host)) {
            return Err(EntraError::OtherAudience);
        }
        if now < claims.nbf - SKEW || now >= claims.exp + SKEW || claims.exp - claims.nbf > LONGEST {
            return Err(EntraError::AssertionExpired {
                now: moment(now),
                from: moment(claims.nbf),
                until: moment(claims.exp),
            });
        }
        Ok(())
    }
}

/// Returns whether a certificate has this common name.
fn is_named(der: &[u8], name: &str) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, certificate)| {
        let mut names = certificate.subject().iter_common_name();
        names.any(|common| common.as_str().is_ok_and(|common| common == name))
    })
}

/// Returns whether each certificate is valid and signed by the next one, and the last one by a root, or is a root.
fn leads_to(chain: &[Vec<u8>], roots: &[Vec<u8>], now: i64) -> bool {
    let parsed: Option<Vec<_>> =
        chain.iter().map(|der| X509Certificate::from_der(der).ok().map(|(_, parsed)| parsed)).collect();
    let Some(parsed) = parsed else { return false };
    let valid = |certificate: &X509Certificate<'_>| {
        let validity = certificate.validity();
        (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now)
    };
    let signed = |below: &X509Certificate<'_>, above: &X509Certificate<'_>| {
        below.issuer().as_raw() == above.subject().as_raw()
            && below.verify_signature(Some(above.public_key())).is_ok()
    };
    parsed.iter().all(valid)
        && parsed.windows(2).all(|pair| signed(&pair[0], &pair[1]))
        && chain.last().zip(parsed.last()).is_some_and(|(der, last)| {
            roots.iter().any(|root| {
                root == der
                    || X509Certificate::from_der(root)
                        .is_ok_and(|(_, root)| valid(&root) && signed(last, &root))
            })
        })
}

/// Entra accepts a clock skew of five minutes.
const SKEW: i64 = 300;
/// The longest lifetime of an assertion, in seconds: a day.
const LONGEST: i64 = 86_400;
