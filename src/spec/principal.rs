//! The principal of a token.

use std::sync::Arc;

/// A user, application or managed identity of one tenant, taken from a token that Entra itself issued to the provider.
///
/// An object that was read for one principal may be returned to the same principal, and to no other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal(Arc<(String, String, String)>);

/// The number of a token among all tokens of one process: a newer token has a higher number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenGeneration(pub u64);

impl Principal {
    /// Creates the principal with this object id in this tenant, as the authority at this URL knows it. Another
    /// authority can issue tokens with any id, so its principals are different ones.
    pub fn new(authority: &str, tenant: &str, object: &str) -> Self {
        Self(Arc::new((authority.to_owned(), tenant.to_ascii_lowercase(), object.to_ascii_lowercase())))
    }

    /// Returns the object id, to which roles are assigned.
    pub fn object_id(&self) -> &str {
        &self.0.2
    }
}
