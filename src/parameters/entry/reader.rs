//! Parses the fields of one map, with their paths in messages.

use std::{fmt, str::FromStr};

use crate::{
    parameters::{
        error::{Problem, Problems},
        fields::Unknown,
        yaml::{Kind, Oddity, Scalar},
    },
    spec::{
        absence::{DefaultText, IfAbsent, Presence},
        boolean::{self, InvalidBoolean},
        excerpt::Excerpt,
        file::RelativePath,
        misspelling::nearest,
        object::ObjectName,
        vault::{InvalidVaultName, VaultName},
    },
};

use super::ENTRY;

/// A parser of fields that knows their paths: `objects[2].jmesPath[1].path (db-password)`.
pub(super) struct Reader<'a> {
    /// The path of the map.
    pub(super) field: &'a str,
    /// The entry's `objectName`, as written.
    pub(super) name: Option<&'a str>,
    /// The text of the entry, if the entry is a text.
    pub(super) source: Option<&'a str>,
    /// The unknown fields of an entry, which are ignored.
    pub(super) ignored: &'a [String],
}

impl<'a> Reader<'a> {
    /// Returns the reader of a nested map at this path.
    pub(super) fn nested<'b>(&self, field: &'b str) -> Reader<'b>
    where
        'a: 'b,
    {
        Reader { field, name: self.name, source: None, ignored: &[] }
    }
}

