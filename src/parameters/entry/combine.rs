//! Parses an entry that puts several secrets into one file: `combine`.

use std::{collections::HashMap, sync::Arc};

use crate::{
    parameters::{
        error::{Problem, Problems},
        fields::{ListOf, MapOf, fields},
        yaml::Scalar,
    },
    spec::{
        absence::IfAbsent,
        combine::{CombineFormat, CombineItem, CombineKey, CombinedFile},
        key_path::KeyPath,
        object::{ObjectName, ObjectSpec, Origin, VersionSelector},
        shape::Shape,
    },
};

use super::{
    Entry,
    list_of_maps::ListOfMaps,
    reader::{Reader, is_set, text},
    versions,
};

fields! {
    /// The fields of `combine` as the user wrote them.
    struct CombineFields;
    /// Every field of `combine`.
    pub const COMBINE_FIELDS;
    format: Scalar = "format",
    items: ListOf<ItemFields> = "items",
}

fields! {
    /// The fields of an item of `combine` as the user wrote them.
    struct ItemFields;
    /// Every field of an item of `combine`.
    pub const COMBINE_ITEM_FIELDS;
    key: Scalar = "key",
    object_name: Scalar = "objectName",
    object_version: Scalar = "objectVersion",
    jmes_path: Scalar = "jmesPath",
    optional: Scalar = "optional",
    default: Scalar = "default",
}

impl CombineFields {
    /// Returns the number of items.
    pub(super) fn items(&self) -> usize {
        self.items.len()
    }
}

/// Most items of one `combine`.
const MAX_ITEMS: usize = 200;

const EXAMPLE: &str = "it looks like {format: dotenv, items: [{key: DB_PASSWORD, objectName: db-password}]}";

const ITEM_EXAMPLE: &str = "an item looks like {key: DB_PASSWORD, objectName: db-password}";

/// Parses the entry into one object for each item. On failure, returns `None` and adds at least one problem.
pub(super) fn parse(reader: &Reader<'_>, entry: &Entry, problems: &mut Problems) -> Option<Vec<ObjectSpec>> {
    refuse_others(reader, entry, problems);
    let vault = problems.catch(reader.vault("keyvaultName", &entry.keyvault_name));
    let path = problems.catch(reader.required("objectAlias", &entry.object_alias));
    let mode = problems.catch(reader.optional("filePermission", &entry.file_permission));
    let presence = problems.catch(reader.presence(&entry.optional));
    let fields = match &entry.combine {
        MapOf::Absent => return None,
        MapOf::Fields(fields) => fields,
        MapOf::Other(kind) => {
            problems.push(reader.wrong("combine", format!("is {kind}, not a map; {EXAMPLE}")));
            return None;
        }
    };
    let field = format!("{}.combine", reader.field);
    let reader = reader.nested(&field);
    reader.refuse_unknown(&fields.unknown, COMBINE_FIELDS, problems);
    let format = problems.catch(reader.required("format", &fields.format));
    let items = items(&reader, &fields.items, format, problems)?;
    let file = Arc::new(CombinedFile {
        path: path?,
        mode: mode?,
        format: format?,
        presence: presence?,
        items: items.len(),
    });
    let vault = vault?;
    let object = |(index, Item { key, name, versions, part, if_absent })| ObjectSpec {
        vault: vault.clone(),
        name,
        versions,
        shape: Shape::Item(CombineItem { file: file.clone(), index, key, part, if_absent }),
        origin: Origin::Named,
    };
    Some(items.into_iter().enumerate().map(object).collect())
}

