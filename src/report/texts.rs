//! The words of the reports, by language; the files lie in `reports/texts/`.

use std::str::FromStr;

use serde::Serialize;

use super::ReportError;

/// A language that reports are written in. Catalogue texts and messages from AWS stay as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Japanese.
    Japanese,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::Japanese];

    /// Returns the language tag (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::English => include_str!("../../reports/texts/en.toml"),
            Self::Japanese => include_str!("../../reports/texts/ja.toml"),
        }
    }
}

impl FromStr for Language {
    type Err = ReportError;
    fn from_str(tag: &str) -> Result<Self, ReportError> {
        Self::ALL.into_iter().find(|l| l.tag() == tag).ok_or_else(|| ReportError::UnknownLanguage {
            asked: tag.to_owned(),
            known: Self::ALL.map(Self::tag).join(", "),
        })
    }
}

/// One language's texts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Texts(toml::Table);

impl Texts {
    /// Reads the embedded texts of `language`.
    ///
    /// # Errors
    /// A malformed embedded file, which the tests exclude.
    pub fn load(language: Language) -> Result<Self, ReportError> {
        language.source().parse().map(Self).map_err(|source| ReportError::Texts { language: language.tag(), source })
    }

    /// Returns the text at a dotted path such as `cause.denied.title`; the path itself where there is none.
    pub fn get<'a>(&'a self, path: &'a str) -> &'a str {
        let mut parts = path.split('.');
        let first = parts.next().and_then(|key| self.0.get(key));
        parts.fold(first, |at, key| at.and_then(|v| v.get(key))).and_then(toml::Value::as_str).unwrap_or(path)
    }

    /// Returns the text at `path` with its placeholders filled.
    pub fn fill(&self, path: &str, values: &[(&str, &str)]) -> String {
        fill(self.get(path), values)
    }
}

/// Fills `{name}` placeholders in one pass, so that a value that looks like a placeholder stays as it is.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        filled.push_str(before);
        let known = from.find('}').and_then(|close| {
            let name = from.get(1..close)?;
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((*value, close + 1))
        });
        let (piece, used) = known.unwrap_or(("{", 1));
        filled.push_str(piece);
        rest = from.get(used..).unwrap_or_default();
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{CoverageState, Status},
        report::gaps::Cause,
    };

    fn keys(prefix: &str, table: &toml::Table, into: &mut Vec<String>) {
        for (key, value) in table {
            let path = format!("{prefix}{key}");
            match value {
                toml::Value::Table(inner) => keys(&format!("{path}."), inner, into),
                toml::Value::String(text) => {
                    let mut names: Vec<_> =
                        text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect();
                    names.sort_unstable();
                    into.push(format!("{path} {names:?}"));
                }
                other => panic!("{path} is no text: {other}"),
            }
        }
    }

    #[test]
    fn every_language_says_the_same_things_with_the_same_placeholders() {
        let all = Language::ALL.map(|language| {
            let mut found = Vec::new();
            keys("", &Texts::load(language).unwrap().0, &mut found);
            found.sort();
            found
        });
        assert!(all[0].len() > 150);
        for other in &all[1..] {
            assert_eq!(&all[0], other);
        }
    }

    #[test]
    fn every_state_cause_and_verdict_has_words() {
        for language in Language::ALL {
            let texts = Texts::load(language).unwrap();
            for state in CoverageState::ALL {
                for part in ["word", "means"] {
                    let path = format!("state.{}.{part}", state.as_str());
                    assert_ne!(texts.get(&path), path);
                }
            }
            for cause in Cause::ALL {
                for part in ["title", "means", "whom", "request"] {
                    let path = format!("cause.{}.{part}", cause.as_str());
                    assert_ne!(texts.get(&path), path);
                }
                assert!(texts.get(&format!("cause.{}.request", cause.as_str())).contains("{where}"));
            }
            for status in [Status::Satisfied, Status::NotSatisfied, Status::NotAssessed, Status::NotApplicable] {
                let path = format!("verdict.{}.word", status.as_str());
                assert_ne!(texts.get(&path), path);
            }
        }
    }

    #[test]
    fn a_value_that_looks_like_a_placeholder_stays_as_it_is() {
        assert_eq!(fill("{a} and {b} and {c", &[("a", "{b}"), ("b", "x")]), "{b} and x and {c");
    }
}
