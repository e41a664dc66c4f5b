//! Encryption of a store's parts: PBES2 of RFC 8018, or PBES1 of RFC 7292, appendix C.

use cbc::{
    Encryptor,
    cipher::{BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7},
};
use der::{
    Decode, Encode, ErrorKind, Tag,
    asn1::{IntRef, OctetStringRef},
};
use des::TdesEde3;
use pkcs5::{EncryptionScheme, pbes2};
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::{ROUNDS, salts::SaltAndIv};
use crate::{
    content::{
        asn1::AlgorithmIdentifier,
        pkcs12::{
            cipher::{PBE_SHA1_3DES, Pbes1Parameters, TRIPLE_DES_IV_LENGTH, TRIPLE_DES_KEY_LENGTH},
            password::Password,
        },
    },
    spec::output::StoreProfile,
};

/// Encrypted data, with the algorithm that decrypts it.
pub(super) struct Encrypted {
    /// DER.
    algorithm: Vec<u8>,
    pub(super) data: Vec<u8>,
}

impl Encrypted {
    pub(super) fn algorithm(&self) -> der::Result<AlgorithmIdentifier<'_>> {
        AlgorithmIdentifier::from_der(&self.algorithm)
    }
}

pub(super) fn encrypt(
    profile: StoreProfile,
    plain: &[u8],
    password: &Password<'_>,
    salts: SaltAndIv,
) -> der::Result<Encrypted> {
    let mut buffer = Zeroizing::new(vec![0; plain.len() + MAX_PADDING]);
    buffer[..plain.len()].copy_from_slice(plain);
    let (algorithm, length) = match profile {
        StoreProfile::Modern2023 => pbes2(&mut buffer, plain.len(), password, salts)?,
        StoreProfile::LegacyDes => pbes1(&mut buffer, plain.len(), password, salts)?,
    };
    Ok(Encrypted { algorithm, data: buffer[..length].to_vec() })
}

/// Encrypts the first `plain` bytes of `buffer` with AES-256-CBC. Returns the algorithm and the length.
fn pbes2(
    buffer: &mut [u8],
    plain: usize,
    password: &Password<'_>,
    salts: SaltAndIv,
) -> der::Result<(Vec<u8>, usize)> {
    let parameters =
        pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS.into(), &salts.salt, salts.iv)
            .map_err(failed)?;
    let length = parameters.encrypt_in_place(password.utf8(), buffer, plain).map_err(failed)?.len();
    Ok((EncryptionScheme::from(parameters).to_der()?, length))
}

/// Encrypts the first `plain` bytes of `buffer` with 3DES. The IV comes from the password and the salt.
fn pbes1(
    buffer: &mut [u8],
    plain: usize,
    password: &Password<'_>,
    salts: SaltAndIv,
) -> der::Result<(Vec<u8>, usize)> {
    let derive = |purpose, length| {
        Zeroizing::new(derive_key::<Sha1>(password.utf16(), &salts.salt, purpose, ROUNDS.into(), length))
    };
    let key = derive(Pkcs12KeyType::EncryptionKey, TRIPLE_DES_KEY_LENGTH);
    let iv = derive(Pkcs12KeyType::Iv, TRIPLE_DES_IV_LENGTH);
    let length = Encryptor::<TdesEde3>::new_from_slices(&key, &iv)
        .map_err(failed)?
        .encrypt_padded::<Pkcs7>(buffer, plain)
        .map_err(failed)?
        .len();
    let rounds = ROUNDS.to_be_bytes();
    let parameters =
        Pbes1Parameters { salt: OctetStringRef::new(&salts.salt)?, iterations: IntRef::new(&rounds)? }
            .to_der()?;
    let parameters = Some((&*parameters).try_into()?);
    let algorithm = AlgorithmIdentifier { algorithm: PBE_SHA1_3DES, parameters }.to_der()?;
    Ok((algorithm, length))
}

/// The ciphers report wrong lengths of keys and buffers. All of them are constants here.
fn failed<E>(_: E) -> der::Error {
    ErrorKind::Length { tag: Tag::OctetString }.into()
}

/// The longest padding of AES and of 3DES.
const MAX_PADDING: usize = 16;
