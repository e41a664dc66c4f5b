//! Decides whether one certificate issued another.

use std::collections::HashMap;

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use der::oid::ObjectIdentifier;
use x509_parser::{
    asn1_rs::Oid,
    certificate::X509Certificate,
    extensions::ParsedExtension,
    prelude::FromDer,
    public_key::PublicKey,
    signature_algorithm::RsaSsaPssParams,
    x509::{SubjectPublicKeyInfo, X509Name},
};

use crate::content::{
    asn1::{EC_PUBLIC_KEY, ED25519, P256, P384, P521, RSA_ENCRYPTION, SECP256K1, SHA256, SHA384, SHA512},
    chain::ChainError,
    work::{TooMuchTogether, Work},
};

/// A certificate of an archive, parsed if it is X.509.
pub(super) struct Candidate<'a> {
    /// The index among the candidates of the archive.
    pub(super) index: usize,
    pub(super) der: &'a [u8],
    read: Option<Read<'a>>,
}

/// A parsed certificate. Its names are kept as text, so that comparisons do not format them again.
struct Read<'a> {
    certificate: X509Certificate<'a>,
    subject: String,
    issuer: String,
}

/// The signature checks of one archive: those that remain, and what those that are done have shown.
pub(super) struct SignatureChecks<'a> {
    left: usize,
    of_mount: &'a mut Work,
    /// Whether the first candidate issued the second, by their indexes.
    known: HashMap<(usize, usize), bool>,
    families: Families,
}

/// Whether a key of another family of algorithms than that of the signature can be the issuer's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Families {
    Ignored,
    Compared,
}

impl<'a> SignatureChecks<'a> {
    pub(super) fn granted(of_mount: &'a mut Work) -> Self {
        // Compat: provider-azure links the certificates of a file by key identifiers, whatever their keys.
        Self { left: GRANTED, of_mount, known: HashMap::new(), families: Families::Ignored }
    }

    /// From now on, a key of another family than that of the signature is not the issuer's.
    pub(super) fn compare_families(&mut self) {
        self.families = Families::Compared;
    }

    /// Returns what `check` shows of a pair, which is checked once.
    fn once(&mut self, pair: (usize, usize), check: impl FnOnce() -> bool) -> Result<bool, ChainError> {
        if let Some(known) = self.known.get(&pair) {
            return Ok(*known);
        }
        self.left = self.left.checked_sub(1).ok_or(ChainError::TooManySignatures)?;
        self.of_mount.spend_signature().map_err(|TooMuchTogether| ChainError::TooManySignaturesTogether)?;
        let shown = check();
        self.known.insert(pair, shown);
        Ok(shown)
    }
}

impl<'a> Candidate<'a> {
    pub(super) fn new(index: usize, der: &'a [u8]) -> Self {
        let read = X509Certificate::from_der(der).ok().map(|(_, certificate)| Read {
            subject: comparable(certificate.subject()),
            issuer: comparable(certificate.issuer()),
            certificate,
        });
        Self { index, der, read }
    }

    pub(super) fn is_readable(&self) -> bool {
        self.read.is_some()
    }

    /// Returns the content of `subjectPublicKey`.
    pub(super) fn public_key(&self) -> Option<&[u8]> {
        self.read.as_ref().map(|read| &*read.certificate.public_key().subject_public_key.data)
    }

    /// Returns whether this is a certificate of an authority by its basic constraints (RFC 5280, section 4.2.1.9).
    pub(super) fn is_authority(&self) -> bool {
        self.basic_constraint() == Some(true)
    }

    /// Returns whether its basic constraints say that this is no certificate of an authority.
    pub(super) fn is_end_entity(&self) -> bool {
        self.basic_constraint() == Some(false)
    }

    fn basic_constraint(&self) -> Option<bool> {
        self.read.as_ref()?.certificate.basic_constraints().ok()?.map(|basic| basic.value.ca)
    }

    pub(super) fn has_key(&self, key: &[u8]) -> bool {
        self.public_key() == Some(key)
    }

