//! Listings: `GET /secrets` and `GET /secrets/{name}/versions`, and the same for keys and certificates.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use super::{
    KeyVault, content::ObjectKind, errors::VaultError, paging::Page, rendering, store::StoredVersion,
};
use crate::{answer::Answer, route::RequestHead};

impl KeyVault<'_> {
    pub(super) fn list(&self, head: &RequestHead, kind: ObjectKind) -> Result<Answer, VaultError> {
        page(head, &self.store.current_versions(self.vault, kind, self.clock.now()), false)
    }

    pub(super) fn list_versions(
        &self,
        head: &RequestHead,
        kind: ObjectKind,
        name: &str,
    ) -> Result<Answer, VaultError> {
        page(head, &self.store.versions(self.vault, kind, name), true)
    }
}

fn page(head: &RequestHead, all: &[Arc<StoredVersion>], with_version: bool) -> Result<Answer, VaultError> {
    let page = Page::parse(head)?;
    let value: Vec<_> = page
        .of(all)
        .iter()
        .map(|stored| rendering::item(stored.kind, &stored.name, &stored.version, &head.host, with_version))
        .collect();
    let next = page.next_link(head, all.len());
    Ok(Answer::json(StatusCode::OK, &json!({ "value": value, "nextLink": next })))
}
