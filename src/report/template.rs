//! The template engine: strict about names, escaping by form.

use std::borrow::Cow;

use minijinja::{AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value, syntax::SyntaxConfig};

use super::text;

/// Every template, embedded.
const TEMPLATES: [(&str, &str); 13] = [
    ("page.html", include_str!("../../reports/html/page.html")),
    ("ui.html", include_str!("../../reports/html/ui.html")),
    ("summary.html", include_str!("../../reports/html/summary.html")),
    ("requirements.html", include_str!("../../reports/html/requirements.html")),
    ("checks.html", include_str!("../../reports/html/checks.html")),
    ("results.html", include_str!("../../reports/html/results.html")),
    ("coverage.html", include_str!("../../reports/html/coverage.html")),
    ("gaps.html", include_str!("../../reports/html/gaps.html")),
    ("discrepancies.html", include_str!("../../reports/html/discrepancies.html")),
    ("scope.html", include_str!("../../reports/html/scope.html")),
    ("responsibility.html", include_str!("../../reports/html/responsibility.html")),
    ("verify.html", include_str!("../../reports/html/verify.html")),
    ("summary.md", include_str!("../../reports/summary.md")),
];

/// Builds the environment: an undefined name is an error, `.html` and `.md` templates escape by their own rules.
pub fn environment() -> Result<Environment<'static>, Error> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    env.set_auto_escape_callback(|name| match name.rsplit_once('.') {
        Some((_, "md")) => AutoEscape::Custom(Cow::Borrowed("markdown")),
        _ => AutoEscape::Html,
    });
    env.set_formatter(format);
    env.add_filter("num", thousands);
    env.add_filter("when", when);
    env.add_filter("fill", |text: String, name: String, value: Value| {
        super::texts::fill(&text, &[(&name, &value.to_string())])
    });
    for (name, source) in TEMPLATES {
        env.add_template(name, source)?;
    }
    Ok(env)
}

fn format(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let Some(text) = value.as_str().filter(|_| !value.is_safe()) else {
        return match state.auto_escape() {
            AutoEscape::Custom(_) => Ok(write!(out, "{value}")?),
            _ => minijinja::escape_formatter(out, state, value),
        };
    };
    match state.auto_escape() {
        AutoEscape::Custom(_) => Ok(out.write_str(&text::markdown(text))?),
        // A line feed is harmless in HTML, and requests have several lines.
        _ => text.split_inclusive('\n').try_for_each(|line| {
            let (line, end) = line.strip_suffix('\n').map_or((line, ""), |l| (l, "\n"));
            minijinja::escape_formatter(out, state, &Value::from(text::visible(line).into_owned()))?;
            Ok(out.write_str(end)?)
        }),
    }
}

/// Groups digits by three with a narrow no-break space (ISO 80000-1).
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + 4);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// Shows a timestamp to the minute, in UTC; anything else as it is.
fn when(value: Value) -> String {
    let text = value.as_str().unwrap_or_default();
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        Err(_) => text.to_owned(),
    }
}
