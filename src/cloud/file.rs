//! The file that describes a cloud other than Azure's own clouds.

use std::{
    collections::HashMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use azure_core::http::Url;
use serde::Deserialize;

use crate::spec::cloud::CloudName;

use super::CloudEnvironment;

/// An error of a cloud whose endpoints are not known.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// The cloud is `AzureStackCloud`, and there is no file.
    #[error(
        "AzureStackCloud needs a cloud environment file: set cloudEnvFileName, or AZURE_ENVIRONMENT_FILEPATH for the \
         provider"
    )]
    NoFile,
    /// The file cannot be read.
    #[error("cannot read the cloud environment file {}", path.display())]
    Unreadable {
        /// The path of the file.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// The file is not a JSON object of strings. The error has the position and not the content, since the file may
    /// be any file.
    #[error("the cloud environment file {} is not a JSON object with activeDirectoryEndpoint, keyVaultEndpoint and keyVaultDNSSuffix, at line {line} column {column}", path.display())]
    NotJson {
        /// The path of the file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
    },
    /// The file is longer than any that describes a cloud.
    #[error("the cloud environment file {} is longer than {MAX_FILE} bytes", path.display())]
    TooLong {
        /// The path of the file.
        path: PathBuf,
    },
    /// A field that has no default is missing, or a field is not an endpoint.
    #[error("the cloud environment file {} has no usable {field}: {reason}", path.display())]
    Field {
        /// The path of the file.
        path: PathBuf,
        /// The name of the field.
        field: &'static str,
        /// The requirement that the field's value does not meet.
        reason: &'static str,
    },
}

impl CloudEnvironment {
    /// Parses the endpoints in `text`; `path` is its origin, for messages.
    ///
    /// # Errors
    /// The text is not JSON, or a field is missing or not an endpoint.
    pub fn parse(path: &Path, text: &str) -> Result<Self, CloudError> {
        let fields: CloudFile = serde_json::from_str(text).map_err(|error| CloudError::NotJson {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
        })?;

        let field = |field, reason| CloudError::Field { path: path.to_owned(), field, reason };
        let https =
            |value: &str| Url::parse(value).ok().filter(|url| url.scheme() == "https" && url.has_host());
        let suffix = fields.text("keyVaultDNSSuffix").trim_start_matches('.');
        let probe = Url::parse(&format!("https://vault.{suffix}/"));
        // Behind an ASCII label an ASCII suffix makes a valid name. With other scripts, validity depends on both
        // parts.
        let plain = suffix.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':'))
            && !suffix.to_ascii_lowercase().split('.').any(|label| label.starts_with("xn--"));
        // Without a domain the vault's name would be the whole host, and a number would be an address.
        let domain = suffix.split(':').next().unwrap_or_default();
        if domain.is_empty()
            || !plain
            || !probe.is_ok_and(|url| {
                url.path() == "/"
                    && url.query().is_none()
                    && url.fragment().is_none()
                    && url.username().is_empty()
            })
        {
            return Err(field(
                "keyVaultDNSSuffix",
                "must be a domain name such as vault.local.azurestack.external",
            ));
        }
        // Compat: provider-azure takes the audience from the vault's challenge, which must name a domain above the
        // vault. It reads keyVaultEndpoint for pod identity alone, so a file may have kept that of the public cloud.
        let audience = https(fields.text("keyVaultEndpoint"))
            .filter(|endpoint| !is_left_over(endpoint, domain))
            .or_else(|| https(&format!("https://{domain}")))
            .ok_or_else(|| field("keyVaultDNSSuffix", "must be the end of an https URL's host"))?;
        // Compat: without an authority, provider-azure requests tokens from that of the public cloud.
        let authority = if fields.is_blank("activeDirectoryEndpoint") {
            Self::named(CloudName::Public).authority
        } else {
            https(fields.text("activeDirectoryEndpoint"))
                .ok_or_else(|| field("activeDirectoryEndpoint", "must be an https URL"))?
        };
        Ok(Self {
            authority,
            vault_suffix: suffix.to_owned(),
            vault_audience: audience.as_str().trim_end_matches('/').to_owned(),
        })
    }
}

