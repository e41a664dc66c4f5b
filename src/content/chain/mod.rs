//! The order of certificates: leaf, intermediates, root, and then unrelated certificates.

mod issuance;

use std::collections::HashSet;

use super::{error::ContentError, work::Work};
use issuance::{Candidate, SignatureChecks};

/// `--construct-pem-chain`: the order in which the certificates of an archive are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChainOrder {
    /// The leaf first, each certificate followed by its issuer.
    #[default]
    Construct,
    /// The order of the archive.
    AsStored,
}

/// Certificates of one archive: a chain, and those outside of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Chain<'a> {
    /// From the leaf upwards, each certificate followed by its issuer.
    pub links: Vec<&'a [u8]>,
    /// Whether the last link issued itself: it is a root, or a self-signed leaf.
    pub ends_in_root: bool,
    /// The others in the order of the archive, also those that are not X.509.
    pub others: Vec<&'a [u8]>,
}

/// Why a chain cannot be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// There are more certificates than are compared.
    #[error("there are {count}, more than the {most} that are compared")]
    TooManyCertificates {
        /// The number of certificates.
        count: usize,
        /// The limit.
        most: usize,
    },
    /// Too many certificates have the same name.
    #[error("they need more signature checks than are granted")]
    TooManySignatures,
    /// Certificates of all objects of the mount have the same names.
    #[error(
        "the certificates of this mount together need more signature checks than are granted; use several volumes"
    )]
    TooManySignaturesTogether,
}

/// Orders certificates from the leaf to the root, as [`build`] does. Certificates outside the chain follow.
///
/// # Errors
/// There are too many certificates to compare, or too many with the same name.
pub fn order<'a>(
    certificates: &'a [Vec<u8>],
    public_keys: &[&[u8]],
    work: &mut Work,
) -> Result<Vec<&'a [u8]>, ContentError> {
    let Chain { mut links, others, .. } = build(certificates, public_keys, work)?;
    links.extend(others);
    Ok(links)
}

/// Finds the chain among certificates. Duplicates are dropped.
///
/// The leaf is the certificate of the first of `public_keys` (contents of `subjectPublicKey`) that has a certificate.
/// If no key has one, the leaf is the first certificate that issued no other. If several certificates have the leaf's
/// key, the latest notBefore wins, whatever the time is.
///
/// If a certificate has several issuers, the first one or its latest renewal is next.
///
/// # Errors
/// There are too many certificates to compare, or too many with the same name.
pub fn build<'a>(
    certificates: &'a [Vec<u8>],
    public_keys: &[&[u8]],
    work: &mut Work,
) -> Result<Chain<'a>, ChainError> {
    if certificates.len() > MAX_CERTIFICATES {
        return Err(ChainError::TooManyCertificates { count: certificates.len(), most: MAX_CERTIFICATES });
    }
    let mut seen = HashSet::new();
    let candidates: Vec<_> =
        certificates.iter().filter(|der| seen.insert(*der)).map(|der| Candidate::new(der)).collect();
    let mut chain = Vec::with_capacity(candidates.len());
    let mut checks = SignatureChecks::granted(work);
    let mut next = leaf(&candidates, public_keys, &mut checks)?;
    while let Some(link) = next {
        chain.push(link);
        next = issuer(&candidates, &chain, link, &mut checks)?;
    }
    let ends_in_root = match chain.last() {
        Some(&last) => candidates[last].issued(&candidates[last], &mut checks)?,
        None => false,
    };
    let others = (0..candidates.len()).filter(|index| !chain.contains(index));
    let others = others.map(|index| candidates[index].der).collect();
    Ok(Chain { links: chain.iter().map(|link| candidates[*link].der).collect(), ends_in_root, others })
}

/// Returns the content of `subjectPublicKey` of a certificate; `None` if it is not X.509.
pub fn public_key(certificate: &[u8]) -> Option<Vec<u8>> {
    Candidate::new(certificate).public_key().map(<[u8]>::to_vec)
}

/// Returns whether a certificate is one of an authority: its basic constraints say so (RFC 5280, section 4.2.1.9).
pub fn is_authority(certificate: &[u8]) -> bool {
    Candidate::new(certificate).is_authority()
}

fn leaf(
    candidates: &[Candidate<'_>],
    public_keys: &[&[u8]],
    checks: &mut SignatureChecks<'_>,
) -> Result<Option<usize>, ChainError> {
    if let Some(leaf) = public_keys.iter().find_map(|key| newest(candidates, |other| other.has_key(key))) {
        return Ok(Some(leaf));
    }
    let of_the_same_key = |leaf: &Candidate<'_>| {
        newest(candidates, |other| leaf.public_key().is_some_and(|key| other.has_key(key)))
    };
    'candidates: for candidate in candidates.iter().filter(|candidate| candidate.is_readable()) {
        for other in candidates {
            if other.der != candidate.der && candidate.issued(other, checks)? {
                continue 'candidates;
            }
        }
        return Ok(of_the_same_key(candidate));
    }
    // Renewals of a self-signed certificate issue each other, so every candidate may issue another.
    Ok(candidates.iter().find(|candidate| candidate.is_readable()).and_then(of_the_same_key))
}

/// Returns the certificate with the latest notBefore; of equal ones, the first.
fn newest(candidates: &[Candidate<'_>], wanted: impl Fn(&Candidate<'_>) -> bool) -> Option<usize> {
    let wanted = (0..candidates.len()).rev().filter(|index| wanted(&candidates[*index]));
    wanted.max_by_key(|index| candidates[*index].not_before())
}

/// Returns the issuer of `link`, or `None` if `link` is a root or no unused certificate issued it.
fn issuer(
    candidates: &[Candidate<'_>],
    chain: &[usize],
    link: usize,
    checks: &mut SignatureChecks<'_>,
) -> Result<Option<usize>, ChainError> {
    let link = &candidates[link];
    if link.issued(link, checks)? {
        return Ok(None);
    }
    let unlinked = |other: &Candidate<'_>| !chain.iter().any(|linked| candidates[*linked].der == other.der);
    for candidate in candidates.iter().filter(|candidate| unlinked(candidate)) {
        if candidate.issued(link, checks)? {
            return Ok(newest(candidates, |other| unlinked(other) && candidate.is_renewal_of(other)));
        }
    }
    Ok(None)
}

/// Key Vault stores at most 25 KB, which is about 20 certificates.
const MAX_CERTIFICATES: usize = 100;

#[cfg(test)]
mod tests;
