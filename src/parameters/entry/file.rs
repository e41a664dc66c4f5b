//! Parses an entry that is one file, or a history of one.

use crate::{
    parameters::error::{Problem, Problems},
    spec::{
        file::RelativePath,
        object::ObjectType,
        rendering::{Rendering, SecretFormat},
        shape::FileShape,
    },
};

use super::{
    Entry,
    reader::{Reader, is_set, text},
    versions::{History, Versions},
};

pub(super) fn parse(
    reader: &Reader<'_>,
    entry: &Entry,
    versions: &Versions,
    problems: &mut Problems,
) -> Option<FileShape> {
    let path = problems.catch(path(reader, entry, versions.history));
    let mode = problems.catch(reader.optional("filePermission", &entry.file_permission));
    let rendering = rendering(reader, entry, problems);
    let object_type = text(&entry.object_type).and_then(|object_type| object_type.parse().ok());
    let if_absent = reader.if_absent(&entry.optional, &entry.default, problems);
    if !entry.default.is_absent() {
        if matches!(object_type, Some(ObjectType::Key | ObjectType::Certificate)) {
            let reason = "is only for objectType secret; set optional: true instead";
            problems.push(reader.wrong("default", reason));
        }
        if versions.is_history() {
            let reason =
                "is not for objectVersionHistory, which may have many files; set optional: true instead";
            problems.push(reader.wrong("default", reason));
        }
    }
    Some(FileShape { rendering: rendering?, path: path??, mode: mode?, if_absent: if_absent? })
}

/// Returns the path of an entry's file, or of its history's directory. An object name that is not a path is also an
/// invalid object name, which has a problem of its own; the path is `None` then.
fn path(reader: &Reader<'_>, entry: &Entry, history: History) -> Result<Option<RelativePath>, Problem> {
    match (reader.text("objectAlias", &entry.object_alias)?, history) {
        (Some(alias), History::None) => reader.value("objectAlias", alias).map(Some),
        // Of an unknown history, only what is wrong in both forms is a mistake of its own.
        (Some(alias), History::Of { .. } | History::Unknown) => reader.directory(alias).map(Some),
        (None, _) => Ok(reader.name.and_then(|name| name.parse().ok())),
    }
}

/// Parses an object's type, and how it becomes a file.
pub(super) fn rendering(reader: &Reader<'_>, entry: &Entry, problems: &mut Problems) -> Option<Rendering> {
    let object_type = problems.catch(reader.required("objectType", &entry.object_type));
    let format = problems.catch(reader.optional("objectFormat", &entry.object_format));
    let encoding = problems.catch(reader.optional("objectEncoding", &entry.object_encoding));
    let object_type = object_type?;
    if object_type != ObjectType::Secret {
        let mut refuse = |key, what| {
            let reason = format!("{what} is only for objectType secret, not for objectType {object_type}");
            problems.push(reader.wrong(key, reason));
        };
        if format == Some(Some(SecretFormat::Pfx)) {
            refuse("objectFormat", "pfx");
        }
        if is_set(&entry.object_encoding) {
            refuse("objectEncoding", "an encoding");
        }
    }
    let (format, encoding) = (format?.unwrap_or_default(), encoding?.unwrap_or_default());
    Some(match object_type {
        ObjectType::Secret => Rendering::Secret { format, encoding },
        ObjectType::Key => Rendering::Key,
        ObjectType::Certificate => Rendering::Certificate,
    })
}
