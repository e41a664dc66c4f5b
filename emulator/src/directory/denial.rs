//! Deny assignments of Azure RBAC at a vault.

use crate::vault::ObjectKind;

/// What one principal may not do at one vault, whatever its roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The principal's client id.
    pub principal: String,
    /// The vault's name.
    pub vault: String,
    /// The denied reads.
    pub scope: DeniedScope,
}

/// The reads that a [`Denial`] covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeniedScope {
    /// Every read.
    Vault,
    /// Lists of objects and of versions.
    Lists,
    /// Every read of one object.
    Object(ObjectKind, String),
}

/// A read, as denials see it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DeniedRead<'a> {
    /// A list of objects.
    Objects,
    /// A list of one object's versions.
    Versions(ObjectKind, &'a str),
    /// One version of an object.
    Version(ObjectKind, &'a str),
}

impl Denial {
    pub(super) fn covers(&self, client_id: &str, vault: &str, read: DeniedRead<'_>) -> bool {
        self.principal.eq_ignore_ascii_case(client_id)
            && self.vault.eq_ignore_ascii_case(vault)
            && match (&self.scope, read) {
                (DeniedScope::Vault, _)
                | (DeniedScope::Lists, DeniedRead::Objects | DeniedRead::Versions(..)) => true,
                (DeniedScope::Lists, DeniedRead::Version(..))
                | (DeniedScope::Object(..), DeniedRead::Objects) => false,
                (
                    DeniedScope::Object(kind, name),
                    DeniedRead::Versions(read, of) | DeniedRead::Version(read, of),
                ) => *kind == read && name.eq_ignore_ascii_case(of),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_covers_its_scope_alone() {
        let denial = |scope| Denial { principal: "c".to_owned(), vault: "lab".to_owned(), scope };
        let reads = [
            DeniedRead::Objects,
            DeniedRead::Versions(ObjectKind::Secret, "a"),
            DeniedRead::Version(ObjectKind::Secret, "A"),
            DeniedRead::Version(ObjectKind::Key, "a"),
        ];
        for (scope, covered) in [
            (DeniedScope::Vault, [true; 4]),
            (DeniedScope::Lists, [true, true, false, false]),
            (DeniedScope::Object(ObjectKind::Secret, "a".to_owned()), [false, true, true, false]),
        ] {
            let denial = denial(scope);
            assert_eq!(reads.map(|read| denial.covers("C", "LAB", read)), covered, "{denial:?}");
            assert_eq!(reads.map(|read| denial.covers("d", "lab", read)), [false; 4]);
            assert_eq!(reads.map(|read| denial.covers("c", "lab2", read)), [false; 4]);
        }
    }
}