/// Adds a problem for each field of an entry that cannot stand beside `combine`.
fn refuse_others(reader: &Reader<'_>, entry: &Entry, problems: &mut Problems) {
    const IN_ITEMS: &str = "set it in its items";
    const SECRETS: &str = "its items are secrets";
    const APART: &str = "write an entry of its own";
    for (key, is_set, action) in [
        ("objectName", is_set(&entry.object_name), IN_ITEMS),
        ("objectType", is_set(&entry.object_type), SECRETS),
        ("objectVersion", is_set(&entry.object_version), IN_ITEMS),
        ("objectVersionHistory", is_set(&entry.object_version_history), APART),
        ("objectVersionPolicy", is_set(&entry.object_version_policy), APART),
        ("objectNotAfter", is_set(&entry.object_not_after), APART),
        ("objectFormat", is_set(&entry.object_format), APART),
        ("objectEncoding", is_set(&entry.object_encoding), APART),
        ("default", !entry.default.is_absent(), IN_ITEMS),
        ("jmesPath", !entry.jmes_path.is_absent(), IN_ITEMS),
        ("extract", is_set(&entry.extract), APART),
        ("outputs", !entry.outputs.is_absent(), APART),
        ("sourcePasswordObject", is_set(&entry.source_password_object), APART),
        ("find", !entry.find.is_absent(), APART),
        ("rewrite", !entry.rewrite.is_absent(), APART),
    ] {
        if is_set {
            problems.push(reader.wrong(key, format!("is not for an entry with combine; {action}")));
        }
    }
}

/// A parsed item.
struct Item {
    key: CombineKey,
    name: ObjectName,
    versions: VersionSelector,
    part: Option<KeyPath>,
    if_absent: IfAbsent,
}

fn items(
    reader: &Reader<'_>,
    items: &ListOf<ItemFields>,
    format: Option<CombineFormat>,
    problems: &mut Problems,
) -> Option<Vec<Item>> {
    let items = match items {
        ListOf::Items(items) => items,
        ListOf::Absent => {
            problems.push(reader.wrong("items", format!("is not set; {ITEM_EXAMPLE}")));
            return None;
        }
        ListOf::Other(kind) => {
            problems.push(reader.wrong("items", format!("is {kind}, not a list; {ITEM_EXAMPLE}")));
            return None;
        }
    };
    let list = ListOfMaps { field: "items", owner: "a file", most: MAX_ITEMS, example: ITEM_EXAMPLE };
    let mut keys: HashMap<CombineKey, usize> = HashMap::new();
    list.parse(reader, items, problems, |reader, index, fields, problems| {
        let name = text(&fields.object_name);
        let reader = Reader { field: reader.field, name, source: None, ignored: &[] };
        reader.refuse_unknown(&fields.unknown, COMBINE_ITEM_FIELDS, problems);
        let key = problems.catch(key(&reader, fields, format));
        let item = item(&reader, fields, key.clone(), problems);
        problems.catch(check_default(&reader, fields, format));
        // An invalid format says nothing about which keys fit, so only the keys of valid items count then.
        if let Some(key) = key.filter(|_| format.is_some() || item.is_some())
            && let Some(earlier) = keys.insert(key, index)
        {
            let reason = format!("is also the key of items[{earlier}]; set another key");
            problems.push(reader.wrong("key", reason));
        }
        item
    })
}

/// Parses a key, and whether it fits the format.
fn key(reader: &Reader<'_>, item: &ItemFields, format: Option<CombineFormat>) -> Result<CombineKey, Problem> {
    let key = reader.required::<CombineKey>("key", &item.key)?;
    match format {
        Some(format) => {
            key.clone().checked(format).map_err(|error| reader.wrong_text("key", key.as_str(), error))
        }
        None => Ok(key),
    }
}

/// Checks that a file of the format can hold the default of an item, by the rule that holds for values. The message does
/// not quote the default, which may be secret.
fn check_default(
    reader: &Reader<'_>,
    item: &ItemFields,
    format: Option<CombineFormat>,
) -> Result<(), Problem> {
    let holds_nul = item.default.written().is_some_and(|default| default.contains('\0'));
    if format == Some(CombineFormat::Dotenv) && holds_nul {
        let reason = "holds a NUL character, which no variable of a shell can hold; use another format";
        return Err(reader.wrong("default", reason));
    }
    Ok(())
}

fn item(
    reader: &Reader<'_>,
    item: &ItemFields,
    key: Option<CombineKey>,
    problems: &mut Problems,
) -> Option<Item> {
    let name = problems.catch(reader.required("objectName", &item.object_name));
    let version = problems.catch(versions::pinned(reader, &item.object_version));
    let part = problems.catch(reader.optional("jmesPath", &item.jmes_path));
    let if_absent = reader.if_absent(&item.optional, &item.default, problems);
    Some(Item {
        key: key?,
        name: name?,
        versions: version?.map_or(VersionSelector::Newest, VersionSelector::Pinned),
        part: part?,
        if_absent: if_absent?,
    })
}
