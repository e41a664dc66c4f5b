//! Parses an entry whose files are keys of a structured value: `jmesPath` and `extract`.

use crate::{
    parameters::{
        error::{Problem, Problems},
        fields::{Element, ListOf, fields},
        yaml::Scalar,
    },
    spec::{
        file::{FileMode, RelativePath},
        object::ObjectType,
        rendering::SecretFormat,
        shape::{KeyFile, KeySelection, KeysShape},
    },
};

use super::{Entry, list_of_maps::ListOfMaps, reader::Reader, versions::Versions};

fields! {
    /// The fields of an item of `jmesPath` as the user wrote them.
    struct KeyFields;
    /// Every field of an item of `jmesPath`.
    pub const JMES_PATH_FIELDS;
    path: Scalar = "path",
    object_alias: Scalar = "objectAlias",
    file_permission: Scalar = "filePermission",
    object_encoding: Scalar = "objectEncoding",
    optional: Scalar = "optional",
    default: Scalar = "default",
}

/// Most items of one `jmesPath`.
const MAX_ITEMS: usize = 100;

pub(super) fn parse(
    reader: &Reader<'_>,
    entry: &Entry,
    versions: Option<&Versions>,
    problems: &mut Problems,
) -> Option<KeysShape> {
    let field = if entry.jmes_path.is_absent() { "extract" } else { "jmesPath" };
    refuse_others(reader, entry, versions, field, problems);
    let mode = problems.catch(reader.optional("filePermission", &entry.file_permission));
    let encoding = problems.catch(reader.optional("objectEncoding", &entry.object_encoding));
    let presence = problems.catch(reader.presence(&entry.optional));
    let syntax = problems.catch(reader.optional("extract", &entry.extract));
    let keys = match &entry.jmes_path {
        ListOf::Absent => {
            let directory = problems.catch(directory(reader, entry));
            directory.and_then(|directory| Some(KeySelection::All { directory, mode: mode? }))
        }
        ListOf::Items(items) => listed(reader, items, mode.flatten(), problems).map(KeySelection::Listed),
        ListOf::Other(kind) => {
            problems.push(reader.wrong("jmesPath", format!("is {kind}, not a list; {EXAMPLE}")));
            None
        }
    };
    mode?;
    Some(KeysShape {
        encoding: encoding?.unwrap_or_default(),
        syntax: syntax?.unwrap_or_default(),
        keys: keys?,
        presence: presence?,
    })
}

const EXAMPLE: &str = "an item looks like {path: user, objectAlias: db/user}";

const JMES_PATH: ListOfMaps =
    ListOfMaps { field: "jmesPath", owner: "an entry", most: MAX_ITEMS, example: EXAMPLE };

/// Adds a problem for each field that cannot stand beside `jmesPath` or `extract`.
fn refuse_others(
    reader: &Reader<'_>,
    entry: &Entry,
    versions: Option<&Versions>,
    field: &str,
    problems: &mut Problems,
) {
    match problems.catch(reader.required("objectType", &entry.object_type)) {
        Some(ObjectType::Secret) | None => {}
        Some(other) => problems
            .push(reader.wrong(field, format!("is only for objectType secret, not for objectType {other}"))),
    }
    if problems.catch(reader.optional("objectFormat", &entry.object_format)) == Some(Some(SecretFormat::Pfx))
    {
        problems.push(reader.wrong(field, "is not for objectFormat pfx, an archive has no keys to name"));
    }
    if versions.is_some_and(Versions::is_history) {
        problems.push(reader.wrong(field, "is not for objectVersionHistory; choose one version"));
    }
    if !entry.default.is_absent() {
        let reason = match entry.jmes_path {
            ListOf::Absent => "is not for extract, whose files are not known; name the keys under jmesPath",
            _ => "is not for an entry with jmesPath; set the default of its items",
        };
        problems.push(reader.wrong("default", reason));
    }
}

/// Returns the directory of an entry's files; `None` is the volume's root.
pub(super) fn directory(reader: &Reader<'_>, entry: &Entry) -> Result<Option<RelativePath>, Problem> {
    match reader.text("objectAlias", &entry.object_alias)? {
        Some("." | "./") => Ok(None),
        Some(alias) => reader.directory(alias).map(Some),
        // An object name that is not a path is also an invalid object name, which is already reported.
        None => Ok(reader.name.and_then(|name| name.parse().ok())),
    }
}

fn listed(
    reader: &Reader<'_>,
    items: &[Element<KeyFields>],
    mode: Option<FileMode>,
    problems: &mut Problems,
) -> Option<Vec<KeyFile>> {
    JMES_PATH
        .parse(reader, items, problems, |reader, _, item, problems| key_file(reader, item, mode, problems))
}

fn key_file(
    reader: &Reader<'_>,
    item: &KeyFields,
    mode: Option<FileMode>,
    problems: &mut Problems,
) -> Option<KeyFile> {
    reader.refuse_unknown(&item.unknown, JMES_PATH_FIELDS, problems);
    let key = problems.catch(reader.required("path", &item.path));
    let path = problems.catch(reader.required("objectAlias", &item.object_alias));
    let own_mode = problems.catch(reader.optional("filePermission", &item.file_permission));
    let encoding = problems.catch(reader.optional("objectEncoding", &item.object_encoding));
    let if_absent = reader.if_absent(&item.optional, &item.default, problems);
    Some(KeyFile {
        key: key?,
        path: path?,
        mode: own_mode?.or(mode),
        encoding: encoding?.unwrap_or_default(),
        if_absent: if_absent?,
    })
}
