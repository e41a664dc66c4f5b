//! The objects of a seed: written in full, or generated.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    SeedError,
    document::{VaultSeed, VersionSeed, Versions},
};
use crate::{
    fixtures::{CertificateFixture, FixtureError, KeyFixture, KeyKind},
    ids::derived_version,
    vault::{ObjectKind, ObjectVersion, VaultContent, VaultSet},
};

pub(super) fn vaults(seeds: BTreeMap<String, VaultSeed>) -> Result<VaultSet, SeedError> {
    let mut vaults = VaultSet::new();
    for (name, seed) in seeds {
        let mut vault = VaultContent { tenant: seed.tenant, access: seed.access, ..VaultContent::default() };
        let kinds = [
            (ObjectKind::Secret, seed.secrets),
            (ObjectKind::Key, seed.keys),
            (ObjectKind::Certificate, seed.certificates),
        ];
        for (kind, objects) in kinds {
            for (object, Versions(versions)) in objects {
                for (index, version) in versions.into_iter().enumerate() {
                    let place = Place { vault: &name, kind, name: &object, index };
                    place.add(version, &mut vault)?;
                }
            }
        }
        vaults.insert(name, vault);
    }
    Ok(vaults)
}

/// The place of a version in the seed.
struct Place<'a> {
    vault: &'a str,
    kind: ObjectKind,
    name: &'a str,
    index: usize,
}

impl Place<'_> {
    fn add(&self, mut seed: VersionSeed, vault: &mut VaultContent) -> Result<(), SeedError> {
        let body = seed.body.take();
        let meta = self.meta(&mut seed);
        let bodies = match (body, self.kind) {
            (Some(body), _) => {
                self.nothing_but_meta(
                    &seed,
                    "`body` is the whole content, so nothing else may stand beside it",
                )?;
                vec![(self.kind, body)]
            }
            (None, ObjectKind::Secret) => vec![(self.kind, self.secret(seed)?)],
            (None, ObjectKind::Key) => vec![(self.kind, self.key(seed)?)],
            (None, ObjectKind::Certificate) => self.certificate(seed, &meta.version)?,
        };
        for (kind, body) in bodies {
            let versions = vault.objects_mut(kind).entry(self.name.to_owned()).or_default();
            versions.push(ObjectVersion { body, ..meta.clone() });
        }
        Ok(())
    }

    /// Ids are equal at every start, and later versions in the list are newer.
    fn meta(&self, seed: &mut VersionSeed) -> ObjectVersion {
        let id = format!("{}/{}/{}/{}", self.vault, self.kind.collection(), self.name, self.index);
        let offset = i64::try_from(self.index).unwrap_or(i64::MAX / 4);
        ObjectVersion {
            version: seed.version.take().unwrap_or_else(|| derived_version(&id)),
            created: seed.created.take().unwrap_or(FIRST_CREATED + offset),
            updated: seed.updated.take(),
            enabled: seed.enabled.take().unwrap_or(true),
            expires: seed.expires.take(),
            not_before: seed.not_before.take(),
            body: Map::new(),
        }
    }

    fn secret(&self, mut seed: VersionSeed) -> Result<Map<String, Value>, SeedError> {
        let value = seed.text.take().or_else(|| seed.value.take());
        let value = value.ok_or_else(|| self.problem("it needs a `value` or a `body`"))?;
        let mut body = Map::from_iter([("value".to_owned(), Value::String(value))]);
        if let Some(content_type) = seed.content_type.take() {
            body.insert("contentType".to_owned(), Value::String(content_type));
        }
        self.tags(&mut seed, &mut body);
        self.nothing_but_meta(&seed, "`type`, `subject`, `format` and `order` are not for secrets")?;
        Ok(body)
    }

    fn key(&self, mut seed: VersionSeed) -> Result<Map<String, Value>, SeedError> {
        let kind = match seed.text.take() {
            Some(text) => KeyKind::parse(&text),
            None => seed.key_kind.take(),
        };
        let kind = kind.ok_or_else(|| {
            self.problem(
                "it needs a `type`: rsa-2048, rsa-3072, rsa-4096, P-256, P-384 or P-521; or a `body`",
            )
        })?;
        let key = KeyFixture::generate(kind).map_err(|source| self.failed(source.into()))?;
        let mut body = key.body();
        self.tags(&mut seed, &mut body);
        self.nothing_but_meta(&seed, "only `type` and `tags` are for keys")?;
        Ok(body)
    }

    /// Generates a certificate with its key and its secret, under the same name and version.
    fn certificate(&self, mut seed: VersionSeed, version: &str) -> Result<Bodies, SeedError> {
        let subject = seed.text.take().or_else(|| seed.subject.take());
        let subject = subject.ok_or_else(|| self.problem("it needs a `subject` or a `body`"))?;
        let kind = seed.key_kind.take().unwrap_or(KeyKind::Rsa2048);
        let (format, order) = (seed.format.take().unwrap_or_default(), seed.order.take().unwrap_or_default());
        let failed = |source| self.failed(source);
        let fixture = CertificateFixture::generate(&subject, kind).map_err(failed)?;
        let mut certificate = fixture.certificate_body();
        self.tags(&mut seed, &mut certificate);
        self.nothing_but_meta(&seed, "`value` and `contentType` are for secrets only")?;
        let mut secret = fixture.secret_body(format, order).map_err(failed)?;
        secret.insert("kid".to_owned(), Value::String(format!("/keys/{}/{version}", self.name)));
        Ok(vec![
            (ObjectKind::Certificate, certificate),
            (ObjectKind::Key, fixture.key_body()),
            (ObjectKind::Secret, secret),
        ])
    }

    fn tags(&self, seed: &mut VersionSeed, body: &mut Map<String, Value>) {
        if let Some(tags) = seed.tags.take() {
            let tags = tags.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
            body.insert("tags".to_owned(), Value::Object(tags));
        }
    }

    fn nothing_but_meta(&self, seed: &VersionSeed, problem: &'static str) -> Result<(), SeedError> {
        let rest = seed.text.is_some()
            || seed.value.is_some()
            || seed.content_type.is_some()
            || seed.tags.is_some()
            || seed.key_kind.is_some()
            || seed.subject.is_some()
            || seed.format.is_some()
            || seed.order.is_some();
        if rest { Err(self.problem(problem)) } else { Ok(()) }
    }

    fn problem(&self, problem: &'static str) -> SeedError {
        SeedError::Object {
            vault: self.vault.to_owned(),
            kind: self.kind,
            name: self.name.to_owned(),
            problem,
        }
    }

    fn failed(&self, source: FixtureError) -> SeedError {
        SeedError::Generate {
            vault: self.vault.to_owned(),
            kind: self.kind,
            name: self.name.to_owned(),
            source,
        }
    }
}

type Bodies = Vec<(ObjectKind, Map<String, Value>)>;

/// A fixed time, so that a seed gives the same objects at every start.
const FIRST_CREATED: i64 = 1_700_000_000;
