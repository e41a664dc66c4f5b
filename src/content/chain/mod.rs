//! The order of certificates: leaf, intermediates, root, and then what belongs to another chain.

mod issuance;

use super::error::ContentError;
use issuance::Candidate;

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
/// There are too many certificates to compare them all.
pub fn order<'a>(certificates: &'a [Vec<u8>], public_keys: &[&[u8]]) -> Result<Vec<&'a [u8]>, ContentError> {
    if certificates.len() > MOST_CERTIFICATES {
        return Err(ContentError::TooManyCertificates { count: certificates.len(), most: MOST_CERTIFICATES });
    }
    let candidates: Vec<_> = certificates.iter().map(|der| Candidate::new(der)).collect();
    let mut chain = Vec::with_capacity(candidates.len());
    let mut next = leaf(&candidates, public_keys);
    while let Some(link) = next {
        chain.push(link);
        next = issuer(&candidates, &chain, link);
    }
    let others = (0..candidates.len()).filter(|index| !chain.contains(index));
    Ok(chain.iter().copied().chain(others).map(|index| candidates[index].der).collect())
}

fn leaf(candidates: &[Candidate<'_>], public_keys: &[&[u8]]) -> Option<usize> {
    let of_key = |key: &&[u8]| candidates.iter().position(|candidate| candidate.public_key() == Some(*key));
    public_keys.iter().find_map(of_key).or_else(|| {
        candidates.iter().position(|candidate| {
            candidate.is_readable()
                && !candidates.iter().any(|other| other.der != candidate.der && candidate.issued(other))
        })
    })
}

/// The issuer of the last link, unless that one is a root.
fn issuer(candidates: &[Candidate<'_>], chain: &[usize], link: usize) -> Option<usize> {
    let link = &candidates[link];
    if link.issued(link) {
        return None;
    }
    candidates.iter().position(|candidate| {
        !chain.iter().any(|&linked| candidates[linked].der == candidate.der) && candidate.issued(link)
    })
}

/// Key Vault keeps 25 KB, which is about 20 certificates; comparing each with each takes this many squared
/// signature checks at worst.
const MOST_CERTIFICATES: usize = 100;

#[cfg(test)]
mod tests;
