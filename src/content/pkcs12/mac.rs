//! The MAC over an archive: RFC 7292, section 4.

use aws_lc_rs::hmac;
use der::{
    Sequence,
    asn1::{IntRef, OctetStringRef},
    oid::ObjectIdentifier,
};
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::{
    Pkcs12Error,
    password::EmptyPassword,
    work::{self, Work},
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
        password: EmptyPassword,
        work: &mut Work,
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
        work.spend(rounds, 1)?;
        let rounds = i32::try_from(rounds).map_err(|_| Pkcs12Error::TooMuchWork)?;
        let length = hmac.digest_algorithm().output_len();
        let key = derive(password.bytes(), self.salt.as_bytes(), Pkcs12KeyType::Mac, rounds, length);
        let key = hmac::Key::new(hmac, &Zeroizing::new(key));
        hmac::verify(&key, content, self.digest.digest.as_bytes()).map_err(|_| Pkcs12Error::WrongPassword)
    }
}

type Derive = fn(&[u8], &[u8], Pkcs12KeyType, i32, usize) -> Vec<u8>;

#[derive(Sequence)]
struct DigestInfo<'a> {
    algorithm: AlgorithmIdentifier<'a>,
    digest: &'a OctetStringRef,
}

const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA224: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.4");
