//! How a vault stands at the moment, for whoever gives up waiting for it.

use crate::{cloud::VaultEndpoint, spec::excerpt::Excerpt, transport::Stage};

use super::client::Vaults;

/// What is known of a vault's host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What connections to it wait for; `None` where there is one.
    pub stage: Option<Stage>,
    /// Whether it has asked us to wait.
    pub throttled: bool,
    /// The status that it answered last.
    pub last: Option<u16>,
    /// The authority that its challenge names, where it is another than the cloud's.
    pub other_authority: Option<Excerpt>,
}

impl Vaults {
    /// How the vault at `endpoint` stands.
    pub fn standing(&self, endpoint: &VaultEndpoint) -> Standing {
        let host = self.hosts.of(endpoint);
        let limiter = &host.limiter;
        Standing {
            stage: self.outgoing.transports.ahead.stage(&endpoint.url),
            throttled: limiter.is_throttling(),
            last: limiter.last_status(),
            other_authority: host.probe.other_authority(),
        }
    }
}
