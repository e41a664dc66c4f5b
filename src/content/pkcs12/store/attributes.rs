//! Attributes of the bags of a store: RFC 7292, section 4.2.

use der::{
    Encode, Sequence, ValueOrd,
    asn1::{Any, AnyRef, OctetString, SetOfVec},
    oid::ObjectIdentifier,
};
use sha1::{Digest, Sha1};

use crate::spec::output::Alias;

/// The attributes of a bag.
pub(super) struct Attributes {
    /// A SET in DER.
    set: Vec<u8>,
}

impl Attributes {
    /// Returns the attributes of a key and of its certificate, which lead from one to the other.
    pub(super) fn of_key(alias: &Alias, leaf: &[u8]) -> der::Result<Self> {
        // The hash is a name here: OpenSSL and .NET write the same one.
        let id = OctetString::new(Sha1::digest(leaf).as_slice())?;
        Self::new([friendly_name(alias)?, Attribute::new(LOCAL_KEY_ID, Any::encode_from(&id)?)?])
    }

    /// Returns the attributes of a certificate that Java trusts for every purpose.
    ///
    /// Java (`sun.security.pkcs12.PKCS12KeyStore`) takes certificates without Oracle's attribute for parts of a chain,
    /// and shows an empty store.
    pub(super) fn of_trusted(alias: &Alias) -> der::Result<Self> {
        let purpose = Any::encode_from(&ANY_EXTENDED_KEY_USAGE)?;
        Self::new([friendly_name(alias)?, Attribute::new(TRUSTED_KEY_USAGE, purpose)?])
    }

    fn new(attributes: [Attribute; 2]) -> der::Result<Self> {
        Ok(Self { set: SetOfVec::from_iter(attributes)?.to_der()? })
    }

    pub(super) fn as_any(&self) -> der::Result<AnyRef<'_>> {
        AnyRef::try_from(self.set.as_slice())
    }
}

fn friendly_name(alias: &Alias) -> der::Result<Attribute> {
    let utf16: Vec<u8> = alias.as_str().encode_utf16().flat_map(u16::to_be_bytes).collect();
    Attribute::new(FRIENDLY_NAME, Any::new(der::Tag::BmpString, utf16)?)
}

#[derive(Sequence, ValueOrd)]
struct Attribute {
    id: ObjectIdentifier,
    values: SetOfVec<Any>,
}

impl Attribute {
    fn new(id: ObjectIdentifier, value: Any) -> der::Result<Self> {
        Ok(Self { id, values: SetOfVec::from_iter([value])? })
    }
}

const FRIENDLY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.20");
const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");
/// Oracle's mark of a trusted certificate.
const TRUSTED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113894.746875.1.1");
/// RFC 5280, section 4.2.1.12.
const ANY_EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
