//! A hash of several texts, as the key of a cache that must not keep the texts.

use aws_lc_rs::digest::{Context, SHA256};

/// Returns the SHA-256 hash of `parts`. Each part follows its length, so that no part can run into the next.
pub(crate) fn of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut key = [0; 32];
    key.copy_from_slice(hash.finish().as_ref());
    key
}
