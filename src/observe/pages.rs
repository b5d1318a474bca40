//! Pages of listings, with retries and restarts: which answers count.
//!
//! A listing is one operation with one request. A page answered twice counts once (the later answer). Page 0 again means that the
//! pagination was restarted: the last pass that reached its end is the listing; where none did, every page that was
//! seen is kept and the listing is incomplete.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::wire::Request;
use crate::model::{EvidenceRef, Sha256Digest};

/// Where a page's bytes lie; shares the path with every other page of the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    pub seal: Sha256Digest,
    pub path: Arc<str>,
    pub line: u64,
}

impl Source {
    pub(super) fn evidence(&self) -> EvidenceRef {
        EvidenceRef { seal: self.seal, path: self.path.to_string(), line: self.line }
    }
}

/// One answered page.
#[derive(Debug, Clone)]
pub(super) struct Page<T> {
    pub value: T,
    pub at: Timestamp,
    pub source: Source,
}

#[derive(Debug)]
struct Stream<T> {
    request: Request,
    complete: Option<Vec<Page<T>>>,
    seen: BTreeMap<u32, Page<T>>,
    open: BTreeMap<u32, Page<T>>,
}

/// The listings of one task.
#[derive(Debug)]
pub(super) struct Listings<T>(BTreeMap<(String, String), Stream<T>>);

/// A listing as it counts.
#[derive(Debug)]
pub(super) struct Listing<T> {
    pub operation: String,
    pub request: Request,
    pub pages: Vec<Page<T>>,
    /// False where the end was never reached.
    pub complete: bool,
}

impl<T> Default for Listings<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Listings<T> {
    /// Adds an answered page; `more` where the answer carried a token.
    pub(super) fn push(&mut self, operation: &str, request: Request, number: u32, page: Page<T>, more: bool) {
        let stream = self.0.entry((operation.to_owned(), request.key())).or_insert_with(|| Stream {
            request,
            complete: None,
            seen: BTreeMap::new(),
            open: BTreeMap::new(),
        });
        if number == 0 {
            let abandoned = std::mem::take(&mut stream.open);
            stream.seen.extend(abandoned);
        }
        stream.open.insert(number, page);
        if !more && stream.open.keys().copied().eq(0..=number) {
            stream.complete = Some(std::mem::take(&mut stream.open).into_values().collect());
            stream.seen.clear();
        }
    }

    /// Returns the listings, sorted by operation and request.
    pub(super) fn finish(self) -> impl Iterator<Item = Listing<T>> {
        self.0.into_iter().map(|((operation, _), stream)| {
            let complete = stream.complete.is_some();
            let pages = stream.complete.unwrap_or_else(|| {
                let mut seen = stream.seen;
                seen.extend(stream.open);
                seen.into_values().collect()
            });
            Listing { operation, request: stream.request, pages, complete }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(pages: &[(u32, &'static str, bool)]) -> (Vec<&'static str>, bool) {
        let mut listings = Listings::default();
        for (number, value, more) in pages {
            let source = Source { seal: Sha256Digest::of(""), path: "p".into(), line: 1 };
            let page = Page { value: *value, at: Timestamp::UNIX_EPOCH, source };
            listings.push("List", Request::default(), *number, page, *more);
        }
        let listing = listings.finish().next().unwrap();
        (listing.pages.into_iter().map(|p| p.value).collect(), listing.complete)
    }

    #[test]
    fn a_page_answered_twice_counts_once() {
        assert_eq!(listing(&[(0, "a", true), (1, "b", true), (1, "b2", true), (2, "c", false)]).0, ["a", "b2", "c"]);
        assert_eq!(listing(&[(0, "a", true), (1, "b", false), (1, "b", false)]), (vec!["a", "b"], true));
    }

    #[test]
    fn the_last_complete_pass_wins() {
        let restarted = [(0, "a", true), (1, "b", true), (0, "A", true), (1, "B", false)];
        assert_eq!(listing(&restarted), (vec!["A", "B"], true));
        let again = [(0, "a", true), (1, "b", false), (0, "A", true)];
        assert_eq!(listing(&again), (vec!["a", "b"], true), "an unfinished pass does not replace a finished one");
    }

    #[test]
    fn a_listing_whose_end_or_middle_is_missing_is_incomplete() {
        assert_eq!(listing(&[(0, "a", true)]), (vec!["a"], false));
        assert_eq!(listing(&[(0, "a", true), (2, "c", false)]), (vec!["a", "c"], false));
        assert_eq!(listing(&[(1, "b", false)]), (vec!["b"], false));
        assert_eq!(listing(&[(0, "a", true), (1, "b", true), (0, "A", true)]), (vec!["A", "b"], false));
    }
}
