//! Places parts and forms of an object, one file for each.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use crate::{
    content::{
        self,
        error::ContentError,
        metadata::Metadata,
        parts::Parts,
        secret::{CertificateSettings, PKCS12, PemFiles},
        work::Work,
    },
    spec::{
        absence::Presence,
        object::ObjectName,
        output::{
            CertificateOutput, KeyEncoding, KeyOutput, Output, Outputs, OutputsShape, Part, PartFormat,
            SecretOutput,
        },
        rendering::{Rendering, SecretEncoding, SecretFormat},
        sensitive::Sensitive,
        vault::VaultName,
    },
    vault::{Bundle, SecretBundle},
};

use super::{
    super::{
        draft::Draft,
        failure::{FailedOutput, ObjectError},
        fetch::{VersionRead, Versions},
        volume::MountedVersion,
    },
    Builder, NoVolume, Owner, conversion,
    passwords::Passwords,
};

impl Builder<'_> {
    pub(super) fn outputs(
        &mut self,
        owner: Owner<'_>,
        shape: &OutputsShape,
        versions: Versions,
    ) -> Result<(), NoVolume> {
        for VersionRead { asked, bundle } in versions.into_all() {
            let placed = match bundle {
                Ok(bundle) => {
                    let placed = self.place_outputs(owner, &shape.outputs, &bundle)?;
                    let version = bundle.version().to_string();
                    self.draft.record_once(MountedVersion { id: owner.object.to_string(), version });
                    placed
                }
                Err(error) => Err(error.into()),
            };
            if let Err(error) = placed {
                self.fail(owner, asked.as_ref(), error);
            }
        }
        Ok(())
    }

    fn place_outputs(
        &mut self,
        owner: Owner<'_>,
        outputs: &Outputs,
        bundle: &Arc<Bundle>,
    ) -> Result<Result<(), ObjectError>, NoVolume> {
        match (outputs, &**bundle) {
            (Outputs::Secret { items, source_password }, Bundle::Secret(secret)) => {
                let vault = owner.object.vault.as_ref();
                let source = Source::new(bundle, secret, vault, source_password.as_ref());
                if outputs.has_parts() && !self.draft.is_full() {
                    self.check_abandoned()?;
                    // Every part fails if the value cannot be taken apart, so the entry has one error.
                    match self.sources.parts(
                        source,
                        &mut self.passwords,
                        self.layout.certificates,
                        &mut self.work,
                    ) {
                        Some(Ok(_)) => {}
                        Some(Err(error)) => return Ok(Err(error.into())),
                        // The password's own failure is reported.
                        None => return Ok(Ok(())),
                    }
                }
                self.write(owner, items, bundle, |builder, content| builder.of_secret(source, content))
            }
            (Outputs::Certificate(items), Bundle::Certificate(certificate)) => {
                self.write(owner, items, bundle, |_, content| {
                    let contents = match content {
                        CertificateOutput::Metadata => metadata(bundle)?,
                        CertificateOutput::Value | CertificateOutput::Leaf(PartFormat::Pem) => {
                            content::certificate::render(&certificate.der)?
                        }
                        CertificateOutput::Leaf(PartFormat::Der) if certificate.der.is_empty() => {
                            return Err(ContentError::EmptyCertificate);
                        }
                        CertificateOutput::Leaf(PartFormat::Der) => certificate.der.clone(),
                    };
                    Ok(Some(Sensitive::new(contents)))
                })
            }
            (Outputs::Key(items), Bundle::Key(key)) => self.write(owner, items, bundle, |_, content| {
                let contents = match content {
                    KeyOutput::Metadata => metadata(bundle)?,
                    KeyOutput::Value => content::jwk::render(&key.key).map_err(ContentError::Jwk)?,
                };
                Ok(Some(Sensitive::new(contents)))
            }),
            _ => unreachable!("a read has the type of its object"),
        }
    }

    /// Adds a file for each item. `contents` returns `None` where the failure is reported elsewhere.
    fn write<C>(
        &mut self,
        owner: Owner<'_>,
        items: &[Output<C>],
        bundle: &Bundle,
        contents: impl Fn(&mut Self, &C) -> Result<Option<Sensitive<Vec<u8>>>, ContentError>,
    ) -> Result<Result<(), ObjectError>, NoVolume> {
        let mut failed = Vec::new();
        for item in items {
            self.check_abandoned()?;
            if self.draft.is_full() {
                self.draft.add_size(&item.path, bundle.content_bytes());
                continue;
            }
            match contents(self, &item.content) {
                Ok(Some(contents)) => self.add(owner, item.path.clone(), item.mode, contents),
                Ok(None) => {}
                Err(error) if item.presence == Presence::Optional && error.is_missing_part() => {}
                Err(error) => failed.push(FailedOutput { file: item.path.clone(), error }),
            }
        }
        Ok(if failed.is_empty() { Ok(()) } else { Err(ObjectError::Outputs { failed }) })
    }

    fn of_secret(
        &mut self,
        source: Source<'_>,
        content: &SecretOutput,
    ) -> Result<Option<Sensitive<Vec<u8>>>, ContentError> {
        match content {
            SecretOutput::Metadata => metadata(source.bundle).map(Sensitive::new).map(Some),
            SecretOutput::Value(encoding) => self.value(source, *encoding).map(Some),
            SecretOutput::Part(part) => {
                if let Some(again) = self.sources.store(source, part, &self.draft) {
                    return Ok(Some(again));
                }
                let certificates = self.layout.certificates;
                let parts =
                    match self.sources.parts(source, &mut self.passwords, certificates, &mut self.work) {
                        Some(parts) => parts?,
                        None => return Ok(None),
                    };
                let Some(password) = self.passwords.of_store(source.vault, part.store()) else {
                    return Ok(None);
                };
                let contents = parts.write(source.secret.value.expose(), part, password)?;
                self.sources.note_store(source, part, &self.draft);
                Ok(Some(contents))
            }
        }
    }

    /// Returns what a single file holds. An archive that was taken apart is not opened again.
    fn value(
        &mut self,
        source: Source<'_>,
        encoding: SecretEncoding,
    ) -> Result<Sensitive<Vec<u8>>, ContentError> {
        let secret = source.secret;
        let settings = CertificateSettings { files: PemFiles::Together, ..self.layout.certificates };
        if secret.backs_certificate.as_deref() == Some(PKCS12) && encoding == SecretEncoding::Utf8 {
            let plain = Source { password: None, ..source };
            let combined = Part::Combined(Some(KeyEncoding::Pkcs8));
            if !source.is_pem
                && let Some(Ok(parts)) =
                    self.sources.parts(plain, &mut self.passwords, settings, &mut self.work)
                && let Ok(value) = parts.write(secret.value.expose(), &combined, "")
            {
                return Ok(value);
            }
        }
        self.sources.taken_apart += usize::from(secret.backs_certificate.as_deref() == Some(PKCS12));
        let rendering = Rendering::Secret { format: SecretFormat::Pem, encoding };
        let files = conversion::render(source.bundle, rendering, settings, &mut self.work)?;
        let whole = files.written.into_iter().find(|(suffix, _)| suffix.is_empty());
        Ok(whole.map_or_else(|| Sensitive::new(Vec::new()), |(_, contents)| contents))
    }
}

