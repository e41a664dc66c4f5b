//! Parses an entry whose files are parts and forms of one object: `outputs`.

use serde::{Deserialize, Deserializer, de::SeqAccess};

use crate::{
    parameters::{
        error::Problems,
        fields::{Element, ListOf},
        yaml::{Any, Kind, Node},
    },
    spec::{
        absence::Presence,
        excerpt::Excerpt,
        file::{FileMode, RelativePath},
        object::ObjectType,
        output::{
            CertificateOutput, KeyEncoding, KeyOutput, Output, Outputs, OutputsShape, Part, PartFormat,
            SecretOutput,
        },
        rendering::SecretEncoding,
    },
};

use super::{
    Entry, keys,
    list_of_maps::ListOfMaps,
    output_item::{self, OutputFields},
    reader::{Reader, text},
    versions::Versions,
};

/// Most items of one `outputs`.
const MAX_ITEMS: usize = 20;

/// The word for the three files of a TLS server.
const TLS_PEM: &str = "tls-pem";

const EXAMPLE: &str = "an item looks like {objectAlias: web.key, content: key}";

const OUTPUTS: ListOfMaps =
    ListOfMaps { field: "outputs", owner: "an entry", most: MAX_ITEMS, example: EXAMPLE };

/// The value of `outputs`: a list, or a word for one.
#[derive(Default)]
pub(super) enum OutputsField {
    /// The field is absent or null.
    #[default]
    Absent,
    Word(String),
    Items(Vec<Element<OutputFields>>),
    Other(Kind),
}

impl OutputsField {
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl Node for OutputsField {
    fn null() -> Self {
        Self::Absent
    }

    fn other(kind: Kind) -> Self {
        Self::Other(kind)
    }

    fn text(text: &str) -> Self {
        Self::Word(text.to_owned())
    }

    fn list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        ListOf::list(list).map(|list| match list {
            ListOf::Absent => Self::Absent,
            ListOf::Items(items) => Self::Items(items),
            ListOf::Other(kind) => Self::Other(kind),
        })
    }
}

impl<'de> Deserialize<'de> for OutputsField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Any::deserialize(deserializer).map(|Any(field)| field)
    }
}

/// The directory of the files of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directory {
    /// That of the entry: its alias, or else its object's name.
    OfEntry,
    /// That of each found object, which is not known yet. The paths of all items are below it.
    OfFound,
}

pub(super) fn parse(
    reader: &Reader<'_>,
    entry: &Entry,
    versions: Option<&Versions>,
    directory: Directory,
    problems: &mut Problems,
) -> Option<OutputsShape> {
    refuse_others(reader, entry, versions, problems);
    let object_type = problems.catch(reader.required("objectType", &entry.object_type));
    let mode = problems.catch(reader.optional("filePermission", &entry.file_permission));
    let encoding = problems.catch(reader.optional("objectEncoding", &entry.object_encoding));
    let presence = problems.catch(reader.presence(&entry.optional));
    let source_password =
        problems.catch(reader.optional("sourcePasswordObject", &entry.source_password_object));
    let items = match &entry.outputs {
        OutputsField::Absent => None,
        OutputsField::Word(word) if word.trim() == TLS_PEM => {
            let directory = match directory {
                Directory::OfEntry => problems.catch(keys::directory(reader, entry)),
                Directory::OfFound => Some(None),
            };
            directory.and_then(|directory| tls_pem(reader, directory.as_ref(), mode.flatten(), problems))
        }
        OutputsField::Word(word) => {
            let reason = format!("is unknown; use {TLS_PEM} or a list, {EXAMPLE}");
            problems.push(reader.wrong_text("outputs", word, reason));
            None
        }
        OutputsField::Other(kind) => {
            problems.push(reader.wrong("outputs", format!("is {kind}; use {TLS_PEM} or a list, {EXAMPLE}")));
            None
        }
        OutputsField::Items(items) => OUTPUTS.parse(reader, items, problems, |reader, _, item, problems| {
            output_item::parse(reader, item, mode.flatten(), problems)
        }),
    };
    let (object_type, source_password) = (object_type?, source_password?);
    let outputs = match object_type {
        ObjectType::Secret => {
            let items = with_encoding(reader, items?, encoding.flatten(), problems);
            Outputs::Secret { items, source_password }
        }
        ObjectType::Certificate | ObjectType::Key => {
            refuse_of_secrets(reader, entry, object_type, problems);
            match object_type {
                ObjectType::Key => Outputs::Key(of_type(reader, entry, items?, object_type, key, problems)?),
                _ => {
                    Outputs::Certificate(of_type(reader, entry, items?, object_type, certificate, problems)?)
                }
            }
        }
    };
    mode?;
    encoding?;
    Some(OutputsShape { outputs, presence: presence? })
}

