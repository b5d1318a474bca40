//! A spreadsheet as rows of texts: CSV always, a workbook's first sheet with the feature `xlsx-import`.

use std::io::Cursor;

/// Largest file that is read.
pub const MAX_BYTES: u64 = 16 << 20;

/// Most rows that are read.
const MAX_ROWS: usize = 20_000;

/// Most bytes that a workbook may unfold to.
#[cfg(feature = "xlsx-import")]
const MAX_UNFOLDED: u64 = 256 << 20;

/// Rows under a header. Cells are trimmed; a row has as many as the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns, in lower case.
    pub header: Vec<String>,
    /// Number of the header's row.
    pub header_row: usize,
    /// Rows that hold something, each with its number in the spreadsheet, from 1: of CSV, the line on which it begins.
    pub rows: Vec<(usize, Vec<String>)>,
}

impl Table {
    /// Reads a spreadsheet; what it is, its first bytes say.
    ///
    /// # Errors
    /// In words, with the next step.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.starts_with(b"PK\x03\x04") { workbook(bytes) } else { csv(bytes) }
    }

    fn new(rows: Vec<(usize, Vec<String>)>) -> Result<Self, String> {
        let mut rows = rows.into_iter().filter(|(_, cells)| cells.iter().any(|cell| !cell.trim().is_empty()));
        let (header_row, header) = rows.next().ok_or("it is empty; 'import --template' prints the columns")?;
        let header: Vec<String> = header.iter().map(|name| name.trim().to_lowercase()).collect();
        let rows: Vec<(usize, Vec<String>)> = rows
            .map(|(number, cells)| {
                let mut cells: Vec<String> = cells.iter().map(|cell| cell.trim().to_owned()).collect();
                cells.resize(cells.len().max(header.len()), String::new());
                (number, cells)
            })
            .collect();
        if rows.len() > MAX_ROWS {
            return Err(format!("it has {} rows; at most {MAX_ROWS} are read at once", rows.len()));
        }
        Ok(Self { header, header_row, rows })
    }
}

fn csv(bytes: &[u8]) -> Result<Table, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|_| "it is neither UTF-8 CSV nor an XLSX workbook; save it as one of them")?;
    // Where a comma is the decimal sign, spreadsheets part columns with semicolons.
    let first = text.lines().next().unwrap_or_default();
    let delimiter = if first.matches(';').count() > first.matches(',').count() { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(Cursor::new(bytes));
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        let number = record.position().map_or(0, |at| usize::try_from(at.line()).unwrap_or_default());
        rows.push((number, record.iter().map(str::to_owned).collect()));
        if rows.len() > MAX_ROWS + 1 {
            return Err(format!("it has more than {MAX_ROWS} rows, which is as many as are read at once"));
        }
    }
    Table::new(rows)
}

#[cfg(not(feature = "xlsx-import"))]
fn workbook(_: &[u8]) -> Result<Table, String> {
    Err("this build reads CSV only; save the sheet as CSV (UTF-8)".to_owned())
}

#[cfg(feature = "xlsx-import")]
fn workbook(bytes: &[u8]) -> Result<Table, String> {
    use calamine::{Data, Reader as _, Xlsx};
    bounded(bytes)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|e| format!("it is no XLSX workbook: {e}"))?;
    let sheet = book.worksheet_range_at(0).ok_or("the workbook has no sheet")?.map_err(|e| e.to_string())?;
    let (first, _) = sheet.start().unwrap_or_default();
    let mut rows = Vec::new();
    for (cells, number) in sheet.rows().zip(first as usize + 1..) {
        let texts = cells.iter().zip(1..).map(|(cell, column)| match cell {
            Data::Empty => Ok(String::new()),
            Data::String(text) => Ok(text.clone()),
            Data::Bool(yes) => Ok(if *yes { "yes" } else { "no" }.to_owned()),
            Data::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => Ok(format!("{number:.0}")),
            Data::Float(number) => Ok(number.to_string()),
            Data::Int(number) => Ok(number.to_string()),
            Data::DateTime(at) => date(at).ok_or(format!("row {number}, column {column}: no date that can be read")),
            Data::DateTimeIso(text) | Data::DurationIso(text) => Ok(text.clone()),
            Data::Error(error) => Err(format!("row {number}, column {column}: the cell holds the error {error}")),
        });
        rows.push((number, texts.collect::<Result<Vec<_>, String>>()?));
        if rows.len() > MAX_ROWS + 1 {
            return Err(format!("it has more than {MAX_ROWS} rows, which is as many as are read at once"));
        }
    }
    Table::new(rows)
}

