//! Parses an item of `outputs`: a file, and the part or form of the object that it holds.

use crate::{
    parameters::{
        error::{Problem, Problems},
        fields::fields,
        yaml::Scalar,
    },
    spec::{
        file::FileMode,
        object::ObjectName,
        output::{
            Alias, ContentWord, KeyEncoding, Output, Part, PartFormat, SecretOutput, Store, StoreProfile,
        },
        rendering::SecretEncoding,
    },
};

use super::reader::{Reader, is_set, text};

fields! {
    /// The fields of an item of `outputs` as the user wrote them.
    struct OutputFields;
    /// Every field of an item of `outputs`.
    pub const OUTPUT_FIELDS;
    object_alias: Scalar = "objectAlias",
    content: Scalar = "content",
    format: Scalar = "format",
    key_encoding: Scalar = "keyEncoding",
    password_object: Scalar = "passwordObject",
    alias: Scalar = "alias",
    profile: Scalar = "profile",
    file_permission: Scalar = "filePermission",
    optional: Scalar = "optional",
}

impl OutputFields {
    /// Returns the content as the user wrote it; empty if it is not set.
    pub(super) fn content(&self) -> &str {
        text(&self.content).unwrap_or_default()
    }
}

/// Parses one item. The entry's mode is that of an item without one of its own.
pub(super) fn parse(
    reader: &Reader<'_>,
    item: &OutputFields,
    mode: Option<FileMode>,
    problems: &mut Problems,
) -> Option<Output<SecretOutput>> {
    for name in item.unknown.names() {
        problems.push(if name.eq_ignore_ascii_case("password") {
            let reason = "is not a field, because the class is plain text; name a secret in passwordObject";
            reader.wrong(name.escape_debug(), reason)
        } else {
            reader.unknown(name, OUTPUT_FIELDS)
        });
    }
    let path = problems.catch(reader.required("objectAlias", &item.object_alias));
    let own_mode = problems.catch(reader.optional("filePermission", &item.file_permission));
    let presence = problems.catch(reader.presence(&item.optional));
    let content = problems.catch(reader.required("content", &item.content));
    let content = match content {
        Some(content) => self::content(reader, item, content, problems),
        None => {
            of_any_content(reader, item, problems);
            None
        }
    };
    Some(Output { path: path?, mode: own_mode?.or(mode), presence: presence?, content: content? })
}

/// Adds a problem for each field that is wrong whatever the content is.
fn of_any_content(reader: &Reader<'_>, item: &OutputFields, problems: &mut Problems) {
    let format = problems.catch(reader.text("format", &item.format)).flatten();
    if let Some(written) = format.filter(|written| !FORMATS.contains(written)) {
        let reason = format!("is not a format; use one of {}", FORMATS.join(", "));
        problems.push(reader.wrong_text("format", written, reason));
    }
    optional::<KeyEncoding>(reader, "keyEncoding", &item.key_encoding, problems);
    store(reader, item, problems);
}

