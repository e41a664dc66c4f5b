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

    /// Spends `iterations` times `hashes`; must be called before the hashing.
    pub(super) fn spend(&mut self, iterations: u32, hashes: u64) -> Result<(), Pkcs12Error> {
        let hashes = u64::from(iterations).saturating_mul(hashes);
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

/// About one second of hashing, and enough for a million iterations in each of the three usual places.
const GRANTED: u64 = 8_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_bounded_over_all_parts() {
        let mut of_mount = Work::of_mount();
        let mut work = ArchiveWork::granted(&mut of_mount);
        work.spend(1_000_000, 7).unwrap();
        work.spend(1_000_000, 1).unwrap();
        assert_eq!(work.spend(1, 1), Err(Pkcs12Error::TooMuchWork));
        let mut other = ArchiveWork::granted(&mut of_mount);
        assert_eq!(other.spend(u32::MAX, u64::MAX), Err(Pkcs12Error::TooMuchWork));
    }

    #[test]
    fn archives_of_one_mount_share_their_work() {
        let mut of_mount = Work::of_mount();
        for _ in 0..3 {
            ArchiveWork::granted(&mut of_mount).spend(8_000_000, 1).unwrap();
        }
        let error = ArchiveWork::granted(&mut of_mount).spend(1, 1);
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
