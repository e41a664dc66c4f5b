//! Parses one entry of `objects` into an [`ObjectSpec`].

mod combine;
mod file;
mod find;
mod keys;
mod list_of_maps;
mod output_item;
mod outputs;
mod reader;
mod rewrite;
mod versions;

use serde::de::MapAccess;

use crate::spec::{
    find::FindSpec,
    object::{ObjectSpec, Origin},
    shape::Shape,
    vault::VaultName,
};

pub use self::{
    combine::{COMBINE_FIELDS, COMBINE_ITEM_FIELDS},
    find::{FIND_FIELDS, FIND_NAME_FIELDS},
    keys::JMES_PATH_FIELDS,
    output_item::OUTPUT_FIELDS,
    rewrite::{REWRITE_FIELDS, REWRITE_REGEXP_FIELDS},
};
use self::{
    outputs::OutputsField,
    reader::{Reader, is_set, text},
};

use super::{
    error::Problems,
    fields::{Fields, ListOf, MapOf, fields},
    yaml::{self, AliasBudget, Kind, Node, Reading, Scalar, Wanted},
};

fields! {
    /// The fields of an entry as the user wrote them.
    ///
    /// Compat: unknown fields are ignored.
    struct Entry;
    /// Every field of an entry of `objects`.
    pub const ENTRY_FIELDS;
    keyvault_name: Scalar = "keyvaultName",
    object_name: Scalar = "objectName",
    object_type: Scalar = "objectType",
    object_alias: Scalar = "objectAlias",
    object_version: Scalar = "objectVersion",
    object_version_history: Scalar = "objectVersionHistory",
    object_version_policy: Scalar = "objectVersionPolicy",
    object_not_after: Scalar = "objectNotAfter",
    object_format: Scalar = "objectFormat",
    object_encoding: Scalar = "objectEncoding",
    file_permission: Scalar = "filePermission",
    optional: Scalar = "optional",
    default: Scalar = "default",
    jmes_path: ListOf<keys::KeyFields> = "jmesPath",
    extract: Scalar = "extract",
    outputs: OutputsField = "outputs",
    source_password_object: Scalar = "sourcePasswordObject",
    combine: MapOf<combine::CombineFields> = "combine",
    find: MapOf<find::FindFields> = "find",
    rewrite: ListOf<rewrite::RewriteFields> = "rewrite",
}

impl Entry {
    /// Returns whether the entry finds objects, even if it has a problem.
    pub(super) fn is_find(&self) -> bool {
        self.combine.is_absent() && !self.find.is_absent()
    }

    /// Returns the number of objects that it names.
    pub(super) fn objects(&self) -> usize {
        if self.is_find() {
            return 0;
        }
        self.combine.fields().map_or(1, |combine| combine.items().max(1))
    }

    /// Returns the number of files that its lists name. Items of `combine` count as objects.
    pub(super) fn items(&self) -> usize {
        self.jmes_path.len() + self.outputs.len()
    }
}

/// Parses the text of an entry.
pub(super) fn read(text: &str, aliases: &mut AliasBudget) -> Result<Entry, String> {
    let Document(entry) = yaml::read(text, ENTRY, aliases)?;
    entry.map_err(|kind| yaml::other_text(text, format_args!("it is {kind}"), ENTRY))
}

/// The parsed text of an entry, or the kind of YAML that it is instead of a map.
struct Document(Result<Entry, Kind>);

impl Node for Document {
    fn null() -> Self {
        Self(Ok(Entry::default()))
    }

    fn other(kind: Kind) -> Self {
        Self(Err(kind))
    }

    fn map<'de, A: MapAccess<'de>>(map: A, reading: Reading<'_>) -> Result<Self, A::Error> {
        Entry::read(map, reading).map(|entry| Self(Ok(entry)))
    }
}

pub(super) const ENTRY: Wanted = Wanted {
    name: "an object's fields",
    example: "an entry looks like \"objectName: db-password\", with \"objectType: secret\" on the next line",
};

/// What an entry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// One object, or several that share a file.
    Objects(Vec<ObjectSpec>),
    /// Objects that are to be found.
    Find(Box<FindSpec>),
}

impl Parsed {
    /// Returns the vaults of the objects.
    pub(super) fn vaults(&mut self) -> Vec<&mut Option<VaultName>> {
        match self {
            Self::Objects(objects) => objects.iter_mut().map(|object| &mut object.vault).collect(),
            Self::Find(find) => vec![&mut find.vault],
        }
    }
}

/// Parses the entry at `index` of `objects`. On failure, returns `None` and adds at least one problem. `field` is the
/// entry's path, and `source` the entry's text, if the entry is a text.
pub(super) fn parse(
    field: &str,
    index: usize,
    entry: &Entry,
    source: Option<&str>,
    problems: &mut Problems,
) -> Option<Parsed> {
    let reader = Reader { field, name: text(&entry.object_name), source, ignored: entry.unknown.names() };
    let before = problems.count();
    let parsed = if !entry.combine.is_absent() {
        combine::parse(&reader, entry, problems).map(Parsed::Objects)
    } else if entry.is_find() {
        find::parse(&reader, index, entry, problems).map(Box::new).map(Parsed::Find)
    } else {
        object(&reader, entry, problems).map(|object| Parsed::Objects(vec![object]))
    };
    if entry.combine.is_absent() && entry.outputs.is_absent() && is_set(&entry.source_password_object) {
        problems.push(reader.wrong("sourcePasswordObject", "is only for an entry with outputs"));
    }
    // A field that this entry does not use may be a list or a map too.
    for (key, kind) in entry.misplaced() {
        if !problems.has_since(before, &reader.path(key)) {
            problems.push(reader.misplaced(key, kind));
        }
    }
    // A wrong combination of valid fields is a problem too.
    parsed.filter(|_| problems.count() == before)
}

/// Parses an entry that is one object.
fn object(reader: &Reader<'_>, entry: &Entry, problems: &mut Problems) -> Option<ObjectSpec> {
    let name = problems.catch(reader.required("objectName", &entry.object_name));
    let vault = problems.catch(reader.vault("keyvaultName", &entry.keyvault_name));
    let versions = versions::parse(reader, entry, problems);
    let shape = if !entry.outputs.is_absent() {
        let directory = outputs::Directory::OfEntry;
        outputs::parse(reader, entry, Some(&versions), directory, problems).map(Shape::Outputs)
    } else if entry.jmes_path.is_absent() && !is_set(&entry.extract) {
        file::parse(reader, entry, &versions, problems).map(Shape::File)
    } else {
        keys::parse(reader, entry, Some(&versions), problems).map(Shape::Keys)
    };
    if !entry.rewrite.is_absent() {
        problems.push(reader.wrong("rewrite", "is only for an entry with find; set objectAlias"));
    }
    Some(ObjectSpec {
        vault: vault?,
        name: name?,
        versions: versions.selector?,
        shape: shape?,
        origin: Origin::Named,
    })
}
