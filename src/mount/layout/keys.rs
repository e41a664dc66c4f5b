//! Places keys of a structured value, one file for each.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use crate::{
    content::{
        encoding,
        error::ContentError,
        structured::{Document, Value},
        work::{TooMuchTogether, Work},
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
        failure::{MissingKey, ObjectError, ObjectFailure},
        fetch::{VersionRead, Versions},
        volume::MountedVersion,
    },
    Builder, NoVolume, Owner,
    kept::Kept,
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
            let placed = match bundle {
                // Even its keys stay unknown: a parsed value is larger than its text.
                Ok(bundle) if self.draft.is_full() => {
                    self.draft.add_bytes(bundle.content_bytes());
                    Ok(())
                }
                Ok(bundle) => self.place_keys(owner, keys, &bundle),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = placed {
                self.fail(owner, asked.as_ref(), error);
            }
        }
        Ok(())
    }

    /// Adds the files of a value, in the order of the entry or of the value. Each is added before the next one is made,
    /// since all of them may hold the whole value.
    fn place_keys(
        &mut self,
        owner: Owner<'_>,
        keys: &KeysShape,
        bundle: &Arc<Bundle>,
    ) -> Result<(), ObjectError> {
        let document = self.documents.parse(bundle, keys.encoding, keys.syntax, &mut self.work)?;
        match &keys.keys {
            KeySelection::Listed(items) => self.listed(owner, &document, items)?,
            KeySelection::All { directory, mode } => {
                self.all_keys(owner, &document, directory.as_ref(), *mode)?;
            }
        }
        let version = bundle.version().to_string();
        self.draft.record_once(MountedVersion { id: owner.object.to_string(), version });
        Ok(())
    }

    fn listed(
        &mut self,
        owner: Owner<'_>,
        document: &Document,
        items: &[KeyFile],
    ) -> Result<(), ObjectError> {
        let is_missing =
            |item: &&KeyFile| item.if_absent == IfAbsent::Fail && document.get(&item.key).is_none();
        let missing: Vec<_> = items
            .iter()
            .filter(is_missing)
            .map(|item| MissingKey { key: Excerpt::of(item.key.as_str()), file: item.path.clone() })
            .collect();
        if !missing.is_empty() {
            return Err(ObjectError::NoSuchKey { missing });
        }
        for item in items {
            let path = item.path.clone();
            match (document.get(&item.key), &item.if_absent) {
                (Some(value), _) if item.encoding == SecretEncoding::Utf8 || self.draft.is_full() => {
                    self.add_text(owner, document, value, path, item.mode);
                }
                (Some(value), _) => self.add(owner, path, item.mode, decoded(value, item)?),
                (None, IfAbsent::Write(default)) => self.add(owner, path, item.mode, default.bytes()),
                (None, IfAbsent::Omit | IfAbsent::Fail) => {}
            }
        }
        Ok(())
    }

    /// Adds a file with the text of a value. The text of a map or a list is made only if there is room for it: a few
    /// kilobytes of YAML have megabytes of JSON.
    fn add_text(
        &mut self,
        owner: Owner<'_>,
        document: &Document,
        value: &Value,
        path: RelativePath,
        mode: Option<FileMode>,
    ) {
        if self.draft.is_full() {
            self.draft.add_size(&path, document.approximate_text_bytes(value));
            return;
        }
        let length = value.text_bytes();
        if length > self.layout.largest_volume || !self.draft.reserve(length) {
            self.draft.add_size(&path, length);
        } else {
            let text = document.text(value).into_exposed();
            self.add(owner, path, mode, Sensitive::new(text.into_bytes()));
        }
    }

    fn all_keys(
        &mut self,
        owner: Owner<'_>,
        document: &Document,
        directory: Option<&RelativePath>,
        mode: Option<FileMode>,
    ) -> Result<(), ObjectError> {
        let entries = document.entries().ok_or(ContentError::NoKeys)?;
        let mut keys = HashMap::new();
        for (place, (key, value)) in (1..).zip(entries).filter(|(_, (_, value))| !value.is_null()) {
            let path = RelativePath::of_key(directory, key).map_err(|_| ContentError::KeyTooLong)?;
            // Beyond the limit the volume fails for its size, and the number of files is not bounded.
            if !self.draft.is_full() {
                match keys.entry(path.clone()) {
                    Entry::Vacant(vacant) => {
                        vacant.insert(place);
                    }
                    Entry::Occupied(first) => {
                        let error = ObjectError::key_clash(&path, [*first.get(), place]);
                        self.key_clashes.push(ObjectFailure::new(owner.object, None, error));
                    }
                }
            }
            self.add_text(owner, document, value, path, mode);
        }
        Ok(())
    }
}

fn decoded(value: &Value, item: &KeyFile) -> Result<Sensitive<Vec<u8>>, ContentError> {
    // The JSON of a map or a list begins with a bracket, which is neither base64 nor hex.
    encoding::decode(value.as_text().unwrap_or("["), item.encoding)
        .map_err(|source| ContentError::KeyEncoding { key: Excerpt::of(item.key.as_str()), source })
}

/// Parsed values, up to a bound. Others are parsed again when another entry needs them.
#[derive(Default)]
pub(super) struct Documents(Kept<ValueKey, Parsed>);

