//! How a vault stands at the moment, for whoever gives up waiting for it.

use azure_core::http::Url;

use crate::transport::Stage;

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
    /// How the vault at `url` stands.
    pub fn standing(&self, url: &Url) -> Standing {
        let gate = &self.hosts.of(url).gate;
        Standing {
            stage: self.outgoing.transports.ahead.stage(url),
            throttled: gate.is_throttled(),
            last: gate.last_status(),
        }
    }
}
