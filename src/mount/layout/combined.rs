//! Places the values of several objects in one file.

use std::{mem, sync::Arc};

use crate::{
    content::{combined, error::ContentError},
    spec::{
        absence::{DefaultText, IfAbsent, Presence},
        combine::{CombineItem, CombinedFile},
        excerpt::Excerpt,
        object::ObjectVersion,
        rendering::SecretEncoding,
        sensitive::Sensitive,
        syntax::Syntax,
    },
    vault::Bundle,
};

use super::{
    super::{
        failure::{MissingKey, ObjectError},
        fetch::{Fetched, VersionRead},
        volume::{ABSENT, AbsentObject, DEFAULT, MountedVersion},
    },
    Builder, NoVolume, Owner, absence,
};

/// The values of one file, as far as its items were placed.
#[derive(Default)]
pub(super) struct Values {
    pairs: Vec<(String, Text)>,
    /// The bytes of all values. Beyond the driver's limit no value is kept.
    bytes: usize,
    /// The objects that the vault does not have, and whether a default stands for them.
    absent: Vec<(String, bool)>,
    has_failed: bool,
}

/// A value of the file.
enum Text {
    Whole(Arc<Bundle>),
    Part(Sensitive<String>),
    Default(DefaultText),
}

impl Text {
    fn expose(&self) -> &str {
        match self {
            Self::Whole(bundle) => match &**bundle {
                Bundle::Secret(secret) => secret.value.expose(),
                // An item reads secrets alone.
                Bundle::Key(_) | Bundle::Certificate(_) => "",
            },
            Self::Part(text) => text.expose(),
            Self::Default(default) => default.expose(),
        }
    }
}

impl Builder<'_> {
    /// Adds the value of an item, or its failure, and the file with its last item.
    pub(super) fn item(
        &mut self,
        owner: Owner<'_>,
        item: &CombineItem,
        fetched: Fetched,
    ) -> Result<(), NoVolume> {
        self.check_abandoned()?;
        if item.index == 0 {
            self.values = Values::default();
        }
        if absence::is_absent(&fetched) && is_optional(item) {
            self.item_without_object(owner, item);
        } else {
            let versions = match fetched {
                Ok(versions) => versions.into_all(),
                Err(error) => {
                    self.item_failed(owner, None, error);
                    Vec::new()
                }
            };
            for VersionRead { asked, bundle } in versions {
                let value = bundle.map_err(ObjectError::from).and_then(|bundle| {
                    let text = self.text(item, &bundle)?;
                    let version = bundle.version().to_string();
                    self.draft.record_once(MountedVersion { id: owner.object.to_string(), version });
                    Ok(text)
                });
                match value {
                    Ok(Some(text)) => self.values.add(item, text, self.layout.largest_volume),
                    Ok(None) => {}
                    Err(error) => self.item_failed(owner, asked.as_ref(), error),
                }
            }
        }
        if item.is_last() {
            self.combined(owner, &item.file);
        }
        Ok(())
    }

    /// Returns the value of an item; `None` if the secret lacks it and the item is optional.
    fn text(&mut self, item: &CombineItem, bundle: &Arc<Bundle>) -> Result<Option<Text>, ObjectError> {
        if self.draft.is_full() {
            // Only the size counts, and a parsed value is larger than its text.
            return Ok(Some(Text::Whole(bundle.clone())));
        }
        let text = match &item.part {
            None => Text::Whole(bundle.clone()),
            Some(path) => {
                let document =
                    self.documents.parse(bundle, SecretEncoding::Utf8, Syntax::Json, &mut self.work)?;
                let part = document.get(path).map(|value| document.text(value));
                match (part, &item.if_absent) {
                    (Some(part), _) => Text::Part(part),
                    (None, IfAbsent::Write(default)) => Text::Default(default.clone()),
                    (None, IfAbsent::Omit) => return Ok(None),
                    (None, IfAbsent::Fail) => {
                        let key = Excerpt::of(path.as_str());
                        let missing = vec![MissingKey { key, file: item.file.path.clone() }];
                        return Err(ObjectError::NoSuchKey { missing });
                    }
                }
            }
        };
        combined::check(item.file.format, text.expose()).map_err(|source| {
            let key = Excerpt::of(item.key.as_str());
            ObjectError::from(ContentError::Combine { key, source })
        })?;
        Ok(Some(text))
    }

    fn item_without_object(&mut self, owner: Owner<'_>, item: &CombineItem) {
        let default = match &item.if_absent {
            IfAbsent::Write(default) => Some(default.clone()),
            IfAbsent::Fail | IfAbsent::Omit => None,
        };
        self.values.note_absent(owner.object.to_string(), default.is_some());
        if let Some(default) = default {
            self.values.add(item, Text::Default(default), self.layout.largest_volume);
        }
    }

    fn item_failed(&mut self, owner: Owner<'_>, version: Option<&ObjectVersion>, error: ObjectError) {
        self.values.has_failed = true;
        self.fail(owner, version, error);
    }

    /// Adds the file of the values.
    fn combined(&mut self, owner: Owner<'_>, file: &CombinedFile) {
        let values = mem::take(&mut self.values);
        for (id, has_default) in &values.absent {
            let object_type = owner.object.object_type();
            let version = if *has_default { DEFAULT } else { ABSENT };
            self.draft.record_absence(AbsentObject { object_type, id: id.clone() }, version);
        }
        if values.has_failed {
            return;
        }
        let pairs: Vec<_> = values.pairs.iter().map(|(key, text)| (key.as_str(), text.expose())).collect();
        let length = combined::length(file.format, &pairs).max(values.bytes);
        if length > self.layout.largest_volume || !self.draft.reserve(length) {
            self.draft.add_size(&file.path, length);
        } else {
            self.add(owner, file.path.clone(), file.mode, combined::write(file.format, &pairs));
        }
    }
}

/// Returns whether the file can do without the object of an item.
pub(super) fn is_optional(item: &CombineItem) -> bool {
    item.if_absent != IfAbsent::Fail || item.file.presence == Presence::Optional
}

impl Values {
    fn add(&mut self, item: &CombineItem, text: Text, limit: usize) {
        self.bytes += text.expose().len();
        if self.bytes > limit {
            self.pairs.clear();
        } else {
            self.pairs.push((item.key.to_string(), text));
        }
    }

    fn note_absent(&mut self, id: String, has_default: bool) {
        match self.absent.iter_mut().find(|(absent, _)| *absent == id) {
            Some((_, default)) => *default |= has_default,
            None => self.absent.push((id, has_default)),
        }
    }
}
