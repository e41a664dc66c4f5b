//! Parses one entry of `objects` into an [`ObjectSpec`].

use std::{fmt, str::FromStr};

use serde::de::{IgnoredAny, MapAccess};

use crate::spec::{
    excerpt::Excerpt,
    file::RelativePath,
    object::{ObjectName, ObjectSpec, ObjectType, VersionSelector},
    rendering::{Rendering, SecretEncoding, SecretFormat},
};

use super::{
    error::{Problem, Problems},
    integer::{self, InvalidInteger},
    misspelling,
    yaml::{self, Any, Key, Kind, Node, Oddity, Wanted},
};

macro_rules! entry {
    ($($field:ident = $name:literal,)+) => {
        /// The fields of an entry as the user wrote them. Scalars of any YAML kind keep their text, so `0600` stays `0600`.
        ///
        /// Compat: unknown fields are ignored.
        #[derive(Default)]
        pub(super) struct Entry {
            $($field: Option<String>,)+
        }

        impl Entry {
            fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
                match name {
                    $($name => Some(&mut self.$field),)+
                    _ => None,
                }
            }
        }

        /// Every field of an entry of `objects`.
        pub const ENTRY_FIELDS: &[&str] = &[$($name,)+];
    };
}

entry! {
    object_name = "objectName",
    object_type = "objectType",
    object_alias = "objectAlias",
    object_version = "objectVersion",
    object_version_history = "objectVersionHistory",
    object_format = "objectFormat",
    object_encoding = "objectEncoding",
    file_permission = "filePermission",
}

/// An entry, with the names of its unknown fields.
#[derive(Default)]
pub(super) struct Fields {
    entry: Entry,
    unknown: Vec<String>,
}

impl Fields {
    /// Parses an entry that is a text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Any(Document(fields)) = yaml::read(text, ENTRY)?;
        fields.map_err(|kind| yaml::other_text(text, format_args!("it is {kind}"), ENTRY))
    }

    /// Parses an entry that is a map.
    pub(super) fn read<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut fields = Self::default();
        while let Some(Any(Key(key))) = map.next_key()? {
            let key = key.unwrap_or_default();
            match fields.entry.field(&key) {
                Some(field) => *field = map.next_value()?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                    if fields.unknown.len() < MAX_UNKNOWN && key.len() <= MAX_UNKNOWN_NAME {
                        fields.unknown.push(key);
                    }
                }
            }
        }
        Ok(fields)
    }
}

/// The parsed text of an entry, or the kind of YAML that it is instead of a map.
struct Document(Result<Fields, Kind>);

impl Node for Document {
    fn null() -> Self {
        Self(Ok(Fields::default()))
    }

    fn other(kind: Kind) -> Self {
        Self(Err(kind))
    }

    fn map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Fields::read(map).map(|fields| Self(Ok(fields)))
    }
}

pub(super) const ENTRY: Wanted = Wanted {
    name: "an object's fields",
    example: "an entry looks like \"objectName: db-password\", with \"objectType: secret\" on the next line",
};

/// Unknown field names that are kept for each entry.
const MAX_UNKNOWN: usize = 8;

/// Longest unknown field name that is kept, in bytes.
const MAX_UNKNOWN_NAME: usize = 64;

/// Parses an entry. On failure, returns `None` and adds at least one problem. `field` is the entry's path, and `source`
/// the entry's text, if the entry is a text.
pub(super) fn parse(
    field: &str,
    fields: Fields,
    source: Option<&str>,
    problems: &mut Problems,
) -> Option<ObjectSpec> {
    let Fields { entry, unknown } = fields;
    let reader = Reader { field, name: text(&entry.object_name), source, unknown: &unknown };

    let name = problems.catch(reader.required("objectName", &entry.object_name));
    let versions = problems.catch(reader.versions(&entry));
    let path = match (text(&entry.object_alias), &versions) {
        (Some(alias), Some(VersionSelector::History { .. })) => problems.catch(reader.directory(alias)),
        (Some(alias), _) => problems.catch(reader.value("objectAlias", alias)),
        // An object name that is not a path is also an invalid object name, which is already reported.
        (None, _) => reader.name.and_then(|name| name.parse().ok()),
    };
    let mode = problems.catch(reader.optional("filePermission", &entry.file_permission));
    let object_type = problems.catch(reader.required("objectType", &entry.object_type));
    let format = problems.catch(reader.optional("objectFormat", &entry.object_format));
    let encoding = problems.catch(reader.optional("objectEncoding", &entry.object_encoding));
    let rendering = problems.catch(reader.rendering(object_type?, format?, encoding?));

    Some(ObjectSpec { name: name?, rendering: rendering?, versions: versions?, path: path?, mode: mode? })
}

