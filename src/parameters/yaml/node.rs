//! The nodes of a YAML text, of any kind.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::scalar::Reading;

/// The kind of a YAML node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::parameters) enum Kind {
    List,
    Map,
    Text,
    Number,
    Boolean,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "a list",
            Self::Map => "a map",
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
        })
    }
}

/// A type that is read from nodes of some kinds, and that records the kind of other nodes.
///
/// Implementations for lists and maps must read all items.
pub(in crate::parameters) trait Node: Sized {
    /// Returns the value of a null node, or of an empty text.
    fn null() -> Self;

    /// Returns the value of a node of an unsupported kind.
    fn other(kind: Kind) -> Self;

    /// Returns the value of a text.
    fn text(_: &str) -> Self {
        Self::other(Kind::Text)
    }

    /// Reads a list.
    fn list<'de, A: SeqAccess<'de>>(mut list: A, _: Reading<'_>) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::other(Kind::List))
    }

    /// Reads a map.
    fn map<'de, A: MapAccess<'de>>(mut map: A, _: Reading<'_>) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::other(Kind::Map))
    }

    /// Reads a node of any kind.
    fn read<'de, D: Deserializer<'de>>(deserializer: D, reading: Reading<'_>) -> Result<Self, D::Error> {
        by_kind(deserializer, reading)
    }

    /// Returns the kind of a list or a map in place of a scalar.
    fn misplaced(&self) -> Option<Kind> {
        None
    }
}

/// Reads a node as its kind says.
pub(super) fn by_kind<'de, T: Node, D: Deserializer<'de>>(
    deserializer: D,
    reading: Reading<'_>,
) -> Result<T, D::Error> {
    deserializer.deserialize_any(NodeVisitor { reading, node: PhantomData })
}

/// A wrapper that deserializes a node of any kind.
pub(in crate::parameters) struct Any<T>(pub(in crate::parameters) T);

impl<'de, T: Node> Deserialize<'de> for Any<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer, Reading::Strict).map(Self)
    }
}

/// A seed that deserializes a node of any kind.
pub(in crate::parameters) struct Seed<'a, T> {
    reading: Reading<'a>,
    node: PhantomData<T>,
}

impl<'a> Reading<'a> {
    /// Returns the seed of a node.
    pub(in crate::parameters) fn seed<T: Node>(self) -> Seed<'a, T> {
        Seed { reading: self, node: PhantomData }
    }
}

impl<'de, T: Node> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::read(deserializer, self.reading)
    }
}

struct NodeVisitor<'a, T> {
    reading: Reading<'a>,
    node: PhantomData<T>,
}

impl<'de, T: Node> Visitor<'de> for NodeVisitor<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::null())
    }

    fn visit_none<E>(self) -> Result<T, E> {
        Ok(T::null())
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::other(Kind::Boolean))
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::other(Kind::Number))
    }

    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(T::other(Kind::Number))
    }

    fn visit_i128<E>(self, _: i128) -> Result<T, E> {
        Ok(T::other(Kind::Number))
    }

    fn visit_u128<E>(self, _: u128) -> Result<T, E> {
        Ok(T::other(Kind::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::other(Kind::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list, self.reading)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::map(map, self.reading)
    }
}

/// The key of a map, if it is a text.
pub(in crate::parameters) struct Key(pub(in crate::parameters) Option<String>);

impl Node for Key {
    fn null() -> Self {
        Self(None)
    }

    fn other(_: Kind) -> Self {
        Self(None)
    }

    fn text(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
}
