//! The reads of a mount, many at once, their results in the order that they were asked for.

use std::sync::Arc;

use futures::{StreamExt, stream};

use crate::{
    spec::object::{ObjectSpec, VersionSelector},
    vault::{Bundle, VaultClient, VaultError},
};

use super::{
    error::ObjectError,
    plan::{Plan, Selected},
    versions,
};

/// How many reads of one mount are under way at once: each takes a connection, as Key Vault speaks HTTP/1.1.
const READS_AT_ONCE: usize = 32;

/// Which versions each object means; only histories ask the vault.
pub(super) async fn select_versions(
    client: &VaultClient,
    objects: &[ObjectSpec],
) -> Vec<Result<Selected, ObjectError>> {
    at_once(objects.iter().map(|object| select(client, object))).await
}

/// Every read of the plan, in its order.
pub(super) async fn fetch(client: &VaultClient, plan: &Plan) -> Vec<Result<Bundle, VaultError>> {
    at_once(plan.reads.iter().map(|read| client.get(read.object_type, &read.name, read.version.as_ref())))
        .await
}

/// Whether the vault refused any read for what the token says: that it is not valid (any more), or, where roles come by
/// way of groups, who its bearer was when it was issued.
pub(super) fn refused(plan: &Plan, bundles: &[Result<Bundle, VaultError>]) -> bool {
    let by_token =
        |error: &VaultError| matches!(error, VaultError::Unauthorized(_) | VaultError::Forbidden(_));
    let listing = plan.wanted.iter().any(|wanted| match wanted {
        Err(ObjectError::Vault(error)) => by_token(error),
        _ => false,
    });
    listing || bundles.iter().any(|bundle| bundle.as_ref().is_err_and(by_token))
}

async fn select(client: &VaultClient, object: &ObjectSpec) -> Result<Selected, ObjectError> {
    match &object.versions {
        VersionSelector::Newest => Ok(Selected::Single(None)),
        VersionSelector::Pinned(version) => Ok(Selected::Single(Some(version.clone()))),
        VersionSelector::History { from, depth } => {
            let listed = client.versions(object.object_type(), &object.name).await.map_err(Arc::new)?;
            versions::select(listed, from.as_ref(), *depth).map(Selected::History)
        }
    }
}

fn at_once<F: Future>(reads: impl Iterator<Item = F>) -> impl Future<Output = Vec<F::Output>> {
    // Collected first: a future that holds the iterator's closure is not Send for every lifetime, says rustc.
    let reads: Vec<F> = reads.collect();
    stream::iter(reads).buffered(READS_AT_ONCE).collect()
}
