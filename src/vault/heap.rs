//! Sizes of blocks of memory, by which caches and lists are bounded.

/// Returns what a block of this length takes, in bytes: glibc adds 8 to it, and rounds up to 16 and at least to 32.
pub(super) fn block(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        bytes => (bytes + 8).next_multiple_of(16).max(32),
    }
}

/// Returns what a text takes that many owners share, in bytes. Two counts precede it.
pub(super) fn shared_text(text: &str) -> usize {
    block(2 * size_of::<usize>() + text.len())
}

/// Returns what a map of texts takes, in bytes. A [`BTreeMap`](std::collections::BTreeMap) has nodes with room for
/// eleven entries; up to ten entries are in one node, and up to fifteen in two and a root.
pub(super) fn map_nodes<T>(entries: usize) -> usize {
    const ROOM: usize = 11;
    let node = block(ROOM * size_of::<T>() + 2 * size_of::<usize>());
    match entries {
        0 => 0,
        1..ROOM => node,
        _ => entries.div_ceil(ROOM / 2) * node + (ROOM + 1) * size_of::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_blocks_take_more_than_their_length() {
        assert_eq!([0, 1, 24, 25, 40, 1_000].map(block), [0, 32, 32, 48, 48, 1_008]);
        assert_eq!(shared_text("0a1b2c3d4e5f60718293a4b5c6d7e8f9"), 64);
        assert_eq!([0, 1, 10].map(map_nodes::<(String, String)>), [0, 560, 560]);
    }
}
