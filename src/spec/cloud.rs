//! Which Azure cloud a SecretProviderClass asks for, by name or by file.

use std::{path::PathBuf, str::FromStr};

use super::excerpt::Excerpt;

/// The cloud of a mount, before its endpoints are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudChoice {
    /// `cloudName` is absent: the provider's own default.
    Default,
    /// One of Azure's own clouds.
    Named(CloudName),
    /// `AzureStackCloud`: endpoints from a JSON file on the node. `None` means the file that the provider was started
    /// with (`AZURE_ENVIRONMENT_FILEPATH`).
    File(Option<PathBuf>),
}

/// Azure's own clouds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudName {
    /// `AzurePublicCloud`
    Public,
    /// `AzureUSGovernmentCloud`
    UsGovernment,
    /// `AzureChinaCloud`
    China,
    /// `AzureGermanCloud`
    German,
}

/// What a `cloudName` can say: one of Azure's clouds, or that a file describes the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudKeyword {
    /// One of Azure's own clouds.
    Named(CloudName),
    /// `AzureStackCloud`
    Stack,
}

/// A `cloudName` that is none of Azure's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown cloud {0}; use AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud, AzureGermanCloud or AzureStackCloud"
)]
pub struct UnknownCloud(pub Excerpt);

impl FromStr for CloudKeyword {
    type Err = UnknownCloud;

    /// Names as Azure's tools spell them, in any case: with `Cloud` at the end or without, and the CLI's `AzureCloud`
    /// for the public one.
    fn from_str(name: &str) -> Result<Self, UnknownCloud> {
        let lower = name.to_ascii_lowercase();
        let named = match lower.strip_suffix("cloud").unwrap_or(&lower) {
            "azure" if lower.ends_with("cloud") => CloudName::Public,
            "azurepublic" => CloudName::Public,
            "azureusgovernment" | "azuregovernment" => CloudName::UsGovernment,
            "azurechina" => CloudName::China,
            "azuregerman" | "azuregermany" => CloudName::German,
            "azurestack" => return Ok(Self::Stack),
            _ => return Err(UnknownCloud(Excerpt::of(name))),
        };
        Ok(Self::Named(named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_are_known_by_every_spelling_of_azures_tools() {
        for (name, expected) in [
            ("AzurePublicCloud", Some(CloudKeyword::Named(CloudName::Public))),
            ("AZUREPUBLICCLOUD", Some(CloudKeyword::Named(CloudName::Public))),
            ("AzureCloud", Some(CloudKeyword::Named(CloudName::Public))),
            ("AzureUSGovernmentCloud", Some(CloudKeyword::Named(CloudName::UsGovernment))),
            ("AzureUSGovernment", Some(CloudKeyword::Named(CloudName::UsGovernment))),
            ("azurechinacloud", Some(CloudKeyword::Named(CloudName::China))),
            ("AzureChina", Some(CloudKeyword::Named(CloudName::China))),
            ("AzureGermanCloud", Some(CloudKeyword::Named(CloudName::German))),
            ("AzureStackCloud", Some(CloudKeyword::Stack)),
            ("azure", None),
            ("cloud", None),
            ("MoonCloud", None),
            ("AzurePublicCloudCloud", None),
        ] {
            assert_eq!(name.parse().ok(), expected, "{name}");
        }
    }
}
