//! An entry that finds objects by what a vault lists of them.

use std::{collections::BTreeMap, fmt};

use super::{
    absence::{IfAbsent, Presence},
    file::{FileMode, RelativePath},
    match_steps::{MatchSteps, TooManySteps},
    object::{ObjectName, ObjectSpec, ObjectType, Origin, VersionSelector},
    output::{Outputs, OutputsShape},
    pattern::{Glob, Regexp},
    rendering::{Rendering, SecretEncoding},
    rewrite::{self, NotRewritten, Rewrite},
    shape::{FileShape, KeySelection, KeysShape, Shape},
    syntax::Syntax,
    vault::VaultName,
};

/// An entry of `objects` with `find`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindSpec {
    /// The index of the entry in `objects`.
    pub entry: usize,
    /// The number of the SecretProviderClass's named objects whose files come before those of this entry.
    pub position: usize,
    /// The vault, if it is not the SecretProviderClass's own.
    pub vault: Option<VaultName>,
    /// The conditions that an object must meet.
    pub conditions: Conditions,
    /// The replacements that make a path of a name; at most 8.
    pub rewrites: Vec<Rewrite>,
    /// The directory of the files; `None` is the volume's root.
    pub directory: Option<RelativePath>,
    /// The files of each object.
    pub shape: FoundShape,
    /// Whether an object must be found.
    pub presence: Presence,
}

/// The conditions of a `find`. An object meets all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    /// The name.
    pub name: Option<NameCondition>,
    /// Tags that the object has with equal values.
    pub tags: BTreeMap<String, String>,
    /// The content type, in any case.
    pub content_type: Option<String>,
    /// Whether objects that Key Vault manages for certificates are found too.
    pub managed: Managed,
}

/// A condition of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameCondition {
    /// The whole name, in any case.
    Glob(Glob),
    /// A part of the name.
    Regexp(Regexp),
}

/// Whether secrets and keys that Key Vault manages for certificates are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Managed {
    /// They are passed over.
    #[default]
    Excluded,
    /// They are found like all others.
    Included,
}

/// An enabled object, as a vault lists it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The name.
    pub name: &'a str,
    /// The tags of the newest version.
    pub tags: &'a BTreeMap<String, String>,
    /// The content type of the newest version.
    pub content_type: Option<&'a str>,
    /// True if Key Vault manages the object for a certificate.
    pub is_managed: bool,
}

