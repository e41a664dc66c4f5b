//! Parses the `objects` parameter: YAML, in which each item is YAML again.

use std::sync::Arc;

use serde::de::{IgnoredAny, MapAccess, SeqAccess};
use serde_saphyr::Spanned;

use crate::spec::{
    excerpt::Excerpt, find::FindSpec, object::ObjectSpec, output::MAX_STORES, size, vault::VaultName,
};

use super::{
    attributes::{Attributes, OBJECTS},
    clash,
    entry::{self, ENTRY, Entry, Parsed},
    error::{Problem, Problems},
    fields::Fields as _,
    vaults,
    yaml::{self, AliasBudget, Any, Key, Kind, Lines, Node, Reading, Wanted},
};

/// What the entries ask for. Clones share it.
#[derive(Clone)]
pub(super) struct Requested {
    /// The objects that entries name.
    pub(super) objects: Arc<[ObjectSpec]>,
    /// The entries that find objects.
    pub(super) finds: Arc<[FindSpec]>,
}

/// Returns all objects and finds. On failure, returns `None` and adds at least one problem. `vaults` are the class's own vault and
/// the one to fail over to.
pub(super) fn parse(
    attributes: &Attributes,
    vaults: Option<(&VaultName, Option<&VaultName>)>,
    problems: &mut Problems,
) -> Option<Requested> {
    let text = problems.catch(attributes.required(OBJECTS))?;
    let mut aliases = AliasBudget::of_class();
    let (items, more) = problems.catch(items(text, &mut aliases))?;

    let count = items.len();
    if more > 0 {
        problems.push(too_many(count + more));
    }
    // `None` is an entry with a problem, which keeps the indices of the others.
    let mut entries: Vec<Option<Parsed>> = Vec::with_capacity(count.min(MAX_OBJECTS));
    let (mut count_of_finds, mut count_of_objects) = (0, 0);
    let mut lines = Lines::of(text);
    let mut items_of_entries = 0;
    let mut compiled = 0;
    for (index, Placed { item, line }) in items.into_iter().enumerate() {
        let field = format!("{OBJECTS}[{index}]");
        let mut own_text = None;
        let fields = match item {
            Item::Text(text) => entry::read(own_text.insert(text), &mut aliases),
            Item::Fields(entry) => Ok(*entry),
            Item::Other(kind) => {
                let line = line.and_then(|line| lines.at(line));
                Err(yaml::other_node(line, format_args!("it is {kind}"), ENTRY))
            }
        };
        let fields = problems.catch(fields.map_err(|reason| Problem::wrong(&field, reason)));
        count_of_finds += usize::from(fields.as_ref().is_some_and(Entry::is_find));
        count_of_objects += fields.as_ref().map_or(1, Entry::objects);
        // Before they are parsed: what each becomes is kept as long as the mount.
        items_of_entries += fields.as_ref().map_or(0, Entry::items);
        if items_of_entries > MAX_OBJECTS {
            let reason = format!(
                "has more than the {MAX_OBJECTS} items of jmesPath and outputs that one mount may have; mount \
                 fewer objects in one volume"
            );
            problems.push(Problem::wrong(OBJECTS, reason));
            return None;
        }
        let fits = count_of_finds <= MAX_FINDS && count_of_objects <= MAX_OBJECTS;
        let parse = |entry| entry::parse(&field, index, &entry, own_text.as_deref(), problems);
        let entry = fields.filter(|_| fits).and_then(parse);
        if let Some(Parsed::Find(find)) = &entry {
            compiled += size::of_find(find);
        }
        if compiled > MAX_COMPILED {
            let reason =
                "has expressions that are too large together; write smaller counts, or fewer rewrites";
            problems.push(Problem::wrong(OBJECTS, reason));
            return None;
        }
        entries.push(entry);
    }
    if let Some((own, failover)) = vaults {
        vaults::settle(own, failover, entries.iter_mut().flatten().flat_map(Parsed::vaults), problems);
    }
    let stores = |entry: &Parsed| match entry {
        Parsed::Objects(objects) => objects.iter().map(ObjectSpec::stores).sum(),
        Parsed::Find(find) => find.stores(),
    };
    let stores = entries.iter().flatten().map(stores).sum::<usize>();
    if stores > MAX_STORES {
        let reason =
            format!("has {stores} PKCS#12 stores, more than the {MAX_STORES} that one mount may have");
        problems.push(Problem::wrong(OBJECTS, reason));
    }
    clash::find(&entries, problems);
    let (mut objects, mut finds) = (Vec::with_capacity(entries.len()), Vec::new());
    for entry in entries.into_iter().flatten() {
        match entry {
            Parsed::Objects(of_entry) => objects.extend(of_entry),
            Parsed::Find(find) => finds.push(FindSpec { position: objects.len(), ..*find }),
        }
    }
    if count <= MAX_OBJECTS && count_of_objects > MAX_OBJECTS {
        problems.push(too_many(count_of_objects));
    }
    if count_of_finds > MAX_FINDS {
        let reason = format!(
            "has {count_of_finds} entries with find, more than the {MAX_FINDS} that one mount may have"
        );
        problems.push(Problem::wrong(OBJECTS, reason));
    }
    Some(Requested { objects: objects.into(), finds: finds.into() })
}

fn too_many(count: usize) -> Problem {
    let reason = format!("names {count} objects, more than the {MAX_OBJECTS} that one mount may have");
    Problem::wrong(OBJECTS, reason)
}