    /// Returns the start of the validity period, in seconds since 1970.
    pub(super) fn not_before(&self) -> Option<i64> {
        self.read.as_ref().map(|read| read.certificate.validity().not_before.timestamp())
    }

    /// Returns whether both certificates have the same key, name and issuer. Either of them then issued what the other
    /// issued.
    pub(super) fn is_renewal_of(&self, other: &Self) -> bool {
        let (Some(one), Some(two)) = (&self.read, &other.read) else {
            return false;
        };
        self.public_key() == other.public_key() && one.subject == two.subject && one.issuer == two.issuer
    }

    /// Returns whether this certificate names and signed `other`. If the signature algorithm is unsupported, key
    /// identifiers must agree instead, if both are present.
    pub(super) fn issued(&self, other: &Self, checks: &mut SignatureChecks<'_>) -> Result<bool, ChainError> {
        let (Some(issuer), Some(subject)) = (&self.read, &other.read) else {
            return Ok(false);
        };
        let (above, below) = (&issuer.certificate, &subject.certificate);
        if above.subject().as_raw() != below.issuer().as_raw() && issuer.subject != subject.issuer {
            return Ok(false);
        }
        if checks.families == Families::Compared && !families_agree(above, below) {
            return Ok(false);
        }
        checks.once((self.index, other.index), || {
            signed(above, below).unwrap_or_else(|| identifiers_agree(above, below))
        })
    }
}

/// Returns a name as text that can be compared. Authorities mix string types and case, and RFC 5280, section 7.1,
/// ignores both.
fn comparable(name: &X509Name<'_>) -> String {
    let mut text = name.to_string();
    text.make_ascii_lowercase();
    text
}

/// Verifies the signature; `None` means that the algorithm is unsupported.
fn signed(issuer: &X509Certificate<'_>, subject: &X509Certificate<'_>) -> Option<bool> {
    let algorithm = verification(issuer.public_key(), subject)?;
    let key = UnparsedPublicKey::new(algorithm, &issuer.public_key().subject_public_key.data);
    Some(key.verify(subject.tbs_certificate.as_ref(), &subject.signature_value.data).is_ok())
}

