//! Parses an entry that is one file, or a history of one.

use crate::{
    parameters::error::{Problem, Problems},
    spec::{
        absence::IfAbsent,
        file::RelativePath,
        object::{ObjectType, VersionSelector},
        rendering::{Rendering, SecretEncoding, SecretFormat},
        shape::FileShape,
    },
};

use super::{
    Entry,
    reader::{Reader, text},
};

pub(super) fn parse(
    reader: &Reader<'_>,
    entry: &Entry,
    versions: Option<&VersionSelector>,
    problems: &mut Problems,
) -> Option<FileShape> {
    let is_history = matches!(versions, Some(VersionSelector::History { .. }));
    let path = match text(&entry.object_alias) {
        Some(alias) if is_history => problems.catch(reader.directory(alias)),
        Some(alias) => problems.catch(reader.value::<RelativePath>("objectAlias", alias)),
        // An object name that is not a path is also an invalid object name, which is already reported.
        None => reader.name.and_then(|name| name.parse().ok()),
    };
    let mode = problems.catch(reader.optional("filePermission", &entry.file_permission));
    let rendering = rendering(reader, entry, problems);
    let object_type = text(&entry.object_type).and_then(|object_type| object_type.parse().ok());
    let if_absent = problems.catch(reader.if_absent(&entry.optional, &entry.default));
    if matches!(if_absent, Some(IfAbsent::Write(_))) {
        let allowed = match object_type {
            Some(ObjectType::Key | ObjectType::Certificate) => {
                Err(reader.wrong("default", "is only for objectType secret; set optional: true instead"))
            }
            _ if is_history => Err(reader.wrong(
                "default",
                "is not for objectVersionHistory, which may have many files; set optional: true instead",
            )),
            Some(ObjectType::Secret) | None => Ok(()),
        };
        problems.catch(allowed);
    }
    Some(FileShape { rendering: rendering?, path: path?, mode: mode?, if_absent: if_absent? })
}

/// Parses an object's type, and how it becomes a file.
pub(super) fn rendering(reader: &Reader<'_>, entry: &Entry, problems: &mut Problems) -> Option<Rendering> {
    let object_type = problems.catch(reader.required("objectType", &entry.object_type));
    let format = problems.catch(reader.optional("objectFormat", &entry.object_format));
    let encoding = problems.catch(reader.optional("objectEncoding", &entry.object_encoding));
    problems.catch(of_type(reader, object_type?, format?, encoding?))
}

fn of_type(
    reader: &Reader<'_>,
    object_type: ObjectType,
    format: Option<SecretFormat>,
    encoding: Option<SecretEncoding>,
) -> Result<Rendering, Problem> {
    let only_secrets = |key, what| {
        reader.wrong(key, format!("{what} is only for objectType secret, not for objectType {object_type}"))
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
