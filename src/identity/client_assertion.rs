//! The assertion of a service principal with a certificate
//! (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>).
//!
//! The SDK's own credential for certificates needs OpenSSL, opens archives alone, signs with RS256 over a SHA-1
//! thumbprint, and reads the process's environment.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest},
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding},
};
use azure_core::{
    Result, Uuid,
    error::{Error, ErrorKind},
    http::{ClientMethodOptions, Url},
    time::OffsetDateTime,
};
use azure_identity::ClientAssertion;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::{
    blocking::NamespaceComputations,
    content::client_key::{ClientKey, ClientKeyError},
    spec::{
        identity::ClientId,
        service_principal::{ClientCertificate, SentChain},
    },
};

/// The lifetime of an assertion, in seconds. It is sent at once, and again within the time limit of a token request.
const LIFETIME: i64 = 600;

/// How an authority wants an assertion signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// PS256, and a SHA-256 thumbprint: Entra.
    Entra,
    /// RS256, and a SHA-1 thumbprint: AD FS knows no other.
    Adfs,
}

/// A source of assertions. It opens the certificate at its first use, and then drops the Secret's text.
pub(super) struct CertificateAssertion {
    client: ClientId,
    /// The URL of the token endpoint.
    audience: Url,
    scheme: Scheme,
    computations: NamespaceComputations,
    state: Mutex<State>,
}

enum State {
    Sealed(ClientCertificate),
    Open(Arc<Signer>),
}

impl CertificateAssertion {
    pub(super) fn new(
        certificate: ClientCertificate,
        client: ClientId,
        audience: Url,
        scheme: Scheme,
        computations: NamespaceComputations,
    ) -> Self {
        Self { client, audience, scheme, computations, state: Mutex::new(State::Sealed(certificate)) }
    }

    async fn signer(&self) -> std::result::Result<Arc<Signer>, ClientKeyError> {
        let mut state = self.state.lock().await;
        let certificate = match &*state {
            State::Open(signer) => return Ok(signer.clone()),
            State::Sealed(certificate) => certificate.clone(),
        };
        let scheme = self.scheme;
        let open = move || {
            let ClientCertificate { text, password, chain } = certificate;
            let key = ClientKey::open(text.expose(), password.expose(), OffsetDateTime::now_utc())?;
            Ok(Arc::new(Signer::new(key, scheme, chain)))
        };
        // An archive takes up to a second.
        let signer: Arc<Signer> = self.computations.run(open).await?;
        *state = State::Open(signer.clone());
        Ok(signer)
    }
}

#[async_trait::async_trait]
impl ClientAssertion for CertificateAssertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> Result<String> {
        let signer = self.signer().await.map_err(unusable)?;
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let claims = encoded(&Claims {
            aud: self.audience.as_str(),
            iss: self.client.as_str(),
            sub: self.client.as_str(),
            jti: Uuid::new_v4().to_string(),
            iat: now,
            nbf: now,
            exp: now + LIFETIME,
        });
        // With the longest keys it takes as long as a hundred mounts.
        self.computations.run(move || signer.sign(&claims)).await.map_err(unusable)
    }
}

fn unusable(error: ClientKeyError) -> Error {
    Error::with_error(ErrorKind::Credential, error, "the client certificate cannot be used")
}

impl fmt::Debug for CertificateAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateAssertion({})", self.client)
    }
}

/// A key that is ready to sign.
struct Signer {
    key: ClientKey,
    encoding: &'static dyn RsaEncoding,
    /// In base64.
    header: String,
}

/// The header of an assertion (RFC 7515, section 4.1).
#[derive(Serialize)]
struct Header {
    alg: &'static str,
    typ: &'static str,
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(rename = "x5t", skip_serializing_if = "Option::is_none")]
    sha1: Option<String>,
    #[serde(rename = "x5c", skip_serializing_if = "Vec::is_empty")]
    chain: Vec<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

impl Signer {
    fn new(key: ClientKey, scheme: Scheme, chain: SentChain) -> Self {
        let leaf = key.certificates.first().map_or(&[][..], Vec::as_slice);
        let thumbprint = |algorithm| Some(BASE64URL_NOPAD.encode(digest(algorithm, leaf).as_ref()));
        let (alg, encoding, sha256, sha1): (_, &dyn RsaEncoding, _, _) = match scheme {
            Scheme::Entra => ("PS256", &RSA_PSS_SHA256, thumbprint(&SHA256), None),
            Scheme::Adfs => ("RS256", &RSA_PKCS1_SHA256, None, thumbprint(&SHA1_FOR_LEGACY_USE_ONLY)),
        };
        let chain = match chain {
            SentChain::Omitted => Vec::new(),
            SentChain::Sent => key.certificates.iter().map(|der| BASE64.encode(der)).collect(),
        };
        let header = encoded(&Header { alg, typ: "JWT", sha256, sha1, chain });
        Self { key, encoding, header }
    }

    fn sign(&self, claims: &str) -> std::result::Result<String, ClientKeyError> {
        let mut token = format!("{}.{claims}", self.header);
        let pair = &self.key.pair;
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(self.encoding, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_| ClientKeyError::CannotSign)?;
        token.push('.');
        BASE64URL_NOPAD.encode_append(&signature, &mut token);
        Ok(token)
    }
}

fn encoded(part: &impl Serialize) -> String {
    BASE64URL_NOPAD.encode(&serde_json::to_vec(part).expect("texts and numbers have a JSON form"))
}

#[cfg(test)]
mod tests;
