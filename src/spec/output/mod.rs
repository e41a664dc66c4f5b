//! The items of `outputs`: several shapes of one object, each in a file of its own.

use std::{fmt, str::FromStr};

use super::{
    absence::Presence,
    file::{FileMode, InvalidPath, RelativePath},
    object::{ObjectName, ObjectType},
    rendering::SecretEncoding,
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

/// A PKCS#12 store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Store {
    /// `alias`
    pub alias: Alias,
    /// `profile`
    pub profile: StoreProfile,
    /// `passwordObject`: the secret with the password. `None` means the empty password.
    pub password: Option<ObjectName>,
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

/// Declares an enum of the words that a field accepts.
macro_rules! words {
    (
        $(#[$doc:meta])*
        pub enum $name:ident, $error:ident = $refusal:literal;
        $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+
    ) => {
        $(#[$doc])*
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every word, the default first.
            pub const WORDS: &[&str] = &[$($word),+];

            /// Returns the word for it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        /// A text is not one of the words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        #[error($refusal)]
        pub struct $error;

        impl FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($error),
                }
            }
        }
    };
}

words! {
    /// `content`: what a file holds.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum ContentWord, UnknownContent = "is unknown; use key, leaf, chain, fullChain, ca, combined, keystore, \
        truststore, value or metadata";
    /// `key`
    Key = "key",
    /// `leaf`
    Leaf = "leaf",
    /// `chain`
    Chain = "chain",
    /// `fullChain`
    FullChain = "fullChain",
    /// `ca`
    Ca = "ca",
    /// `combined`
    Combined = "combined",
    /// `keystore`
    Keystore = "keystore",
    /// `truststore`
    Truststore = "truststore",
    /// `value`
    Value = "value",
    /// `metadata`
    Metadata = "metadata",
}

words! {
    /// `format` of a single key or certificate.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub enum PartFormat, UnknownPartFormat = "is not a format of it; use pem or der";
    /// Text with base64: RFC 7468.
    #[default]
    Pem = "pem",
    /// The bytes of ASN.1.
    Der = "der",
}

words! {
    /// `keyEncoding`: the structure of a private key.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub enum KeyEncoding, UnknownKeyEncoding = "is unknown; use PKCS8 or PKCS1";
    /// PKCS#8 (RFC 5958).
    #[default]
    Pkcs8 = "PKCS8",
    /// PKCS#1 (RFC 8017) of an RSA key, SEC 1 (RFC 5915) of an elliptic curve key.
    Traditional = "PKCS1",
}

words! {
    /// `profile`: the algorithms of a store.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub enum StoreProfile, UnknownProfile = "is unknown; use Modern2023 or LegacyDES";
    /// PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC, and a MAC with SHA-256.
    #[default]
    Modern2023 = "Modern2023",
    /// PBES1 with 3DES, and a MAC with SHA-1, for old readers.
    LegacyDes = "LegacyDES",
}

/// `alias`: the friendly name of an entry in a store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Alias(String);

/// Longest alias, in bytes.
pub const MAX_ALIAS: usize = 128;

/// A text is not an alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an alias; use 1 to {MAX_ALIAS} bytes without control characters and without emoji")]
pub struct InvalidAlias;

impl Alias {
    /// Returns the alias as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the alias of one among several entries: `alias-1`.
    #[must_use]
    pub fn numbered(&self, number: usize) -> Self {
        Self(format!("{}-{number}", self.0))
    }
}

impl Default for Alias {
    fn default() -> Self {
        Self("certificate".to_owned())
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Alias {
    type Err = InvalidAlias;

    fn from_str(text: &str) -> Result<Self, InvalidAlias> {
        // A BMPString holds the basic plane alone: RFC 2985, section 5.5.1.
        let good = |c: char| !c.is_control() && u32::from(c) < 0xffff;
        if (1..=MAX_ALIAS).contains(&text.len()) && text.chars().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAlias)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_parse_back_and_nothing_else_does() {
        for word in ContentWord::WORDS {
            assert_eq!(word.parse().map(ContentWord::as_str), Ok(*word));
        }
        for profile in [StoreProfile::Modern2023, StoreProfile::LegacyDes] {
            assert_eq!(profile.as_str().parse(), Ok(profile));
        }
        for encoding in [KeyEncoding::Pkcs8, KeyEncoding::Traditional] {
            assert_eq!(encoding.as_str().parse(), Ok(encoding));
        }
        for format in [PartFormat::Pem, PartFormat::Der] {
            assert_eq!(format.as_str().parse(), Ok(format));
        }
        assert!("privateKey".parse::<ContentWord>().is_err());
        assert!("Modern".parse::<StoreProfile>().is_err());
    }

    #[test]
    fn an_unknown_content_lists_all_contents() {
        let message = UnknownContent.to_string();
        assert!(ContentWord::WORDS.iter().all(|word| message.contains(word)), "{message}");
    }

    #[test]
    fn an_alias_fits_a_bmp_string() {
        let (long, longer) = ("x".repeat(MAX_ALIAS), "x".repeat(MAX_ALIAS + 1));
        for (text, good) in [
            ("certificate", true),
            ("my app", true),
            ("größe", true),
            (long.as_str(), true),
            (longer.as_str(), false),
            ("", false),
            ("a\nb", false),
            ("\u{1f511}", false),
        ] {
            assert_eq!(text.parse::<Alias>().is_ok(), good, "{text:?}");
        }
        assert_eq!(Alias::default().numbered(2).as_str(), "certificate-2");
    }
}
