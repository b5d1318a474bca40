//! Tables: RFC 4180, UTF-8 without a byte order mark, CRLF, a header line, protected against formula injection.
//!
//! `reports/README.md` documents every column.

use ::csv::{QuoteStyle, Terminator, Writer, WriterBuilder};

use super::{
    ReportError, ReportFile, Source,
    tables::{Field, TABLES, Table},
    text::formula_safe,
};

/// Writes every table.
pub fn render(source: &Source<'_>) -> Result<Vec<ReportFile>, ReportError> {
    TABLES.iter().map(|table| file(table, source)).collect()
}

/// Writes one table.
pub fn file(table: &Table, source: &Source<'_>) -> Result<ReportFile, ReportError> {
    let mut writer =
        WriterBuilder::new().terminator(Terminator::CRLF).quote_style(QuoteStyle::Necessary).from_writer(Vec::new());
    writer.write_record(table.columns).map_err(error)?;
    (table.write)(&mut |fields| row(&mut writer, fields).map_err(error), source)?;
    let bytes = writer.into_inner().map_err(|e| error(e.into_error().into()))?;
    Ok((format!("{}.csv", table.name), bytes))
}

fn row(writer: &mut Writer<Vec<u8>>, fields: &[Field<'_>]) -> Result<(), ::csv::Error> {
    for field in fields {
        match field {
            Field::Text(text) => writer.write_field(formula_safe(text).as_bytes())?,
            Field::Number(number) => writer.write_field(number.to_string())?,
        }
    }
    writer.write_record(None::<&[u8]>)
}

fn error(why: ::csv::Error) -> ReportError {
    ReportError::Write { format: "csv", why: why.to_string() }
}
