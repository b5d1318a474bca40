//! The workbook: the tables of the CSV form with filters, frozen headers, colours and links, behind a summary sheet.
//!
//! Everything from outside is written as text, never as a formula or a link. The creation time is the newest run's, so
//! the bytes repeat.

use std::collections::BTreeMap;

use rust_xlsxwriter::{
    Color, ConditionalFormatCell, ConditionalFormatCellRule, DocProperties, ExcelDateTime, Format, FormatAlign,
    Formula, Url, Workbook, Worksheet, XlsxError,
};

use super::{
    ReportError, ReportFile, Source,
    tables::{CHECKS, FINDINGS, Field, ITEMS, RESULTS, TABLES, Table},
    text::visible,
};

/// How large a sheet may become.
#[derive(Clone, Copy)]
struct Limits {
    /// Rows of a sheet below its header (Excel's limit is 1,048,576 in all); more go on in a second sheet.
    rows: u32,
    /// Answers past which their sheets are written through a temporary file, so that memory does not grow with them.
    large: usize,
}

const LIMITS: Limits = Limits { rows: 1_048_575, large: 100_000 };
/// Excel refuses longer texts (32,767 characters).
const CELL_CHARACTERS: usize = 32_000;
/// Links of a sheet: Excel refuses more than 65,530.
const SHEET_LINKS: u32 = 60_000;

/// Writes `report.xlsx`.
pub fn render(source: &Source<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let bytes = workbook(source, LIMITS)?;
    Ok(vec![("report.xlsx".to_owned(), bytes)])
}

fn error(why: XlsxError) -> ReportError {
    ReportError::Write { format: "xlsx", why: why.to_string() }
}

fn workbook(source: &Source<'_>, limits: Limits) -> Result<Vec<u8>, ReportError> {
    let mut book = Workbook::new();
    let properties = properties(source).map_err(error)?;
    book.set_properties(&properties);
    let styles = Styles::new();
    summary(book.add_worksheet(), source, &styles).map_err(error)?;
    let links = Links::new(source);
    for table in TABLES {
        sheets(&mut book, table, source, &styles, &links, limits)?;
    }
    book.save_to_buffer().map_err(error)
}

fn properties(source: &Source<'_>) -> Result<DocProperties, XlsxError> {
    let created = ExcelDateTime::from_timestamp(source.assessment.header.closed.as_second())?;
    let title = format!("{} {}", source.texts.get("page.title"), source.assessment.header.period.label);
    Ok(DocProperties::new().set_creation_datetime(&created).set_title(title).set_author(&source.view.provenance.tool))
}

struct Styles {
    header: Format,
    title: Format,
    strong: Format,
    by_word: Vec<(&'static str, Format)>,
}

impl Styles {
    fn new() -> Self {
        let colour = |ink: u32, paper: u32| {
            Format::new().set_font_color(Color::RGB(ink)).set_background_color(Color::RGB(paper))
        };
        let (good, bad, open, calm) = (
            colour(0x0017_693F, 0x00E3_F3EA),
            colour(0x00A8_201A, 0x00FD_EAE8),
            colour(0x007A_4B00, 0x00FF_F1D6),
            colour(0x0056_606D, 0x00EC_EFF3),
        );
        let words = [
            ("satisfied", &good),
            ("pass", &good),
            ("not-satisfied", &bad),
            ("fail", &bad),
            ("not-assessed", &open),
            ("true", &open),
            ("not-applicable", &calm),
        ];
        Self {
            header: Format::new().set_bold().set_background_color(Color::RGB(0x00E4_E9F0)).set_align(FormatAlign::Top),
            title: Format::new().set_bold().set_font_size(16),
            strong: Format::new().set_bold(),
            by_word: words.map(|(word, format)| (word, format.clone())).to_vec(),
        }
    }
}

/// Rows to which a cell can lead: the sheet's name is fixed by the table's.
struct Links<'a> {
    checks: BTreeMap<&'a str, u32>,
    requirements: BTreeMap<(&'a str, &'a str), u32>,
}

