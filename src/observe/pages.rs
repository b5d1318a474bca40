//! Pages of listings, with retries and restarts: which answers count.
//!
//! A listing is one operation with one request, asked in the target itself or through a central view. A page answered twice counts once (the later answer). Page 0 again means that the
//! pagination was restarted: the last pass that reached its end is the listing; where none did, every page that was
//! seen is kept and the listing is incomplete.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::wire::Request;
use crate::model::{Call, EvidenceRef, Sha256Digest};

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
pub(super) struct Listings<T>(BTreeMap<(String, String, bool), Stream<T>>);

/// A listing as it counts.
#[derive(Debug)]
pub(super) struct Listing<T> {
    pub operation: String,
    pub request: Request,
    /// True where it was asked in the target itself.
    pub direct: bool,
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
    /// Adds an answered page of `call`; `more` where the answer carried a token.
    pub(super) fn push(&mut self, call: &Call, page: Page<T>, more: bool) {
        let (request, number) = (Request::of(call.request.as_deref()), call.page);
        let stream = self.0.entry((call.operation.clone(), request.key(), direct(call))).or_insert_with(|| Stream {
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
        self.0.into_iter().map(|((operation, _, direct), stream)| {
            let complete = stream.complete.is_some();
            let pages = stream.complete.unwrap_or_else(|| {
                let mut seen = stream.seen;
                seen.extend(stream.open);
                seen.into_values().collect()
            });
            Listing { operation, request: stream.request, direct, pages, complete }
        })
    }
}

/// Returns whether a call was made in the target that its task speaks of: with that account's credentials, in that Region.
fn direct(call: &Call) -> bool {
    let account = call.principal.split(':').nth(4);
    account == Some(call.task.account.as_str()) && call.endpoint_region == call.task.region.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Collector, Mode},
        observe::fixture,
    };

    fn listing(pages: &[(u32, &'static str, bool)]) -> (Vec<&'static str>, bool) {
        let mut listings = Listings::default();
        for (number, value, more) in pages {
            let source = Source { seal: Sha256Digest::of(""), path: "p".into(), line: 1 };
            let page = Page { value: *value, at: Timestamp::UNIX_EPOCH, source };
            let attempt = fixture::answer("List", serde_json::json!({}), &serde_json::json!({}));
            let task = fixture::task(fixture::AUDIT, fixture::HOME, Collector::Organization);
            let mut call = fixture::call(&task, 0, &attempt, Mode::Central);
            call.page = *number;
            listings.push(&call, page, *more);
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
