//! Host names of the Azure clouds, and of the emulator's own loopback cloud.

/// The host names of a cloud.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cloud {
    login: &'static [&'static str],
    vault_suffix: &'static str,
}

/// The service that a `Host` header names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Login(&'static Cloud),
    Vault { cloud: &'static Cloud, name: String },
    Issuer,
    ApiServer,
    Unknown,
}

impl Cloud {
    /// Returns Key Vault's audience in this cloud.
    pub(crate) fn resource(&self) -> String {
        format!("https://{}", self.vault_suffix)
    }

    /// Returns the login host that challenges name.
    pub(crate) fn login(&self) -> &'static str {
        self.login[0]
    }

    /// Returns every login host, the preferred one first.
    pub(crate) fn login_hosts(&self) -> &'static [&'static str] {
        self.login
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.vault_suffix == LOOPBACK_VAULT
    }

    /// Returns whether this cloud's Entra accepts the resource. The loopback cloud and all other clouds accept each
    /// other's resources, so that a test may mix their names.
    pub(crate) fn knows(&self, resource: &str) -> bool {
        CLOUDS.iter().any(|cloud| {
            (cloud == self || cloud.is_loopback() || self.is_loopback())
                && resource.strip_prefix("https://").is_some_and(|host| host == cloud.vault_suffix)
        })
    }
}

impl Host {
    /// Parses a `Host` header and ignores its port.
    pub(crate) fn parse(host: &str) -> Self {
        let name = without_port(host);
        if name == ISSUER_HOST {
            return Self::Issuer;
        }
        if name == API_SERVER_HOST {
            return Self::ApiServer;
        }
        for cloud in CLOUDS {
            if cloud.login.contains(&name) {
                return Self::Login(cloud);
            }
            let vault = name.strip_suffix(cloud.vault_suffix).and_then(|rest| rest.strip_suffix('.'));
            if let Some(vault) = vault.filter(|vault| !vault.is_empty() && !vault.contains('.')) {
                return Self::Vault { cloud, name: vault.to_owned() };
            }
        }
        Self::Unknown
    }
}

/// Returns the host part of `host:port`.
pub(crate) fn without_port(host: &str) -> &str {
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// Returns the `:port` part of `host:port`; empty if there is no port.
pub(crate) fn port_suffix(host: &str) -> &str {
    host.rfind(':').map_or("", |colon| &host[colon..])
}

pub(crate) static CLOUDS: &[Cloud] = &[
    Cloud {
        login: &["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"],
        vault_suffix: "vault.azure.net",
    },
    Cloud {
        login: &["login.microsoftonline.us", "login.usgovcloudapi.net"],
        vault_suffix: "vault.usgovcloudapi.net",
    },
    Cloud {
        login: &["login.chinacloudapi.cn", "login.partner.microsoftonline.cn"],
        vault_suffix: "vault.azure.cn",
    },
    Cloud { login: &["login.microsoftonline.de"], vault_suffix: "vault.microsoftazure.de" },
    Cloud { login: &[LOOPBACK_LOGIN], vault_suffix: LOOPBACK_VAULT },
];

/// Names under `.localhost` are loopback addresses (RFC 6761, section 6.3).
pub(crate) const LOOPBACK_LOGIN: &str = "login.localhost";
pub(crate) const LOOPBACK_VAULT: &str = "vault.localhost";
pub(crate) const ISSUER_HOST: &str = "oidc.localhost";
/// `iss` of every service-account token of the emulated cluster: `https` at the host that serves its keys.
pub(crate) const ISSUER: &str = "https://oidc.localhost";
pub(crate) const API_SERVER_HOST: &str = "kubernetes.default.svc.cluster.local";
/// TLS server names below this suffix are the token proxy of AKS identity binding.
pub(crate) const TOKEN_PROXY_SUFFIX: &str = ".ests.aks";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_recognised_without_their_port() {
        let vault = |name: &str, cloud: usize| Host::Vault { cloud: &CLOUDS[cloud], name: name.into() };
        for (host, expected) in [
            ("login.microsoftonline.com", Host::Login(&CLOUDS[0])),
            ("login.localhost:8443", Host::Login(&CLOUDS[4])),
            ("lab.vault.azure.net", vault("lab", 0)),
            ("lab.vault.usgovcloudapi.net:443", vault("lab", 1)),
            ("lab.vault.localhost:8443", vault("lab", 4)),
            ("a.lab.vault.azure.net", Host::Unknown),
            ("vault.azure.net", Host::Unknown),
            ("evilvault.azure.net", Host::Unknown),
            ("oidc.localhost", Host::Issuer),
            ("example.com", Host::Unknown),
        ] {
            assert_eq!(Host::parse(host), expected, "{host}");
        }
    }

    #[test]
    fn a_cloud_knows_its_own_resource_only() {
        assert!(CLOUDS[0].knows("https://vault.azure.net"));
        assert!(!CLOUDS[0].knows("https://vault.azure.cn"));
        assert!(!CLOUDS[0].knows("https://graph.microsoft.com"));
        assert!(CLOUDS[4].knows("https://vault.azure.cn"));
    }
}
