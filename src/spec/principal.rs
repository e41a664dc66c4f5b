//! Who asks, as Entra says it.

use std::sync::Arc;

/// A user, application or managed identity of one directory, as a token names it that Entra itself issued to us.
///
/// What was read as one principal may be given to whoever asks as the same one, and to nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal(Arc<(String, String, String)>);

/// The number of a token among those that one process was issued: a newer token has a higher one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenGeneration(pub u64);

impl Principal {
    /// The principal with this object id in this tenant, as the authority at this URL knows it: another authority's
    /// tokens can name anybody, so that its principals are others.
    pub fn new(authority: &str, tenant: &str, object: &str) -> Self {
        Self(Arc::new((authority.to_owned(), tenant.to_ascii_lowercase(), object.to_ascii_lowercase())))
    }

    /// Its object id, which roles are given to.
    pub fn object_id(&self) -> &str {
        &self.0.2
    }
}
