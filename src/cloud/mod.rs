//! The endpoints of clouds: built in for Azure's own clouds, from a file for Azure Stack.

mod endpoint;
mod file;
mod files;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    http::Url,
};
use tokio::{task::spawn_blocking, time::timeout};

use crate::spec::{
    cloud::{CloudChoice, CloudName},
    vault::VaultName,
};

pub use self::{endpoint::VaultEndpoint, file::CloudError, files::CloudFiles};

/// The authority and the vaults of one cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudEnvironment {
    authority: Url,
    vault_suffix: String,
    vault_audience: String,
}

/// The defaults for a SecretProviderClass that does not name its cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudDefaults {
    /// The cloud of a SecretProviderClass without `cloudName`; not itself [`CloudChoice::Default`].
    pub cloud: CloudChoice,
    /// The file of `AzureStackCloud` without `cloudEnvFileName`, from `AZURE_ENVIRONMENT_FILEPATH`.
    pub file: Option<PathBuf>,
}

impl CloudDefaults {
    /// Checks that the default cloud has endpoints. Blocks while it reads a file.
    ///
    /// Compat: provider-azure reads the file of its default cloud at start, and ends if it cannot. So an update with a
    /// wrong file stops at its first node.
    ///
    /// # Errors
    /// Only for a cloud that a file describes.
    pub fn check(&self) -> Result<(), CloudError> {
        match &self.cloud {
            CloudChoice::Default | CloudChoice::Named(_) => Ok(()),
            CloudChoice::File(path) => {
                let path = path.as_ref().or(self.file.as_ref()).ok_or(CloudError::NoFile)?;
                CloudEnvironment::in_file(path, file::read(path)).map(drop)
            }
        }
    }
}

/// The longest time that the file of a cloud may take, on a file system that hangs.
const FILE_TIMEOUT: Duration = Duration::from_secs(10);

impl CloudEnvironment {
    /// Returns one of Azure's own clouds.
    pub fn named(cloud: CloudName) -> Self {
        let (authority, vault_suffix) = match cloud {
            CloudName::Public => ("https://login.microsoftonline.com/", "vault.azure.net"),
            CloudName::UsGovernment => ("https://login.microsoftonline.us/", "vault.usgovcloudapi.net"),
            CloudName::China => ("https://login.chinacloudapi.cn/", "vault.azure.cn"),
            CloudName::German => ("https://login.microsoftonline.de/", "vault.microsoftazure.de"),
        };
        Self {
            authority: Url::parse(authority).expect("a constant URL"),
            vault_suffix: vault_suffix.to_owned(),
            vault_audience: format!("https://{vault_suffix}"),
        }
    }

    /// Returns the endpoints of the cloud that a mount names.
    ///
    /// # Errors
    /// Only for a cloud that a file describes.
    pub async fn resolve(choice: &CloudChoice, defaults: &CloudDefaults) -> Result<Self, CloudError> {
        let choice = if *choice == CloudChoice::Default { &defaults.cloud } else { choice };
        match choice {
            CloudChoice::Default => Ok(Self::named(CloudName::Public)),
            CloudChoice::Named(cloud) => Ok(Self::named(*cloud)),
            CloudChoice::File(path) => {
                let path = path.as_ref().or(defaults.file.as_ref()).ok_or(CloudError::NoFile)?;
                let read = {
                    let path = path.clone();
                    spawn_blocking(move || file::read(&path))
                };
                let text = match timeout(FILE_TIMEOUT, read).await {
                    Ok(read) => read.unwrap_or_else(|stopped| Err(stopped.into())),
                    Err(_) => Err(io::ErrorKind::TimedOut.into()),
                };
                Self::in_file(path, text)
            }
        }
    }

    /// Returns the endpoints in the text of the file at `path`.
    fn in_file(path: &Path, text: io::Result<Option<String>>) -> Result<Self, CloudError> {
        match text {
            Ok(Some(text)) => Self::parse(path, &text),
            Ok(None) => Err(CloudError::TooLong { path: path.to_owned() }),
            Err(source) => Err(CloudError::Unreadable { path: path.to_owned(), source }),
        }
    }

    /// Returns the base URL of the authority, with a slash at its end.
    pub fn authority(&self) -> &Url {
        &self.authority
    }

    /// Returns the configuration for the SDK.
    pub fn configuration(&self) -> CloudConfiguration {
        let mut configuration = CustomConfiguration::default();
        configuration.authority_host = self.authority.to_string();
        configuration.into()
    }

    /// Returns the scope of tokens for this cloud's vaults.
    pub fn vault_scope(&self) -> String {
        format!("{}/.default", self.vault_audience)
    }

    /// Returns a vault of this cloud.
    pub fn vault(&self, vault: &VaultName) -> VaultEndpoint {
        VaultEndpoint {
            url: Url::parse(&format!("https://{vault}.{}/", self.vault_suffix))
                .expect("a vault name is a host label, and the suffix was parsed behind one"),
            authority: self.authority.clone(),
            audience: self.vault_audience.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn azures_clouds_have_their_endpoints() {
        let cloud = CloudEnvironment::named(CloudName::China);
        assert_eq!(cloud.authority().as_str(), "https://login.chinacloudapi.cn/");
        assert_eq!(cloud.vault(&"lab".parse().unwrap()).url.as_str(), "https://lab.vault.azure.cn/");
        assert_eq!(cloud.vault_scope(), "https://vault.azure.cn/.default");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_is_named() {
        let defaults = CloudDefaults { cloud: CloudChoice::Named(CloudName::Public), file: None };
        for path in ["/nonexistent/cloud.json", "/dev/zero", "/"] {
            let error = CloudEnvironment::resolve(&CloudChoice::File(Some(path.into())), &defaults)
                .await
                .unwrap_err();
            assert!(
                matches!(error, CloudError::Unreadable { .. }) && error.to_string().contains(path),
                "{error}"
            );
        }
        let error = CloudEnvironment::resolve(&CloudChoice::File(None), &defaults).await.unwrap_err();
        assert!(matches!(error, CloudError::NoFile));
    }

    #[test]
    fn the_default_cloud_is_checked_with_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let (good, wrong) = (dir.path().join("good.json"), dir.path().join("wrong.json"));
        std::fs::write(&good, r#"{"keyVaultDNSSuffix":"vault.local"}"#).unwrap();
        std::fs::write(&wrong, "{}").unwrap();
        let check = |cloud, file: Option<&PathBuf>| CloudDefaults { cloud, file: file.cloned() }.check();
        assert!(check(CloudChoice::Named(CloudName::China), Some(&wrong)).is_ok());
        assert!(check(CloudChoice::File(None), Some(&good)).is_ok());
        assert!(matches!(check(CloudChoice::File(None), Some(&wrong)), Err(CloudError::Field { .. })));
        assert!(matches!(check(CloudChoice::File(None), None), Err(CloudError::NoFile)));
    }

    #[tokio::test]
    async fn a_file_of_megabytes_is_refused_unread() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cloud.json");
        std::fs::write(&path, "{}".to_owned() + &" ".repeat(1 << 20)).unwrap();
        let choice = CloudChoice::File(Some(path));
        let defaults = CloudDefaults { cloud: CloudChoice::Default, file: None };
        let error = CloudEnvironment::resolve(&choice, &defaults).await.unwrap_err();
        assert!(matches!(error, CloudError::TooLong { .. }), "{error}");
    }
}
