//! The Azure cloud of a SecretProviderClass, by name or by file.

use std::{path::PathBuf, str::FromStr};

use super::excerpt::Excerpt;

/// The cloud of a mount, before its endpoints are resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudChoice {
    /// `cloudName` is absent: the operator's default.
    Default,
    /// One of Azure's own clouds.
    Named(CloudName),
    /// `AzureStackCloud`: endpoints from a JSON file on the node. `None` means the operator's file
    /// (`AZURE_ENVIRONMENT_FILEPATH`).
    File(Option<PathBuf>),
}

/// One of Azure's own clouds.
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

/// A value of `cloudName`: one of Azure's clouds, or a cloud that a file describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudKeyword {
    /// One of Azure's own clouds.
    Named(CloudName),
    /// `AzureStackCloud`
    Stack,
}

/// A text is not a `cloudName`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown cloud {0}; use AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud, AzureGermanCloud or AzureStackCloud"
)]
pub struct UnknownCloud(pub Excerpt);

impl FromStr for CloudKeyword {
    type Err = UnknownCloud;

    /// Parses a name as Azure's tools spell it, in any case. The suffix `Cloud` is optional, and the CLI's `AzureCloud`
    /// means the public cloud.
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