/// Returns whether `endpoint` is that of the public cloud, and vaults in `domain` are not the public cloud's.
fn is_left_over(endpoint: &Url, domain: &str) -> bool {
    let public = CloudEnvironment::named(CloudName::Public).vault_suffix;
    let domain = domain.to_ascii_lowercase();
    let below = domain.strip_suffix(public.as_str());
    let is_public = below.is_some_and(|labels| labels.is_empty() || labels.ends_with('.'));
    endpoint.host_str() == Some(public.as_str()) && !is_public
}

/// The fields of the file that Azure Stack's tools write.
///
/// Compat: field names match in any case, as in Go's JSON parser, and null counts as absent.
#[derive(Deserialize)]
struct CloudFile(HashMap<String, serde_json::Value>);

impl CloudFile {
    /// Returns the trimmed text of a field; empty if it is absent or not a text.
    fn text(&self, name: &str) -> &str {
        self.value(name).and_then(serde_json::Value::as_str).unwrap_or_default().trim()
    }

    /// Returns whether a field is absent or an empty text.
    fn is_blank(&self, name: &str) -> bool {
        self.value(name)
            .is_none_or(|value| value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()))
    }

    fn value(&self, name: &str) -> Option<&serde_json::Value> {
        self.0.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// The longest file, in bytes. Azure Stack's tools write less than three thousand.
const MAX_FILE: u64 = 1 << 20;

/// Reads a regular file up to [`MAX_FILE`]; its name comes from a SecretProviderClass. Returns `None` if it is
/// longer.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Ok(None);
    }
    String::from_utf8(bytes).map(Some).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = r#"{"name":"AzureStackCloud","activeDirectoryEndpoint":"https://login.local/","keyVaultEndpoint":"https://vault.local/","keyVaultDNSSuffix":"vault.local"}"#;

    fn parse(text: &str) -> Result<CloudEnvironment, CloudError> {
        CloudEnvironment::parse(Path::new("/etc/kubernetes/cloud.json"), text)
    }

    #[test]
    fn a_file_gives_the_endpoints_of_azure_stack() {
        let cloud = parse(STACK).unwrap();
        assert_eq!(cloud.authority().as_str(), "https://login.local/");
        assert_eq!(cloud.vault(&"lab".parse().unwrap()).url.as_str(), "https://lab.vault.local/");
        assert_eq!(cloud.vault_scope(), "https://vault.local/.default");
        let cloud = parse(&STACK.replace("\"vault.local\"", "\".vault.localhost:8443\"")).unwrap();
        assert_eq!(cloud.vault(&"lab".parse().unwrap()).url.as_str(), "https://lab.vault.localhost:8443/");
    }

    #[test]
    fn a_file_that_provider_azure_reads_is_read() {
        let cloud = parse(
            r#"{"ActiveDirectoryEndpoint":"https://login.local/","keyVaultDnsSuffix":"vault.local:8443","keyVaultEndpoint":null,"other":{"a":[1]}}"#,
        )
        .unwrap();
        assert_eq!(cloud.vault_scope(), "https://vault.local/.default");
        assert_eq!(cloud.vault(&"lab".parse().unwrap()).url.as_str(), "https://lab.vault.local:8443/");
    }

    #[test]
    fn a_file_without_an_authority_uses_that_of_the_public_cloud() {
        for text in [
            r#"{"keyVaultDNSSuffix":"vault.local"}"#,
            r#"{"activeDirectoryEndpoint":" ","keyVaultDNSSuffix":"vault.local"}"#,
            r#"{"activeDirectoryEndpoint":null,"keyVaultDNSSuffix":"vault.local"}"#,
        ] {
            let cloud = parse(text).unwrap();
            assert_eq!(cloud.authority().as_str(), "https://login.microsoftonline.com/", "{text}");
            assert_eq!(cloud.vault(&"lab".parse().unwrap()).url.as_str(), "https://lab.vault.local/");
        }
    }

    #[test]
    fn a_vault_endpoint_that_is_not_an_https_url_is_ignored() {
        for endpoint in ["\"vault.elsewhere\"", "\"http://vault.elsewhere/\"", "\"https://\"", "5", "\"\""] {
            let cloud = parse(&STACK.replace("\"https://vault.local/\"", endpoint)).unwrap();
            assert_eq!(cloud.vault_scope(), "https://vault.local/.default", "{endpoint}");
        }
    }

    #[test]
    fn the_public_clouds_vault_endpoint_is_ignored_for_vaults_elsewhere() {
        for (endpoint, suffix, scope) in [
            ("https://vault.azure.net/", "vault.local", "https://vault.local/.default"),
            ("https://VAULT.azure.net", ".vault.local:8443", "https://vault.local/.default"),
            ("https://vault.azure.net/", "managedhsm.azure.net", "https://managedhsm.azure.net/.default"),
            ("https://vault.azure.net/", "myvault.azure.net", "https://myvault.azure.net/.default"),
            ("https://vault.azure.net/", "vault.azure.net.local", "https://vault.azure.net.local/.default"),
            ("https://vault.azure.net/", "Vault.azure.net", "https://vault.azure.net/.default"),
            ("https://vault.azure.net/", "stamp.vault.azure.net", "https://vault.azure.net/.default"),
            // The audience of an Azure Stack Hub is in the domain of its directory.
            (
                "https://vault.stamp.onmicrosoft.com/guid",
                "vault.local",
                "https://vault.stamp.onmicrosoft.com/guid/.default",
            ),
        ] {
            let text = STACK.replace("https://vault.local/", endpoint);
            let cloud = parse(&text.replace("\"vault.local\"", &format!("{suffix:?}"))).unwrap();
            assert_eq!(cloud.vault_scope(), scope, "{endpoint} {suffix}");
        }
    }

    #[test]
    fn a_file_that_is_wrong_is_named_but_not_quoted() {
        for (text, mention) in [
            ("canary", "line 1"),
            ("[]", "keyVaultDNSSuffix"),
            ("{}", "keyVaultDNSSuffix"),
            (&STACK.replace("https://login", "http://canary"), "activeDirectoryEndpoint"),
            (&STACK.replace("\"https://login.local/\"", "[\"canary\"]"), "activeDirectoryEndpoint"),
            (&STACK.replace("\"vault.local\"", "\"canary/path?\""), "keyVaultDNSSuffix"),
            (&STACK.replace("\"vault.local\"", "\"a@canary\""), "keyVaultDNSSuffix"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains("/etc/kubernetes/cloud.json") && message.contains(mention), "{message}");
            assert!(!message.contains("canary"), "{message}");
        }
    }

    #[test]
    fn lists_and_maps_in_each_other_are_refused_however_deep() {
        for open in ["[", "{\"a\":", "{\"keyVaultDNSSuffix\":"] {
            assert!(matches!(parse(&open.repeat(100_000)), Err(CloudError::NotJson { .. })));
        }
    }

    /// A vault's URL consists of both, and must be valid for every pair.
    #[test]
    fn every_suffix_that_is_accepted_makes_a_url_with_every_vault_name() {
        let names = ["lab", "1--1", "0x7f", "127", "a--b", "xn-1"].map(|name| name.parse().unwrap());
        for suffix in [
            "vault.local",
            "xn--a",
            "a.xn--a.b",
            "XN--A",
            "\u{5d0}\u{5d1}",
            "127.0.0.1",
            ":",
            ":8443",
            "1",
            "0x1",
            "a..b",
            "a.",
            ".",
            "a:1",
            "a:99999",
            "a:x",
            "[::1]",
            "a/b",
            "a?b",
            "a#b",
            "a@b",
            "a\\b",
            "a b",
            "%41",
            "-",
            "a_b",
            "\u{ad}",
        ] {
            if let Ok(cloud) = parse(&STACK.replace("\"vault.local\"", &format!("{suffix:?}"))) {
                for name in &names {
                    let url = cloud.vault(name).url;
                    assert!(url.host_str().unwrap().starts_with(&format!("{name}.")), "{url}");
                }
            }
        }
        for suffix in ["xn--vault.local", ":8443"] {
            assert!(parse(&STACK.replace("\"vault.local\"", &format!("{suffix:?}"))).is_err(), "{suffix}");
        }
    }
}
