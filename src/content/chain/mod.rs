//! The order of certificates: leaf, intermediates, root, and then unrelated certificates.

mod issuance;
mod roles;

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

/// Certificates of one source in their roles.
#[derive(Debug, PartialEq, Eq)]
pub struct Chain<'a> {
    /// From the leaf upwards. Each certificate is followed by its issuer. A root may follow that issued one of them in
    /// place of the next. Empty where no certificate is a leaf.
    pub links: Vec<&'a [u8]>,
    /// Whether the last link issued itself: it is a root, or a self-signed leaf.
    pub ends_in_root: bool,
    /// All certificates in the order of [`order`].
    pub in_order: Vec<&'a [u8]>,
    /// The index of the first certificate that is not X.509.
    pub unreadable: Option<usize>,
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

/// Orders certificates from the leaf to the root. Certificates outside the chain follow in the order of the archive,
/// also those that are not X.509. Duplicates are dropped.
///
/// The leaf is the certificate of the first of `public_keys` (contents of `subjectPublicKey`) that has a certificate.
/// If no key has one, the leaf is the first certificate that issued no other. If several certificates have the leaf's
/// key, the latest notBefore wins, whatever the time is.
///
/// If a certificate has several issuers, the first one or its latest renewal is next.
///
/// # Errors
/// There are too many certificates to compare, or too many with the same name.
pub fn order<'a>(
    certificates: &'a [Vec<u8>],
    public_keys: &[&[u8]],
    work: &mut Work,
) -> Result<Vec<&'a [u8]>, ContentError> {
    let candidates = distinct(certificates)?;
    let mut checks = SignatureChecks::granted(work);
    let leaf = leaf(&candidates, public_keys, &mut checks)?;
    let links = climb(&candidates, leaf, &mut checks)?;
    Ok(in_order(&candidates, &links))
}

/// Finds the roles of certificates that are written to separate files. Duplicates are dropped.
///
/// With `public_keys`, the leaf is that of [`order`]. Without them, it is the first certificate that issued no other
/// and is neither one of an authority nor self-signed, or its latest renewal. There may be no such certificate. A
/// single certificate that is not one of an authority is the leaf, also if it is self-signed.
///
/// The chain follows the first issuers, as that of [`order`], but a key of another family than that of the signature is
/// never the issuer's. Where a name is cross-signed, the issuer of the last certificate may be missing although a root
/// of the chain is there. Then this root is the last link.
///
/// # Errors
/// There are too many certificates to compare, or too many with the same name.
pub fn build<'a>(
    certificates: &'a [Vec<u8>],
    public_keys: &[&[u8]],
    work: &mut Work,
) -> Result<Chain<'a>, ChainError> {
    let candidates = distinct(certificates)?;
    let unreadable = candidates.iter().find(|candidate| !candidate.is_readable());
    let unreadable = unreadable.and_then(|found| certificates.iter().position(|der| *der == found.der));

    let mut checks = SignatureChecks::granted(work);
    let first = leaf(&candidates, public_keys, &mut checks)?;
    let in_file = climb(&candidates, first, &mut checks)?;
    let in_order = in_order(&candidates, &in_file);

    checks.compare_families();
    let leaf = match public_keys {
        [] => roles::leaf_without_key(&candidates, &mut checks)?,
        _ => first,
    };
    let mut links = climb(&candidates, leaf, &mut checks)?;
    let mut ends_in_root = match links.last() {
        Some(&last) => candidates[last].issued(&candidates[last], &mut checks)?,
        None => false,
    };
    if let Some(&leaf) = links.first()
        && !ends_in_root
        && let Some(root) = roles::nearest_root(&candidates, leaf, &mut checks)?
    {
        links.push(root);
        ends_in_root = true;
    }
    let links = links.iter().map(|link| candidates[*link].der).collect();
    Ok(Chain { links, ends_in_root, in_order, unreadable })
}

/// Returns the content of `subjectPublicKey` of a certificate; `None` if it is not X.509.
pub fn public_key(certificate: &[u8]) -> Option<Vec<u8>> {
    Candidate::new(0, certificate).public_key().map(<[u8]>::to_vec)
}

/// Parses the certificates, each of them once.
fn distinct(certificates: &[Vec<u8>]) -> Result<Vec<Candidate<'_>>, ChainError> {
    if certificates.len() > MAX_CERTIFICATES {
        return Err(ChainError::TooManyCertificates { count: certificates.len(), most: MAX_CERTIFICATES });
    }
    let mut seen = HashSet::new();
    let distinct = certificates.iter().filter(|der| seen.insert(*der));
    Ok(distinct.enumerate().map(|(index, der)| Candidate::new(index, der)).collect())
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

/// Returns the chain from `leaf` upwards, by the first issuer of each certificate or its latest renewal.
fn climb(
    candidates: &[Candidate<'_>],
    leaf: Option<usize>,
    checks: &mut SignatureChecks<'_>,
) -> Result<Vec<usize>, ChainError> {
    let mut chain = Vec::with_capacity(candidates.len());
    let mut next = leaf;
    while let Some(link) = next {
        chain.push(link);
        next = issuer(candidates, &chain, link, checks)?;
    }
    Ok(chain)
}

/// Returns the certificates of a chain, and then the others.
fn in_order<'a>(candidates: &[Candidate<'a>], chain: &[usize]) -> Vec<&'a [u8]> {
    let others = (0..candidates.len()).filter(|index| !chain.contains(index));
    chain.iter().copied().chain(others).map(|index| candidates[index].der).collect()
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
