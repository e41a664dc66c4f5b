//! Places keys of a structured value, one file for each.

use std::{collections::HashMap, sync::Arc};

use crate::{
    content::{
        encoding,
        error::ContentError,
        structured::{Document, Value},
    },
    spec::{
        absence::IfAbsent,
        excerpt::Excerpt,
        file::{FileMode, RelativePath},
        rendering::SecretEncoding,
        sensitive::Sensitive,
        shape::{KeyFile, KeySelection, KeysShape},
        syntax::Syntax,
    },
    vault::Bundle,
};

use super::{
    super::{
        failure::{MissingKey, ObjectError},
        fetch::{VersionRead, Versions},
        volume::MountedVersion,
    },
    Builder, NoVolume, Owner,
};

impl Builder<'_> {
    pub(super) fn keys(
        &mut self,
        owner: Owner<'_>,
        keys: &KeysShape,
        versions: Versions,
    ) -> Result<(), NoVolume> {
        for VersionRead { asked, bundle } in versions.into_all() {
            self.check_abandoned()?;
            let placed = bundle.map_err(ObjectError::from).and_then(|bundle| {
                let document = self.documents.parse(&bundle, keys.encoding, keys.syntax)?;
                for (path, mode, contents) in files(&document, keys)? {
                    self.add(owner, path, mode, contents);
                }
                let version = bundle.version().to_string();
                self.draft.record_once(MountedVersion { id: owner.object.to_string(), version });
                Ok(())
            });
            if let Err(error) = placed {
                self.fail(owner, asked.as_ref(), error);
            }
        }
        Ok(())
    }
}

/// A file of a key.
type Placed = (RelativePath, Option<FileMode>, Sensitive<Vec<u8>>);

/// Returns the files of a value, in the order of the entry or of the value.
fn files(document: &Document, keys: &KeysShape) -> Result<Vec<Placed>, ObjectError> {
    match &keys.keys {
        KeySelection::Listed(items) => listed(document, items),
        KeySelection::All { directory, mode } => all(document, directory.as_ref(), *mode),
    }
}

fn listed(document: &Document, items: &[KeyFile]) -> Result<Vec<Placed>, ObjectError> {
    let (mut files, mut missing) = (Vec::with_capacity(items.len()), Vec::new());
    for item in items {
        let contents = match (document.get(&item.key), &item.if_absent) {
            (Some(value), _) => decoded(document, value, item)?,
            (None, IfAbsent::Write(default)) => default.bytes(),
            (None, IfAbsent::Omit) => continue,
            (None, IfAbsent::Fail) => {
                let key = Excerpt::of(item.key.as_str());
                missing.push(MissingKey { key, file: item.path.clone() });
                continue;
            }
        };
        files.push((item.path.clone(), item.mode, contents));
    }
    if missing.is_empty() { Ok(files) } else { Err(ObjectError::NoSuchKey { missing }) }
}

fn decoded(document: &Document, value: &Value, item: &KeyFile) -> Result<Sensitive<Vec<u8>>, ContentError> {
    let text = document.text(value);
    encoding::decode(text.expose(), item.encoding)
        .map_err(|source| ContentError::KeyEncoding { key: Excerpt::of(item.key.as_str()), source })
}

fn all(
    document: &Document,
    directory: Option<&RelativePath>,
    mode: Option<FileMode>,
) -> Result<Vec<Placed>, ObjectError> {
    let mut files = Vec::new();
    for (key, value) in document.entries().ok_or(ContentError::NoKeys)?.filter(|(_, value)| !value.is_null())
    {
        let path = RelativePath::of_key(directory, key).map_err(|_| ContentError::KeyTooLong)?;
        let mut text = document.text(value).into_exposed();
        files.push((path, mode, Sensitive::new(std::mem::take(&mut text).into_bytes())));
    }
    Ok(files)
}

/// Parsed values. One value can be requested by thousands of entries.
#[derive(Default)]
pub(super) struct Documents(HashMap<(usize, SecretEncoding, Syntax), Parsed>);

struct Parsed {
    /// Keeps the allocation alive, so that no other bundle gets its address, which is part of the map's key.
    _bundle: Arc<Bundle>,
    document: Result<Arc<Document>, ContentError>,
}

impl Documents {
    pub(super) fn parse(
        &mut self,
        bundle: &Arc<Bundle>,
        encoding: SecretEncoding,
        syntax: Syntax,
    ) -> Result<Arc<Document>, ContentError> {
        let key = (Arc::as_ptr(bundle).addr(), encoding, syntax);
        let parsed = self.0.entry(key).or_insert_with(|| Parsed {
            _bundle: bundle.clone(),
            document: parse(bundle, encoding, syntax).map(Arc::new),
        });
        parsed.document.clone()
    }
}

fn parse(bundle: &Bundle, encoding: SecretEncoding, syntax: Syntax) -> Result<Document, ContentError> {
    let Bundle::Secret(secret) = bundle else { return Err(ContentError::NoKeys) };
    let bytes = encoding::decode(secret.value.expose(), encoding).map_err(ContentError::Encoding)?;
    let text = std::str::from_utf8(bytes.expose()).map_err(|_| ContentError::NotText)?;
    Document::parse(text, syntax).map_err(ContentError::Structure)
}