/// Adds a problem for each field of an entry that cannot stand beside `outputs`.
fn refuse_others(reader: &Reader<'_>, entry: &Entry, versions: Option<&Versions>, problems: &mut Problems) {
    let mut refuse = |key, is_set, action| {
        if is_set {
            problems.push(reader.wrong(key, format!("is not for an entry with outputs; {action}")));
        }
    };
    refuse("objectFormat", text(&entry.object_format).is_some(), "set the format of its outputs");
    refuse("default", entry.default.is_some(), "set optional: true instead");
    refuse("jmesPath", !entry.jmes_path.is_absent(), "name the keys in an entry of their own");
    refuse("extract", text(&entry.extract).is_some(), "name the keys in an entry of their own");
    let is_history = versions.is_some_and(Versions::is_history);
    refuse("objectVersionHistory", is_history, "choose one version");
}

/// Adds a problem for each field that only secrets have.
fn refuse_of_secrets(reader: &Reader<'_>, entry: &Entry, object_type: ObjectType, problems: &mut Problems) {
    for (key, value) in
        [("objectEncoding", &entry.object_encoding), ("sourcePasswordObject", &entry.source_password_object)]
    {
        if text(value).is_some() {
            let reason = format!("is only for objectType secret, not for objectType {object_type}");
            problems.push(reader.wrong(key, reason));
        }
    }
}

/// Returns the files of a TLS server, named as in a Secret of type `kubernetes.io/tls`.
fn tls_pem(
    reader: &Reader<'_>,
    directory: Option<&RelativePath>,
    mode: Option<FileMode>,
    problems: &mut Problems,
) -> Option<Vec<Output<SecretOutput>>> {
    let mut items = Vec::with_capacity(3);
    for (name, presence, part) in [
        ("tls.crt", Presence::Required, Part::FullChain),
        ("tls.key", Presence::Required, Part::Key(KeyEncoding::default(), PartFormat::Pem)),
        ("ca.crt", Presence::Optional, Part::Ca(PartFormat::Pem)),
    ] {
        let path = RelativePath::of_key(directory, name);
        let path = problems.catch(path.map_err(|error| reader.wrong("objectAlias", error)))?;
        items.push(Output { path, mode, presence, content: SecretOutput::Part(part) });
    }
    Some(items)
}

/// Gives the entry's encoding to the outputs that are the value.
fn with_encoding(
    reader: &Reader<'_>,
    mut items: Vec<Output<SecretOutput>>,
    encoding: Option<SecretEncoding>,
    problems: &mut Problems,
) -> Vec<Output<SecretOutput>> {
    let Some(encoding) = encoding else { return items };
    let mut has_value = false;
    for item in &mut items {
        if let SecretOutput::Value(own) = &mut item.content {
            *own = encoding;
            has_value = true;
        }
    }
    if !has_value {
        problems.push(reader.wrong("objectEncoding", "is only for content value, which no output has"));
    }
    items
}

/// Converts the items of a certificate or a key with `convert`, which returns `None` for contents of secrets.
fn of_type<C>(
    reader: &Reader<'_>,
    entry: &Entry,
    items: Vec<Output<SecretOutput>>,
    object_type: ObjectType,
    convert: fn(&SecretOutput) -> Option<C>,
    problems: &mut Problems,
) -> Option<Vec<Output<C>>> {
    let contents = match object_type {
        ObjectType::Certificate => "leaf, value and metadata",
        ObjectType::Secret | ObjectType::Key => "value and metadata",
    };
    let mut converted = Vec::with_capacity(items.len());
    for (index, Output { path, mode, presence, content }) in items.into_iter().enumerate() {
        if let Some(content) = convert(&content) {
            converted.push(Output { path, mode, presence, content });
            continue;
        }
        let reason = format!("is only for objectType secret; objectType {object_type} has {contents}");
        match &entry.outputs {
            OutputsField::Items(written) => {
                let word = match written.get(index) {
                    Some(Element::Fields(item)) => item.content(),
                    _ => "",
                };
                let field = format!("{}.outputs[{index}]", reader.field);
                let reason = format!("{} {reason}", Excerpt::of(word));
                problems.push(reader.nested(&field).wrong("content", reason));
            }
            _ => {
                problems.push(reader.wrong("outputs", format!("{TLS_PEM} {reason}")));
                return None;
            }
        }
    }
    Some(converted)
}

fn certificate(content: &SecretOutput) -> Option<CertificateOutput> {
    match content {
        SecretOutput::Part(Part::Leaf(format)) => Some(CertificateOutput::Leaf(*format)),
        SecretOutput::Value(_) => Some(CertificateOutput::Value),
        SecretOutput::Metadata => Some(CertificateOutput::Metadata),
        SecretOutput::Part(_) => None,
    }
}

fn key(content: &SecretOutput) -> Option<KeyOutput> {
    match content {
        SecretOutput::Value(_) => Some(KeyOutput::Value),
        SecretOutput::Metadata => Some(KeyOutput::Metadata),
        SecretOutput::Part(_) => None,
    }
}