fn verification(
    key: &SubjectPublicKeyInfo<'_>,
    subject: &X509Certificate<'_>,
) -> Option<&'static dyn VerificationAlgorithm> {
    let scheme = identifier(&subject.signature_algorithm.algorithm)?;
    match key.parsed().ok()? {
        PublicKey::RSA(rsa) => {
            let bits = rsa.key_size();
            if !(1024..=8192).contains(&bits) {
                return None;
            }
            let large = bits >= 2048;
            match scheme {
                SHA1_WITH_RSA => Some(&signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY),
                SHA256_WITH_RSA => Some(&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
                SHA384_WITH_RSA if large => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
                SHA512_WITH_RSA => Some(&signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
                RSA_PSS if large => pss(subject),
                _ => None,
            }
        }
        PublicKey::EC(_) => {
            let curve = identifier(&key.algorithm.parameters.as_ref()?.as_oid().ok()?)?;
            match (curve, scheme) {
                (P256, ECDSA_SHA256) => Some(&signature::ECDSA_P256_SHA256_ASN1),
                (P256, ECDSA_SHA384) => Some(&signature::ECDSA_P256_SHA384_ASN1),
                (P256, ECDSA_SHA512) => Some(&signature::ECDSA_P256_SHA512_ASN1),
                (P384, ECDSA_SHA256) => Some(&signature::ECDSA_P384_SHA256_ASN1),
                (P384, ECDSA_SHA384) => Some(&signature::ECDSA_P384_SHA384_ASN1),
                (P384, ECDSA_SHA512) => Some(&signature::ECDSA_P384_SHA512_ASN1),
                (P521, ECDSA_SHA256) => Some(&signature::ECDSA_P521_SHA256_ASN1),
                (P521, ECDSA_SHA384) => Some(&signature::ECDSA_P521_SHA384_ASN1),
                (P521, ECDSA_SHA512) => Some(&signature::ECDSA_P521_SHA512_ASN1),
                (SECP256K1, ECDSA_SHA256) => Some(&signature::ECDSA_P256K1_SHA256_ASN1),
                _ => None,
            }
        }
        _ if identifier(&key.algorithm.algorithm)? == ED25519 && scheme == ED25519 => {
            Some(&signature::ED25519)
        }
        _ => None,
    }
}

/// Converts the parser's identifier to a type that patterns can match.
fn identifier(parsed: &Oid<'_>) -> Option<ObjectIdentifier> {
    ObjectIdentifier::from_bytes(parsed.as_bytes()).ok()
}

/// Returns the PSS algorithm. Only salts as long as the hash are supported.
fn pss(subject: &X509Certificate<'_>) -> Option<&'static dyn VerificationAlgorithm> {
    let parameters = RsaSsaPssParams::try_from(subject.signature_algorithm.parameters.as_ref()?).ok()?;
    let hash = identifier(parameters.hash_algorithm_oid())?;
    match (hash, parameters.salt_length()) {
        (SHA256, 32) => Some(&signature::RSA_PSS_2048_8192_SHA256),
        (SHA384, 48) => Some(&signature::RSA_PSS_2048_8192_SHA384),
        (SHA512, 64) => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

/// Returns whether the issuer's key is of the family of the signature's algorithm; also if one of them is unknown.
fn families_agree(issuer: &X509Certificate<'_>, subject: &X509Certificate<'_>) -> bool {
    let key = identifier(&issuer.public_key().algorithm.algorithm).and_then(Family::of_key);
    let scheme = identifier(&subject.signature_algorithm.algorithm).and_then(Family::of_scheme);
    key.zip(scheme).is_none_or(|(key, scheme)| key == scheme)
}

/// Algorithms whose keys make no signatures of another family.
#[derive(PartialEq, Eq)]
enum Family {
    Rsa,
    Elliptic,
    Ed25519,
}

impl Family {
    fn of_key(algorithm: ObjectIdentifier) -> Option<Self> {
        match algorithm {
            RSA_ENCRYPTION | RSA_PSS => Some(Self::Rsa),
            EC_PUBLIC_KEY => Some(Self::Elliptic),
            ED25519 => Some(Self::Ed25519),
            _ => None,
        }
    }

    fn of_scheme(scheme: ObjectIdentifier) -> Option<Self> {
        match scheme {
            ED25519 => Some(Self::Ed25519),
            _ if scheme.starts_with(PKCS1) => Some(Self::Rsa),
            _ if scheme.starts_with(ECDSA) => Some(Self::Elliptic),
            _ => None,
        }
    }
}

fn identifiers_agree(issuer: &X509Certificate<'_>, subject: &X509Certificate<'_>) -> bool {
    let own = issuer.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0),
        _ => None,
    });
    let wanted = subject.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(authority) => {
            authority.key_identifier.as_ref().map(|identifier| identifier.0)
        }
        _ => None,
    });
    match (own, wanted) {
        (Some(own), Some(wanted)) => own == wanted,
        _ => true,
    }
}

/// Signature checks of one archive: about one second with the slowest algorithm. Twenty certificates with the same name
/// need 400.
pub(super) const GRANTED: usize = 2_000;

/// RFC 8017, appendix C: above all identifiers of RSA signatures.
const PKCS1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1");
/// RFC 5758, section 3.2: above all identifiers of ECDSA signatures.
const ECDSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4");
const SHA1_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const SHA384_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const SHA512_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_another_string_type_and_case() {
        let name = |kind: u8, text: &[u8; 4]| {
            let mut der = vec![0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 0x06, 0x03, 0x55, 0x04, 0x03, kind, 0x04];
            der.extend_from_slice(text);
            der
        };
        let (printable, utf8, other) = (name(0x13, b"Root"), name(0x0c, b"ROOT"), name(0x13, b"Leaf"));
        let parse = |der| X509Name::from_der(der).unwrap().1;
        assert_eq!(comparable(&parse(&printable)), comparable(&parse(&utf8)));
        assert_ne!(comparable(&parse(&printable)), comparable(&parse(&other)));
    }
}
