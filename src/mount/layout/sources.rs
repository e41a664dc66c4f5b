//! Secrets that a mount takes apart, and the stores that it makes of them.

use std::{collections::HashMap, sync::Arc};

use crate::{
    content::{self, error::ContentError, parts::Parts, secret::CertificateSettings, work::Work},
    spec::{object::ObjectName, output::Part, sensitive::Sensitive, vault::VaultName},
    vault::{Bundle, SecretBundle},
};

use super::{super::draft::Draft, kept::Kept, passwords::Passwords};

/// A secret that is taken apart, and the object with the password of its archive.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) bundle: &'a Arc<Bundle>,
    pub(super) secret: &'a SecretBundle,
    /// The vault of the entry, and of the object with the password.
    pub(super) vault: Option<&'a VaultName>,
    pub(super) password: Option<&'a ObjectName>,
    /// Whether the value is PEM, which has no password.
    pub(super) is_pem: bool,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        bundle: &'a Arc<Bundle>,
        secret: &'a SecretBundle,
        vault: Option<&'a VaultName>,
        password: Option<&'a ObjectName>,
    ) -> Self {
        let is_pem = content::pem::is_pem(secret.value.expose());
        Self { bundle, secret, vault, password, is_pem }
    }

    fn key(&self) -> SourceKey {
        let password = if self.is_pem { None } else { self.password };
        (Arc::as_ptr(self.bundle).addr(), password.cloned())
    }
}

/// The address of a bundle, and the object with the password of an archive.
type SourceKey = (usize, Option<ObjectName>);

/// Secrets that were taken apart, up to a bound, and the stores that were made of them. One object can be requested by
/// thousands of entries, and opening an archive takes a second.
#[derive(Default)]
pub(super) struct Sources {
    /// Others are taken apart again when another entry needs them.
    opened: Kept<SourceKey, Opened>,
    /// At most [`MAX_STORES`](crate::spec::output::MAX_STORES).
    stores: HashMap<(SourceKey, Part), StoreInDraft>,
    /// How often a value was taken apart.
    pub(super) taken_apart: usize,
}

struct Opened {
    /// Keeps the allocation alive, so that no other bundle gets its address, which is part of the map's key.
    _bundle: Arc<Bundle>,
    parts: Result<Arc<Parts>, ContentError>,
}

/// A store that the draft holds.
struct StoreInDraft {
    /// Keeps the allocation alive, also once its [`Opened`] is dropped: the bundle's address is part of the map's key.
    _bundle: Arc<Bundle>,
    /// The index of the store in the draft.
    place: usize,
}

/// What a secret that was taken apart takes beside its parts, in bytes.
const OPENED_OVERHEAD_BYTES: usize = 512;

impl Sources {
    /// Takes a secret apart, once while it is kept. Returns `None` if its password was not read.
    pub(super) fn parts(
        &mut self,
        source: Source<'_>,
        passwords: &mut Passwords,
        settings: CertificateSettings,
        work: &mut Work,
    ) -> Option<Result<Arc<Parts>, ContentError>> {
        let password = match source.password {
            None => "",
            Some(name) => passwords.get(source.vault, name)?,
        };
        let key = source.key();
        if let Some(opened) = self.opened.get(&key) {
            return Some(opened.parts.clone());
        }
        self.taken_apart += 1;
        let parts = Parts::of(source.secret.value.expose(), password, settings.order, work);
        let parts = parts.map(Arc::new).map_err(ContentError::Parts);
        let bytes = OPENED_OVERHEAD_BYTES
            + source.bundle.content_bytes()
            + parts.as_ref().map_or(0, |parts| parts.bytes());
        self.opened.insert(key, Opened { _bundle: source.bundle.clone(), parts: parts.clone() }, bytes);
        Some(parts)
    }

    /// Returns a copy of a store that the draft holds.
    pub(super) fn store(&self, source: Source<'_>, part: &Part, draft: &Draft) -> Option<Sensitive<Vec<u8>>> {
        part.store()?;
        let store = self.stores.get(&(source.key(), part.clone()))?;
        draft.contents(store.place).cloned()
    }

