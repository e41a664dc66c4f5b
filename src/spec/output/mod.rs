//! The items of `outputs`: several shapes of one object, each in a file of its own.

mod store;
mod words;

use super::{
    absence::Presence,
    file::{FileMode, InvalidPath, RelativePath},
    object::{ObjectName, ObjectType},
    rendering::SecretEncoding,
};

pub use self::{
    store::{Alias, InvalidAlias, MAX_ALIAS, Store, StoreProfile, UnknownProfile},
    words::{ContentWord, KeyEncoding, PartFormat, UnknownContent, UnknownKeyEncoding, UnknownPartFormat},
};

/// PKCS#12 stores of one mount. Each costs three key derivations, about five milliseconds.
pub const MAX_STORES: usize = 200;

/// An object whose parts and forms are files. The types of objects differ in the contents that they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputsShape {
    /// The items; never empty.
    pub outputs: Outputs,
    /// Whether the object must exist.
    pub presence: Presence,
}

/// The items of an entry, in the user's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outputs {
    /// Of a secret: a certificate with its key, or any value.
    Secret {
        /// The items.
        items: Vec<Output<SecretOutput>>,
        /// `sourcePasswordObject`: the secret with the password of the archive.
        source_password: Option<ObjectName>,
    },
    /// Of a certificate.
    Certificate(Vec<Output<CertificateOutput>>),
    /// Of a key.
    Key(Vec<Output<KeyOutput>>),
}

/// One item: a file and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output<C> {
    /// The path of the file.
    pub path: RelativePath,
    /// The mode, if the item or its entry names one.
    pub mode: Option<FileMode>,
    /// Whether the object must have this part.
    pub presence: Presence,
    /// The content.
    pub content: C,
}

/// The file of an item, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputFile<'a> {
    /// The path.
    pub path: &'a RelativePath,
    /// The mode, if the item or its entry names one.
    pub mode: Option<FileMode>,
    /// Whether the object must have this part.
    pub presence: Presence,
}

impl<C> Output<C> {
    fn file(&self) -> OutputFile<'_> {
        OutputFile { path: &self.path, mode: self.mode, presence: self.presence }
    }
}

/// The contents that a secret has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretOutput {
    /// A part of a certificate that is stored as a secret.
    Part(Part),
    /// `value`: the content of a single file.
    Value(SecretEncoding),
    /// `metadata`: the properties in JSON.
    Metadata,
}

/// A part of a certificate that is stored as a secret, with its private key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// `key`: the private key.
    Key(KeyEncoding, PartFormat),
    /// `leaf`: the certificate of the key.
    Leaf(PartFormat),
    /// `chain`: the intermediates in PEM, without leaf and root.
    Chain,
    /// `fullChain`: the leaf and the intermediates in PEM, without root.
    FullChain,
    /// `ca`: the topmost certificate of the chain.
    Ca(PartFormat),
    /// `combined`: the keys and all certificates in PEM. Without an encoding, a PEM value is written unchanged.
    Combined(Option<KeyEncoding>),
    /// `keystore`: key, leaf and intermediates in PKCS#12.
    Keystore(Store),
    /// `truststore`: the intermediates and `ca` in PKCS#12.
    Truststore(Store),
    /// `truststore` in PEM.
    TruststorePem,
}

/// The contents that a certificate has. No secret is read for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateOutput {
    /// `leaf`
    Leaf(PartFormat),
    /// `value`: the certificate in PEM.
    Value,
    /// `metadata`: the properties in JSON.
    Metadata,
}

/// The contents that a key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOutput {
    /// `value`: the public key in PEM.
    Value,
    /// `metadata`: the properties in JSON.
    Metadata,
}

impl Outputs {
    /// Returns the type of the objects that have these outputs.
    pub fn object_type(&self) -> ObjectType {
        match self {
            Self::Secret { .. } => ObjectType::Secret,
            Self::Certificate(_) => ObjectType::Certificate,
            Self::Key(_) => ObjectType::Key,
        }
    }

    /// Returns the files of all items, in the user's order.
    pub fn files(&self) -> Vec<OutputFile<'_>> {
        match self {
            Self::Secret { items, .. } => items.iter().map(Output::file).collect(),
            Self::Certificate(items) => items.iter().map(Output::file).collect(),
            Self::Key(items) => items.iter().map(Output::file).collect(),
        }
    }

    /// Returns the same outputs with their paths below `directory`.
    ///
    /// # Errors
    /// A path becomes too long.
    pub fn below(&self, directory: &RelativePath) -> Result<Self, InvalidPath> {
        Ok(match self {
            Self::Secret { items, source_password } => {
                Self::Secret { items: below(items, directory)?, source_password: source_password.clone() }
            }
            Self::Certificate(items) => Self::Certificate(below(items, directory)?),
            Self::Key(items) => Self::Key(below(items, directory)?),
        })
    }

    /// Returns the secrets whose values are passwords, in the user's order; a secret may be named several times.
    pub fn password_objects(&self) -> impl Iterator<Item = &ObjectName> {
        let (items, source) = match self {
            Self::Secret { items, source_password } => (items.as_slice(), source_password.as_ref()),
            Self::Certificate(_) | Self::Key(_) => (&[][..], None),
        };
        source.into_iter().chain(items.iter().filter_map(|item| item.content.store()?.password.as_ref()))
    }

    /// Returns the number of PKCS#12 stores among the items.
    pub fn stores(&self) -> usize {
        match self {
            Self::Secret { items, .. } => items.iter().filter(|item| item.content.store().is_some()).count(),
            Self::Certificate(_) | Self::Key(_) => 0,
        }
    }

    /// Returns whether an item needs the value taken apart.
    pub fn has_parts(&self) -> bool {
        match self {
            Self::Secret { items, .. } => {
                items.iter().any(|item| matches!(item.content, SecretOutput::Part(_)))
            }
            Self::Certificate(_) | Self::Key(_) => false,
        }
    }
}

fn below<C: Clone>(items: &[Output<C>], directory: &RelativePath) -> Result<Vec<Output<C>>, InvalidPath> {
    let below = |item: &Output<C>| {
        let path = format!("{directory}/{}", item.path).parse()?;
        Ok(Output { path, mode: item.mode, presence: item.presence, content: item.content.clone() })
    };
    items.iter().map(below).collect()
}

impl SecretOutput {
    /// Returns the store, if the content is in PKCS#12.
    pub fn store(&self) -> Option<&Store> {
        match self {
            Self::Part(part) => part.store(),
            Self::Value(_) | Self::Metadata => None,
        }
    }
}

impl Part {
    /// Returns the store, if the part is in PKCS#12.
    pub fn store(&self) -> Option<&Store> {
        match self {
            Self::Keystore(store) | Self::Truststore(store) => Some(store),
            Self::Key(..)
            | Self::Leaf(_)
            | Self::Chain
            | Self::FullChain
            | Self::Ca(_)
            | Self::Combined(_)
            | Self::TruststorePem => None,
        }
    }
}
