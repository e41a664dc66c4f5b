//! The ASN.1 types of an archive: RFC 7292, sections 4 and 5, and EncryptedData of RFC 5652, section 8.

use der::{
    Sequence,
    asn1::{AnyRef, OctetStringRef},
    oid::ObjectIdentifier,
};

use super::{Pkcs12Error, mac::MacData, malformed};
use crate::content::asn1::AlgorithmIdentifier;

#[derive(Sequence)]
pub(super) struct Pfx<'a> {
    pub(super) version: u8,
    pub(super) auth_safe: ContentInfo<'a>,
    pub(super) mac: Option<MacData<'a>>,
}

#[derive(Sequence)]
pub(super) struct ContentInfo<'a> {
    pub(super) content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) content: Option<AnyRef<'a>>,
}

impl<'a> ContentInfo<'a> {
    pub(super) fn content(&self) -> Result<AnyRef<'a>, Pkcs12Error> {
        self.content.ok_or(Pkcs12Error::Malformed("content"))
    }

    pub(super) fn octets(&self, part: &'static str) -> Result<&'a [u8], Pkcs12Error> {
        let octets = self.content()?.decode_as::<&OctetStringRef>().map_err(malformed(part))?;
        Ok(octets.as_bytes())
    }
}

#[derive(Sequence)]
pub(super) struct EncryptedData<'a> {
    pub(super) version: u8,
    pub(super) info: EncryptedContentInfo<'a>,
    pub(super) attributes: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
pub(super) struct EncryptedContentInfo<'a> {
    pub(super) content_type: ObjectIdentifier,
    pub(super) algorithm: AlgorithmIdentifier<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub(super) content: Option<&'a OctetStringRef>,
}

pub(super) type Bags<'a> = Vec<SafeBag<'a>>;

#[derive(Sequence)]
pub(super) struct SafeBag<'a> {
    pub(super) id: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(super) value: AnyRef<'a>,
    /// Some tools do not sort this SET, so it is not decoded.
    pub(super) attributes: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
pub(super) struct EncryptedPrivateKeyInfo<'a> {
    pub(super) algorithm: AlgorithmIdentifier<'a>,
    pub(super) encrypted: &'a OctetStringRef,
}

#[derive(Sequence)]
pub(super) struct CertBag<'a> {
    pub(super) id: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(super) value: &'a OctetStringRef,
}
