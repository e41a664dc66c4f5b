//! A bound on the key derivation work of an archive.

use der::asn1::IntRef;

use super::Pkcs12Error;
use crate::content::work::{TooMuchTogether, Work};

/// The hash computations that remain for an archive, over all of its parts.
#[derive(Debug)]
pub(super) struct ArchiveWork<'a> {
    left: u64,
    of_mount: &'a mut Work,
}

impl<'a> ArchiveWork<'a> {
    pub(super) fn granted(of_mount: &'a mut Work) -> Self {
        Self { left: GRANTED, of_mount }
    }

    /// Spends the work of `hashes` chains of `iterations`, each of which begins with `salt` and `password`; must be
    /// called before the hashing.
    pub(super) fn spend(
        &mut self,
        iterations: u32,
        hashes: u64,
        salt: &[u8],
        password: &[u8],
    ) -> Result<(), Pkcs12Error> {
        let blocks = (salt.len().div_ceil(BLOCK_BYTES) + password.len().div_ceil(BLOCK_BYTES)) as u64;
        // PKCS#12 hashes each block, and then adds the result to it byte by byte, which takes as long.
        let hashes = (u64::from(iterations) + 2 * blocks).saturating_mul(hashes);
        self.left = self.left.checked_sub(hashes).ok_or(Pkcs12Error::TooMuchWork)?;
        self.of_mount.spend_hashes(hashes).map_err(|TooMuchTogether| Pkcs12Error::TooMuchWorkTogether)
    }
}

/// Parses the iteration count of a key derivation, which is at least one.
pub(super) fn iterations(stored: IntRef<'_>) -> Result<u32, Pkcs12Error> {
    let (&first, rest) = stored.as_bytes().split_first().ok_or(Pkcs12Error::Iterations)?;
    if first & 0x80 != 0 {
        return Err(Pkcs12Error::Iterations);
    }
    let count = std::iter::once(&first)
        .chain(rest)
        .try_fold(0_u32, |count, &byte| count.checked_mul(256)?.checked_add(u32::from(byte)))
        .ok_or(Pkcs12Error::TooMuchWork)?;
    if count == 0 { Err(Pkcs12Error::Iterations) } else { Ok(count) }
}

/// The block of SHA-1 and SHA-256, in bytes. Each iteration after the first hashes one block.
const BLOCK_BYTES: usize = 64;

/// About one second of hashing, and enough for a million iterations in each of the three usual places.
const GRANTED: u64 = 8_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_bounded_over_all_parts() {
        let mut of_mount = Work::of_mount();
        let mut work = ArchiveWork::granted(&mut of_mount);
        work.spend(1_000_000, 7, &[], &[]).unwrap();
        work.spend(1_000_000, 1, &[], &[]).unwrap();
        assert_eq!(work.spend(1, 1, &[], &[]), Err(Pkcs12Error::TooMuchWork));
        let mut other = ArchiveWork::granted(&mut of_mount);
        assert_eq!(other.spend(u32::MAX, u64::MAX, &[0; 8], &[0; 8]), Err(Pkcs12Error::TooMuchWork));
    }

    #[test]
    fn long_salts_and_passwords_count_in_blocks() {
        let mut of_mount = Work::of_mount();
        let mut work = ArchiveWork::granted(&mut of_mount);
        let mut spent = |salt, password| {
            let before = work.left;
            work.spend(1, 3, &vec![0; salt], &vec![0; password]).unwrap();
            before - work.left
        };
        assert_eq!([spent(0, 0), spent(8, 2), spent(64, 65), spent(8, 50_002)], [3, 15, 21, 4_701]);
    }

    #[test]
    fn ordinary_archives_are_within_the_work_of_one_archive() {
        for iterations in [2_048, 600_000] {
            let mut of_mount = Work::of_mount();
            let mut work = ArchiveWork::granted(&mut of_mount);
            // The MAC, and the certificates and the key under PBES2.
            for hashes in [1, 4, 4] {
                work.spend(iterations, hashes, &[0; 20], &[0; 202]).unwrap();
            }
        }
    }

    #[test]
    fn archives_of_one_mount_share_their_work() {
        let mut of_mount = Work::of_mount();
        for _ in 0..3 {
            ArchiveWork::granted(&mut of_mount).spend(8_000_000, 1, &[], &[]).unwrap();
        }
        let error = ArchiveWork::granted(&mut of_mount).spend(1, 1, &[], &[]);
        assert_eq!(error, Err(Pkcs12Error::TooMuchWorkTogether));
    }

    #[test]
    fn iteration_counts_are_positive_and_bounded() {
        let rows: [(&str, &[u8], Result<u32, Pkcs12Error>); 7] = [
            ("one", &[1], Ok(1)),
            ("common", &[0x08, 0x00], Ok(2048)),
            ("high bit", &[0, 0xff, 0xff], Ok(65535)),
            ("largest", &[0, 0xff, 0xff, 0xff, 0xff], Ok(u32::MAX)),
            ("zero", &[0], Err(Pkcs12Error::Iterations)),
            ("negative", &[0xff], Err(Pkcs12Error::Iterations)),
            ("beyond 32 bits", &[1, 0, 0, 0, 0], Err(Pkcs12Error::TooMuchWork)),
        ];
        for (label, bytes, expected) in rows {
            assert_eq!(iterations(IntRef::new(bytes).unwrap()), expected, "{label}");
        }
    }
}