/// Returns the items of the list, at least one and at most [`MAX_OBJECTS`], and the number of the others.
fn items(text: &str, aliases: &mut AliasBudget) -> Result<(Vec<Placed>, usize), Problem> {
    let wrong = |reason: String| Problem::wrong(OBJECTS, reason);
    let (items, more, others) = match yaml::read::<Document>(text, LIST, aliases).map_err(wrong)? {
        Document::List { array: Array::Items { items, more }, others } => (items, more, others),
        Document::List { array: Array::Other(kind), .. } => {
            let line = Lines::of(text).with_key("array");
            return Err(wrong(yaml::other_node(line, format_args!("array is {kind}"), LIST)));
        }
        Document::Other(kind) => {
            return Err(wrong(yaml::other_text(text, format_args!("it is {kind}"), LIST)));
        }
    };
    if !items.is_empty() {
        return Ok((items, more));
    }
    let others: Vec<String> = others.iter().map(|key| Excerpt::of(key).to_string()).collect();
    let reason = match others.as_slice() {
        [] => "names no object; list them under array:".to_owned(),
        others => format!("names no object; list them under array:, in place of {}", others.join(" and ")),
    };
    // A template in braces parses as a YAML map.
    let is_one_line = text.lines().nth(1).is_none();
    Err(if is_one_line { Problem::of_text(OBJECTS, text, reason) } else { wrong(reason) })
}

const LIST: Wanted = Wanted {
    name: "a list of objects under \"array\"",
    example: "the list looks like \"array:\", with \"- objectName: db-password\" and \"  objectType: secret\" on the next lines",
};

/// Objects of one mount: as many as a vault answers within ten seconds, if nothing else reads it
/// (<https://learn.microsoft.com/azure/key-vault/general/service-limits#secrets-managed-storage-account-keys-and-vault-transactions>).
const MAX_OBJECTS: usize = 4_000;

/// Entries with `find` of one mount. Each compares its conditions with up to 2,500 listed objects.
const MAX_FINDS: usize = 20;

/// The most memory of the finds of one mount with their compiled expressions, in bytes: a usual expression takes one or two
/// KiB.
const MAX_COMPILED: usize = 2 << 20;

/// Keys beside `array` that a message names.
const MAX_OTHERS: usize = 3;

/// The list of objects: under `array:`, as provider-azure requires, or bare.
enum Document {
    List {
        array: Array,
        /// The first keys beside `array`.
        others: Vec<String>,
    },
    Other(Kind),
}

impl Node for Document {
    fn null() -> Self {
        Self::List { array: Array::null(), others: Vec::new() }
    }

    fn other(kind: Kind) -> Self {
        Self::Other(kind)
    }

    fn list<'de, A: SeqAccess<'de>>(list: A, reading: Reading<'_>) -> Result<Self, A::Error> {
        Ok(Self::List { array: Array::list(list, reading)?, others: Vec::new() })
    }

    fn map<'de, A: MapAccess<'de>>(mut map: A, reading: Reading<'_>) -> Result<Self, A::Error> {
        let (mut array, mut others) = (Array::null(), Vec::new());
        while let Some(Any(Key(key))) = map.next_key()? {
            match key {
                Some(key) if key == "array" => array = map.next_value_seed(reading.seed::<Array>())?,
                key => {
                    map.next_value::<IgnoredAny>()?;
                    others.extend(key.filter(|_| others.len() < MAX_OTHERS));
                }
            }
        }
        Ok(Self::List { array, others })
    }
}

/// The value of `array`.
///
/// Compat: null items, such as those that are commented out, are skipped.
enum Array {
    Items {
        items: Vec<Placed>,
        /// The number of items that were dropped, since one mount may not have as many.
        more: usize,
    },
    Other(Kind),
}

impl Node for Array {
    fn null() -> Self {
        Self::Items { items: Vec::new(), more: 0 }
    }

    fn other(kind: Kind) -> Self {
        Self::Other(kind)
    }

    fn list<'de, A: SeqAccess<'de>>(mut list: A, reading: Reading<'_>) -> Result<Self, A::Error> {
        let (mut items, mut more) = (Vec::new(), 0);
        while let Some(Next { item, line }) = next_item(&mut list, reading)? {
            match item {
                Some(item) if items.len() < MAX_OBJECTS => items.push(Placed { item, line }),
                Some(_) => more += 1,
                None => {}
            }
        }
        Ok(Self::Items { items, more })
    }
}

/// The next item of the list. It may be null.
struct Next {
    item: Option<Item>,
    line: Option<u64>,
}

fn next_item<'de, A: SeqAccess<'de>>(list: &mut A, reading: Reading<'_>) -> Result<Option<Next>, A::Error> {
    Ok(match reading {
        Reading::Strict => list
            .next_element::<Spanned<Any<Option<Item>>>>()?
            .map(|Spanned { value: Any(item), referenced, .. }| Next { item, line: Some(referenced.line()) }),
        // The parser's type for a line takes no seed.
        Reading::Kinds(_) | Reading::Known(_) => {
            list.next_element_seed(reading.seed::<Option<Item>>())?.map(|item| Next { item, line: None })
        }
    })
}

/// An item of the list.
struct Placed {
    item: Item,
    /// The item's line in the text, if it is known.
    line: Option<u64>,
}

enum Item {
    /// `- |` and the entry as text: the only form in provider-azure.
    Text(String),
    /// The entry as a map.
    Fields(Box<Entry>),
    Other(Kind),
}

impl Node for Option<Item> {
    fn null() -> Self {
        None
    }

    fn other(kind: Kind) -> Self {
        Some(Item::Other(kind))
    }

    fn text(text: &str) -> Self {
        Some(Item::Text(text.to_owned()))
    }

    fn map<'de, A: MapAccess<'de>>(map: A, reading: Reading<'_>) -> Result<Self, A::Error> {
        Entry::read(map, reading).map(|entry| Some(Item::Fields(Box::new(entry))))
    }
}