/// A date, or a date and time (in no zone: taken as UTC), from a cell that is formatted as one.
#[cfg(feature = "xlsx-import")]
fn date(at: &calamine::ExcelDateTime) -> Option<String> {
    let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
    let day = format!("{year:04}-{month:02}-{day:02}");
    Some(if (hour, minute, second) == (0, 0, 0) { day } else { format!("{day}T{hour:02}:{minute:02}:{second:02}Z") })
}

/// Unfolds every member once, to nowhere, so that no workbook fills the memory of whoever reads it.
#[cfg(feature = "xlsx-import")]
fn bounded(bytes: &[u8]) -> Result<(), String> {
    use std::io::Read as _;
    let no_workbook = |e: &dyn std::fmt::Display| format!("it is no XLSX workbook: {e}");
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| no_workbook(&e))?;
    let mut left = MAX_UNFOLDED;
    for index in 0..zip.len() {
        let member = zip.by_index(index).map_err(|e| no_workbook(&e))?;
        let unfolded = std::io::copy(&mut member.take(left), &mut std::io::sink()).map_err(|e| no_workbook(&e))?;
        left = left.saturating_sub(unfolded);
        if left == 0 {
            return Err("the workbook unfolds to more than 256 MiB; it is not read".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_numbers_and_empty_ones_are_left_out() {
        let table = Table::read(b"\xef\xbb\xbfA, b \n\n1,\"two\nlines\"\n,\n3\n").unwrap();
        assert_eq!(table.header, ["a", "b"]);
        let cells = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(table.rows[0].1, cells("1", "two\nlines"));
        assert_eq!(table.rows[1].1, cells("3", ""));
        assert_eq!(Table::read(b"a;b,c;d\n1;2;3").unwrap().header, ["a", "b,c", "d"]);
        assert!(Table::read(b"").is_err() && Table::read(b"\xff\xfe").is_err());
    }

    #[cfg(feature = "xlsx-import")]
    #[test]
    fn a_workbook_reads_as_the_same_table() {
        let mut book = rust_xlsxwriter::Workbook::new();
        let sheet = book.add_worksheet();
        for (column, name) in ["A", "B", "C", "D"].into_iter().enumerate() {
            sheet.write(0, u16::try_from(column).unwrap(), name).unwrap();
        }
        let format = rust_xlsxwriter::Format::new().set_num_format("yyyy-mm-dd");
        sheet.write(1, 0, "text").unwrap();
        sheet.write(1, 1, 111_122_223_333_f64).unwrap();
        sheet.write_with_format(1, 2, 46_387.0, &format).unwrap();
        sheet.write(1, 3, true).unwrap();
        let table = Table::read(&book.save_to_buffer().unwrap()).unwrap();
        assert_eq!(table.header, ["a", "b", "c", "d"]);
        assert_eq!(table.rows, [(2, ["text", "111122223333", "2026-12-31", "yes"].map(str::to_owned).to_vec())]);
    }

    #[cfg(feature = "xlsx-import")]
    #[test]
    fn a_workbook_that_is_a_bomb_or_none_is_refused() {
        use std::io::Write as _;
        assert!(Table::read(b"PK\x03\x04nonsense").is_err());
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        zip.start_file("xl/workbook.xml", options).unwrap();
        for _ in 0..257 {
            zip.write_all(&vec![b' '; 1 << 20]).unwrap();
        }
        let bomb = zip.finish().unwrap().into_inner();
        assert!(bomb.len() < 1 << 20);
        assert!(Table::read(&bomb).unwrap_err().contains("256 MiB"));
    }
}
