//! Parses an entry whose files are parts and forms of one object: `outputs`.

use serde::de::SeqAccess;

use crate::{
    parameters::{
        error::Problems,
        fields::{Element, ListOf},
        yaml::{Kind, Node, Reading},
    },
    spec::{
        absence::Presence,
        excerpt::Excerpt,
        file::{FileMode, RelativePath},
        object::ObjectType,
        output::{
            CertificateOutput, ContentWord, KeyEncoding, KeyOutput, Output, Outputs, OutputsShape, Part,
            PartFormat, SecretOutput,
        },
        rendering::SecretEncoding,
    },
};

use super::{
    Entry, keys,
    list_of_maps::ListOfMaps,
    output_item::{self, OutputFields},
    reader::{Reader, is_set},
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

    /// Returns the number of items; a word is one.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Items(items) => items.len(),
            Self::Word(_) => 1,
            Self::Absent | Self::Other(_) => 0,
        }
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

    fn list<'de, A: SeqAccess<'de>>(list: A, reading: Reading<'_>) -> Result<Self, A::Error> {
        ListOf::list(list, reading).map(|list| match list {
            ListOf::Absent => Self::Absent,
            ListOf::Items(items) => Self::Items(items),
            ListOf::Other(kind) => Self::Other(kind),
        })
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
    match object_type {
        Some(ObjectType::Secret) if is_set(&entry.object_encoding) && has_no_value(&entry.outputs) => {
            let reason = "is only for content value, which no output has";
            problems.push(reader.wrong("objectEncoding", reason));
        }
        Some(object_type @ (ObjectType::Certificate | ObjectType::Key)) => {
            refuse_of_secrets(reader, entry, object_type, problems);
            refuse_contents(reader, entry, object_type, problems);
        }
        Some(ObjectType::Secret) | None => {}
    }
    let (items, source_password) = (items?, source_password?);
    let outputs = match object_type? {
        ObjectType::Secret => {
            Outputs::Secret { items: with_encoding(items, encoding.flatten()), source_password }
        }
        ObjectType::Certificate => Outputs::Certificate(converted(items, certificate)?),
        ObjectType::Key => Outputs::Key(converted(items, key)?),
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
    refuse("objectFormat", is_set(&entry.object_format), "set the format of its outputs");
    refuse("default", !entry.default.is_absent(), "set optional: true instead");
    refuse("jmesPath", !entry.jmes_path.is_absent(), "name the keys in an entry of their own");
    refuse("extract", is_set(&entry.extract), "name the keys in an entry of their own");
    let is_history = versions.is_some_and(Versions::is_history);
    refuse("objectVersionHistory", is_history, "choose one version");
}

/// Adds a problem for each field that only secrets have.
fn refuse_of_secrets(reader: &Reader<'_>, entry: &Entry, object_type: ObjectType, problems: &mut Problems) {
    for (key, value) in
        [("objectEncoding", &entry.object_encoding), ("sourcePasswordObject", &entry.source_password_object)]
    {
        if is_set(value) {
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

/// Returns whether the outputs have no value for certain, whatever their problems are.
fn has_no_value(outputs: &OutputsField) -> bool {
    match outputs {
        OutputsField::Word(word) => word.trim() == TLS_PEM,
        OutputsField::Items(items) => {
            !items.is_empty()
                && items.iter().all(|item| content(item).is_some_and(|content| content != ContentWord::Value))
        }
        OutputsField::Absent | OutputsField::Other(_) => false,
    }
}

/// Returns the content of an item, if it can be read.
fn content(item: &Element<OutputFields>) -> Option<ContentWord> {
    match item {
        Element::Fields(item) => item.content().parse().ok(),
        Element::Other(_) => None,
    }
}

/// Gives the entry's encoding to the outputs that are the value.
fn with_encoding(
    mut items: Vec<Output<SecretOutput>>,
    encoding: Option<SecretEncoding>,
) -> Vec<Output<SecretOutput>> {
    for item in &mut items {
        if let (SecretOutput::Value(own), Some(encoding)) = (&mut item.content, encoding) {
            *own = encoding;
        }
    }
    items
}

/// Adds a problem for each content that a certificate or a key does not have.
fn refuse_contents(reader: &Reader<'_>, entry: &Entry, object_type: ObjectType, problems: &mut Problems) {
    let (contents, allowed): (_, &[ContentWord]) = match object_type {
        ObjectType::Certificate => {
            ("leaf, value and metadata", &[ContentWord::Leaf, ContentWord::Value, ContentWord::Metadata])
        }
        ObjectType::Secret | ObjectType::Key => {
            ("value and metadata", &[ContentWord::Value, ContentWord::Metadata])
        }
    };
    let reason = format!("is only for objectType secret; objectType {object_type} has {contents}");
    match &entry.outputs {
        OutputsField::Word(word) if word.trim() == TLS_PEM => {
            problems.push(reader.wrong("outputs", format!("{TLS_PEM} {reason}")));
        }
        OutputsField::Items(items) => {
            for (index, item) in items.iter().take(MAX_ITEMS).enumerate() {
                let Some(content) = content(item).filter(|content| !allowed.contains(content)) else {
                    continue;
                };
                let field = format!("{}.outputs[{index}]", reader.field);
                let reason = format!("{} {reason}", Excerpt::of(content.as_str()));
                problems.push(reader.nested(&field).wrong("content", reason));
            }
        }
        OutputsField::Absent | OutputsField::Word(_) | OutputsField::Other(_) => {}
    }
}

/// Converts the items of a certificate or a key with `convert`, which returns `None` for contents that are refused.
fn converted<C>(
    items: Vec<Output<SecretOutput>>,
    convert: fn(&SecretOutput) -> Option<C>,
) -> Option<Vec<Output<C>>> {
    let convert = |Output { path, mode, presence, content }| {
        Some(Output { path, mode, presence, content: convert(&content)? })
    };
    items.into_iter().map(convert).collect()
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
