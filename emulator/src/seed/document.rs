//! The structure of a seed file.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value};

use crate::{
    directory::Role,
    fixtures::{BundleFormat, ChainOrder, KeyKind},
    vault::VaultAccess,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Document {
    pub(super) tenant: Option<String>,
    pub(super) applications: Option<Vec<ApplicationSeed>>,
    pub(super) node: Option<NodeSeed>,
    pub(super) pod_identity: Option<IdentitySeed>,
    pub(super) roles: Option<Vec<RoleSeed>>,
    #[serde(default)]
    pub(super) vaults: BTreeMap<String, VaultSeed>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ApplicationSeed {
    pub(super) client_id: String,
    pub(super) object_id: Option<String>,
    #[serde(default)]
    pub(super) secrets: Vec<String>,
    #[serde(default)]
    pub(super) federations: Vec<FederationSeed>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct FederationSeed {
    pub(super) namespace: Option<String>,
    pub(super) service_account: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) audience: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct NodeSeed {
    pub(super) system_assigned: Option<IdentitySeed>,
    pub(super) user_assigned: Vec<IdentitySeed>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct IdentitySeed {
    pub(super) client_id: String,
    pub(super) object_id: Option<String>,
    pub(super) resource_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RoleSeed {
    pub(super) principal: String,
    pub(super) vaults: Option<Vec<String>>,
    pub(super) except: Option<Vec<String>>,
    pub(super) role: Role,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct VaultSeed {
    pub(super) tenant: Option<String>,
    pub(super) access: VaultAccess,
    pub(super) secrets: BTreeMap<String, Versions>,
    pub(super) keys: BTreeMap<String, Versions>,
    pub(super) certificates: BTreeMap<String, Versions>,
}

/// A version of any type of object. The code that builds the object checks which fields may be combined.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct VersionSeed {
    pub(super) version: Option<String>,
    pub(super) created: Option<i64>,
    pub(super) updated: Option<i64>,
    pub(super) enabled: Option<bool>,
    #[serde(alias = "exp")]
    pub(super) expires: Option<i64>,
    #[serde(alias = "nbf")]
    pub(super) not_before: Option<i64>,
    pub(super) body: Option<Map<String, Value>>,
    pub(super) value: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) tags: Option<BTreeMap<String, String>>,
    #[serde(rename = "type")]
    pub(super) key_kind: Option<KeyKind>,
    pub(super) subject: Option<String>,
    pub(super) format: Option<BundleFormat>,
    pub(super) order: Option<ChainOrder>,
    /// The text of a version that is a plain string: a value, a key type or a subject.
    #[serde(skip)]
    pub(super) text: Option<String>,
}

/// One version or several: a string, a map, or a list of both.
#[derive(Debug)]
pub(super) struct Versions(pub(super) Vec<VersionSeed>);

impl<'de> Deserialize<'de> for Versions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextMapOrList::<Self>(PhantomData))
    }
}

/// An element of a list of versions.
struct Element(VersionSeed);

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextMapOrList::<Self>(PhantomData))
    }
}

trait FromVersions: Sized {
    const EXPECTED: &'static str;

    fn one(version: VersionSeed) -> Self;

    fn several(versions: Vec<VersionSeed>) -> Option<Self>;
}

impl FromVersions for Versions {
    const EXPECTED: &'static str = "a string in quotes, a map, or a list of these";

    fn one(version: VersionSeed) -> Self {
        Self(vec![version])
    }

    fn several(versions: Vec<VersionSeed>) -> Option<Self> {
        Some(Self(versions))
    }
}

impl FromVersions for Element {
    const EXPECTED: &'static str = "a string in quotes or a map";

    fn one(version: VersionSeed) -> Self {
        Self(version)
    }

    fn several(_: Vec<VersionSeed>) -> Option<Self> {
        None
    }
}

struct TextMapOrList<T>(PhantomData<T>);

impl<'de, T: FromVersions> Visitor<'de> for TextMapOrList<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        Ok(T::one(VersionSeed { text: Some(text.to_owned()), ..VersionSeed::default() }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        VersionSeed::deserialize(MapAccessDeserializer::new(map)).map(T::one)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        let mut versions = Vec::new();
        while let Some(Element(version)) = list.next_element()? {
            versions.push(version);
        }
        T::several(versions).ok_or_else(|| de::Error::invalid_type(de::Unexpected::Seq, &T::EXPECTED))
    }
}