/// A secret that is taken apart, and the object with the password of its archive.
#[derive(Clone, Copy)]
struct Source<'a> {
    bundle: &'a Arc<Bundle>,
    secret: &'a SecretBundle,
    /// The vault of the entry, and of the object with the password.
    vault: Option<&'a VaultName>,
    password: Option<&'a ObjectName>,
    /// Whether the value is PEM, which has no password.
    is_pem: bool,
}

impl<'a> Source<'a> {
    fn new(
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
    opened: HashMap<SourceKey, Opened>,
    /// The keys of the opened secrets, the oldest first.
    order: VecDeque<SourceKey>,
    bytes: usize,
    /// At most [`MAX_STORES`](crate::spec::output::MAX_STORES).
    stores: HashMap<(SourceKey, Part), StoreInDraft>,
    /// How often a value was taken apart.
    pub(super) taken_apart: usize,
}

struct Opened {
    /// Keeps the allocation alive, so that no other bundle gets its address, which is part of the map's key.
    _bundle: Arc<Bundle>,
    parts: Result<Arc<Parts>, ContentError>,
    bytes: usize,
}

/// A store that the draft holds.
struct StoreInDraft {
    /// Keeps the allocation alive, also once its [`Opened`] is dropped: the bundle's address is part of the map's key.
    _bundle: Arc<Bundle>,
    /// The index of the store in the draft.
    place: usize,
}

/// The most memory of a mount's secrets that were taken apart, in bytes; the last one is kept whatever its size. Others
/// are taken apart again when another entry needs them.
const MAX_OPENED_BYTES: usize = 2 << 20;

/// What a secret that was taken apart takes beside its parts, in bytes.
const OPENED_OVERHEAD_BYTES: usize = 512;

impl Sources {
    /// Takes a secret apart, once while it is kept. Returns `None` if its password was not read.
    fn parts(
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
        self.keep(key, source.bundle, parts.clone());
        Some(parts)
    }

