//! Parses an entry that finds objects: `find`.

use std::collections::BTreeMap;

use serde::de::{IgnoredAny, MapAccess};

use crate::{
    parameters::{
        error::{Problem, Problems},
        fields::{Fields, MapOf, fields},
        yaml::{Kind, Node, Reading, Scalar},
    },
    spec::{
        absence::Presence,
        boolean,
        excerpt::Excerpt,
        file::RelativePath,
        find::{Conditions, FindSpec, FoundShape, Managed, NameCondition},
        object::ObjectType,
        output::OutputsShape,
        shape::{KeySelection, KeysShape},
    },
};

use super::{
    Entry, file, keys, outputs,
    reader::{Reader, is_set, text},
    rewrite,
};

fields! {
    /// The fields of `find` as the user wrote them.
    struct FindFields;
    /// Every field of `find`.
    pub const FIND_FIELDS;
    name: NameField = "name",
    tags: TagsField = "tags",
    content_type: Scalar = "contentType",
    managed: Scalar = "managed",
}

fields! {
    /// The fields of `find.name` as the user wrote them.
    struct NameFields;
    /// Every field of `find.name`, where it is a map.
    pub const FIND_NAME_FIELDS;
    regexp: Scalar = "regexp",
}

/// The longest content type, in bytes: that of an object that is listed.
const MAX_CONTENT_TYPE: usize = 1_024;

/// Most tags of one `find`: as many as an object has
/// (<https://learn.microsoft.com/azure/key-vault/secrets/about-secrets#secret-tags>).
const MAX_TAGS: usize = 15;

const EXAMPLE: &str = "it looks like {name: shop-*}";

/// The value of `find.name`: a glob, or a map.
#[derive(Default)]
enum NameField {
    /// The field is absent or null.
    #[default]
    Absent,
    Glob(String),
    Map(NameFields),
    Other(Kind),
}

impl Node for NameField {
    fn null() -> Self {
        Self::Absent
    }

    fn other(kind: Kind) -> Self {
        Self::Other(kind)
    }

    fn text(text: &str) -> Self {
        Self::Glob(text.to_owned())
    }

    fn map<'de, A: MapAccess<'de>>(map: A, reading: Reading<'_>) -> Result<Self, A::Error> {
        NameFields::read(map, reading).map(Self::Map)
    }
}

/// The value of `find.tags`: a map of any names, in the order of the user.
#[derive(Default)]
enum TagsField {
    /// The field is absent or null.
    #[default]
    Absent,
    Tags {
        /// The first tags.
        first: Vec<(String, Scalar)>,
        count: usize,
    },
    Other(Kind),
}

impl Node for TagsField {
    fn null() -> Self {
        Self::Absent
    }

    fn other(kind: Kind) -> Self {
        Self::Other(kind)
    }

