//! A finding about a class.

use std::fmt;

use crate::tools::class::{Class, ClassName};

/// How severe a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The provider, or the API server, refuses the class.
    Error,
    /// The class mounts, but probably not as its author means it.
    Warning,
}

impl Severity {
    /// Returns the word that reports use.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A kind of finding. Reports name it, so that other tools can select and suppress by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// The provider refuses the parameters.
    BadParameters,
    /// The text is not YAML.
    NotYaml,
    /// A parameter is not a text, which the API server refuses.
    NotText,
    /// A class without a provider, or of a provider whose name differs in case or blanks.
    UnknownProvider,
    /// An object of kind SecretProviderClass in a group that the driver does not read.
    UnknownGroup,
    /// A parameter that the provider ignores.
    UnknownParameter,
    /// A field of an entry that the provider ignores.
    UnknownField,
    /// A parameter that another spelling of it hides.
    HiddenParameter,
    /// A mode of identity that Azure has retired.
    DeprecatedIdentity,
    /// A synced Secret names a file that no object makes.
    NoSuchFile,
    /// A synced Secret names a file that an absent optional object does not make.
    OptionalFile,
    /// A default that looks like a password. A class is plain text.
    SecretDefault,
    /// A file that more users may write, or execute, than 0644 allows.
    WideFileMode,
    /// The pods make more calls than a vault allows.
    TooManyCalls,
}

impl Rule {
    /// All rules.
    pub(crate) const ALL: [Self; 14] = [
        Self::BadParameters,
        Self::NotYaml,
        Self::NotText,
        Self::UnknownProvider,
        Self::UnknownGroup,
        Self::UnknownParameter,
        Self::UnknownField,
        Self::HiddenParameter,
        Self::DeprecatedIdentity,
        Self::NoSuchFile,
        Self::OptionalFile,
        Self::SecretDefault,
        Self::WideFileMode,
        Self::TooManyCalls,
    ];

    /// Returns the name in reports. That of a refusal is the failure code which a pod would get.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BadParameters => "AKV-BadParameters",
            Self::NotYaml => "not-yaml",
            Self::NotText => "not-text",
            Self::UnknownProvider => "unknown-provider",
            Self::UnknownGroup => "unknown-group",
            Self::UnknownParameter => "unknown-parameter",
            Self::UnknownField => "unknown-field",
            Self::HiddenParameter => "hidden-parameter",
            Self::DeprecatedIdentity => "deprecated-identity",
            Self::NoSuchFile => "no-such-file",
            Self::OptionalFile => "optional-file",
            Self::SecretDefault => "secret-default",
            Self::WideFileMode => "wide-file-mode",
            Self::TooManyCalls => "too-many-calls",
        }
    }

    /// Returns what the rule finds.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::BadParameters => "The provider refuses the parameters.",
            Self::NotYaml => "The text is not YAML.",
            Self::NotText => "A parameter is not a text, which the API server refuses.",
            Self::UnknownProvider => "A class has no provider, or the provider's name in another case.",
            Self::UnknownGroup => "A SecretProviderClass is in a group that the driver does not read.",
            Self::UnknownParameter => "The provider ignores a parameter.",
            Self::UnknownField => "The provider ignores a field of an entry.",
            Self::HiddenParameter => "Another spelling of a parameter takes precedence.",
            Self::DeprecatedIdentity => "Azure has retired a mode of identity.",
            Self::NoSuchFile => "A synced Secret names a file that no object makes.",
            Self::OptionalFile => "A synced Secret names a file that may be absent.",
            Self::SecretDefault => "A default looks like a password, and a class is plain text.",
            Self::WideFileMode => "A file mode allows more than 0644.",
            Self::TooManyCalls => "The pods make more calls than a vault allows.",
        }
    }

    /// Returns the severity.
    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::BadParameters | Self::NotYaml | Self::NotText => Severity::Error,
            _ => Severity::Warning,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A finding about a place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The kind.
    pub(crate) rule: Rule,
    /// The place in the file, in bytes.
    pub(crate) offset: usize,
    /// The class, if the finding is about one.
    pub(crate) class: Option<ClassName>,
    /// The path of the parameter or field, such as `objects[2].objectAlias (web)`; may be empty.
    pub(crate) path: String,
    /// The cause and the action.
    pub(crate) message: String,
}

impl Finding {
    /// Creates a finding about a class.
    pub(crate) fn about(
        class: &Class,
        rule: Rule,
        offset: usize,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { rule, offset, class: Some(class.qualified_name()), path: path.into(), message: message.into() }
    }

    /// Returns the path and the message.
    pub(crate) fn text(&self) -> String {
        if self.path.is_empty() { self.message.clone() } else { format!("{}: {}", self.path, self.message) }
    }

    /// Returns the class, the path and the message.
    pub(crate) fn text_with_class(&self) -> String {
        match &self.class {
            Some(class) => format!("{class}: {}", self.text()),
            None => self.text(),
        }
    }
}