    fn keep(&mut self, key: SourceKey, bundle: &Arc<Bundle>, parts: Result<Arc<Parts>, ContentError>) {
        let bytes =
            OPENED_OVERHEAD_BYTES + bundle.content_bytes() + parts.as_ref().map_or(0, |parts| parts.bytes());
        self.bytes += bytes;
        while self.bytes > MAX_OPENED_BYTES
            && let Some(oldest) = self.order.pop_front()
        {
            self.bytes -= self.opened.remove(&oldest).map_or(0, |opened| opened.bytes);
        }
        self.order.push_back(key.clone());
        self.opened.insert(key, Opened { _bundle: bundle.clone(), parts, bytes });
    }

    /// Returns a copy of a store that the draft holds.
    fn store(&self, source: Source<'_>, part: &Part, draft: &Draft) -> Option<Sensitive<Vec<u8>>> {
        part.store()?;
        let store = self.stores.get(&(source.key(), part.clone()))?;
        draft.contents(store.place).cloned()
    }

    /// Records the place of a store, which is the next file of the draft.
    fn note_store(&mut self, source: Source<'_>, part: &Part, draft: &Draft) {
        if part.store().is_some() {
            let store = StoreInDraft { _bundle: source.bundle.clone(), place: draft.files() };
            self.stores.insert((source.key(), part.clone()), store);
        }
    }
}

fn metadata(bundle: &Bundle) -> Result<Vec<u8>, ContentError> {
    let properties = bundle.properties();
    let lifecycle = properties.lifecycle;
    let metadata = Metadata {
        id: &properties.id,
        version: bundle.version().as_str(),
        content_type: properties.content_type.as_deref(),
        enabled: lifecycle.enabled,
        created: lifecycle.created,
        updated: lifecycle.updated,
        not_before: lifecycle.not_before,
        expires: lifecycle.expires,
        managed: properties.managed,
        tags: &properties.tags,
    };
    metadata.to_json().map_err(ContentError::Metadata)
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
        let held: usize = sources.opened.values().map(|opened| opened.bytes).sum();
        assert_eq!((held, sources.opened.len()), (sources.bytes, sources.order.len()));
        let largest = sources.opened.values().map(|opened| opened.bytes).max().unwrap();
        assert!(sources.bytes <= MAX_OPENED_BYTES.max(largest), "{} bytes", sources.bytes);
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
        assert_eq!(sources.opened.len(), 1);
        assert!(Arc::get_mut(&mut first).is_none(), "no other bundle gets its address");
        assert!(sources.stores.contains_key(&((address, None), part)));
    }
}
