//! A bound of the computations that all conversions of one mount may take.
//!
//! Each archive and each chain has a bound of its own, of about a second. A mount can have hundreds of them.

/// The most hash computations to open all archives of a mount: about three seconds. An archive of OpenSSL or Key Vault
/// takes about 10,000, and one with 100,000 iterations about 300,000.
const MAX_HASHES: u64 = 24_000_000;

/// A multiplication on the slowest curve, which gives the public key of a private key, takes as long as this many hashes.
const HASHES_PER_KEY: u64 = 2_000;

/// The most signature checks to order all certificates of a mount: a few seconds with the slowest algorithm. A chain
/// of three takes less than 20.
const MAX_SIGNATURES: usize = 8_000;

/// The most bytes of structured values that a mount parses: about three seconds of YAML. A value is parsed again where
/// entries alternate between more values than are kept.
const MAX_PARSED: usize = 12 << 20;

/// The computations that the conversions of one mount may still take.
#[derive(Debug)]
pub struct Work {
    hashes: u64,
    signatures: usize,
    parsed: usize,
}

/// All archives, chains or structured values of a mount together take too much work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuchTogether;

impl Work {
    /// Returns the work that is granted to a mount.
    pub fn of_mount() -> Self {
        Self { hashes: MAX_HASHES, signatures: MAX_SIGNATURES, parsed: MAX_PARSED }
    }

    pub(super) fn spend_hashes(&mut self, hashes: u64) -> Result<(), TooMuchTogether> {
        self.hashes = self.hashes.checked_sub(hashes).ok_or(TooMuchTogether)?;
        Ok(())
    }

    /// Spends the work to read this many private keys.
    pub(super) fn spend_keys(&mut self, keys: usize) -> Result<(), TooMuchTogether> {
        self.spend_hashes(HASHES_PER_KEY * keys as u64)
    }

    /// Spends the work to parse a text of this length.
    ///
    /// # Errors
    /// The mount has parsed too much.
    pub fn spend_parsed(&mut self, bytes: usize) -> Result<(), TooMuchTogether> {
        self.parsed = self.parsed.checked_sub(bytes).ok_or(TooMuchTogether)?;
        Ok(())
    }

    pub(super) fn spend_signature(&mut self) -> Result<(), TooMuchTogether> {
        self.signatures = self.signatures.checked_sub(1).ok_or(TooMuchTogether)?;
        Ok(())
    }
}