/// The address of a bundle, and how its value is read.
type ValueKey = (usize, SecretEncoding, Syntax);

struct Parsed {
    /// Keeps the allocation alive, so that no other bundle gets its address, which is part of the map's key.
    _bundle: Arc<Bundle>,
    document: Result<Arc<Document>, ContentError>,
}

/// What a parsed value takes beside the document, in bytes.
const PARSED_OVERHEAD_BYTES: usize = 256;

impl Documents {
    pub(super) fn parse(
        &mut self,
        bundle: &Arc<Bundle>,
        encoding: SecretEncoding,
        syntax: Syntax,
        work: &mut Work,
    ) -> Result<Arc<Document>, ContentError> {
        let key = (Arc::as_ptr(bundle).addr(), encoding, syntax);
        if let Some(parsed) = self.0.get(&key) {
            return parsed.document.clone();
        }
        work.spend_parsed(bundle.content_bytes()).map_err(|TooMuchTogether| ContentError::ParsedTooOften)?;
        let document = parse(bundle, encoding, syntax).map(Arc::new);
        let bytes = PARSED_OVERHEAD_BYTES
            + bundle.content_bytes()
            + document.as_ref().map_or(0, |document| document.bytes());
        self.0.insert(key, Parsed { _bundle: bundle.clone(), document: document.clone() }, bytes);
        document
    }
}

fn parse(bundle: &Bundle, encoding: SecretEncoding, syntax: Syntax) -> Result<Document, ContentError> {
    let Bundle::Secret(secret) = bundle else { return Err(ContentError::NoKeys) };
    let bytes =
        encoding::decode(secret.value.expose(), encoding).map_err(ContentError::StructuredEncoding)?;
    let text = std::str::from_utf8(bytes.expose()).map_err(|_| ContentError::NotText)?;
    Document::parse(text, syntax).map_err(ContentError::Structure)
}

#[cfg(test)]
mod tests {
    use crate::{
        spec::{
            absence::Presence,
            object::{ObjectSpec, Origin, VersionSelector},
            shape::Shape,
        },
        vault::{Properties, SecretBundle},
    };

    use super::{super::is_slow, *};

    fn secret(value: &str) -> Arc<Bundle> {
        Arc::new(Bundle::Secret(SecretBundle {
            version: "1".parse().unwrap(),
            properties: Properties::default(),
            value: Sensitive::new(value.to_owned()),
            backs_certificate: None,
        }))
    }

    #[test]
    fn parsed_values_of_a_mount_are_bounded_and_alternate() {
        let mut documents = Documents::default();
        let mut work = Work::of_mount();
        let mut parse = |bundle: &Arc<Bundle>| {
            let document = documents.parse(bundle, SecretEncoding::Utf8, Syntax::Json, &mut work).unwrap();
            documents.0.assert_bounded();
            document
        };
        let large = |number: usize| {
            secret(&format!("{{\"number\":{number},\"all\":[{}]}}", vec!["1"; 12_000].join(",")))
        };
        let bundles: Vec<_> = (0..60).map(large).collect();
        let number = |document: &Document| {
            let path = "number".parse().unwrap();
            document.get(&path).map(|value| document.text(value).expose().clone())
        };
        for place in (0..60).chain([0, 59, 0, 59, 0, 1, 2, 1]) {
            assert_eq!(number(&parse(&bundles[place])), Some(place.to_string()));
        }
        let small = secret("{\"number\":7}");
        let (first, second) = (parse(&small), parse(&small));
        assert!(Arc::ptr_eq(&first, &second), "a value under many entries is parsed once");
    }

    #[test]
    fn entries_that_alternate_between_large_values_are_refused_after_seconds() {
        let (mut documents, mut work) = (Documents::default(), Work::of_mount());
        let large = |number: usize| secret(&format!("[{number}{}]", ",1".repeat(12_000)));
        let bundles: Vec<_> = (0..60).map(large).collect();
        let mut parsed = 0;
        let error = loop {
            let bundle = &bundles[parsed % bundles.len()];
            match documents.parse(bundle, SecretEncoding::Utf8, Syntax::Json, &mut work) {
                Ok(_) => parsed += 1,
                Err(error) => break error,
            }
            assert!(parsed < 1_000, "it ends");
        };
        assert!(matches!(error, ContentError::ParsedTooOften));
        assert!(
            parsed > 8 * bundles.len(),
            "{parsed}: a large volume may parse each of its values several times"
        );
    }

    /// A few kilobytes of YAML may become a megabyte of text.
    #[test]
    fn yaml_is_parsed_off_the_serving_thread_whatever_its_size() {
        let slow = |syntax| {
            let keys = KeySelection::All { directory: None, mode: None };
            let keys =
                KeysShape { encoding: SecretEncoding::Utf8, syntax, keys, presence: Presence::Required };
            let object = ObjectSpec {
                vault: None,
                name: "a".parse().unwrap(),
                versions: VersionSelector::Newest,
                shape: Shape::Keys(keys),
                origin: Origin::Named,
            };
            let read = VersionRead { asked: None, bundle: Ok(secret("a: 1")) };
            is_slow(&[object], &[Ok(Versions::Single(read))])
        };
        assert_eq!([Syntax::Yaml, Syntax::Json, Syntax::Dotenv].map(slow), [true, false, false]);
    }
}
