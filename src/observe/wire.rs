//! What AWS's answers have in common: lists with a token, and times in two spellings.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};

/// An instant as AWS spells it: epoch seconds (JSON protocols) or ISO 8601 (REST protocols).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(pub Timestamp);

/// Reads a time that may be absent, or written in a way that we do not know: a finding that a third party dated oddly must not
/// take its whole page away. No time is ever taken for a good sign.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    let at = match Value::deserialize(deserializer)? {
        Value::Number(seconds) => seconds
            .as_f64()
            .filter(|s| s.is_finite() && s.abs() < 1e11)
            .and_then(|s| Timestamp::from_millisecond((s * 1000.0).round() as i64).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    Ok(at.map(Time))
}

/// Declares the answer of a list operation: one named list, and a token where there is more.
///
/// The list is required: an answer without it is unreadable, never an empty list.
macro_rules! list_answer {
    ($name:ident, $field:literal, $item:ty) => {
        #[derive(serde::Deserialize)]
        struct $name {
            #[serde(rename = $field)]
            items: Vec<$item>,
            #[serde(rename = "NextToken", default)]
            next: Option<String>,
        }

        impl $name {
            fn read(body: &[u8]) -> Result<(Vec<$item>, bool), serde_json::Error> {
                let answer: Self = serde_json::from_slice(body)?;
                Ok((answer.items, answer.next.is_some_and(|token| !token.is_empty())))
            }
        }
    };
}
pub(super) use list_answer;

/// A request as recorded, without its page token: what makes two calls pages of one listing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Request(Value);

impl Request {
    /// Reads the recorded request; one that is no JSON counts as empty.
    pub(super) fn of(raw: Option<&RawValue>) -> Self {
        let mut value = raw.and_then(|r| serde_json::from_str(r.get()).ok()).unwrap_or(Value::Null);
        for at in ["", "/body"] {
            if let Some(Value::Object(fields)) = value.pointer_mut(at) {
                fields.remove("NextToken");
            }
        }
        if let Some(Value::String(path)) = value.pointer_mut("/path")
            && let Some((before, query)) = path.split_once('?')
        {
            let kept: Vec<_> = query.split('&').filter(|p| !p.starts_with("NextToken=")).collect();
            *path = if kept.is_empty() { before.to_owned() } else { format!("{before}?{}", kept.join("&")) };
        }
        Self(value)
    }

    /// Returns a key under which equal requests are equal.
    pub(super) fn key(&self) -> String {
        self.0.to_string()
    }

    /// Returns a text parameter, wherever the protocol puts it.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        let body = self.0.get("body").unwrap_or(&self.0);
        body.get(name).and_then(Value::as_str)
    }
}

/// Repeated strings, kept once.
#[derive(Debug, Default)]
pub(super) struct Strings(HashMap<Box<str>, Arc<str>>);

impl Strings {
    /// Returns the one copy of `text`.
    pub(super) fn one(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        self.0.insert(text.into(), new.clone());
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_in_both_spellings_and_odd_ones_are_none() {
        let read = |text: &str| time(&mut serde_json::Deserializer::from_str(text)).unwrap();
        assert_eq!(read("1790000000.123"), read("\"2026-09-21T14:13:20.123Z\""));
        assert!(read("1790000000.123").is_some());
        for odd in ["1e300", "true", "null", "\"yesterday\"", "{}"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    #[test]
    fn pages_of_one_listing_have_one_key() {
        let of = |text: &str| Request::of(Some(&RawValue::from_string(text.to_owned()).unwrap())).key();
        assert_eq!(of(r#"{"ParentId":"r-1","NextToken":"t"}"#), of(r#"{"ParentId":"r-1"}"#));
        assert_ne!(of(r#"{"ParentId":"r-1"}"#), of(r#"{"ParentId":"r-2"}"#));
        assert_eq!(
            of(r#"{"path":"/standards/controls/a?MaxResults=100&NextToken=x","body":null}"#),
            of(r#"{"path":"/standards/controls/a?MaxResults=100","body":null}"#)
        );
        assert_eq!(of(r#"{"path":"/findings","body":{"NextToken":"x"}}"#), of(r#"{"path":"/findings","body":{}}"#));
    }
}