/// Parses the fields that depend on the content, and refuses those of other contents.
fn content(
    reader: &Reader<'_>,
    item: &OutputFields,
    content: ContentWord,
    problems: &mut Problems,
) -> Option<SecretOutput> {
    let format = problems.catch(format(reader, item, content));
    let is_store = match content {
        ContentWord::Keystore => true,
        ContentWord::Truststore => format != Some(Format::Pem),
        _ => false,
    };
    let has_key = matches!(content, ContentWord::Key | ContentWord::Combined);
    let mut refuse = |key, value: &Scalar, is_fitting: bool, fitting| {
        if !is_fitting && is_set(value) {
            problems.push(reader.wrong(key, format!("is only for {fitting}, not for {}", content.as_str())));
        }
    };
    refuse("keyEncoding", &item.key_encoding, has_key, "content key and combined");
    for (key, value) in
        [("passwordObject", &item.password_object), ("alias", &item.alias), ("profile", &item.profile)]
    {
        refuse(key, value, is_store, "content keystore and truststore in PKCS#12");
    }
    let key_encoding =
        if has_key { optional(reader, "keyEncoding", &item.key_encoding, problems)? } else { None };
    let store = if is_store { Some(store(reader, item, problems)?) } else { None };
    let part = match (content, format?, store) {
        (ContentWord::Value, ..) => return Some(SecretOutput::Value(SecretEncoding::default())),
        (ContentWord::Metadata, ..) => return Some(SecretOutput::Metadata),
        (ContentWord::Key, format, _) => Part::Key(key_encoding.unwrap_or_default(), format.of_part()),
        (ContentWord::Leaf, format, _) => Part::Leaf(format.of_part()),
        (ContentWord::Chain, ..) => Part::Chain,
        (ContentWord::FullChain, ..) => Part::FullChain,
        (ContentWord::Ca, format, _) => Part::Ca(format.of_part()),
        (ContentWord::Combined, ..) => Part::Combined(key_encoding),
        (ContentWord::Truststore, _, None) => Part::TruststorePem,
        (ContentWord::Truststore, _, Some(store)) => Part::Truststore(store),
        (ContentWord::Keystore, _, store) => Part::Keystore(store?),
    };
    Some(SecretOutput::Part(part))
}

fn store(reader: &Reader<'_>, item: &OutputFields, problems: &mut Problems) -> Option<Store> {
    let password: Option<Option<ObjectName>> =
        optional(reader, "passwordObject", &item.password_object, problems);
    let alias: Option<Option<Alias>> = optional(reader, "alias", &item.alias, problems);
    let profile: Option<Option<StoreProfile>> = optional(reader, "profile", &item.profile, problems);
    Some(Store {
        alias: alias?.unwrap_or_default(),
        profile: profile?.unwrap_or_default(),
        password: password?,
    })
}

/// Parses an optional field. On failure, returns `None` and adds the problem.
fn optional<T>(reader: &Reader<'_>, key: &str, value: &Scalar, problems: &mut Problems) -> Option<Option<T>>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    problems.catch(reader.optional(key, value))
}

/// The formats of all contents.
const FORMATS: [&str; 5] = ["pem", "der", "pkcs12", "raw", "json"];

/// `format`, among those that the content has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Pem,
    Der,
    Pkcs12,
    Raw,
    Json,
}

impl Format {
    /// Returns the formats of a content, the default first.
    fn of(content: ContentWord) -> &'static [(&'static str, Self)] {
        match content {
            ContentWord::Key | ContentWord::Leaf | ContentWord::Ca => {
                &[("pem", Self::Pem), ("der", Self::Der)]
            }
            ContentWord::Chain | ContentWord::FullChain | ContentWord::Combined => &[("pem", Self::Pem)],
            ContentWord::Keystore => &[("pkcs12", Self::Pkcs12)],
            ContentWord::Truststore => &[("pkcs12", Self::Pkcs12), ("pem", Self::Pem)],
            ContentWord::Value => &[("raw", Self::Raw)],
            ContentWord::Metadata => &[("json", Self::Json)],
        }
    }

    /// Returns the format of a single key or certificate.
    fn of_part(self) -> PartFormat {
        match self {
            Self::Der => PartFormat::Der,
            Self::Pem | Self::Pkcs12 | Self::Raw | Self::Json => PartFormat::Pem,
        }
    }
}

fn format(reader: &Reader<'_>, item: &OutputFields, content: ContentWord) -> Result<Format, Problem> {
    let formats = Format::of(content);
    let Some(written) = reader.text("format", &item.format)? else {
        // Each content has a format.
        return formats
            .first()
            .map(|(_, format)| *format)
            .ok_or_else(|| reader.wrong("format", "is not set"));
    };
    let found = formats.iter().find(|(word, _)| *word == written);
    found.map(|(_, format)| *format).ok_or_else(|| {
        let words: Vec<_> = formats.iter().map(|(word, _)| *word).collect();
        let reason = format!("is not a format of {}; use {}", content.as_str(), words.join(" or "));
        reader.wrong_text("format", written, reason)
    })
}
