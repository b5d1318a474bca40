//! A summary for a pull request or a chat.

use minijinja::{Value, context, value::Serde};

use super::{ReportError, ReportFile, Source, template};

/// Writes `summary.md`.
pub fn render(source: &Source<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let name = "summary.md";
    let write = || {
        let view = Value::from(Serde(&source.view));
        let t = Value::from(Serde(&source.texts));
        template::environment()?.get_template(name)?.render(context! { v => view, t })
    };
    let mut text: String = write().map_err(|source| ReportError::Template { name, source })?;
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(vec![(name.to_owned(), text.into_bytes())])
}
