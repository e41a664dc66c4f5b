//! Writes one part of a secret, in PEM, DER or PKCS#12.

use super::{Form, MissingOutput, Parts, PartsError};
use crate::{
    content::{
        pem::{CERTIFICATE, PRIVATE_KEY, PemText},
        pkcs12::store::{KeyEntry, Protection},
        private_key::PrivateKey,
    },
    spec::{
        output::{KeyEncoding, Part, PartFormat, Store},
        sensitive::Sensitive,
    },
};

impl Parts {
    /// Writes one part of the secret, whose value is `value`. A store is under `password`.
    ///
    /// # Errors
    /// The secret has no such part, or the part has no such format.
    pub fn write(&self, value: &str, part: &Part, password: &str) -> Result<Sensitive<Vec<u8>>, PartsError> {
        match part {
            Part::Key(encoding, format) => {
                let key = self.key().ok_or(MissingOutput::Key)?;
                private_key(key, *encoding, *format)
            }
            Part::Leaf(format) => certificate(self.leaf().ok_or(MissingOutput::Leaf)?, *format),
            Part::Chain => match self.intermediates() {
                [] => Err(MissingOutput::Chain.into()),
                intermediates => Ok(certificates(intermediates)),
            },
            Part::FullChain => {
                let leaf = self.leaf().ok_or(MissingOutput::Leaf)?;
                let above = self.intermediates().iter().map(Vec::as_slice);
                Ok(certificates(std::iter::once(leaf).chain(above)))
            }
            Part::Ca(format) => match (&*self.authorities(), format) {
                ([], _) => Err(MissingOutput::Authority.into()),
                ([authority], format) => certificate(authority, *format),
                (authorities, PartFormat::Pem) => Ok(certificates(authorities)),
                (authorities, PartFormat::Der) => {
                    Err(PartsError::SeveralAuthorities { count: authorities.len() })
                }
            },
            Part::Combined(None) if self.form == Form::Pem => Ok(Sensitive::new(value.as_bytes().to_vec())),
            Part::Combined(encoding) => combined(self, encoding.unwrap_or_default()),
            Part::Keystore(store) => {
                let key = self.key().ok_or(MissingOutput::Key)?.pkcs8();
                let leaf = self.leaf().ok_or(MissingOutput::Leaf)?;
                let chain: Vec<_> = self.intermediates().iter().map(Vec::as_slice).collect();
                let entry = KeyEntry { alias: &store.alias, key, leaf, chain: &chain };
                protection(store, password).keystore(entry).map_err(PartsError::Store)
            }
            Part::Truststore(store) => match &*self.trusted() {
                [] => Err(MissingOutput::Authority.into()),
                trusted => {
                    protection(store, password).truststore(&store.alias, trusted).map_err(PartsError::Store)
                }
            },
            Part::TruststorePem => match self.trusted() {
                trusted if trusted.is_empty() => Err(MissingOutput::Authority.into()),
                trusted => Ok(certificates(trusted)),
            },
        }
    }
}

fn protection<'a>(store: &Store, password: &'a str) -> Protection<'a> {
    Protection { profile: store.profile, password }
}

fn private_key(
    key: &PrivateKey,
    encoding: KeyEncoding,
    format: PartFormat,
) -> Result<Sensitive<Vec<u8>>, PartsError> {
    match format {
        PartFormat::Der => match encoding {
            KeyEncoding::Pkcs8 => Ok(Sensitive::new(key.pkcs8().to_vec())),
            KeyEncoding::Traditional => key.traditional().map(|key| key.der).map_err(PartsError::PrivateKey),
        },
        PartFormat::Pem => {
            let mut text = PemText::new();
            push_key(&mut text, key, encoding)?;
            Ok(text.into_sensitive())
        }
    }
}

fn push_key(text: &mut PemText, key: &PrivateKey, encoding: KeyEncoding) -> Result<(), PartsError> {
    match encoding {
        KeyEncoding::Pkcs8 => text.push_block(PRIVATE_KEY, key.pkcs8()),
        KeyEncoding::Traditional => {
            let key = key.traditional().map_err(PartsError::PrivateKey)?;
            text.push_block(key.label, key.der.expose());
        }
    }
    Ok(())
}

fn certificate(der: &[u8], format: PartFormat) -> Result<Sensitive<Vec<u8>>, PartsError> {
    Ok(match format {
        PartFormat::Der => Sensitive::new(der.to_vec()),
        PartFormat::Pem => certificates([der]),
    })
}

fn certificates(ders: impl IntoIterator<Item: AsRef<[u8]>>) -> Sensitive<Vec<u8>> {
    let mut text = PemText::new();
    for der in ders {
        text.push_block(CERTIFICATE, der.as_ref());
    }
    text.into_sensitive()
}

/// Writes all private keys first, and then all certificates.
fn combined(parts: &Parts, encoding: KeyEncoding) -> Result<Sensitive<Vec<u8>>, PartsError> {
    if parts.keys.is_empty() && parts.all.is_empty() {
        return Err(MissingOutput::Leaf.into());
    }
    let mut text = PemText::new();
    for key in &parts.keys {
        push_key(&mut text, key, encoding)?;
    }
    for certificate in &parts.all {
        text.push_block(CERTIFICATE, certificate);
    }
    Ok(text.into_sensitive())
}
