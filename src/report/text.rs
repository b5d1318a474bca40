//! Hostile text made harmless: each form has its own rule, and each keeps what was there recognisable.

use std::{borrow::Cow, collections::BTreeSet, fmt::Write};

/// Returns whether `c` can change how the text around it is shown, or cannot be seen at all.
///
/// Control characters, bidirectional controls (Unicode UAX #9), zero-width and invisible characters, tags.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Replaces characters that deceive the eye by their code point, such as `⟨U+202E⟩`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_deceptive(c) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Protects a CSV field against being run as a formula by a spreadsheet (OWASP, "CSV Injection").
///
/// A field that begins with `=`, `+`, `-`, `@`, tab, carriage return, line feed or a full-width form of the first four
/// gets an apostrophe before it; all else stays as it is.
pub fn formula_safe(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Escapes text for a line of Markdown: no markup, link, HTML or table cell can begin in it.
pub fn markdown(text: &str) -> String {
    let text = visible(text);
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // A mention or a bare address would become active in a pull request or a chat.
            '@' => escaped.push_str("&#64;"),
            ':' if rest.as_str().starts_with('/') => escaped.push_str("&#58;"),
            '.' if escaped.as_bytes().last_chunk().is_some_and(|end: &[u8; 3]| end.eq_ignore_ascii_case(b"www")) => {
                escaped.push_str("&#46;")
            }
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~' | '$' => {
                escaped.push('\\');
                escaped.push(c);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Writes JSON so that it can stand inside an HTML `script` element: no `<`, `>`, `&` or line separator is left.
pub fn json_for_script(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(safe, "\\u{:04x}", u32::from(c));
            }
            _ => safe.push(c),
        }
    }
    safe
}

/// Hands out HTML ids: readable, of a harmless alphabet, each once.
#[derive(Debug, Default)]
pub struct Anchors(BTreeSet<String>);

impl Anchors {
    /// Returns an id made from `text`; a number is added where another text led to the same id.
    pub fn make(&mut self, text: &str) -> String {
        let clean = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' };
        let base: String = text.chars().map(clean).collect();
        let mut id = base.clone();
        let mut n = 1_u32;
        while !self.0.insert(id.clone()) {
            n += 1;
            id = format!("{base}-{n}");
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_that_turns_around_or_hides_is_shown_as_code_points() {
        assert_eq!(visible("log\u{202e}gpj.exe"), "log⟨U+202E⟩gpj.exe");
        assert_eq!(visible("a\u{0}b\u{1b}[31m\nc"), "a⟨U+0000⟩b⟨U+001B⟩[31m⟨U+000A⟩c");
        assert_eq!(visible("データ用バケット é"), "データ用バケット é");
    }

    #[test]
    fn two_texts_never_share_an_anchor() {
        let mut anchors = Anchors::default();
        assert_eq!(anchors.make("check-a/b"), "check-a-b");
        assert_eq!(anchors.make("check-a b"), "check-a-b-2");
        assert_eq!(anchors.make("check-\"><script>"), "check----script-");
    }

    proptest! {
        #[test]
        fn no_field_can_begin_a_formula(text in "[=+@\\-\t\r\n＝a]{0,4}.*") {
            let safe = formula_safe(&text);
            prop_assert!(!safe.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']));
            prop_assert_eq!(safe.strip_prefix('\'').filter(|_| !text.starts_with('\'')).unwrap_or(&safe), &text);
        }

        #[test]
        fn json_in_a_script_element_still_means_the_same_and_cannot_end_it(text in ".*") {
            let json = serde_json::to_string(&text).unwrap();
            let safe = json_for_script(&json);
            prop_assert!(!safe.contains(['<', '>', '&']));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
    }
}
