//! The fields of a map that a user wrote: scalars with their text, nested lists and maps, and unknown names.

use serde::de::{MapAccess, SeqAccess};

use super::yaml::{Kind, Node, Reading};

/// A map with known fields.
pub(super) trait Fields: Sized {
    /// Reads the map.
    fn read<'de, A: MapAccess<'de>>(map: A, reading: Reading<'_>) -> Result<Self, A::Error>;

    /// Returns the names of the fields with a list or a map in place of a scalar, and which of the two.
    fn misplaced(&self) -> Vec<(&'static str, Kind)>;
}

/// Declares a map's fields, and the table of their names.
macro_rules! fields {
    (
        $(#[$doc:meta])*
        struct $fields:ident;
        $(#[$table_doc:meta])*
        pub const $table:ident;
        $($field:ident: $type:ty = $name:literal,)+
    ) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(in crate::parameters) struct $fields {
            $($field: $type,)+
            unknown: $crate::parameters::fields::Unknown,
        }

        impl $crate::parameters::fields::Fields for $fields {
            fn read<'de, A: serde::de::MapAccess<'de>>(
                mut map: A,
                reading: $crate::parameters::yaml::Reading<'_>,
            ) -> Result<Self, A::Error> {
                use $crate::parameters::yaml::{Any, Key};
                let mut fields = Self::default();
                while let Some(Any(Key(key))) = map.next_key()? {
                    let key = key.unwrap_or_default();
                    match key.as_str() {
                        $($name => fields.$field = map.next_value_seed(reading.seed::<$type>())?,)+
                        _ => {
                            map.next_value::<serde::de::IgnoredAny>()?;
                            fields.unknown.push(&key);
                        }
                    }
                }
                Ok(fields)
            }

            fn misplaced(&self) -> Vec<(&'static str, $crate::parameters::yaml::Kind)> {
                let fields = [$(($name, $crate::parameters::yaml::Node::misplaced(&self.$field)),)+];
                fields.into_iter().filter_map(|(name, kind)| Some((name, kind?))).collect()
            }
        }

        $(#[$table_doc])*
        pub const $table: &[&str] = &[$($name,)+];
    };
}

pub(super) use fields;

/// The names of a map's unknown fields: the first few, and the beginning of each.
#[derive(Default)]
pub(super) struct Unknown(Vec<String>);

/// Unknown names that are kept for each map.
const MAX_UNKNOWN: usize = 8;

/// Longest unknown name that is kept, in bytes.
const MAX_UNKNOWN_NAME: usize = 64;

impl Unknown {
    pub(super) fn push(&mut self, name: &str) {
        if self.0.len() < MAX_UNKNOWN {
            self.0.push(name[..name.floor_char_boundary(MAX_UNKNOWN_NAME)].to_owned());
        }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.0
    }
}

/// The value of a field that is a map.
#[derive(Default)]
pub(super) enum MapOf<T> {
    /// The field is absent or null.
    #[default]
    Absent,
    Fields(T),
    Other(Kind),
}

impl<T> MapOf<T> {
    /// Returns the fields, if there is a map.
    pub(super) fn fields(&self) -> Option<&T> {
        match self {
            Self::Fields(fields) => Some(fields),
            Self::Absent | Self::Other(_) => None,
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T: Fields> Node for MapOf<T> {
    fn null() -> Self {
        Self::Absent
    }

    fn other(kind: Kind) -> Self {
        Self::Other(kind)
    }

    fn map<'de, A: MapAccess<'de>>(map: A, reading: Reading<'_>) -> Result<Self, A::Error> {
        T::read(map, reading).map(Self::Fields)
    }
}

/// The value of a field that is a list of maps.
#[derive(Default)]
pub(super) enum ListOf<T> {
    /// The field is absent or null.
    #[default]
    Absent,
    Items(Vec<Element<T>>),
    Other(Kind),
}

/// An element of a list of maps.
pub(super) enum Element<T> {
    Fields(T),
    /// `None` is a null.
    Other(Option<Kind>),
}

impl<T> ListOf<T> {
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Returns the number of items.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Items(items) => items.len(),
            Self::Absent | Self::Other(_) => 0,
        }
    }
}

impl<T: Fields> Node for ListOf<T> {
    fn null() -> Self {
        Self::Absent
    }

    fn other(kind: Kind) -> Self {
        Self::Other(kind)
    }

    fn list<'de, A: SeqAccess<'de>>(mut list: A, reading: Reading<'_>) -> Result<Self, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(reading.seed::<Element<T>>())? {
            items.push(item);
        }
        Ok(Self::Items(items))
    }
}

impl<T: Fields> Node for Element<T> {
    fn null() -> Self {
        Self::Other(None)
    }

    fn other(kind: Kind) -> Self {
        Self::Other(Some(kind))
    }

    fn map<'de, A: MapAccess<'de>>(map: A, reading: Reading<'_>) -> Result<Self, A::Error> {
        T::read(map, reading).map(Self::Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_of_a_map_are_kept_up_to_a_bound() {
        let mut unknown = Unknown::default();
        for index in 0..1_000 {
            unknown.push(&format!("{index}{}", "ü".repeat(1 << 10)));
        }
        assert_eq!(unknown.names().len(), 8);
        assert!(unknown.names().iter().all(|name| (63..=64).contains(&name.len())), "{:?}", unknown.names());
    }
}
