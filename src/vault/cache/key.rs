//! The keys of reads in flight and of cached answers.

use std::sync::Arc;

use crate::spec::{
    object::ObjectName,
    principal::{Principal, TokenGeneration},
};

use super::{
    super::request::Request,
    access::{Access, ReadObject},
};

/// The vault, the principal and the request of a cached answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::vault) struct Key {
    pub(super) vault: Arc<str>,
    pub(super) principal: Principal,
    pub(super) request: Request,
}

/// The key of a read in flight, with its renewed token.
pub(super) type ReadKey = (Key, Option<TokenGeneration>);

impl Key {
    pub(super) fn object(&self) -> ReadObject {
        let access = Access { vault: self.vault.clone(), principal: self.principal.clone() };
        let name = self.request.name().map(ObjectName::to_lowercase);
        ReadObject { access, object_type: self.request.object_type(), name }
    }
}