/// Returns the lowercase characters of a text one by one, so that a comparison ends at the first difference.
fn lowercase(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

impl Conditions {
    /// Returns whether `object` meets all conditions. The name is compared last, since it costs most.
    ///
    /// # Errors
    /// The name may take more steps than are left.
    pub fn admit(&self, object: Candidate<'_>, steps: &mut MatchSteps) -> Result<bool, TooManySteps> {
        let has_content_type =
            |wanted: &String| object.content_type.is_some_and(|found| lowercase(found).eq(lowercase(wanted)));
        let others = (self.managed == Managed::Included || !object.is_managed)
            && self.tags.iter().all(|(name, value)| object.tags.get(name) == Some(value))
            && self.content_type.as_ref().is_none_or(has_content_type);
        match &self.name {
            _ if !others => Ok(false),
            None => Ok(true),
            Some(NameCondition::Glob(glob)) => glob.matches(object.name, steps),
            Some(NameCondition::Regexp(regexp)) => regexp.is_found_in(object.name, steps),
        }
    }
}

impl fmt::Display for Conditions {
    /// Writes `name shop-*, tag env=prod`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match &self.name {
            Some(NameCondition::Glob(glob)) => parts.push(format!("name {glob}")),
            Some(NameCondition::Regexp(regexp)) => parts.push(format!("name /{}/", regexp.as_str())),
            None => {}
        }
        parts.extend(self.tags.iter().map(|(name, value)| format!("tag {name}={value}")));
        parts.extend(self.content_type.iter().map(|content_type| format!("content type {content_type}")));
        if self.managed == Managed::Included {
            parts.push("those of certificates too".to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}

/// The files of each object that a `find` finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundShape {
    /// One file.
    File {
        /// The object's type, and how it becomes a file.
        rendering: Rendering,
        /// The mode, if the entry names one.
        mode: Option<FileMode>,
    },
    /// Each key of the top level of a secret, in a directory with the object's name.
    Keys {
        /// The encoding of the whole value.
        encoding: SecretEncoding,
        /// The syntax of the decoded value.
        syntax: Syntax,
        /// The mode, if the entry names one.
        mode: Option<FileMode>,
    },
    /// Parts and forms. Their paths are in a directory with the object's name.
    Outputs(Outputs),
}

impl FindSpec {
    /// Returns the type of the objects.
    pub fn object_type(&self) -> ObjectType {
        match &self.shape {
            FoundShape::File { rendering, .. } => rendering.object_type(),
            FoundShape::Keys { .. } => ObjectType::Secret,
            FoundShape::Outputs(outputs) => outputs.object_type(),
        }
    }

    /// Returns the number of PKCS#12 stores among the files of one object.
    pub fn stores(&self) -> usize {
        match &self.shape {
            FoundShape::Outputs(outputs) => outputs.stores(),
            FoundShape::File { .. } | FoundShape::Keys { .. } => 0,
        }
    }

    /// Returns the secrets with the passwords of stores and archives.
    pub fn password_objects(&self) -> impl Iterator<Item = &ObjectName> {
        let outputs = match &self.shape {
            FoundShape::Outputs(outputs) => Some(outputs),
            FoundShape::File { .. } | FoundShape::Keys { .. } => None,
        };
        outputs.into_iter().flat_map(Outputs::password_objects)
    }

    /// Returns the read of a found object, and its files.
    ///
    /// # Errors
    /// The rewritten name is not a path, a file below it has a path that is too long, or the expressions may take more
    /// steps than are left.
    pub fn object(&self, name: ObjectName, steps: &mut MatchSteps) -> Result<ObjectSpec, NotRewritten> {
        let path = rewrite::path(&self.rewrites, self.directory.as_ref(), name.as_str(), steps)?;
        let shape = match &self.shape {
            FoundShape::File { rendering, mode } => {
                Shape::File(FileShape { rendering: *rendering, path, mode: *mode, if_absent: IfAbsent::Fail })
            }
            FoundShape::Keys { encoding, syntax, mode } => Shape::Keys(KeysShape {
                encoding: *encoding,
                syntax: *syntax,
                keys: KeySelection::All { directory: Some(path), mode: *mode },
                presence: Presence::Required,
            }),
            FoundShape::Outputs(outputs) => {
                let outputs = outputs.below(&path);
                let outputs =
                    outputs.map_err(|reason| NotRewritten::NoPath { name: path.to_string(), reason })?;
                Shape::Outputs(OutputsShape { outputs, presence: Presence::Required })
            }
        };
        let origin = Origin::Found { entry: self.entry };
        Ok(ObjectSpec { vault: self.vault.clone(), name, versions: VersionSelector::Newest, shape, origin })
    }
}

impl fmt::Display for FindSpec {
    /// Writes the id of the entry: `secret/*`, or `other-vault/secret/*`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(vault) = &self.vault {
            write!(f, "{vault}/")?;
        }
        write!(f, "{}/*", self.object_type())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(tags: &[(&str, &str)]) -> BTreeMap<String, String> {
        tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_object_meets_all_conditions() {
        let name = Some(NameCondition::Glob("shop-*".parse().unwrap()));
        let base = Conditions { name, ..Conditions::default() };
        let tagged = Conditions { tags: tags(&[("env", "prod"), ("empty", "")]), ..base.clone() };
        let typed = Conditions { content_type: Some("Text/Plain".to_owned()), ..base.clone() };
        let managed = Conditions { managed: Managed::Included, ..base.clone() };
        let with = tags(&[("env", "prod"), ("empty", ""), ("more", "x")]);
        let object =
            |name, tags, content_type, is_managed| Candidate { name, tags, content_type, is_managed };
        for (conditions, candidate, expected) in [
            (&base, object("Shop-db", &with, None, false), true),
            (&base, object("shop", &with, None, false), false),
            (&base, object("shop-db", &with, None, true), false),
            (&managed, object("shop-db", &with, None, true), true),
            (&managed, object("shop-db", &with, None, false), true),
            (&tagged, object("shop-db", &with, None, false), true),
            (&tagged, object("shop-db", &tags(&[("env", "prod")]), None, false), false),
            (&tagged, object("shop-db", &tags(&[("env", "Prod"), ("empty", "")]), None, false), false),
            (&typed, object("shop-db", &with, Some("text/plain"), false), true),
            (&typed, object("shop-db", &with, Some("text/plain2"), false), false),
            (&typed, object("shop-db", &with, None, false), false),
            (&Conditions::default(), object("any", &with, None, false), true),
        ] {
            let admitted = conditions.admit(candidate, &mut MatchSteps::of_mount());
            assert_eq!(admitted, Ok(expected), "{conditions} {candidate:?}");
        }
        assert_eq!(tagged.to_string(), "name shop-*, tag empty=, tag env=prod");
    }
}
