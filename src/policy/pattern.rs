//! Patterns of the policy language: `*` is any run of characters, `?` exactly one, everything else itself.

use super::{
    budget::{Budget, TooComplex},
    language::Version,
};

/// One place of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Token {
    /// This character.
    Literal(char),
    /// `?`: one character.
    One,
    /// `*`: any run of characters, also none.
    Any,
}

/// An action or resource pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    source: String,
    tokens: Vec<Token>,
    variable: bool,
}

impl Pattern {
    /// Reads an action pattern; actions are compared without regard to ASCII case.
    pub fn action(text: &str) -> Self {
        let tokens = text.chars().map(|c| token(c.to_ascii_lowercase())).collect();
        Self { source: text.to_owned(), tokens: normalised(tokens), variable: false }
    }

    /// Reads a resource pattern, case-sensitive. Under version 2012-10-17 `${*}`, `${?}` and `${$}` are those characters, and any other
    /// `${…}` is a variable whose value only the request knows.
    pub fn resource(text: &str, version: Version) -> Self {
        let (mut tokens, mut variable, mut rest) = (Vec::new(), false, text);
        while let Some(next) = rest.chars().next() {
            let inner = rest.strip_prefix("${").and_then(|r| r.split_once('}'));
            rest = match inner.filter(|_| version == Version::V2012) {
                Some((name, after)) => {
                    match name {
                        "*" | "?" | "$" => tokens.extend(name.chars().map(Token::Literal)),
                        _ => {
                            variable = true;
                            tokens.push(Token::Any);
                        }
                    }
                    after
                }
                None => {
                    tokens.push(token(next));
                    &rest[next.len_utf8()..]
                }
            };
        }
        Self { source: text.to_owned(), tokens: normalised(tokens), variable }
    }

    /// Returns the pattern as the document writes it.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// True where a `${variable}` makes the pattern depend on the request; it then matches *at most* what [`Pattern::matches`] says.
    pub fn has_variable(&self) -> bool {
        self.variable
    }

    /// True where the pattern matches everything, whatever the request.
    pub fn is_any(&self) -> bool {
        !self.variable && self.tokens == [Token::Any]
    }

    /// True where it names one string and no more.
    pub fn is_literal(&self) -> bool {
        !self.variable && self.tokens.iter().all(|t| matches!(t, Token::Literal(_)))
    }

    /// Whether `text` matches, variables standing for anything. Takes at most `pattern x text` steps. An action's `text` must be in lower case.
    pub fn matches(&self, text: &str) -> bool {
        self.matches_within(text, &mut Budget::endless()) == Ok(true)
    }

    /// The same, within a budget.
    pub(super) fn matches_within(&self, text: &str, budget: &mut Budget) -> Result<bool, TooComplex> {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut read, mut star) = (0, 0, None);
        while read < text.len() {
            budget.spend(1)?;
            match self.tokens.get(at) {
                Some(Token::Any) => {
                    star = Some((at, read));
                    at += 1;
                    continue;
                }
                Some(Token::One) => {
                    (at, read) = (at + 1, read + 1);
                    continue;
                }
                Some(Token::Literal(c)) if *c == text[read] => {
                    (at, read) = (at + 1, read + 1);
                    continue;
                }
                _ => {}
            }
            // Only the latest star can need more: an earlier one taking more would leave it the same text or less.
            let Some((place, taken)) = star else { return Ok(false) };
            star = Some((place, taken + 1));
            (at, read) = (place + 1, taken + 1);
        }
        Ok(self.tokens[at..].iter().all(|t| *t == Token::Any))
    }

    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }
}

fn token(c: char) -> Token {
    match c {
        '*' => Token::Any,
        '?' => Token::One,
        c => Token::Literal(c),
    }
}

/// Writes each run of wildcards as its `?`s and then at most one `*`, which matches the same.
fn normalised(tokens: Vec<Token>) -> Vec<Token> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut any = false;
    for token in tokens {
        match token {
            Token::Any => any = true,
            Token::One => out.push(token),
            Token::Literal(_) => {
                if std::mem::take(&mut any) {
                    out.push(Token::Any);
                }
                out.push(token);
            }
        }
    }
    if any {
        out.push(Token::Any);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(text: &str) -> Pattern {
        Pattern::resource(text, Version::V2012)
    }

    #[test]
    fn actions_ignore_case_and_resources_do_not() {
        assert!(Pattern::action("S3:PutBucket*").matches("s3:putbucketpolicy"));
        assert!(!resource("arn:aws:s3:::A*").matches("arn:aws:s3:::ab"));
        assert!(resource("arn:aws:s3:::a?").matches("arn:aws:s3:::ab"));
    }

    #[test]
    fn wildcards_match_what_they_say() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("?*", "", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("a?c", "ac", false),
            ("*?*", "é", true),
            ("a*?", "a", false),
            ("**a**", "bab", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(resource(pattern).matches(text), expected, "{pattern:?} against {text:?}");
        }
    }

    #[test]
    fn variables_are_recognised_only_under_the_newer_version_and_escapes_are_literal() {
        assert!(resource("arn:${aws:username}/x").has_variable());
        assert!(!Pattern::resource("arn:${aws:username}/x", Version::V2008).has_variable());
        assert!(Pattern::resource("${a}", Version::V2008).matches("${a}"));
        assert!(resource("a${*}${?}${$}").matches("a*?$") && !resource("a${*}").matches("ab"));
        assert!(resource("a${*}").is_literal());
        assert!(!resource("${aws:x}").is_any(), "a variable may be anything, but not everything");
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_pattern_times_text() {
        let pattern = resource(&format!("{}b", "a*".repeat(5_000)));
        assert!(!pattern.matches(&"a".repeat(20_000)));
    }
}