    fn map<'de, A: MapAccess<'de>>(mut map: A, reading: Reading<'_>) -> Result<Self, A::Error> {
        let (mut first, mut count) = (Vec::new(), 0);
        // A text keeps names that YAML takes for numbers or booleans, such as `n`.
        while let Some(name) = map.next_key::<String>()? {
            count += 1;
            if count <= MAX_TAGS {
                first.push((name, map.next_value_seed(reading.seed::<Scalar>())?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Self::Tags { first, count })
    }
}

/// Parses the entry at `index` of `objects`. On failure, returns `None` and adds at least one problem.
pub(super) fn parse(
    reader: &Reader<'_>,
    index: usize,
    entry: &Entry,
    problems: &mut Problems,
) -> Option<FindSpec> {
    refuse_others(reader, entry, problems);
    let vault = problems.catch(reader.vault("keyvaultName", &entry.keyvault_name));
    // The shape reports a missing or invalid type.
    let object_type = text(&entry.object_type).and_then(|object_type| object_type.parse().ok());
    let conditions = conditions(reader, &entry.find, object_type, problems);
    let rewrites = rewrite::parse(reader, &entry.rewrite, problems);
    let Files { shape, directory, presence } = files(reader, entry, problems)?;
    Some(FindSpec {
        entry: index,
        position: 0,
        vault: vault?,
        conditions: conditions?,
        rewrites: rewrites?,
        directory,
        shape,
        presence,
    })
}

/// Adds a problem for each field of an entry that cannot stand beside `find`.
fn refuse_others(reader: &Reader<'_>, entry: &Entry, problems: &mut Problems) {
    const EACH: &str = "each object has its newest version";
    // The parsers of both refuse these fields too.
    let (has_outputs, has_extract) = (!entry.outputs.is_absent(), is_set(&entry.extract));
    let has_default = !entry.default.is_absent() && !has_outputs && !has_extract;
    let has_keys = !entry.jmes_path.is_absent() && !has_outputs;
    for (key, is_set, action) in [
        ("objectName", is_set(&entry.object_name), "use one of the two"),
        ("objectVersion", is_set(&entry.object_version), EACH),
        ("objectVersionHistory", is_set(&entry.object_version_history), EACH),
        ("objectVersionPolicy", is_set(&entry.object_version_policy), EACH),
        ("objectNotAfter", is_set(&entry.object_not_after), EACH),
        ("default", has_default, "set optional: true instead"),
        ("jmesPath", has_keys, "use extract, or name the object in an entry of its own"),
    ] {
        if is_set {
            problems.push(reader.wrong(key, format!("is not for an entry with find; {action}")));
        }
    }
}

fn conditions(
    reader: &Reader<'_>,
    find: &MapOf<FindFields>,
    object_type: Option<ObjectType>,
    problems: &mut Problems,
) -> Option<Conditions> {
    let fields = match find {
        MapOf::Absent => return None,
        MapOf::Fields(fields) => fields,
        MapOf::Other(kind) => {
            problems.push(reader.wrong("find", format!("is {kind}, not a map; {EXAMPLE}")));
            return None;
        }
    };
    let field = format!("{}.find", reader.field);
    let reader = reader.nested(&field);
    let before = problems.count();
    reader.refuse_unknown(&fields.unknown, FIND_FIELDS, problems);
    let name = name(&reader, &fields.name, problems);
    let tags = tags(&reader, &fields.tags, problems);
    let content_type = problems.catch(reader.text("contentType", &fields.content_type)).flatten();
    let content_type = content_type.map(str::to_owned);
    if content_type.is_some() && matches!(object_type, Some(ObjectType::Key | ObjectType::Certificate)) {
        problems.push(reader.wrong("contentType", "is only for objectType secret; use name or tags"));
    }
    if content_type.as_ref().is_some_and(|content_type| content_type.len() > MAX_CONTENT_TYPE) {
        let reason = format!("is longer than {MAX_CONTENT_TYPE} bytes; no content type in a vault is");
        problems.push(reader.wrong("contentType", reason));
    }
    let managed = problems.catch(managed(&reader, &fields.managed));
    let is_any_set = name.is_some() || !tags.is_empty() || content_type.is_some() || managed != Some(None);
    if !is_any_set && problems.count() == before {
        problems.push(reader.wrong_map("has no condition; write name: \"*\" to find every object"));
    }
    let managed = managed?.unwrap_or_default();
    Some(Conditions { name, tags, content_type, managed })
}

fn managed(reader: &Reader<'_>, managed: &Scalar) -> Result<Option<Managed>, Problem> {
    let parse = |text: &str| match boolean::parse(text) {
        Ok(true) => Ok(Managed::Included),
        Ok(false) => Ok(Managed::Excluded),
        Err(error) => Err(reader.wrong_text("managed", text, error)),
    };
    reader.text("managed", managed)?.map(parse).transpose()
}

fn name(reader: &Reader<'_>, name: &NameField, problems: &mut Problems) -> Option<NameCondition> {
    match name {
        NameField::Absent => None,
        NameField::Glob(glob) if glob.trim().is_empty() => None,
        NameField::Glob(glob) => problems.catch(reader.value("name", glob.trim())).map(NameCondition::Glob),
        NameField::Map(fields) => {
            let field = format!("{}.name", reader.field);
            let reader = reader.nested(&field);
            let before = problems.count();
            reader.refuse_unknown(&fields.unknown, FIND_NAME_FIELDS, problems);
            match problems.catch(reader.written("regexp", &fields.regexp)).flatten() {
                Some(regexp) => problems.catch(reader.value("regexp", regexp)).map(NameCondition::Regexp),
                None => {
                    if problems.count() == before {
                        problems.push(reader.wrong("regexp", "is not set; it looks like ^shop-"));
                    }
                    None
                }
            }
        }
        NameField::Other(kind @ (Kind::Number | Kind::Boolean)) => {
            problems.push(reader.wrong("name", format!("is {kind}; put it in quotes")));
            None
        }
        NameField::Other(kind) => {
            let reason = format!("is {kind}; write a pattern such as shop-*, or {{regexp: ^shop-}}");
            problems.push(reader.wrong("name", reason));
            None
        }
    }
}

fn tags(reader: &Reader<'_>, tags: &TagsField, problems: &mut Problems) -> BTreeMap<String, String> {
    let (first, count) = match tags {
        TagsField::Absent => return BTreeMap::new(),
        TagsField::Tags { first, count } => (first, *count),
        TagsField::Other(kind) => {
            problems.push(reader.wrong("tags", format!("is {kind}, not a map; it looks like {{env: prod}}")));
            return BTreeMap::new();
        }
    };
    if count > MAX_TAGS {
        problems.push(reader.wrong("tags", format!("has {count} tags; an object has {MAX_TAGS} at most")));
    }
    let mut wanted = BTreeMap::new();
    for (name, value) in first {
        match value {
            Scalar::Text(value) => {
                wanted.insert(name.clone(), value.clone());
            }
            Scalar::Absent => {
                let reason = "has no value; write \"\" for a tag without one";
                problems.push(reader.wrong(format_args!("tags.{}", Excerpt::of(name)), reason));
            }
            Scalar::Other(kind) => {
                problems.push(reader.misplaced(format_args!("tags.{}", Excerpt::of(name)), *kind));
            }
        }
    }
    wanted
}

/// Returns the directory of the files; `None` is the volume's root.
fn directory(reader: &Reader<'_>, entry: &Entry) -> Result<Option<RelativePath>, Problem> {
    match reader.text("objectAlias", &entry.object_alias)? {
        None | Some("." | "./") => Ok(None),
        Some(alias) => reader.directory(alias).map(Some),
    }
}

/// The files of each object, where they are, and whether there must be any.
struct Files {
    shape: FoundShape,
    directory: Option<RelativePath>,
    presence: Presence,
}

fn files(reader: &Reader<'_>, entry: &Entry, problems: &mut Problems) -> Option<Files> {
    if !entry.outputs.is_absent() {
        let directory = problems.catch(directory(reader, entry));
        let of_found = outputs::Directory::OfFound;
        let OutputsShape { outputs, presence } = outputs::parse(reader, entry, None, of_found, problems)?;
        return Some(Files { shape: FoundShape::Outputs(outputs), directory: directory?, presence });
    }
    if is_set(&entry.extract) {
        if !entry.jmes_path.is_absent() {
            // Listed keys have no directory, but they are refused here, and their entry stays one with a directory.
            problems.catch(directory(reader, entry));
        }
        let KeysShape { encoding, syntax, keys, presence } = keys::parse(reader, entry, None, problems)?;
        return match keys {
            KeySelection::All { directory, mode } => {
                Some(Files { shape: FoundShape::Keys { encoding, syntax, mode }, directory, presence })
            }
            // Refused above.
            KeySelection::Listed(_) => None,
        };
    }
    let directory = problems.catch(directory(reader, entry));
    let presence = problems.catch(reader.presence(&entry.optional));
    let mode = problems.catch(reader.optional("filePermission", &entry.file_permission));
    let rendering = file::rendering(reader, entry, problems);
    Some(Files {
        shape: FoundShape::File { rendering: rendering?, mode: mode? },
        directory: directory?,
        presence: presence?,
    })
}