impl<'a> Links<'a> {
    fn new(source: &Source<'a>) -> Self {
        let a = source.assessment;
        Self {
            checks: a.checks.keys().map(String::as_str).zip(2..).collect(),
            requirements: a.findings.iter().map(|f| (f.framework.as_str(), f.requirement.as_str())).zip(2..).collect(),
        }
    }

    /// Returns the place that a cell leads to.
    fn of(&self, table: &Table, column: usize, fields: &[Field<'_>]) -> Option<String> {
        let text = |n: usize| match fields.get(n) {
            Some(Field::Text(text)) => Some(text.as_ref()),
            _ => None,
        };
        let (sheet, row) = if table.name == RESULTS.name && column == 0 || table.name == ITEMS.name && column == 8 {
            (CHECKS.name, self.checks.get(text(column)?)?)
        } else if table.name == ITEMS.name && column == 1 {
            (FINDINGS.name, self.requirements.get(&(text(0)?, text(1)?))?)
        } else {
            return None;
        };
        Some(format!("internal:'{sheet}'!A{row}"))
    }
}

fn sheets(
    book: &mut Workbook,
    table: &Table,
    source: &Source<'_>,
    styles: &Styles,
    links: &Links<'_>,
    limits: Limits,
) -> Result<(), ReportError> {
    let mut part = 1_u32;
    let mut row = 0_u32;
    let large = table.name == RESULTS.name && source.assessment.results.len() > limits.large;
    open(add(book, large).map_err(error)?, table, part, styles).map_err(error)?;
    (table.write)(
        &mut |fields| {
            if row == limits.rows {
                close(book, table, row, styles).map_err(error)?;
                part += 1;
                row = 0;
                open(add(book, large).map_err(error)?, table, part, styles).map_err(error)?;
            }
            row += 1;
            let index = book.worksheets().len() - 1;
            let sheet = book.worksheet_from_index(index).map_err(error)?;
            write(sheet, table, row, fields, links).map_err(error)
        },
        source,
    )?;
    close(book, table, row, styles).map_err(error)
}

/// Adds a sheet; the rows of a large one go through a temporary file.
fn add(book: &mut Workbook, large: bool) -> Result<&mut Worksheet, XlsxError> {
    if large { book.add_worksheet_with_constant_memory() } else { Ok(book.add_worksheet()) }
}

fn open(sheet: &mut Worksheet, table: &Table, part: u32, styles: &Styles) -> Result<(), XlsxError> {
    sheet.set_name(if part == 1 { table.name.to_owned() } else { format!("{} {part}", table.name) })?;
    for (column, name) in (0..).zip(table.columns) {
        sheet.write_string_with_format(0, column, *name, &styles.header)?;
        sheet.set_column_width(column, width(name))?;
    }
    sheet.set_freeze_panes(1, 0)?;
    sheet.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0);
    sheet.set_repeat_rows(0, 0)?;
    Ok(())
}

fn width(column: &str) -> u32 {
    match column {
        "why" | "what" | "error" | "said" | "request" | "means" | "whom" | "remedy" | "resource" | "title" | "task"
        | "evidence_path" => 48,
        "aws_part" | "customer_response" | "responsibility_reason" | "checks" | "check" | "subject" | "path" => 34,
        "pass" | "fail" | "gap" | "gaps" | "tasks" | "calls" | "item" => 9,
        _ => 18,
    }
}

fn close(book: &mut Workbook, table: &Table, rows: u32, styles: &Styles) -> Result<(), XlsxError> {
    let index = book.worksheets().len() - 1;
    let sheet = book.worksheet_from_index(index)?;
    let last = u16::try_from(table.columns.len() - 1).unwrap_or(u16::MAX);
    sheet.autofilter(0, 0, rows, last)?;
    if rows == 0 {
        return Ok(());
    }
    for (column, name) in (0..).zip(table.columns) {
        if matches!(*name, "status" | "gap") {
            for (word, format) in &styles.by_word {
                let rule =
                    ConditionalFormatCell::new().set_rule(ConditionalFormatCellRule::EqualTo(*word)).set_format(format);
                sheet.add_conditional_format(1, column, rows, column, &rule)?;
            }
        }
    }
    Ok(())
}

