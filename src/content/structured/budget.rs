//! The bounds of a structured value.

/// Deepest nesting of maps and lists.
const MAX_DEPTH: usize = 32;

/// Most keys of all maps together.
const MAX_KEYS: usize = 1_000;

/// Most values of all kinds. Key Vault stores 25 KB in a secret, which hold half as many.
const MAX_VALUES: usize = 25_000;

/// Most bytes of text, with each alias of YAML expanded.
const MAX_BYTES: usize = 1 << 20;

/// A bound that a value exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bound {
    /// Maps and lists nest too deep.
    #[error("it nests deeper than {MAX_DEPTH} levels")]
    Depth,
    /// There are too many keys.
    #[error("it has more than {MAX_KEYS} keys")]
    Keys,
    /// There are too many values.
    #[error("it has more than {MAX_VALUES} values")]
    Values,
    /// There is too much text.
    #[error("it has more than {MAX_BYTES} bytes, aliases included")]
    Bytes,
}

/// What a document may still hold.
#[derive(Debug, Default)]
pub(super) struct Budget {
    pub(super) used: Size,
}

/// The size of a document, or of a part of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) keys: usize,
    pub(super) values: usize,
    pub(super) bytes: usize,
}

impl Budget {
    /// Checks the depth of a map or list; the outermost has depth 1.
    pub(super) fn enter(depth: usize) -> Result<(), Bound> {
        if depth > MAX_DEPTH { Err(Bound::Depth) } else { Ok(()) }
    }

    pub(super) fn key(&mut self, bytes: usize) -> Result<(), Bound> {
        self.add(Size { keys: 1, values: 0, bytes })
    }

    pub(super) fn value(&mut self, bytes: usize) -> Result<(), Bound> {
        self.add(Size { keys: 0, values: 1, bytes })
    }

    pub(super) fn add(&mut self, size: Size) -> Result<(), Bound> {
        let used = &mut self.used;
        used.keys = used.keys.saturating_add(size.keys);
        used.values = used.values.saturating_add(size.values);
        used.bytes = used.bytes.saturating_add(size.bytes);
        match used {
            Size { keys, .. } if *keys > MAX_KEYS => Err(Bound::Keys),
            Size { values, .. } if *values > MAX_VALUES => Err(Bound::Values),
            Size { bytes, .. } if *bytes > MAX_BYTES => Err(Bound::Bytes),
            _ => Ok(()),
        }
    }
}

impl Size {
    /// Returns what this size has beyond an earlier one.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            keys: self.keys - before.keys,
            values: self.values - before.values,
            bytes: self.bytes - before.bytes,
        }
    }
}

impl From<Bound> for super::StructureError {
    fn from(bound: Bound) -> Self {
        Self::TooMuch(bound)
    }
}
