//! Parses the replacements in found names: `rewrite`.

use crate::{
    parameters::{
        error::Problems,
        fields::{ListOf, MapOf, fields},
        yaml::Scalar,
    },
    spec::{
        pattern::Regexp,
        rewrite::{Rewrite, Target},
    },
};

use super::{list_of_maps::ListOfMaps, reader::Reader};

fields! {
    /// The fields of an item of `rewrite` as the user wrote them.
    struct RewriteFields;
    /// Every field of an item of `rewrite`.
    pub const REWRITE_FIELDS;
    regexp: MapOf<RegexpFields> = "regexp",
}

fields! {
    /// The fields of `regexp` of an item of `rewrite` as the user wrote them.
    struct RegexpFields;
    /// Every field of `regexp` of an item of `rewrite`.
    pub const REWRITE_REGEXP_FIELDS;
    source: Scalar = "source",
    target: Scalar = "target",
}

/// Most replacements of one entry.
const MAX_REWRITES: usize = 8;

const EXAMPLE: &str = "an item looks like {regexp: {source: ^shop-, target: \"\"}}";

/// Parses `rewrite`. On failure, returns `None` and adds at least one problem.
pub(super) fn parse(
    reader: &Reader<'_>,
    rewrites: &ListOf<RewriteFields>,
    problems: &mut Problems,
) -> Option<Vec<Rewrite>> {
    let items = match rewrites {
        ListOf::Absent => return Some(Vec::new()),
        ListOf::Items(items) => items,
        ListOf::Other(kind) => {
            problems.push(reader.wrong("rewrite", format!("is {kind}, not a list; {EXAMPLE}")));
            return None;
        }
    };
    let list = ListOfMaps { field: "rewrite", owner: "an entry", most: MAX_REWRITES, example: EXAMPLE };
    list.parse(reader, items, problems, |reader, _, item, problems| rewrite(reader, item, problems))
}

fn rewrite(reader: &Reader<'_>, item: &RewriteFields, problems: &mut Problems) -> Option<Rewrite> {
    reader.refuse_unknown(&item.unknown, REWRITE_FIELDS, problems);
    let fields = match &item.regexp {
        MapOf::Fields(fields) => fields,
        MapOf::Absent => {
            problems.push(reader.wrong("regexp", format!("is not set; {EXAMPLE}")));
            return None;
        }
        MapOf::Other(kind) => {
            problems.push(reader.wrong("regexp", format!("is {kind}, not a map; {EXAMPLE}")));
            return None;
        }
    };
    let field = format!("{}.regexp", reader.field);
    let reader = reader.nested(&field);
    reader.refuse_unknown(&fields.unknown, REWRITE_REGEXP_FIELDS, problems);
    // Neither is trimmed: a blank may be meant.
    let source = reader.written("source", &fields.source).and_then(|source| match source {
        Some(source) => reader.value::<Regexp>("source", source),
        None => Err(reader.wrong("source", format!("is not set; {EXAMPLE}"))),
    });
    let target = reader.written("target", &fields.target).and_then(|target| match target {
        Some(target) => reader.value::<Target>("target", target),
        None => Err(reader.wrong("target", "is not set; write \"\" to remove what source matches")),
    });
    let (source, target) = (problems.catch(source), problems.catch(target));
    problems.catch(Rewrite::new(source?, target?).map_err(|error| reader.wrong("target", error)))
}