impl Reader<'_> {
    /// Returns a field's text as written; `None` if it is absent or `null`.
    pub(super) fn written<'v>(&self, key: &str, value: &'v Scalar) -> Result<Option<&'v str>, Problem> {
        match value {
            Scalar::Absent => Ok(None),
            Scalar::Text(text) => Ok(Some(text)),
            Scalar::Other(kind) => Err(self.misplaced(key, *kind)),
        }
    }

    /// Returns a field's trimmed text; `None` if it is absent, `null` or blank.
    pub(super) fn text<'v>(&self, key: &str, value: &'v Scalar) -> Result<Option<&'v str>, Problem> {
        self.written(key, value).map(|_| text(value))
    }

    pub(super) fn optional<T>(&self, key: &str, value: &Scalar) -> Result<Option<T>, Problem>
    where
        T: FromStr<Err: fmt::Display>,
    {
        self.text(key, value)?.map(|value| self.value(key, value)).transpose()
    }

    pub(super) fn required<T>(&self, key: &str, value: &Scalar) -> Result<T, Problem>
    where
        T: FromStr<Err: fmt::Display>,
    {
        match self.text(key, value)? {
            Some(value) => self.value(key, value),
            None => Err(self.wrong(key, format!("is not set{}", self.meant(key)))),
        }
    }

    /// Returns a hint at the ignored field that the user likely meant as `key`; empty if there is none.
    fn meant(&self, key: &str) -> String {
        let Some(written) = self.ignored.iter().find(|name| nearest(name, [key]).is_some()) else {
            return String::new();
        };
        match self.source.and_then(|source| Oddity::of_key(source, written)) {
            Some(oddity) => format!("; {oddity}; {}", ENTRY.example),
            None => format!("; field {} is unknown (did you mean {key}?)", Excerpt::of(written)),
        }
    }

    pub(super) fn value<T>(&self, key: &str, value: &str) -> Result<T, Problem>
    where
        T: FromStr<Err: fmt::Display>,
    {
        value.parse().map_err(|error| self.wrong_text(key, value, error))
    }

    /// Parses the name of a vault, whose error quotes it.
    pub(super) fn vault(&self, key: &str, value: &Scalar) -> Result<Option<VaultName>, Problem> {
        let parse = |name: &str| {
            name.parse().map_err(|error: InvalidVaultName| Problem::of_text(self.path(key), name, error))
        };
        self.text(key, value)?.map(parse).transpose()
    }

    /// Parses the path of a directory.
    ///
    /// Compat: provider-azure joins the alias of a history with the file names, which cleans the path. Without a
    /// history, the driver refuses paths that are not clean.
    pub(super) fn directory(&self, alias: &str) -> Result<RelativePath, Problem> {
        RelativePath::cleaned(alias).map_err(|error| self.wrong_text("objectAlias", alias, error))
    }

    /// Parses `optional` alone.
    pub(super) fn presence(&self, optional: &Scalar) -> Result<Presence, Problem> {
        Ok(match self.optional("optional", optional)? {
            Some(Boolean(true)) => Presence::Optional,
            Some(Boolean(false)) | None => Presence::Required,
        })
    }

    /// Parses `optional` and `default`. On failure, returns `None` and adds all problems. No message quotes the default,
    /// which may be secret.
    pub(super) fn if_absent(
        &self,
        optional: &Scalar,
        default: &Scalar,
        problems: &mut Problems,
    ) -> Option<IfAbsent> {
        let presence = problems.catch(self.optional("optional", optional));
        let parse = |text: &str| text.parse::<DefaultText>().map_err(|error| self.wrong("default", error));
        let text = self.written("default", default).and_then(|text| text.map(parse).transpose());
        let text = problems.catch(text);
        if !default.is_absent() && matches!(presence, Some(Some(Boolean(false)))) {
            let reason = "makes it optional; leave out optional: false, or the default";
            problems.push(self.wrong("default", reason));
            return None;
        }
        Some(match (presence?, text?) {
            (_, Some(text)) => IfAbsent::Write(text),
            (Some(Boolean(true)), None) => IfAbsent::Omit,
            (Some(Boolean(false)) | None, None) => IfAbsent::Fail,
        })
    }

    /// Adds a problem for each unknown field of a nested map.
    pub(super) fn refuse_unknown(&self, unknown: &Unknown, known: &[&str], problems: &mut Problems) {
        for name in unknown.names() {
            problems.push(self.unknown(name, known));
        }
    }

    /// Returns the problem of an unknown field.
    pub(super) fn unknown(&self, name: &str, known: &[&str]) -> Problem {
        let meant = match nearest(name, known.iter().copied()) {
            Some(known) => format!("did you mean {known}?"),
            None => format!("use {}", known.join(", ")),
        };
        self.wrong(name.escape_debug(), format!("is an unknown field; {meant}"))
    }

    /// Returns the problem of a list or a map in place of a text.
    pub(super) fn misplaced(&self, key: impl fmt::Display, kind: Kind) -> Problem {
        self.wrong(key, format_args!("is {kind}, not a text"))
    }

    pub(super) fn wrong(&self, key: impl fmt::Display, reason: impl fmt::Display) -> Problem {
        Problem::wrong(self.path(key), reason)
    }

    pub(super) fn wrong_text(&self, key: &str, text: &str, error: impl fmt::Display) -> Problem {
        Problem::of_text(self.path(key), text, format!("{} {error}", Excerpt::of(text)))
    }

    /// Returns the path of a field, with the name of its object.
    pub(super) fn path(&self, key: impl fmt::Display) -> String {
        format!("{}.{key}{}", self.field, self.label())
    }

    /// Returns a problem of the map itself.
    pub(super) fn wrong_map(&self, reason: impl fmt::Display) -> Problem {
        Problem::wrong(format!("{}{}", self.field, self.label()), reason)
    }

    fn label(&self) -> String {
        match self.name {
            // An invalid name is quoted in its own problem, and needs no repetition.
            Some(name) if name.parse::<ObjectName>().is_ok() => format!(" ({name})"),
            _ => String::new(),
        }
    }
}

/// A boolean, in the spellings of parameters.
struct Boolean(bool);

impl FromStr for Boolean {
    type Err = InvalidBoolean;

    fn from_str(text: &str) -> Result<Self, InvalidBoolean> {
        boolean::parse(text).map(Self)
    }
}

/// Returns a field's trimmed text; `None` if it has none, or a blank one.
pub(super) fn text(value: &Scalar) -> Option<&str> {
    value.written().map(str::trim).filter(|value| !value.is_empty())
}

/// Returns whether a field has a value: a text that is not blank, or a list or a map in its place.
pub(super) fn is_set(value: &Scalar) -> bool {
    text(value).is_some() || matches!(value, Scalar::Other(_))
}
