//! The words of `outputs`: contents, formats and encodings.

use std::str::FromStr;

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

pub(super) use words;

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

#[cfg(test)]
mod tests {
    use crate::spec::output::StoreProfile;

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
}
