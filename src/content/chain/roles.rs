//! Finds the leaf and the root where the order of a single file would lose a root.

use std::collections::{HashSet, VecDeque};

use super::{
    ChainError,
    issuance::{Candidate, SignatureChecks},
    newest,
};

/// Returns the leaf of certificates without a private key, or `None` if all are those of authorities or self-signed.
///
/// A self-signed certificate counts as one of an authority, as it may be trusted: those of X.509 version 1 have no
/// basic constraints that say so. It is the leaf as well if there is no other certificate, or if it says that it is none
/// of an authority, and all others are those of authorities.
pub(super) fn leaf_without_key(
    candidates: &[Candidate<'_>],
    checks: &mut SignatureChecks<'_>,
) -> Result<Option<usize>, ChainError> {
    if let [only] = candidates {
        return Ok((only.is_readable() && !only.is_authority()).then_some(0));
    }
    let mut leaves = Vec::new();
    for candidate in candidates {
        if candidate.is_readable() && !candidate.is_authority() && !candidate.issued(candidate, checks)? {
            leaves.push(candidate.index);
        }
    }
    if leaves.is_empty() {
        let mut others = candidates.iter().filter(|candidate| !candidate.is_authority());
        return Ok(match (others.next(), others.next()) {
            (Some(only), None) if only.is_end_entity() => Some(only.index),
            _ => None,
        });
    }
    let latest_renewal = |leaf: usize| {
        let key = candidates[leaf].public_key();
        newest(candidates, |other| leaves.contains(&other.index) && other.public_key() == key)
    };
    'leaves: for leaf in leaves.iter().copied() {
        for other in candidates.iter().filter(|other| other.index != leaf) {
            if candidates[leaf].issued(other, checks)? {
                continue 'leaves;
            }
        }
        return Ok(latest_renewal(leaf));
    }
    Ok(leaves.first().copied().and_then(latest_renewal))
}

/// Returns the root at the end of the shortest chain from `leaf`, or `None` if no chain ends in one. A name that is
/// cross-signed has several certificates, and the issuer of the first one need not be stored.
///
/// Of renewals the latest is taken. Of chains of the same length the one with the first stored issuers is taken.
pub(super) fn nearest_root(
    candidates: &[Candidate<'_>],
    leaf: usize,
    checks: &mut SignatureChecks<'_>,
) -> Result<Option<usize>, ChainError> {
    let mut reached = HashSet::from([leaf]);
    let mut waiting = VecDeque::from([leaf]);
    while let Some(link) = waiting.pop_front() {
        if candidates[link].issued(&candidates[link], checks)? {
            return Ok(Some(link));
        }
        for candidate in candidates {
            if !candidate.issued(&candidates[link], checks)? {
                continue;
            }
            let issuer = newest(candidates, |other| candidate.is_renewal_of(other));
            waiting.extend(issuer.filter(|issuer| reached.insert(*issuer)));
        }
    }
    Ok(None)
}
