//! The scalars of a YAML text, and the lists and maps in their place.

use std::{cell::RefCell, collections::VecDeque};

use serde::{Deserialize, Deserializer, de::IgnoredAny};

use super::node::{self, Kind, Node};

/// The value of a field that is a scalar.
#[derive(Default)]
pub(in crate::parameters) enum Scalar {
    /// The field is absent or null.
    #[default]
    Absent,
    /// The text as written, of a scalar of any kind: `0600` stays `0600`.
    Text(String),
    /// A list or a map, whose content is not kept.
    Other(Kind),
}

/// How the scalars of a text are read.
///
/// The YAML parser reads a node either as a text or as its kind says. It fails at a list in place of a text, and by
/// kind a number has no text. So a text with a list or a map in place of a scalar is read again in two passes.
#[derive(Clone, Copy)]
pub(in crate::parameters) enum Reading<'a> {
    /// Reads texts. A list or a map in place of one is an error of the whole text.
    Strict,
    /// Reads kinds alone, and notes them in the order of the text. `None` is a scalar.
    Kinds(&'a RefCell<VecDeque<Option<Kind>>>),
    /// Reads texts, but for the lists and maps that were noted.
    Known(&'a RefCell<VecDeque<Option<Kind>>>),
}

impl Scalar {
    /// Returns the text as written.
    pub(in crate::parameters) fn written(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Absent | Self::Other(_) => None,
        }
    }

    pub(in crate::parameters) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl Node for Scalar {
    fn null() -> Self {
        Self::Absent
    }

    fn other(kind: Kind) -> Self {
        match kind {
            Kind::List | Kind::Map => Self::Other(kind),
            // By its kind alone, a scalar has no text.
            Kind::Text | Kind::Number | Kind::Boolean => Self::Text(String::new()),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D, reading: Reading<'_>) -> Result<Self, D::Error> {
        let misplaced = match reading {
            Reading::Strict => None,
            Reading::Kinds(kinds) => {
                let scalar: Self = node::by_kind(deserializer, reading)?;
                kinds.borrow_mut().push_back(scalar.misplaced());
                return Ok(scalar);
            }
            Reading::Known(kinds) => kinds.borrow_mut().pop_front().flatten(),
        };
        if let Some(kind) = misplaced {
            IgnoredAny::deserialize(deserializer)?;
            return Ok(Self::Other(kind));
        }
        Ok(Option::<String>::deserialize(deserializer)?.map_or(Self::Absent, Self::Text))
    }

    fn misplaced(&self) -> Option<Kind> {
        match self {
            Self::Other(kind) => Some(*kind),
            Self::Absent | Self::Text(_) => None,
        }
    }
}
