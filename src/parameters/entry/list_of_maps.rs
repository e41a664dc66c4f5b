//! Parses a list of maps in an entry, such as `jmesPath`.

use crate::parameters::{error::Problems, fields::Element};

use super::reader::Reader;

/// What the maps of a list have in common.
pub(super) struct ListOfMaps {
    /// The list's field.
    pub(super) field: &'static str,
    /// What the list belongs to, with its article.
    pub(super) owner: &'static str,
    /// The most maps of one list.
    pub(super) most: usize,
    /// A sentence with a map, for messages.
    pub(super) example: &'static str,
}

impl ListOfMaps {
    /// Parses each map with `parse`, which gets its index, and returns `None` after it added a problem. Returns `None` if
    /// any map has a problem, or if there are none or too many. Of too many, the first ones are parsed.
    pub(super) fn parse<F, T>(
        &self,
        reader: &Reader<'_>,
        maps: &[Element<F>],
        problems: &mut Problems,
        mut parse: impl FnMut(&Reader<'_>, usize, &F, &mut Problems) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Self { field, owner, most, example } = self;
        if !(1..=*most).contains(&maps.len()) {
            let reason = format!("has {} items; {owner} has 1 to {most}", maps.len());
            problems.push(reader.wrong(field, reason));
        }
        let mut parsed = Vec::with_capacity(maps.len().min(*most));
        for (index, map) in maps.iter().take(*most).enumerate() {
            let field = format!("{}.{field}[{index}]", reader.field);
            let reader = reader.nested(&field);
            match map {
                Element::Fields(map) => parsed.extend(parse(&reader, index, map, problems)),
                Element::Other(Some(kind)) => {
                    problems.push(reader.wrong_map(format!("is {kind}, not a map; {example}")));
                }
                Element::Other(None) => problems.push(reader.wrong_map(format!("is empty; {example}"))),
            }
        }
        (!parsed.is_empty() && parsed.len() == maps.len()).then_some(parsed)
    }
}
