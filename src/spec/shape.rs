//! The files that an object becomes.

use super::{
    absence::{IfAbsent, Presence},
    combine::CombineItem,
    file::{FileMode, RelativePath},
    key_path::KeyPath,
    object::ObjectType,
    output::OutputsShape,
    rendering::{Rendering, SecretEncoding},
    syntax::Syntax,
};

/// The files of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// The object is one file; a history has one file for each version, in a directory with the path.
    File(FileShape),
    /// Keys of the object's structured value are files. The whole value is not written.
    Keys(KeysShape),
    /// Parts and forms of the object are files. The object's own file is not written.
    Outputs(OutputsShape),
    /// The object, or a part of it, is a value of a file that several objects share.
    Item(CombineItem),
    /// The object is the password of a store or of an archive: it has neither a file nor a version.
    Password,
}

/// An object that is one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileShape {
    /// The object's type, and how it becomes a file.
    pub rendering: Rendering,
    /// The path of the file, or of a history's directory.
    pub path: RelativePath,
    /// The mode, if the entry names one.
    pub mode: Option<FileMode>,
    /// The action without an object. A history and a type other than secret have no default.
    pub if_absent: IfAbsent,
}

/// A secret of which keys are files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysShape {
    /// The encoding of the whole value.
    pub encoding: SecretEncoding,
    /// The syntax of the decoded value.
    pub syntax: Syntax,
    /// The keys.
    pub keys: KeySelection,
    /// Whether the secret must exist.
    pub presence: Presence,
}

/// The keys that become files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySelection {
    /// `extract`: each key of the top level, in the order of the value.
    All {
        /// The directory of the files; `None` is the volume's root.
        directory: Option<RelativePath>,
        /// The mode, if the entry names one.
        mode: Option<FileMode>,
    },
    /// `jmesPath`: these keys, in this order; never empty.
    Listed(Vec<KeyFile>),
}

/// An item of `jmesPath`: one key and its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// The place of the key in the value.
    pub key: KeyPath,
    /// The path of the file.
    pub path: RelativePath,
    /// The mode, if the item or its entry names one.
    pub mode: Option<FileMode>,
    /// The encoding of the key's text.
    pub encoding: SecretEncoding,
    /// The action without the key, or without the object.
    pub if_absent: IfAbsent,
}

impl Shape {
    /// Returns the type of the objects that have this shape.
    pub fn object_type(&self) -> ObjectType {
        match self {
            Self::File(file) => file.rendering.object_type(),
            Self::Keys(_) | Self::Item(_) | Self::Password => ObjectType::Secret,
            Self::Outputs(shape) => shape.outputs.object_type(),
        }
    }

    /// Returns whether a file has a default.
    pub fn has_default(&self) -> bool {
        let writes = |if_absent: &IfAbsent| matches!(if_absent, IfAbsent::Write(_));
        match self {
            Self::File(file) => writes(&file.if_absent),
            Self::Keys(KeysShape { keys: KeySelection::Listed(files), .. }) => {
                files.iter().any(|file| writes(&file.if_absent))
            }
            Self::Item(item) => writes(&item.if_absent),
            Self::Keys(KeysShape { keys: KeySelection::All { .. }, .. })
            | Self::Outputs(_)
            | Self::Password => false,
        }
    }

    /// Returns the file, if the object is one file or a history.
    pub fn as_file(&self) -> Option<&FileShape> {
        match self {
            Self::File(file) => Some(file),
            Self::Keys(_) | Self::Outputs(_) | Self::Item(_) | Self::Password => None,
        }
    }

    /// Returns the paths of files that the SecretProviderClass names; those of other files are known after reading.
    pub fn named_paths(&self) -> Vec<&RelativePath> {
        match self {
            Self::File(file) => vec![&file.path],
            Self::Keys(KeysShape { keys: KeySelection::Listed(files), .. }) => {
                files.iter().map(|file| &file.path).collect()
            }
            Self::Keys(KeysShape { keys: KeySelection::All { .. }, .. }) | Self::Password => Vec::new(),
            // The last item completes the file.
            Self::Item(item) => item.is_last().then_some(&item.file.path).into_iter().collect(),
            Self::Outputs(shape) => shape.outputs.files().into_iter().map(|file| file.path).collect(),
        }
    }
}
