//! Places parts and forms of an object, one file for each.

use std::sync::Arc;

use crate::{
    content::{
        self,
        error::ContentError,
        metadata::Metadata,
        secret::{CertificateSettings, PKCS12, PemFiles},
    },
    spec::{
        absence::Presence,
        output::{
            CertificateOutput, KeyEncoding, KeyOutput, Output, Outputs, OutputsShape, Part, PartFormat,
            SecretOutput,
        },
        rendering::{Rendering, SecretEncoding, SecretFormat},
        sensitive::Sensitive,
    },
    vault::Bundle,
};

use super::{
    super::{
        failure::{FailedOutput, ObjectError},
        fetch::{VersionRead, Versions},
        volume::MountedVersion,
    },
    Builder, NoVolume, Owner, conversion,
    sources::Source,
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
