//! Which pages of metrics are in memory: a value without I/O, with the clock as an argument.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// How many times as long as its encoding took a page is served again. So encoding takes a twentieth of the serving
/// thread's time, however many clients ask. A page without object names takes milliseconds, so that it shows a mount that
/// has just ended.
const REUSE_FACTOR: u32 = 20;

/// The longest time that a page is served again for this reason. One that takes longer than 50 milliseconds to encode takes
/// more than a twentieth of the time.
const MAX_REUSE: Duration = Duration::from_secs(1);

/// The most pages in memory. A page with object names may have megabytes, and a client that does not read holds its page
/// until its connection ends.
const MAX_PAGES: usize = 3;

/// The newest page, and older ones that clients still read.
#[derive(Debug, Default)]
pub(super) struct MetricsPages {
    newest: Option<Page>,
    older: Vec<Bytes>,
}

#[derive(Debug)]
struct Page {
    text: Bytes,
    /// Until then it is served again.
    fresh_until: Instant,
}

impl MetricsPages {
    /// Returns the page for one more client: a new one from `encode`, or the newest one again if it is fresh, or if
    /// clients read as many pages as may be in memory.
    pub(super) fn get(&mut self, clock: impl Fn() -> Instant, encode: impl FnOnce() -> String) -> Bytes {
        // A page that is unique here was read to its end, or its client has gone away.
        self.older.retain(|page| !page.is_unique());
        let begin = clock();
        if let Some(Page { text, fresh_until }) = &self.newest {
            let read = self.older.len() + usize::from(!text.is_unique());
            if begin < *fresh_until || read >= MAX_PAGES {
                return text.clone();
            }
        }
        // Before the new one is made, so that they are not in memory together.
        self.older.extend(self.newest.take().map(|page| page.text).filter(|text| !text.is_unique()));
        let text = Bytes::from(encode().into_bytes().into_boxed_slice());
        let end = clock();
        let fresh_until = end + ((end - begin) * REUSE_FACTOR).min(MAX_REUSE);
        self.newest = Some(Page { text: text.clone(), fresh_until });
        text
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::HashSet};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn clients_that_do_not_read_their_metrics_hold_three_pages() {
        let (now, mut pages) = (Cell::new(Instant::now()), MetricsPages::default());
        let mut next = 0;
        let mut get = || {
            now.set(now.get() + 2 * SECOND);
            next += 1;
            pages.get(|| now.get(), || next.to_string())
        };
        let mut unread: Vec<Bytes> = (0..100).map(|_| get()).collect();
        assert_eq!(unread.iter().collect::<HashSet<_>>().len(), MAX_PAGES);
        // The first client goes away, and then all others.
        unread.remove(0);
        assert_eq!(get(), "101");
        assert_eq!(get(), "102", "the client before has read its page");
        drop(unread);
        assert_eq!(get(), "103");
        assert!(pages.older.is_empty());
    }

    #[test]
    fn a_flood_of_requests_for_metrics_costs_a_twentieth_of_the_time() {
        let (now, encoded) = (Cell::new(Instant::now()), Cell::new(0));
        let pass = |millis| now.set(now.get() + Duration::from_millis(millis));
        for (takes, expected) in [(1, 95..=96), (10, 9..=10), (1_000, 1..=2)] {
            let (begin, mut pages) = (now.get(), MetricsPages::default());
            encoded.set(0);
            let encode = || {
                pass(takes);
                encoded.set(encoded.get() + 1);
                "a page".to_owned()
            };
            while now.get() - begin < 2 * SECOND {
                pages.get(|| now.get(), encode);
                pass(1);
            }
            assert!(expected.contains(&encoded.get()), "{} pages, each in {takes} ms", encoded.get());
        }
    }
}
