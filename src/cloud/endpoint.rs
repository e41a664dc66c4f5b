//! One vault of a cloud, and the authority of its tokens.

use azure_core::http::Url;

/// The URL of a vault and the authority of its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VaultEndpoint {
    /// The vault's base URL; it has a host.
    pub url: Url,
    /// The base URL of the cloud's authority.
    pub authority: Url,
    /// The audience of tokens for the cloud's vaults.
    pub audience: String,
}

/// Hosts that are one authority under several names, a line for each cloud, from Entra's own instance discovery
/// (`/common/discovery/instance`, `metadata[].aliases`). Very old vaults name the older hosts.
const SAME_AUTHORITY: [&[&str]; 3] = [
    &["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"],
    &["login.microsoftonline.us", "login.usgovcloudapi.net"],
    &["login.partner.microsoftonline.cn", "login.chinacloudapi.cn"],
];

impl VaultEndpoint {
    /// Returns the vault's host and port, for messages and metrics.
    pub fn name(&self) -> &str {
        self.url.authority()
    }

    /// Returns the vault's host.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Returns whether `named` is the cloud's authority, under any of its names and in any region.
    pub fn has_authority(&self, named: &Url) -> bool {
        let (Some(ours), Some(named)) = (self.authority.host_str(), named.host_str()) else {
            return false;
        };
        let is = |host: &str, name: &str| {
            host.strip_suffix(name).is_some_and(|region| region.is_empty() || region.ends_with('.'))
        };
        ours == named
            || SAME_AUTHORITY.iter().any(|names| {
                names.iter().any(|name| is(ours, name)) && names.iter().any(|name| is(named, name))
            })
    }

    /// Returns whether `domain` is the domain of this vault's service: the part behind the vault's own label, or the
    /// host of the cloud's audience.
    pub fn is_of(&self, domain: &str) -> bool {
        let audience = Url::parse(&self.audience).ok();
        self.host().split_once('.').is_some_and(|(_, parent)| parent == domain)
            || audience.is_some_and(|audience| audience.host_str() == Some(domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(authority: &str) -> VaultEndpoint {
        VaultEndpoint {
            url: "https://lab.vault.azure.net/".parse().unwrap(),
            authority: authority.parse().unwrap(),
            audience: "https://vault.azure.net".to_owned(),
        }
    }

    #[test]
    fn an_authority_is_known_by_all_of_its_names() {
        for (ours, named, same) in [
            ("https://login.microsoftonline.com/", "https://login.microsoftonline.com/t", true),
            ("https://login.microsoftonline.com/", "https://login.windows.net/t", true),
            ("https://login.microsoftonline.com/", "https://LOGIN.windows.net/t", true),
            ("https://login.microsoftonline.com/", "https://westus2.login.microsoft.com/t", true),
            ("https://westus2.login.microsoft.com/", "https://login.microsoftonline.com/t", true),
            ("https://login.chinacloudapi.cn/", "https://login.partner.microsoftonline.cn/t", true),
            ("https://adfs.local/adfs", "https://adfs.local:8443/adfs", true),
            ("https://login.microsoftonline.com/", "https://login.microsoftonline.us/t", false),
            ("https://login.microsoftonline.us/", "https://login.microsoftonline.com/t", false),
            ("https://login.microsoftonline.com/", "https://evil-login.microsoftonline.com/t", false),
            ("https://login.microsoftonline.com/", "https://login.microsoftonline.com.evil/t", false),
            ("https://adfs.local/adfs", "https://evil.adfs.local/adfs", false),
            ("https://login.microsoftonline.com/", "data:t", false),
        ] {
            assert_eq!(endpoint(ours).has_authority(&named.parse().unwrap()), same, "{ours} {named}");
        }
    }

    #[test]
    fn a_vault_is_of_its_own_service_alone() {
        let endpoint = endpoint("https://login.microsoftonline.com/");
        for (domain, own) in
            [("vault.azure.net", true), ("azure.net", false), ("net", false), ("lab.vault.azure.net", false)]
        {
            assert_eq!(endpoint.is_of(domain), own, "{domain}");
        }
        let elsewhere = VaultEndpoint { audience: "https://vault.local/guid".to_owned(), ..endpoint };
        assert!(elsewhere.is_of("vault.local"));
    }
}
