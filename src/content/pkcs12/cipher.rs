//! Password-based decryption: PBES1 of RFC 7292, appendix C, and PBES2 of RFC 8018.

use cbc::{
    Decryptor,
    cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit, block_padding::Pkcs7},
};
use der::{
    ErrorKind, Sequence,
    asn1::{IntRef, OctetStringRef},
    oid::ObjectIdentifier,
};
use des::TdesEde3;
use pkcs5::pbes2;
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use rc2::Rc2;
use sha1::Sha1;
use zeroize::Zeroizing;

use super::{
    Pkcs12Error, malformed,
    password::Password,
    work::{self, ArchiveWork},
};
use crate::content::asn1::AlgorithmIdentifier;

/// Decrypts `data` under `password`.
pub(super) fn decrypt(
    scheme: &AlgorithmIdentifier<'_>,
    data: &[u8],
    password: &Password<'_>,
    work: &mut ArchiveWork<'_>,
) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
    match scheme.algorithm {
        PBE_SHA1_3DES => pbes1::<TdesEde3>(scheme, data, password, TRIPLE_DES_KEY_LENGTH, work),
        PBE_SHA1_RC2_40 => pbes1::<Rc2>(scheme, data, password, 5, work),
        pbes2::PBES2_OID => pbes2(scheme, data, password, work),
        algorithm => Err(unsupported(algorithm)),
    }
}

fn pbes1<C: KeyInit + BlockCipherDecrypt>(
    scheme: &AlgorithmIdentifier<'_>,
    data: &[u8],
    password: &Password<'_>,
    key_length: usize,
    work: &mut ArchiveWork<'_>,
) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
    const PART: &str = "PBES1 parameters";
    let parameters = scheme.parameters.ok_or(Pkcs12Error::Malformed(PART))?;
    let parameters = parameters.decode_as::<Pbes1Parameters<'_>>().map_err(malformed(PART))?;
    let rounds = work::iterations(parameters.iterations)?;
    let hashes = key_length.div_ceil(SHA1_LENGTH) as u64 + 1;
    work.spend(rounds, hashes, parameters.salt.as_bytes(), password.utf16())?;
    let rounds = i32::try_from(rounds).map_err(|_| Pkcs12Error::TooMuchWork)?;

    let derive = |purpose, length| {
        let salt = parameters.salt.as_bytes();
        Zeroizing::new(derive_key::<Sha1>(password.utf16(), salt, purpose, rounds, length))
    };
    let key = derive(Pkcs12KeyType::EncryptionKey, key_length);
    let iv = derive(Pkcs12KeyType::Iv, IV_LENGTH);
    let mut buffer = Zeroizing::new(data.to_vec());
    let length = Decryptor::<C>::new_from_slices(&key, &iv)
        .map_err(|_| Pkcs12Error::Undecryptable(password.kind()))?
        .decrypt_padded::<Pkcs7>(&mut buffer)
        .map_err(|_| Pkcs12Error::Undecryptable(password.kind()))?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

fn pbes2(
    scheme: &AlgorithmIdentifier<'_>,
    data: &[u8],
    password: &Password<'_>,
    work: &mut ArchiveWork<'_>,
) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
    const PART: &str = "PBES2 parameters";
    let parameters = scheme.parameters.ok_or(Pkcs12Error::Malformed(PART))?;
    let parameters = pbes2::Parameters::try_from(parameters).map_err(|error| match error.kind() {
        ErrorKind::OidUnknown { oid } => unsupported(oid),
        _ => Pkcs12Error::Malformed(PART),
    })?;
    // scrypt would need a bound on memory as well as on time, and no known tool uses it in archives.
    let derivation = parameters.kdf.pbkdf2().ok_or_else(|| unsupported(parameters.kdf.oid()))?;
    if derivation.iteration_count == 0 {
        return Err(Pkcs12Error::Iterations);
    }
    // An HMAC takes two hashes, and a key of 32 bytes takes two blocks if the hash has 20 or 28 bytes.
    work.spend(derivation.iteration_count, 4, derivation.salt.as_bytes(), password.utf8())?;

    let mut buffer = Zeroizing::new(data.to_vec());
    let length = parameters
        .decrypt_in_place(password.utf8(), &mut buffer)
        .map_err(|error| match error {
            pkcs5::Error::UnsupportedAlgorithm { oid } => unsupported(oid),
            pkcs5::Error::AlgorithmParametersInvalid { .. } => Pkcs12Error::Malformed(PART),
            _ => Pkcs12Error::Undecryptable(password.kind()),
        })?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

fn unsupported(algorithm: ObjectIdentifier) -> Pkcs12Error {
    Pkcs12Error::UnsupportedAlgorithm { purpose: "encryption", algorithm }
}

#[derive(Sequence)]
pub(super) struct Pbes1Parameters<'a> {
    pub(super) salt: &'a OctetStringRef,
    pub(super) iterations: IntRef<'a>,
}

pub(super) const PBE_SHA1_3DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
const PBE_SHA1_RC2_40: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.6");
const SHA1_LENGTH: usize = 20;
pub(super) const TRIPLE_DES_KEY_LENGTH: usize = 24;
pub(super) const TRIPLE_DES_IV_LENGTH: usize = 8;
/// Both ciphers have this length.
const IV_LENGTH: usize = TRIPLE_DES_IV_LENGTH;
