//! The parts of a certificate that is stored as a secret: its private key and the certificates of its chain.

mod error;
mod source;
mod write;

use super::{
    chain::{self, Chain, ChainOrder},
    private_key::PrivateKey,
    work::Work,
};

pub use self::error::{MissingOutput, PartsError};

/// A secret that was taken apart.
#[derive(Debug)]
pub struct Parts {
    form: Form,
    /// All private keys, in the order of the source.
    keys: Vec<PrivateKey>,
    /// The index of the leaf's key; of a source without certificates, of its first key.
    key: Option<usize>,
    certificates: Certificates,
    /// All certificates in the order of a combined file.
    all: Vec<Vec<u8>>,
}

/// The form of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Pem,
    Pkcs12,
}

/// The certificates of a source in their roles.
#[derive(Debug)]
enum Certificates {
    None,
    Chain {
        leaf: Vec<u8>,
        /// From the issuer of the leaf upwards, without a root.
        intermediates: Vec<Vec<u8>>,
        top: Top,
    },
    /// Certificates of authorities, and self-signed ones, without a private key.
    Authorities {
        /// In the order of the source.
        stored: Vec<Vec<u8>>,
        /// In the order of the chain, the topmost last; those outside of it follow.
        chained: Vec<Vec<u8>>,
    },
}

/// The end of a chain.
#[derive(Debug)]
enum Top {
    /// The leaf signed itself.
    SelfSigned,
    Root(Vec<u8>),
    /// The issuer of the last certificate is not in the source.
    Open,
}

impl Parts {
    /// Takes a secret's `value` apart: PEM, or PKCS#12 in base64 under `password`. The form is recognised by content.
    ///
    /// # Errors
    /// The value is in neither form, it or one of its certificates is malformed, or its private key fits none of its
    /// certificates.
    pub fn of(value: &str, password: &str, order: ChainOrder, work: &mut Work) -> Result<Self, PartsError> {
        let source::Source { form, keys, certificates } = source::read(value, password, work)?;
        let public_keys: Vec<_> = keys.iter().map(PrivateKey::public_key).collect();
        let chain = chain::build(&certificates, &public_keys, work).map_err(PartsError::Chain)?;
        // What it was to be would otherwise count as missing, and an optional output would hide it.
        if let Some(index) = chain.unreadable {
            return Err(PartsError::NotX509 { number: index + 1 });
        }
        let key = match chain.links.first() {
            None => (!keys.is_empty()).then_some(0),
            Some(leaf) => {
                let leaf = chain::public_key(leaf);
                let fits = |key: &PrivateKey| leaf.as_deref() == Some(key.public_key());
                keys.iter().position(fits)
            }
        };
        if key.is_none() && !keys.is_empty() {
            return Err(PartsError::KeyMismatch);
        }
        let roles = Certificates::of(&chain, &certificates);
        let all = match order {
            ChainOrder::AsStored => certificates,
            ChainOrder::Construct => chain.in_order.iter().map(|certificate| certificate.to_vec()).collect(),
        };
        Ok(Self { form, keys, key, certificates: roles, all })
    }

    /// Returns the approximate size in memory, in bytes.
    pub fn bytes(&self) -> usize {
        let keys: usize = self.keys.iter().map(PrivateKey::bytes).sum();
        size_of::<Self>() + keys + self.certificates.bytes() + ders_bytes(&self.all)
    }

    fn key(&self) -> Option<&PrivateKey> {
        self.key.and_then(|key| self.keys.get(key))
    }

    fn leaf(&self) -> Option<&[u8]> {
        match &self.certificates {
            Certificates::Chain { leaf, .. } => Some(leaf),
            Certificates::None | Certificates::Authorities { .. } => None,
        }
    }

    fn intermediates(&self) -> &[Vec<u8>] {
        match &self.certificates {
            Certificates::Chain { intermediates, .. } => intermediates,
            Certificates::None | Certificates::Authorities { .. } => &[],
        }
    }

    /// Returns the topmost certificates: one of a chain, and all authorities of a source without a leaf.
    fn authorities(&self) -> Vec<&[u8]> {
        match &self.certificates {
            Certificates::None => Vec::new(),
            Certificates::Authorities { stored, .. } => stored.iter().map(Vec::as_slice).collect(),
            Certificates::Chain { leaf, top: Top::SelfSigned, .. } => vec![leaf],
            Certificates::Chain { top: Top::Root(root), .. } => vec![root],
            Certificates::Chain { intermediates, top: Top::Open, .. } => {
                intermediates.last().map(Vec::as_slice).into_iter().collect()
            }
        }
    }

    /// Returns the certificates to trust, in the order of the chain, the topmost last.
    fn trusted(&self) -> Vec<&[u8]> {
        if let Certificates::Authorities { chained, .. } = &self.certificates {
            return chained.iter().map(Vec::as_slice).collect();
        }
        let mut trusted: Vec<&[u8]> = self.intermediates().iter().map(Vec::as_slice).collect();
        for authority in self.authorities() {
            if !trusted.contains(&authority) {
                trusted.push(authority);
            }
        }
        trusted
    }
}

impl Certificates {
    fn of(chain: &Chain<'_>, stored: &[Vec<u8>]) -> Self {
        if stored.is_empty() {
            return Self::None;
        }
        let Some((leaf, above)) = chain.links.split_first() else {
            let mut distinct: Vec<Vec<u8>> = Vec::new();
            for certificate in stored {
                if !distinct.contains(certificate) {
                    distinct.push(certificate.clone());
                }
            }
            let chained = chain.in_order.iter().map(|certificate| certificate.to_vec());
            return Self::Authorities { stored: distinct, chained: chained.collect() };
        };
        let (intermediates, top) = match above.split_last() {
            None if chain.ends_in_root => (above, Top::SelfSigned),
            Some((root, intermediates)) if chain.ends_in_root => (intermediates, Top::Root(root.to_vec())),
            None | Some(_) => (above, Top::Open),
        };
        let intermediates = intermediates.iter().map(|certificate| certificate.to_vec()).collect();
        Self::Chain { leaf: leaf.to_vec(), intermediates, top }
    }

    /// Returns the approximate size in memory beside the value itself, in bytes.
    fn bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Chain { leaf, intermediates, top } => {
                let top = match top {
                    Top::Root(root) => root.capacity(),
                    Top::SelfSigned | Top::Open => 0,
                };
                leaf.capacity() + ders_bytes(intermediates) + top
            }
            Self::Authorities { stored, chained } => ders_bytes(stored) + ders_bytes(chained),
        }
    }
}

/// What an allocator adds to a block of memory, in bytes.
const HEAP_BLOCK_BYTES: usize = 16;

fn ders_bytes(ders: &[Vec<u8>]) -> usize {
    ders.iter().map(|der| size_of::<Vec<u8>>() + HEAP_BLOCK_BYTES + der.capacity()).sum()
}

#[cfg(test)]
mod tests;