/// A parser of fields that knows their paths: `objects[2].objectEncoding (db-password)`.
struct Reader<'a> {
    field: &'a str,
    name: Option<&'a str>,
    source: Option<&'a str>,
    unknown: &'a [String],
}

impl Reader<'_> {
    fn optional<T>(&self, key: &str, value: &Option<String>) -> Result<Option<T>, Problem>
    where
        T: FromStr<Err: fmt::Display>,
    {
        text(value).map(|value| self.value(key, value)).transpose()
    }

    fn required<T>(&self, key: &str, value: &Option<String>) -> Result<T, Problem>
    where
        T: FromStr<Err: fmt::Display>,
    {
        match text(value) {
            Some(value) => self.value(key, value),
            None => Err(self.wrong(key, format!("is not set{}", self.meant(key)))),
        }
    }

    /// Returns a hint at the unknown field that the user likely meant as `key`; empty if there is none.
    fn meant(&self, key: &str) -> String {
        let Some(written) = self.unknown.iter().find(|name| misspelling::nearest(name, &[key]).is_some())
        else {
            return String::new();
        };
        match self.source.and_then(|source| Oddity::of_key(source, written)) {
            Some(oddity) => format!("; {oddity}; {}", ENTRY.example),
            None => format!("; field {} is unknown (did you mean {key}?)", Excerpt::of(written)),
        }
    }

    fn value<T>(&self, key: &str, value: &str) -> Result<T, Problem>
    where
        T: FromStr<Err: fmt::Display>,
    {
        value.parse().map_err(|error| self.wrong_text(key, value, error))
    }

    /// Parses the directory of a history.
    ///
    /// Compat: provider-azure joins the alias with the file names, which cleans the path. Without a history, the driver
    /// refuses paths that are not clean.
    fn directory(&self, alias: &str) -> Result<RelativePath, Problem> {
        RelativePath::cleaned(alias).map_err(|error| self.wrong_text("objectAlias", alias, error))
    }

    fn versions(&self, entry: &Entry) -> Result<VersionSelector, Problem> {
        let history: Option<WholeNumber> =
            self.optional("objectVersionHistory", &entry.object_version_history)?;
        // provider-azure documents "latest" as a name of the newest version.
        let pinned = match text(&entry.object_version) {
            None => None,
            Some(version) if version.eq_ignore_ascii_case("latest") => None,
            Some(version) => Some(self.value("objectVersion", version)?),
        };
        Ok(match usize::try_from(history.map_or(0, |WholeNumber(count)| count)) {
            Ok(depth) if depth > 1 => VersionSelector::History { from: pinned, depth },
            // Compat: a history of one or less is a single version, without a directory of its own.
            _ => pinned.map_or(VersionSelector::Newest, VersionSelector::Pinned),
        })
    }

    fn rendering(
        &self,
        object_type: ObjectType,
        format: Option<SecretFormat>,
        encoding: Option<SecretEncoding>,
    ) -> Result<Rendering, Problem> {
        let only_secrets = |key, what| {
            self.wrong(key, format!("{what} is only for objectType secret, not for objectType {object_type}"))
        };
        match object_type {
            ObjectType::Secret => Ok(Rendering::Secret {
                format: format.unwrap_or_default(),
                encoding: encoding.unwrap_or_default(),
            }),
            ObjectType::Key | ObjectType::Certificate if format == Some(SecretFormat::Pfx) => {
                Err(only_secrets("objectFormat", "pfx"))
            }
            ObjectType::Key | ObjectType::Certificate if encoding.is_some() => {
                Err(only_secrets("objectEncoding", "an encoding"))
            }
            ObjectType::Key => Ok(Rendering::Key),
            ObjectType::Certificate => Ok(Rendering::Certificate),
        }
    }

    fn wrong(&self, key: &str, reason: impl fmt::Display) -> Problem {
        Problem::wrong(self.path(key), reason)
    }

    fn wrong_text(&self, key: &str, text: &str, error: impl fmt::Display) -> Problem {
        Problem::of_text(self.path(key), text, format!("{} {error}", Excerpt::of(text)))
    }

    fn path(&self, key: &str) -> String {
        match self.name {
            // An invalid name is quoted in its own problem, and needs no repetition.
            Some(name) if name.parse::<ObjectName>().is_ok() => format!("{}.{key} ({name})", self.field),
            _ => format!("{}.{key}", self.field),
        }
    }
}

/// `objectVersionHistory`; all numbers below 2 mean the same.
struct WholeNumber(i32);

impl FromStr for WholeNumber {
    type Err = InvalidInteger;

    fn from_str(text: &str) -> Result<Self, InvalidInteger> {
        integer::parse(text).map(Self)
    }
}

/// Returns a field's trimmed text; `None` if it is absent, `null` or blank.
fn text(value: &Option<String>) -> Option<&str> {
    value.as_deref().map(str::trim).filter(|value| !value.is_empty())
}
