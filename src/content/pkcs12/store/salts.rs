//! Salts and initialization vectors that are the same for the same content.
//!
//! Random ones would give each read of one version another file, and rotation would replace a file that has not changed.

use aws_lc_rs::{
    digest,
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
};

use crate::spec::output::StoreProfile;

/// What a salt is for. No two uses share a salt.
#[derive(Clone, Copy)]
pub(super) enum Use {
    /// The encryption of the certificates.
    Certificates,
    /// The encryption of the private key.
    Key,
    /// The MAC.
    Mac,
}

impl Use {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Certificates => b"akv-provider pkcs12 certificates",
            Self::Key => b"akv-provider pkcs12 key",
            Self::Mac => b"akv-provider pkcs12 mac",
        }
    }
}

/// The salt and the initialization vector of one use.
#[derive(Clone, Copy)]
pub(super) struct SaltAndIv {
    pub(super) salt: [u8; SALT_LENGTH],
    pub(super) iv: [u8; IV_LENGTH],
}

/// The source of a store's salts: HKDF-SHA-256 (RFC 5869) over secret material that the password is no part of.
pub(super) struct Salts {
    key: Prk,
    context: digest::Digest,
}

impl Salts {
    /// Derives salts from `material`: the private key, or the certificates of a store without one.
    ///
    /// The profile and the plain `bags` are the context. So no two stores of one key have a salt in common, unless the
    /// encrypted content is the same.
    pub(super) fn new(material: &[u8], profile: StoreProfile, bags: &[Vec<u8>]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(profile.as_str().as_bytes());
        for bag in bags {
            context.update(bag);
        }
        Self { key: Salt::none(HKDF_SHA256).extract(material), context: context.finish() }
    }

    pub(super) fn of(&self, salt_use: Use) -> SaltAndIv {
        let mut bytes = [0; SALT_LENGTH + IV_LENGTH];
        let info = [salt_use.label(), self.context.as_ref()];
        let expanded = self.key.expand(&info, SaltAndIvLength);
        expanded
            .and_then(|expanded| expanded.fill(&mut bytes))
            .expect("HKDF-SHA-256 fails only beyond 8,160 bytes (RFC 5869, section 2.3)");
        let (mut salt, mut iv) = ([0; SALT_LENGTH], [0; IV_LENGTH]);
        salt.copy_from_slice(&bytes[..SALT_LENGTH]);
        iv.copy_from_slice(&bytes[SALT_LENGTH..]);
        SaltAndIv { salt, iv }
    }
}

struct SaltAndIvLength;

impl KeyType for SaltAndIvLength {
    fn len(&self) -> usize {
        SALT_LENGTH + IV_LENGTH
    }
}

const SALT_LENGTH: usize = 16;
/// The block of AES.
const IV_LENGTH: usize = 16;
