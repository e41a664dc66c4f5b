//! Lists of a vault's objects, with what the vault says of each object's newest version.

use std::{collections::HashSet, fmt};

use tokio::time::Instant;

use crate::spec::object::{ObjectName, ObjectType};

use super::{error::VaultError, heap::block, identifier, properties::Properties};

/// A list of all objects of one type in a vault, up to bounds of the caller.
///
/// Lists with equal bounds are shared, whatever their callers search for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct List {
    /// The type of the objects.
    pub object_type: ObjectType,
    /// The most objects that are listed.
    pub max_objects: usize,
    /// The most pages that are requested, at least one. A page of Key Vault has at most 25 objects, and may have fewer,
    /// also where another page follows.
    pub max_pages: usize,
}

impl fmt::Display for List {
    /// Formats the list as `secret/*`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/*", self.object_type)
    }
}

/// The objects of a list. Disabled objects are among them, deleted ones are not.
#[derive(Debug, PartialEq, Eq)]
pub struct ObjectList {
    /// The objects, in the vault's order. No name is there twice.
    pub objects: Vec<ListedObject>,
    /// The number of pages that were requested.
    pub pages: usize,
    /// How much of the list was requested.
    pub extent: Extent,
    /// The time of the request for the first page: the list is not newer.
    pub asked: Instant,
}

/// How much of a vault's list was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Its beginning: the rest is beyond the bounds of the [`List`], or of memory.
    Beginning,
}

/// An object of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// The name of the object.
    pub name: ObjectName,
    /// What the vault says of the newest version. The identifier is that of the object and has no version.
    pub properties: Properties,
}

impl ListedObject {
    /// Returns the size in memory beside the value itself, in bytes.
    fn heap_bytes(&self) -> usize {
        block(self.name.as_str().len()) + self.properties.heap_bytes()
    }
}

impl ObjectList {
    /// Returns the approximate size in memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.objects.capacity() * size_of::<ListedObject>()
            + self.objects.iter().map(ListedObject::heap_bytes).sum::<usize>()
    }
}

/// The most memory of one list while it is read, in bytes. An object takes about 700 bytes, and 600 more with one tag;
/// 15 tags of Key Vault's greatest length would take fifty times as much.
const MAX_LIST_BYTES: usize = 4 << 20;

/// What an object takes beside its texts while the list is read, in bytes. Vectors and sets grow to twice their length.
const OBJECT_BYTES: usize = 2 * size_of::<ListedObject>() + 2 * (size_of::<String>() + 1);

/// A list whose pages come in.
pub(super) struct Listing {
    list: List,
    objects: Vec<ListedObject>,
    /// Names in lower case: Key Vault's names ignore case.
    names: HashSet<String>,
    bytes: usize,
    pages: usize,
}

impl Listing {
    pub(super) fn new(list: List) -> Self {
        Self { list, objects: Vec::new(), names: HashSet::new(), bytes: 0, pages: 0 }
    }

    /// Adds an object of the current page.
    ///
    /// # Errors
    /// The identifier is not that of an object of the list's type, or the list has the object already.
    pub(super) fn add(
        &mut self,
        id: Option<String>,
        properties: impl FnOnce(String) -> Properties,
    ) -> Result<(), VaultError> {
        // A page that the vault has filled with small objects takes many times its own length.
        if self.is_full() {
            return Ok(());
        }
        let (name, id) = identifier::listed(self.list.object_type, id)?;
        // The page belongs to another request, or the same page came again.
        if !self.names.insert(name.as_str().to_ascii_lowercase()) {
            return Err(VaultError::RepeatedObject(name));
        }
        let object = ListedObject { name, properties: properties(id) };
        self.bytes += OBJECT_BYTES + block(object.name.as_str().len()) + object.heap_bytes();
        self.objects.push(object);
        Ok(())
    }

    /// Ends the current page. Returns the list if the page is the last one, or the last one within the bounds.
    pub(super) fn end_page(&mut self, next_link: Option<&str>) -> Option<Extent> {
        self.pages += 1;
        if self.is_full() {
            return Some(Extent::Beginning);
        }
        match next_link {
            None | Some("") => Some(Extent::Whole),
            Some(_) if self.pages >= self.list.max_pages => Some(Extent::Beginning),
            Some(_) => None,
        }
    }

    /// Returns the size in memory so far, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns whether the list is beyond its bounds.
    fn is_full(&self) -> bool {
        self.objects.len() > self.list.max_objects || self.bytes > MAX_LIST_BYTES
    }

