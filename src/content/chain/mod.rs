//! The order of certificates: leaf, intermediates, root, and then what belongs to another chain.

mod issuance;

use super::error::ContentError;
use issuance::{Candidate, SignatureChecks};

/// `--construct-pem-chain`: the order in which the certificates of an archive are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChainOrder {
    /// Leaf first, each certificate followed by its issuer.
    #[default]
    Construct,
    /// As they are in the archive.
    AsStored,
}

/// Orders certificates from the leaf to the root.
///
/// The leaf is the certificate of the first of `public_keys` (contents of `subjectPublicKey`) that has one;
/// without such a key, the first certificate that issues no other. Of several issuers of a certificate the first
/// one counts. What is not in the chain (also second copies, and what is not X.509) follows as it is stored, so
/// each certificate comes out exactly once.
///
/// # Errors
/// There are too many certificates to compare them all, or too many of the same name.
pub fn order<'a>(certificates: &'a [Vec<u8>], public_keys: &[&[u8]]) -> Result<Vec<&'a [u8]>, ContentError> {
    if certificates.len() > MOST_CERTIFICATES {
        return Err(ContentError::TooManyCertificates { count: certificates.len(), most: MOST_CERTIFICATES });
    }
    let candidates: Vec<_> = certificates.iter().map(|der| Candidate::new(der)).collect();
    let mut chain = Vec::with_capacity(candidates.len());
    let mut checks = SignatureChecks::granted();
    let mut next = leaf(&candidates, public_keys, &mut checks)?;
    while let Some(link) = next {
        chain.push(link);
        next = issuer(&candidates, &chain, link, &mut checks)?;
    }
    let others = (0..candidates.len()).filter(|index| !chain.contains(index));
    Ok(chain.iter().copied().chain(others).map(|index| candidates[index].der).collect())
}

fn leaf(
    candidates: &[Candidate<'_>],
    public_keys: &[&[u8]],
    checks: &mut SignatureChecks,
) -> Result<Option<usize>, ContentError> {
    let of_key = |key: &&[u8]| candidates.iter().position(|candidate| candidate.public_key() == Some(*key));
    if let Some(leaf) = public_keys.iter().find_map(of_key) {
        return Ok(Some(leaf));
    }
    'candidates: for (index, candidate) in candidates.iter().enumerate() {
        if !candidate.is_readable() {
            continue;
        }
        for other in candidates {
            if other.der != candidate.der && candidate.issued(other, checks)? {
                continue 'candidates;
            }
        }
        return Ok(Some(index));
    }
    Ok(None)
}

/// The issuer of the last link, unless that one is a root.
fn issuer(
    candidates: &[Candidate<'_>],
    chain: &[usize],
    link: usize,
    checks: &mut SignatureChecks,
) -> Result<Option<usize>, ContentError> {
    let link = &candidates[link];
    if link.issued(link, checks)? {
        return Ok(None);
    }
    for (index, candidate) in candidates.iter().enumerate() {
        let is_linked = chain.iter().any(|&linked| candidates[linked].der == candidate.der);
        if !is_linked && candidate.issued(link, checks)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// Key Vault keeps 25 KB, which is about 20 certificates.
const MOST_CERTIFICATES: usize = 100;

#[cfg(test)]
mod tests;
