//! The MAC over an archive: RFC 7292, section 4.

use aws_lc_rs::hmac;
use der::{
    Encode, Sequence,
    asn1::{AnyRef, IntRef, OctetStringRef},
    oid::ObjectIdentifier,
};
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::{
    Pkcs12Error,
    password::Password,
    work::{self, ArchiveWork},
};
use crate::content::asn1::{AlgorithmIdentifier, SHA256, SHA384, SHA512};

#[derive(Sequence)]
pub(super) struct MacData<'a> {
    digest: DigestInfo<'a>,
    salt: &'a OctetStringRef,
    /// An absent count means one.
    iterations: Option<IntRef<'a>>,
}

impl MacData<'_> {
    pub(super) fn verify(
        &self,
        content: &[u8],
        password: &Password<'_>,
        work: &mut ArchiveWork<'_>,
    ) -> Result<(), Pkcs12Error> {
        let rounds = self.iterations.map_or(Ok(1), work::iterations)?;
        let algorithm = self.digest.algorithm.algorithm;
        let (derive, hmac): (Derive, _) = match algorithm {
            SHA1 => (derive_key::<Sha1>, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            SHA224 => (derive_key::<Sha224>, hmac::HMAC_SHA224),
            SHA256 => (derive_key::<Sha256>, hmac::HMAC_SHA256),
            SHA384 => (derive_key::<Sha384>, hmac::HMAC_SHA384),
            SHA512 => (derive_key::<Sha512>, hmac::HMAC_SHA512),
            _ => {
                return Err(Pkcs12Error::UnsupportedAlgorithm { purpose: "MAC", algorithm });
            }
        };
        work.spend(rounds, 1, self.salt.as_bytes(), password.utf16())?;
        let rounds = i32::try_from(rounds).map_err(|_| Pkcs12Error::TooMuchWork)?;
        let length = hmac.digest_algorithm().output_len();
        let key = derive(password.utf16(), self.salt.as_bytes(), Pkcs12KeyType::Mac, rounds, length);
        let key = hmac::Key::new(hmac, &Zeroizing::new(key));
        hmac::verify(&key, content, self.digest.digest.as_bytes())
            .map_err(|_| Pkcs12Error::WrongPassword(password.kind()))
    }
}

/// A MAC algorithm that stores are written with.
#[derive(Clone, Copy)]
pub(super) enum MacAlgorithm {
    Sha1,
    Sha256,
}

/// Returns the DER of a MAC over `content`.
pub(super) fn compute(
    content: &[u8],
    password: &Password<'_>,
    algorithm: MacAlgorithm,
    salt: &[u8],
    rounds: u16,
) -> der::Result<Vec<u8>> {
    let (derive, hmac, algorithm): (Derive, _, _) = match algorithm {
        MacAlgorithm::Sha1 => (derive_key::<Sha1>, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SHA1),
        MacAlgorithm::Sha256 => (derive_key::<Sha256>, hmac::HMAC_SHA256, SHA256),
    };
    let length = hmac.digest_algorithm().output_len();
    let key = derive(password.utf16(), salt, Pkcs12KeyType::Mac, rounds.into(), length);
    let tag = hmac::sign(&hmac::Key::new(hmac, &Zeroizing::new(key)), content);
    let algorithm = AlgorithmIdentifier { algorithm, parameters: Some(AnyRef::NULL) };
    let digest = DigestInfo { algorithm, digest: OctetStringRef::new(tag.as_ref())? };
    let rounds = rounds.to_be_bytes();
    MacData { digest, salt: OctetStringRef::new(salt)?, iterations: Some(IntRef::new(&rounds)?) }.to_der()
}

type Derive = fn(&[u8], &[u8], Pkcs12KeyType, i32, usize) -> Vec<u8>;

#[derive(Sequence)]
struct DigestInfo<'a> {
    algorithm: AlgorithmIdentifier<'a>,
    digest: &'a OctetStringRef,
}

const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA224: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.4");