    pub(super) fn into_list(self, extent: Extent, asked: Instant) -> ObjectList {
        let Self { mut objects, list, pages, .. } = self;
        objects.truncate(list.max_objects);
        objects.shrink_to_fit();
        ObjectList { objects, pages, extent, asked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRETS: List = List { object_type: ObjectType::Secret, max_objects: 3, max_pages: 2 };

    fn add(listing: &mut Listing, path: &str) -> Result<(), VaultError> {
        let properties = |id| Properties { id, ..Properties::default() };
        listing.add(Some(format!("https://lab.vault.azure.net{path}")), properties)
    }

    fn names(list: &ObjectList) -> Vec<&str> {
        list.objects.iter().map(|object| object.name.as_str()).collect()
    }

    #[test]
    fn a_list_ends_with_a_page_without_a_link() {
        for last in [None, Some("")] {
            let mut listing = Listing::new(SECRETS);
            add(&mut listing, "/secrets/a").unwrap();
            assert_eq!(listing.end_page(Some("https://next")), None);
            add(&mut listing, "/secrets/b").unwrap();
            let list =
                listing.end_page(last).map(|extent| listing.into_list(extent, Instant::now())).unwrap();
            assert_eq!((names(&list), list.pages, list.extent), (vec!["a", "b"], 2, Extent::Whole));
        }
    }

    #[test]
    fn a_list_ends_at_its_bounds() {
        let mut pages = Listing::new(SECRETS);
        assert_eq!(pages.end_page(Some("https://next")), None, "an empty page may be followed by another");
        assert_eq!(pages.end_page(Some("https://next")), Some(Extent::Beginning));

        let mut objects = Listing::new(SECRETS);
        for name in ["a", "b", "c"] {
            add(&mut objects, &format!("/secrets/{name}")).unwrap();
        }
        assert_eq!(objects.end_page(Some("https://next")), None, "the next page may be empty");
        add(&mut objects, "/secrets/d").unwrap();
        let list = objects.end_page(None).map(|extent| objects.into_list(extent, Instant::now())).unwrap();
        assert_eq!((names(&list), list.extent), (vec!["a", "b", "c"], Extent::Beginning));
    }

    #[test]
    fn a_list_is_bounded_in_memory() {
        let mut listing = Listing::new(List { max_objects: 10_000, max_pages: 10_000, ..SECRETS });
        let tags = (0..15).map(|tag| (format!("{tag:02048}"), "x".repeat(2_048))).collect();
        let large = Properties { tags, ..Properties::default() };
        let page = |number: usize, listing: &mut Listing| {
            let id = format!("https://lab.vault.azure.net/secrets/s-{number}");
            listing.add(Some(id), |_| large.clone()).unwrap();
            listing.end_page(Some("https://next"))
        };
        let pages = (0..).take_while(|number| page(*number, &mut listing).is_none()).count();
        assert!((60..=70).contains(&pages), "{pages} objects of 60 KiB");
        assert!(listing.into_list(Extent::Beginning, Instant::now()).bytes() < MAX_LIST_BYTES + 100_000);
    }

    /// Reads pages of 25 objects with some tags each, and returns the list.
    fn read(bounds: List, objects: usize, tags: usize) -> ObjectList {
        let tags: Vec<_> = (0..tags).map(|tag| (format!("tag-{tag}"), "production".to_owned())).collect();
        let mut listing = Listing::new(bounds);
        for number in 1..=objects {
            let id =
                format!("https://a-vault-of-24-letters.vault.azure.net/secrets/shop-database-{number:04}");
            let properties =
                |id| Properties { id, tags: tags.iter().cloned().collect(), ..Properties::default() };
            listing.add(Some(id), properties).unwrap();
            if number % 25 == 0 && listing.end_page(Some("https://next")).is_some() {
                return listing.into_list(Extent::Beginning, Instant::now());
            }
        }
        listing.into_list(Extent::Whole, Instant::now())
    }

    #[test]
    fn thousands_of_objects_with_a_few_tags_fit_into_a_list() {
        let bounds = List { max_objects: 2_500, max_pages: 200, ..SECRETS };
        for tags in [0, 1, 5] {
            let list = read(bounds, 2_500, tags);
            assert_eq!((list.objects.len(), list.extent), (2_500, Extent::Whole), "{tags} tags");
            assert!(list.bytes() < MAX_LIST_BYTES, "{} bytes with {tags} tags", list.bytes());
        }
    }

    /// They once counted as a sixth of their memory.
    #[test]
    fn small_tags_of_many_objects_fill_a_list() {
        let bounds = List { max_objects: 10_000, max_pages: 1_000, ..SECRETS };
        let list = read(bounds, 10_000, 15);
        assert!((1_000..2_000).contains(&list.objects.len()), "{} objects", list.objects.len());
        assert_eq!(list.extent, Extent::Beginning);
    }

    #[test]
    fn a_page_ends_where_the_list_is_full() {
        let mut listing = Listing::new(SECRETS);
        (0..20_000).for_each(|number| add(&mut listing, &format!("/secrets/s-{number}")).unwrap());
        assert_eq!(listing.objects.len(), SECRETS.max_objects + 1, "one more shows that there are more");
        assert_eq!(listing.end_page(None), Some(Extent::Beginning));
    }

    #[test]
    fn a_page_of_another_list_is_refused() {
        let mut listing = Listing::new(SECRETS);
        add(&mut listing, "/secrets/Db").unwrap();
        let again = add(&mut listing, "/secrets/dB").unwrap_err();
        assert!(matches!(again, VaultError::RepeatedObject(_)), "{again}");
        for path in ["/keys/a", "/deletedsecrets/a", "/"] {
            let error = add(&mut listing, path).unwrap_err();
            assert!(matches!(error, VaultError::OtherObject(_)), "{path}: {error}");
        }
        for path in ["/secrets", "/secrets/a%2Fb", "/secrets/a_b"] {
            let error = add(&mut listing, path).unwrap_err();
            assert!(matches!(error, VaultError::Incomplete(_)), "{path}: {error}");
        }
    }
}
