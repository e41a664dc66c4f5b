//! Merge keys of YAML (<https://yaml.org/type/merge.html>): `<<: *common` stands for the entries of another map.

use std::{collections::HashSet, mem};

use granit_parser::ScalarStyle;

use super::node::{Content, Node};

/// Replaces the merge keys of a map by the entries that they stand for. An entry of the map itself takes precedence, and
/// then the first map that has the key. A merge key of anything else than maps stays.
pub(super) fn expand(node: &mut Node) {
    let Content::Map(entries) = &mut node.content else { return };
    if !entries.iter().any(is_merge) {
        return;
    }
    let (merges, own): (Vec<_>, Vec<_>) = mem::take(entries).into_iter().partition(is_merge);
    *entries = own;
    let mut keys: HashSet<String> =
        entries.iter().filter_map(|(key, _)| key.scalar()).map(str::to_owned).collect();
    for map in merges.into_iter().flat_map(|(_, value)| maps(value)) {
        for (key, value) in expanded(map) {
            if key.scalar().is_none_or(|key| keys.insert(key.to_owned())) {
                entries.push((key, value));
            }
        }
    }
}

fn is_merge((key, value): &(Node, Node)) -> bool {
    let is_map = |node: &Node| matches!(node.content, Content::Map(_));
    // A quoted << is an ordinary key.
    let is_merge_key = matches!(
        &key.content,
        Content::Scalar { value, style: ScalarStyle::Plain, .. } if value == "<<"
    );
    let has_maps = match &value.content {
        Content::List(items) => items.iter().all(is_map),
        Content::Map(_) | Content::Scalar { .. } => is_map(value),
    };
    is_merge_key && has_maps
}

/// Returns the maps of a merge key's value: the value itself, or the items of a list.
fn maps(value: Node) -> Vec<Node> {
    match value {
        Node { content: Content::List(items), .. } => items,
        map => vec![map],
    }
}

/// Returns the entries of a map, which may have merge keys of its own.
fn expanded(mut map: Node) -> Vec<(Node, Node)> {
    expand(&mut map);
    match map.content {
        Content::Map(entries) => entries,
        Content::Scalar { .. } | Content::List(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::node::Documents, *};

    /// Returns the keys and values of the map below `map`, as its merge keys give them.
    fn merged(text: &str) -> Vec<(String, String)> {
        let mut map = Documents::of(text).next().unwrap().unwrap().get("map").unwrap().clone();
        expand(&mut map);
        map.entries().iter().map(|(key, value)| (key.to_text(), value.to_text())).collect()
    }

    #[test]
    fn entries_of_other_maps_are_added() {
        let text = "a: &a {x: a, w: a}\nb: &b {x: b, z: b}\nmap: ";
        for (map, expected) in [
            ("{k: v}", "k=v"),
            ("{k: v, <<: *a}", "k=v x=a w=a"),
            ("{<<: *a, x: own}", "x=own w=a"),
            ("{x: own, <<: *a}", "x=own w=a"),
            ("{<<: [*b, *a]}", "x=b z=b w=a"),
            ("{<<: [*a, *b], z: own}", "z=own x=a w=a"),
            ("{<<: {<<: *a, w: nested}}", "w=nested x=a"),
            ("{<<: []}", ""),
            // No merge keys.
            ("{<<: text}", "<<=text"),
            ("{<<: [*a, text]}", "<<=[{\"x\": \"a\", \"w\": \"a\"}, \"text\"]"),
            ("{'<<': *a}", "<<={\"x\": \"a\", \"w\": \"a\"}"),
            ("[*a]", ""),
        ] {
            let found = merged(&format!("{text}{map}\n"));
            let found: Vec<String> = found.iter().map(|(key, value)| format!("{key}={value}")).collect();
            assert_eq!(found.join(" "), expected, "{map}");
        }
    }

    #[test]
    fn merged_entries_stand_where_they_are_written() {
        let text = "a: &a {x: HERE}\nmap: {<<: *a}\n";
        let mut map = Documents::of(text).next().unwrap().unwrap().get("map").unwrap().clone();
        expand(&mut map);
        assert_eq!(&text[map.get("x").unwrap().span.clone()], "HERE");
    }
}
