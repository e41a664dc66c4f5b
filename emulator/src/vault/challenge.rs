//! The challenge for a request without a usable token
//! (<https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses>).

use http::header::WWW_AUTHENTICATE;

use super::{KeyVault, errors::VaultError};
use crate::{answer::Answer, cloud::port_suffix, route::RequestHead};

impl KeyVault<'_> {
    pub(super) fn refusal(&self, head: &RequestHead, error: &VaultError) -> Answer {
        let answer = error.answer();
        if !matches!(error, VaultError::Unauthorized(_)) {
            return answer;
        }
        let tenant = self.store.tenant(self.vault).flatten();
        let tenant = tenant.as_deref().unwrap_or(self.directory.home_tenant());
        // Loopback names carry the emulator's port; production names never do.
        let port = if self.cloud.is_loopback() { port_suffix(&head.host) } else { "" };
        let challenge = format!(
            r#"Bearer authorization="https://{}{port}/{tenant}", resource="{}""#,
            self.directory.challenge_authority.as_deref().unwrap_or(self.cloud.login()),
            self.cloud.resource()
        );
        answer.header_text(WWW_AUTHENTICATE, &challenge)
    }
}
