//! The form of each parameter and field, by the names of the parser's tables.
//!
//! A form never refuses what the parser takes. It accepts more where the parser's rule depends on other parameters, or
//! ignores case.

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Any text.
    Text,
    /// A text that matches this regular expression, in the syntax that RE2 and ECMAScript share.
    Matching(&'static str),
    /// A number or a text with one.
    Number,
    /// A list.
    List,
    /// A list, or a word.
    ListOrWord,
    /// A map.
    Map,
}

/// A parameter or field with its form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Described {
    /// The name, as in the parser's table.
    pub(super) name: &'static str,
    /// The form.
    pub(super) form: Form,
    /// A sentence about the value.
    pub(super) about: &'static str,
}

const fn described(name: &'static str, form: Form, about: &'static str) -> Described {
    Described { name, form, about }
}

/// A vault's name, with blanks around it.
pub(super) const VAULT: &str = r"^\s*[A-Za-z0-9][A-Za-z0-9-]{1,22}[A-Za-z0-9]\s*$";

/// A boolean in Go's spellings, or blank.
pub(super) const BOOLEAN: &str = r"^\s*(1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)?\s*$";

const BOOLEAN_FORM: Form = Form::Matching(BOOLEAN);

/// Text that is not blank.
pub(super) const NOT_BLANK: &str = r"\S";

/// The parameters of a class.
pub(super) const PARAMETERS: &[Described] = &[
    described(
        "keyvaultName",
        Form::Matching(VAULT),
        "The vault: 3 to 24 letters, digits and dashes, with no dash at either end.",
    ),
    described("tenantID", Form::Text, "The directory, a GUID or a domain name."),
    described("tenantId", Form::Text, "The older spelling of tenantID, which takes precedence over it."),
    described(
        "cloudName",
        Form::Text,
        "The Azure cloud: AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud, AzureGermanCloud or AzureStackCloud.",
    ),
    described("cloudEnvFileName", Form::Text, "The file of endpoints of an Azure Stack, on the node."),
    described("clientID", Form::Text, "The client id of workload identity, a GUID."),
    described("useVMManagedIdentity", BOOLEAN_FORM, "True for the node's managed identity."),
    described("userAssignedIdentityID", Form::Text, "The client id of a user-assigned managed identity."),
    described("usePodIdentity", BOOLEAN_FORM, "True for AAD pod identity, which Azure has retired."),
    described("useAzureTokenProxy", BOOLEAN_FORM, "True for AKS identity binding."),
    described("failoverVault", Form::Text, "The vault for initial mounts if the first cannot be reached."),
    described(
        "objects",
        Form::Matching(NOT_BLANK),
        "The objects, as YAML in a text: a list under the key array.",
    ),
];

/// The fields of an entry of `objects`.
pub(super) const ENTRY: &[Described] = &[
    described(
        "objectName",
        Form::Text,
        "The object's name in the vault: 1 to 127 letters, digits and dashes.",
    ),
    described("objectType", Form::Matching(r"^\s*(secret|key|cert)?\s*$"), "secret, key or cert."),
    described("objectAlias", Form::Text, "The path of the file; by default objectName."),
    described("objectVersion", Form::Text, "The version; by default the newest."),
    described("objectVersionHistory", Form::Number, "The number of versions, each in a file of its own."),
    described("objectVersionPolicy", Form::Text, "latest, latestEnabled or latestValid."),
    described(
        "objectNotAfter",
        Form::Text,
        "The newest version created at or before this time, in RFC 3339.",
    ),
    described("objectFormat", Form::Text, "pem or pfx, for certificates that are stored as secrets."),
    described("objectEncoding", Form::Text, "utf-8, hex or base64: the encoding of the secret's value."),
    described("filePermission", Form::Number, "The file's mode in octal, such as \"0440\"."),
    described("optional", Form::Text, "True if the mount goes on without the object."),
    described("default", Form::Text, "The text of the file without the object."),
    described(
        "extract",
        Form::Text,
        "json, yaml or dotenv: the syntax of the value, whose keys become files.",
    ),
    described("jmesPath", Form::List, "The keys that become files: path and objectAlias of each."),
    described(
        "outputs",
        Form::ListOrWord,
        "Parts and forms of the object, each in a file of its own; or tls-pem.",
    ),
    described(
        "sourcePasswordObject",
        Form::Text,
        "The secret with the password of a PFX that is stored as a secret.",
    ),
    described("keyvaultName", Form::Text, "Another vault than the class's."),
    described("find", Form::Map, "Names, tags and content types in place of objectName."),
    described("rewrite", Form::List, "Regular expressions that turn found names into paths."),
    described("combine", Form::Map, "Several secrets in one file."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::parameters;

    use super::*;

    #[test]
    fn every_name_of_the_parser_has_a_form() {
        let described: BTreeSet<&str> = PARAMETERS.iter().map(|described| described.name).collect();
        for name in parameters::PARAMETERS.iter().filter(|name| !name.contains('/')) {
            assert!(described.contains(name), "{name} has no form");
        }
        let described: BTreeSet<&str> = ENTRY.iter().map(|described| described.name).collect();
        for name in parameters::ENTRY_FIELDS {
            assert!(described.contains(name), "{name} has no form");
        }
    }
}
