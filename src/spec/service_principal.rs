//! What a service principal proves itself with.

use super::sensitive::Sensitive;

/// The longest client secret, and the longest password of a certificate, in bytes. Entra issues secrets of 40.
pub const MAX_SECRET_BYTES: usize = 4 << 10;

/// The proof of a service principal, from the Secret of `nodePublishSecretRef`.
#[derive(Debug, Clone)]
pub enum ClientProof {
    /// `clientsecret`
    Secret(Sensitive<String>),
    /// `clientcertificate`, with its options.
    Certificate(ClientCertificate),
}

/// A client certificate with its key as the Secret holds it. It is not opened yet, since an archive takes time.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// PEM of the key and its certificates, or a PKCS#12 archive in base64.
    pub text: Sensitive<String>,
    /// `clientcertificatepassword`: the password of the archive; may be empty.
    pub password: Sensitive<String>,
    /// `sendcertificatechain`
    pub chain: SentChain,
}

/// Whether the certificates go along with each token request. Entra needs them where the application trusts a subject
/// name and issuer instead of a thumbprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentChain {
    /// The thumbprint alone is sent.
    Omitted,
    /// The leaf and its issuers are sent.
    Sent,
}
