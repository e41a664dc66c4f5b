//! Pages of a listing, and the links between them.

use data_encoding::BASE64URL_NOPAD;
use url::form_urlencoded::Serializer;

use super::errors::VaultError;
use crate::route::RequestHead;

/// The requested part of a listing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    start: usize,
    size: usize,
}

impl Page {
    pub(super) fn parse(head: &RequestHead) -> Result<Self, VaultError> {
        let size = match head.query_value("maxresults") {
            None => MAX_PAGE_SIZE,
            Some(text) => match text.parse() {
                Ok(size @ 1..=MAX_PAGE_SIZE) => size,
                _ => return Err(VaultError::BadMaxResults),
            },
        };
        let start = match head.query_value("$skiptoken") {
            None => 0,
            Some(token) => start_of(&token).ok_or(VaultError::BadSkipToken)?,
        };
        Ok(Self { start, size })
    }

    pub(super) fn of<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        let start = self.start.min(all.len());
        &all[start..self.end().min(all.len())]
    }

    /// Returns the link to the next page, unless this is the last.
    pub(super) fn next_link(&self, head: &RequestHead, total: usize) -> Option<String> {
        if self.end() >= total {
            return None;
        }
        let token = BASE64URL_NOPAD.encode(format!("{MARK}{}", self.end()).as_bytes());
        let query = Serializer::new(String::new())
            .append_pair("api-version", &head.query_value("api-version").unwrap_or_default())
            .append_pair("$skiptoken", &token)
            .append_pair("maxresults", &self.size.to_string())
            .finish();
        Some(format!("https://{}{}?{query}", head.host, head.path))
    }

    fn end(&self) -> usize {
        self.start.saturating_add(self.size)
    }
}

fn start_of(token: &str) -> Option<usize> {
    let text = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
    std::str::from_utf8(&text).ok()?.strip_prefix(MARK)?.parse().ok()
}

/// Key Vault's page size, which is also the largest one that a client may request.
const MAX_PAGE_SIZE: usize = 25;
const MARK: &str = "from ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::tests::vault_get;

    fn asked(query: &str) -> RequestHead {
        RequestHead { query: query.into(), ..vault_get("/secrets/a/versions") }
    }

    #[test]
    fn links_lead_through_every_item_once() {
        let all: Vec<_> = (0..60).collect();
        let (mut head, mut seen, mut sizes) = (asked("api-version=7.6"), Vec::new(), Vec::new());
        loop {
            let page = Page::parse(&head).expect("links are valid");
            seen.extend_from_slice(page.of(&all));
            sizes.push(page.of(&all).len());
            let Some(link) = page.next_link(&head, all.len()) else {
                break;
            };
            head = asked(link.split_once('?').expect("a link has a query").1);
            assert_eq!(head.query_value("api-version").as_deref(), Some("7.6"));
        }
        assert_eq!((seen, sizes), (all, vec![25, 25, 10]));
    }

    #[test]
    fn a_full_last_page_has_no_link() {
        let head = asked("maxresults=5");
        let page = Page::parse(&head).expect("5 is in range");
        assert_eq!(page.next_link(&head, 5), None);
        assert!(page.next_link(&head, 6).is_some());
    }

    #[test]
    fn sizes_and_tokens_out_of_range_are_refused() {
        for query in ["maxresults=0", "maxresults=26", "maxresults=x", "$skiptoken=%21", "$skiptoken=AAAA"] {
            assert!(Page::parse(&asked(query)).is_err(), "{query}");
        }
    }
}