fn write(
    sheet: &mut Worksheet,
    table: &Table,
    row: u32,
    fields: &[Field<'_>],
    links: &Links<'_>,
) -> Result<(), XlsxError> {
    for (column, (n, field)) in (0..).zip(fields.iter().enumerate()) {
        match field {
            // Exact to 2^53, far beyond any count of a sheet.
            #[expect(clippy::cast_precision_loss)]
            Field::Number(number) => sheet.write_number(row, column, *number as f64)?,
            Field::Text(text) if text.is_empty() => continue,
            Field::Text(text) => match links.of(table, n, fields).filter(|_| row <= SHEET_LINKS) {
                Some(place) => sheet.write_url(row, column, Url::new(place).set_text(cell(text)))?,
                None => sheet.write_string(row, column, cell(text))?,
            },
        };
    }
    Ok(())
}

/// Shows characters that hide, and cuts what Excel would refuse; a line feed stays, it is harmless in a cell.
fn cell(text: &str) -> String {
    let shown = text.split('\n').map(visible).collect::<Vec<_>>().join("\n");
    match shown.char_indices().nth(CELL_CHARACTERS) {
        Some((end, _)) => format!("{} […]", shown.get(..end).unwrap_or_default()),
        None => shown,
    }
}

fn summary(sheet: &mut Worksheet, source: &Source<'_>, styles: &Styles) -> Result<(), XlsxError> {
    let t = |path| source.texts.get(path);
    let header = &source.assessment.header;
    sheet.set_name("summary")?.set_column_width(0, 44)?.set_landscape().set_paper_size(9);
    (1..5).try_for_each(|column| sheet.set_column_width(column, 18).map(|_| ()))?;
    let title = format!("{} {}", t("page.title"), header.period.label);
    sheet.write_string_with_format(0, 0, cell(&title), &styles.title)?;
    let facts = [
        (t("page.organization"), source.view.organization.to_owned()),
        (t("page.run"), header.run.clone()),
        (t("page.closed"), header.closed.to_string()),
        (t("verify.tool"), source.view.provenance.tool.clone()),
        (t("verify.catalog"), header.catalog.to_string()),
        (t("verify.key"), source.view.provenance.key.clone().unwrap_or_else(|| t("verify.nokey").to_owned())),
    ];
    let mut row = 2;
    for (name, value) in facts {
        sheet.write_string_with_format(row, 0, name, &styles.strong)?.write_string(row, 1, cell(&value))?;
        row += 1;
    }
    for archive in &source.view.provenance.archives {
        let name = archive.name.as_deref().unwrap_or_else(|| t("verify.unnamed"));
        sheet.write_string(row, 0, cell(name))?.write_string(row, 1, archive.seal.to_string())?;
        row += 1;
    }
    if !header.overridden.is_empty() {
        let note = source.texts.fill("page.overridden", &[("what", &header.overridden.join("; "))]);
        sheet.write_string(row, 0, cell(&note))?;
        row += 1;
    }
    row = verdicts(sheet, source, styles, row + 1)?;
    coverage(sheet, source, styles, row + 1)
}

/// Verdicts by framework, as formulas over the sheet of findings with their results stored, so that both can be compared.
fn verdicts(sheet: &mut Worksheet, source: &Source<'_>, styles: &Styles, top: u32) -> Result<u32, XlsxError> {
    const STATUSES: [&str; 4] = ["satisfied", "not-satisfied", "not-assessed", "not-applicable"];
    sheet.write_string_with_format(top, 0, source.texts.get("section.requirements"), &styles.header)?;
    for (column, status) in (1..).zip(STATUSES) {
        let word = source.texts.get(&format!("verdict.{status}.word")).to_owned();
        sheet.write_string_with_format(top, column, word, &styles.header)?;
    }
    let mut row = top;
    for f in &source.view.frameworks {
        row += 1;
        sheet.write_string(row, 0, cell(f.title))?;
        let counts = [f.tally.satisfied, f.tally.not_satisfied, f.tally.not_assessed, f.tally.not_applicable];
        let id = f.id.replace('"', "\"\"");
        for (column, (status, count)) in (1..).zip(STATUSES.iter().zip(counts)) {
            let formula = format!("=COUNTIFS({0}!A:A,\"{id}\",{0}!D:D,\"{status}\")", FINDINGS.name);
            sheet.write_formula(row, column, Formula::new(formula).set_result(count.to_string()))?;
        }
    }
    Ok(row + 1)
}

fn coverage(sheet: &mut Worksheet, source: &Source<'_>, styles: &Styles, top: u32) -> Result<(), XlsxError> {
    let (totals, mut row) = (&source.view.totals, top);
    let sentence = if totals.gaps == 0 {
        source.texts.fill("summary.coverage_complete", &[("tasks", &totals.tasks.to_string())])
    } else {
        let [gaps, tasks, accounts, total] =
            [totals.gaps, totals.tasks, totals.accounts_with_gaps, totals.accounts].map(|n| n.to_string());
        let values = [("gaps", &*gaps), ("tasks", &*tasks), ("accounts", &*accounts), ("total", &*total)];
        source.texts.fill("summary.coverage_gaps", &values)
    };
    sheet.write_string_with_format(row, 0, source.texts.get("section.coverage"), &styles.header)?;
    row += 1;
    sheet.write_string(row, 0, sentence)?;
    for gap in &source.view.gaps {
        row += 1;
        #[expect(clippy::cast_precision_loss)]
        let tasks = gap.tasks as f64;
        sheet.write_string(row, 0, &gap.title)?.write_number(row, 1, tasks)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::report::{Language, sample, texts::Texts, view::View};

    fn part(bytes: &[u8], name: &str) -> String {
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let mut text = String::new();
        zip.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn rows_past_a_sheet_s_limit_go_on_in_another_and_none_is_lost() {
        [0, usize::MAX].into_iter().for_each(split);
    }

    fn split(large: usize) {
        let assessment = sample::assessment();
        let texts = Texts::load(Language::English).unwrap();
        let view = View::new(&assessment, &sample::provenance(), &texts);
        let source = Source { assessment: &assessment, view, texts };
        let bytes = workbook(&source, Limits { rows: 100, large }).unwrap();
        assert!(bytes == workbook(&source, Limits { rows: 100, large }).unwrap(), "the same bytes again");
        let book = part(&bytes, "xl/workbook.xml");
        let sheets = book.matches("<sheet ").count();
        let parts = |n: usize| n.div_ceil(100).max(1);
        let a = &assessment;
        let items = a.findings.iter().map(|f| f.items.len()).sum();
        let expected = [a.findings.len(), items, a.checks.len(), a.results.len(), a.coverage.len(), 13, 3, 15];
        assert_eq!(sheets, 1 + expected.into_iter().map(parts).sum::<usize>());
        let rows: usize = (2..=sheets)
            .map(|n| part(&bytes, &format!("xl/worksheets/sheet{n}.xml")).matches("<row ").count() - 1)
            .sum();
        assert_eq!(rows, expected.into_iter().sum::<usize>());
    }

    #[test]
    fn nothing_from_outside_is_a_formula_or_an_outside_link() {
        let files = crate::report::render("xlsx", &sample::assessment(), &sample::provenance()).unwrap();
        let bytes = &files[0].1;
        let names: Vec<String> = zip::ZipArchive::new(std::io::Cursor::new(bytes))
            .unwrap()
            .file_names()
            .map(|n| n.unwrap().into_owned())
            .collect();
        assert!(names.iter().all(|n| !n.contains("externalLink") && !n.contains("vba")));
        let formulas: usize =
            (1..=9).map(|n| part(bytes, &format!("xl/worksheets/sheet{n}.xml")).matches("<f>").count()).sum();
        assert_eq!(formulas, 8, "two frameworks, four verdicts, nothing else");
        for name in names.iter().filter(|n| n.ends_with(".rels") && n.contains("worksheets")) {
            assert!(!part(bytes, name).contains("External"), "{name}");
        }
        assert!(part(bytes, "xl/sharedStrings.xml").contains("=HYPERLINK("), "the hostile name is there, as text");
    }

    #[test]
    fn a_text_too_long_for_excel_is_cut_and_says_so() {
        assert!(cell(&"é".repeat(CELL_CHARACTERS + 1)).ends_with(" […]"));
        assert_eq!(cell(&"é".repeat(CELL_CHARACTERS)).chars().count(), CELL_CHARACTERS);
    }
}
