//! Converts versions of objects to files, each version once.

use std::{collections::HashMap, sync::Arc};

use crate::{
    content::{
        self,
        error::ContentError,
        secret::{CertificateSettings, MissingPart, SeparateParts},
        work::Work,
    },
    spec::{rendering::Rendering, sensitive::Sensitive},
    vault::Bundle,
};

use super::super::draft::Draft;

/// The files of one version. Each file's name is the object's path with a suffix.
pub(super) struct Files {
    pub(super) written: Vec<(&'static str, Sensitive<Vec<u8>>)>,
    pub(super) missing: Vec<(&'static str, MissingPart)>,
}

/// Finished conversions. One object can be requested under thousands of names, and opening an archive takes a second.
#[derive(Default)]
pub(super) struct Conversions(HashMap<(usize, Rendering), Before>);

/// A finished conversion.
struct Before {
    /// Keeps the allocation alive, so that no other bundle gets its address, which is the map's key.
    _bundle: Arc<Bundle>,
    /// The files in the draft, or the error of the conversion.
    files: Result<InDraft, ContentError>,
}

/// Files that the draft holds.
struct InDraft {
    suffixes: Vec<&'static str>,
    /// The index of the first file.
    place: usize,
    missing: Vec<(&'static str, MissingPart)>,
}

impl Conversions {
    /// Returns the files of `bundle`: copies from the draft if it was converted before, otherwise the result of
    /// `convert`. The caller must add new files to `draft` before the next call, or not at all.
    pub(super) fn files(
        &mut self,
        bundle: &Arc<Bundle>,
        rendering: Rendering,
        draft: &Draft,
        convert: impl FnOnce() -> Result<Files, ContentError>,
    ) -> Result<Files, ContentError> {
        let key = (Arc::as_ptr(bundle).addr(), rendering);
        match self.0.get(&key).map(|before| &before.files) {
            Some(Err(error)) => return Err(error.clone()),
            Some(Ok(InDraft { suffixes, place, missing })) => {
                let contents = (*place..).map(|index| draft.contents(index).cloned());
                let again: Option<Vec<_>> = suffixes
                    .iter()
                    .zip(contents)
                    .map(|(suffix, contents)| Some((*suffix, contents?)))
                    .collect();
                if let Some(written) = again {
                    return Ok(Files { written, missing: missing.clone() });
                }
            }
            None => {}
        }
        let files = convert();
        let noted = files.as_ref().map_err(Clone::clone).map(|files| InDraft {
            suffixes: files.written.iter().map(|(suffix, _)| *suffix).collect(),
            place: draft.files(),
            missing: files.missing.clone(),
        });
        self.0.insert(key, Before { _bundle: bundle.clone(), files: noted });
        files
    }
}

pub(super) fn render(
    bundle: &Bundle,
    rendering: Rendering,
    settings: CertificateSettings,
    work: &mut Work,
) -> Result<Files, ContentError> {
    let whole = match (bundle, rendering) {
        (Bundle::Secret(secret), Rendering::Secret { format, encoding }) => {
            let backs = secret.backs_certificate.as_deref();
            let content =
                content::secret::render(secret.value.expose(), backs, format, encoding, settings, work)?;
            let mut files = Files { written: Vec::new(), missing: Vec::new() };
            if let Some(SeparateParts { certificates, keys }) = content.separate {
                for (suffix, part) in [(".crt", certificates), (".key", keys)] {
                    match part {
                        Ok(part) => files.written.push((suffix, part)),
                        Err(reason) => files.missing.push((suffix, reason)),
                    }
                }
            }
            files.written.push(("", content.whole));
            return Ok(files);
        }
        (Bundle::Key(key), Rendering::Key) => {
            content::jwk::render(&key.key).map(Sensitive::new).map_err(ContentError::Jwk)?
        }
        (Bundle::Certificate(certificate), Rendering::Certificate) => {
            content::certificate::render(&certificate.der).map(Sensitive::new)?
        }
        _ => unreachable!("a read has the type of its object"),
    };
    Ok(Files { written: vec![("", whole)], missing: Vec::new() })
}
