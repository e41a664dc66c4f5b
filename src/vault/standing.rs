//! How a vault stands at the moment, for whoever gives up waiting for it.

use crate::{cloud::VaultEndpoint, transport::Stage};

use super::client::Vaults;

/// What is known of a vault's host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What connections to it wait for; `None` where there is one.
    pub stage: Option<Stage>,
    /// Whether it has asked us to wait.
    pub throttled: bool,
    /// The status that it answered last.
    pub last: Option<u16>,
}

impl Vaults {
    /// How the vault at `endpoint` stands.
    pub fn standing(&self, endpoint: &VaultEndpoint) -> Standing {
        let limiter = &self.hosts.of(endpoint).limiter;
        Standing {
            stage: self.outgoing.transports.ahead.stage(&endpoint.url),
            throttled: limiter.is_throttling(),
            last: limiter.last_status(),
        }
    }
}