    /// Records the place of a store, which is the next file of the draft.
    pub(super) fn note_store(&mut self, source: Source<'_>, part: &Part, draft: &Draft) {
        if part.store().is_some() {
            let store = StoreInDraft { _bundle: source.bundle.clone(), place: draft.files() };
            self.stores.insert((source.key(), part.clone()), store);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        metrics::Metrics,
        mount::memory::VolumeMemory,
        spec::output::{Alias, Store, StoreProfile},
        vault::Properties,
    };

    use super::*;

    /// Returns a certificate with its key, and with `copies` of the key.
    fn pem_with(before: &str, copies: usize) -> Arc<Bundle> {
        let pem = String::from_utf8(content::fixture("p256.pem")).unwrap();
        let key = String::from_utf8(content::pem::split(&pem).keys.into_exposed()).unwrap();
        let pem = key.repeat(copies) + &pem;
        Arc::new(Bundle::Secret(SecretBundle {
            version: "1".parse().unwrap(),
            properties: Properties::default(),
            value: Sensitive::new(format!("{before}\n{pem}")),
            backs_certificate: None,
        }))
    }

    fn pem(before: &str) -> Arc<Bundle> {
        pem_with(before, 0)
    }

    fn take_apart(
        sources: &mut Sources,
        bundle: &Arc<Bundle>,
        work: &mut Work,
    ) -> Result<Arc<Parts>, ContentError> {
        let Bundle::Secret(secret) = &**bundle else { unreachable!() };
        let source = Source::new(bundle, secret, None, None);
        let opened = sources.parts(source, &mut Passwords::default(), CertificateSettings::default(), work);
        sources.opened.assert_bounded();
        opened.unwrap()
    }

    #[test]
    fn secrets_that_a_mount_takes_apart_are_bounded_and_taken_apart_again() {
        let (mut sources, mut work) = (Sources::default(), Work::of_mount());
        let bundles: Vec<_> = (0..100).map(|number| pem(&number.to_string().repeat(25_000))).collect();
        for place in (0..100).chain([0, 99, 0, 99]) {
            take_apart(&mut sources, &bundles[place], &mut work).unwrap();
        }
        assert_eq!(sources.taken_apart, 101, "the first one is opened again, and then both are kept");
        let large = pem(&"x".repeat(3 << 20));
        let [first, second] = [(); 2].map(|()| take_apart(&mut sources, &large, &mut work).unwrap());
        assert!(Arc::ptr_eq(&first, &second), "the last one is kept whatever its size");
    }

    #[test]
    fn entries_that_alternate_between_large_certificates_are_refused_after_seconds() {
        let (mut sources, mut work) = (Sources::default(), Work::of_mount());
        let bundles = ["a", "b", "c"].map(|text| pem_with(&text.repeat(1 << 20), 99));
        let mut opened = 0;
        while take_apart(&mut sources, &bundles[opened % 3], &mut work).is_ok() {
            opened += 1;
            assert!(opened < 500, "it ends");
        }
        assert!(opened > 50, "{opened}: a volume may alternate between its certificates");
    }

    #[test]
    fn a_store_is_found_after_its_archive_is_dropped() {
        let (mut sources, mut work) = (Sources::default(), Work::of_mount());
        let mut first = pem("first");
        let address = Arc::as_ptr(&first).addr();
        let part = Part::Keystore(Store {
            alias: Alias::default(),
            profile: StoreProfile::Modern2023,
            password: None,
        });
        let memory = VolumeMemory::new(0, 4 << 20, Metrics::new(false)).of_mount("shop");
        let draft = Draft::new(4 << 20, memory);
        take_apart(&mut sources, &first, &mut work).unwrap();
        let Bundle::Secret(secret) = &*first else { unreachable!() };
        sources.note_store(Source::new(&first, secret, None, None), &part, &draft);
        take_apart(&mut sources, &pem(&"x".repeat(3 << 20)), &mut work).unwrap();
        assert!(sources.opened.get(&(address, None)).is_none());
        assert!(Arc::get_mut(&mut first).is_none(), "no other bundle gets its address");
        assert!(sources.stores.contains_key(&((address, None), part)));
    }
}
