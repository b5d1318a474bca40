//! Laws that hold for every form.

use super::{sample::HOSTILE, *};
use crate::model::{CoverageState, ObservationStatus, Status};

fn file(format: &str, name: &str) -> String {
    let files = render(format, &sample::assessment(), &sample::provenance()).unwrap();
    let (_, bytes) = files.into_iter().find(|(n, _)| n == name).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn rows(name: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    ::csv::Reader::from_reader(file("csv", name).as_bytes()).deserialize().map(|r| r.unwrap()).collect()
}

fn with(rows: &[std::collections::BTreeMap<String, String>], column: &str, value: &str) -> u64 {
    rows.iter().filter(|r| r[column] == value).count() as u64
}

#[test]
fn the_same_assessment_gives_the_same_bytes_in_every_form() {
    for report in REPORTS {
        let once = render(report.format, &sample::assessment(), &sample::provenance()).unwrap();
        let again = render(report.format, &sample::assessment(), &sample::provenance()).unwrap();
        assert!(once == again, "{}", report.format);
        assert!(once.iter().all(|(name, bytes)| !name.contains('/') && !bytes.is_empty()));
    }
}

#[test]
fn an_unknown_form_is_refused_with_the_list_of_known_ones() {
    let error = render("pdf", &sample::assessment(), &sample::provenance()).unwrap_err().to_string();
    for report in REPORTS {
        assert!(error.contains(report.format), "{error}");
    }
}

#[test]
fn all_forms_state_the_same_numbers() {
    let assessment = sample::assessment();
    let json: serde_json::Value = serde_json::from_str(&file("json", "report.json")).unwrap();
    let totals = &json["totals"];
    let (findings, results, coverage) = (rows("findings.csv"), rows("results.csv"), rows("coverage.csv"));
    for status in [Status::Satisfied, Status::NotSatisfied, Status::NotAssessed, Status::NotApplicable] {
        let counted = assessment.findings.iter().filter(|f| f.status == status).count() as u64;
        assert!(counted > 0, "the sample holds every verdict: {status:?}");
        assert_eq!(totals["verdicts"][status.as_str()], counted);
        assert_eq!(with(&findings, "status", status.as_str()), counted);
    }
    for (field, name, status) in [
        ("pass", "pass", ObservationStatus::Pass),
        ("fail", "fail", ObservationStatus::Fail),
        ("not_applicable", "not-applicable", ObservationStatus::NotApplicable),
        ("not_assessed", "not-assessed", ObservationStatus::NotAssessed),
    ] {
        let counted = assessment.results.iter().filter(|r| r.status == status).count() as u64;
        assert_eq!(totals["answers"][field], counted);
        assert_eq!(with(&results, "status", name), counted);
    }
    let gaps = assessment.coverage.iter().filter(|c| c.gap).count() as u64;
    assert_eq!(totals["gaps"], gaps);
    assert_eq!(with(&coverage, "gap", "true"), gaps);
    assert_eq!(json["gaps"].as_array().unwrap().iter().map(|g| g["tasks"].as_u64().unwrap()).sum::<u64>(), gaps);
    let accounts = rows("accounts.csv");
    assert_eq!(totals["accounts_out_of_scope"], with(&accounts, "in_scope", "false"));
    assert_eq!(totals["accounts"], accounts.len() as u64);
    for (form, text) in [("html", file("html", "report.html")), ("markdown", file("markdown", "summary.md"))] {
        let said = format!("{gaps} of {} planned questions were not answered", assessment.coverage.len());
        assert!(text.contains(&said), "{form}");
    }
}

#[test]
fn markdown_states_each_framework_s_verdicts() {
    let text = file("markdown", "summary.md");
    let assessment = sample::assessment();
    for (id, title) in &assessment.header.frameworks {
        let of = |s| assessment.findings.iter().filter(|f| f.framework == *id && f.status == s).count();
        let line = format!(
            "| {title} | {} | {} | {} | {} |",
            of(Status::Satisfied),
            of(Status::NotSatisfied),
            of(Status::NotAssessed),
            of(Status::NotApplicable)
        );
        assert!(text.contains(&line), "{line}\n{text}");
    }
}

/// Returns the text of a file; of a workbook, that of its cells.
fn readable(name: &str, bytes: &[u8]) -> String {
    if !name.ends_with(".xlsx") {
        return String::from_utf8(bytes.to_vec()).unwrap();
    }
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    std::io::read_to_string(zip.by_name("xl/sharedStrings.xml").unwrap()).unwrap()
}

#[test]
fn no_account_of_the_organisation_or_of_the_ledger_goes_missing_in_any_form() {
    let mut assessment = sample::assessment();
    let mut stranger = assessment.coverage[0].clone();
    stranger.account = "999999999999".parse().unwrap();
    stranger.state = CoverageState::Denied;
    stranger.gap = true;
    assessment.coverage.push(stranger);
    let all: Vec<String> =
        assessment.organization.accounts.iter().map(|a| a.id.to_string()).chain(["999999999999".to_owned()]).collect();
    // Summaries and findings about the organisation as a whole do not list its accounts.
    for report in REPORTS.iter().filter(|r| !["markdown", "asff", "ocsf"].contains(&r.format)) {
        let files = render(report.format, &assessment, &sample::provenance()).unwrap();
        let text: String = files.iter().map(|(name, bytes)| readable(name, bytes)).collect();
        for id in &all {
            assert!(text.contains(id.as_str()), "{} lacks {id}", report.format);
        }
    }
}

#[test]
fn hostile_names_cannot_leave_their_place_in_the_page() {
    let page = file("html", "report.html");
    assert_eq!(page.matches("<script").count(), 2, "the data and the program, nothing else");
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("<img") && !page.contains("<b>") && !page.contains("javascript:alert(3)\""));
    assert!(!page.contains(['\u{202e}', '\u{202c}', '\u{0}', '\u{1b}']));
    assert!(page.contains("⟨U+202E⟩fdp.exe") && page.contains("{{ 7 * 7 }}"));
    assert!(page.contains("&lt;&#x2f;script&gt;&lt;script&gt;alert(1)"));
    for forbidden in
        ["http-equiv=\"refresh\"", " onclick", " onload", " style=\"", "src=\"", "url(", "@import", "innerHTML"]
    {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn the_content_security_policy_allows_exactly_the_embedded_style_and_script() {
    use base64ct::{Base64, Encoding};
    let page = file("html", "report.html");
    let between = |open: &str, close: &str| page.split_once(open).unwrap().1.split_once(close).unwrap().0.to_owned();
    for (kind, inline) in
        [("style-src", between("<style>", "</style>")), ("script-src", between("<script>", "</script>"))]
    {
        let hash = Base64::encode_string(&Sha256Digest::of(&inline).0);
        assert!(page.contains(&format!("{kind} 'sha256-{hash}'")), "{kind}");
    }
    assert!(page.contains("default-src 'none';"));
}

#[test]
fn the_embedded_answers_are_all_the_answers() {
    let page = file("html", "report.html");
    let json = page.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    let data: serde_json::Value = serde_json::from_str(json).unwrap();
    let mut results = sample::assessment().results;
    assert_eq!(data["rows"].as_array().unwrap().len(), results.len());
    let text = |row: &serde_json::Value, i: usize| data["strings"][row[i].as_u64().unwrap() as usize].clone();
    let rank = |s| {
        [ObservationStatus::Fail, ObservationStatus::NotAssessed, ObservationStatus::Pass].iter().position(|k| *k == s)
    };
    results.sort_by_key(|r| rank(r.status).unwrap_or(3));
    for (row, result) in data["rows"].as_array().unwrap().iter().zip(&results) {
        assert_eq!(text(row, 0), result.check);
        assert_eq!(text(row, 1), result.account.as_str());
        assert_eq!(text(row, 4), text::visible(&result.resource.id).as_ref());
        let evidence = result.evidence.as_ref().unwrap();
        assert_eq!(text(row, 9), evidence.seal.to_string());
        assert_eq!((text(row, 10), row[11].as_u64()), (evidence.path.clone().into(), Some(evidence.line)));
    }
}

#[test]
fn past_the_embedding_limit_nothing_but_passes_is_left_to_the_table_beside_it() {
    let mut assessment = sample::assessment();
    let pass = assessment.results.iter().find(|r| r.status == ObservationStatus::Pass).unwrap().clone();
    assessment.results.splice(0..0, std::iter::repeat_n(pass, html::EMBEDDED_RESULTS));
    let files = render("html", &assessment, &sample::provenance()).unwrap();
    let names: Vec<_> = files.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["report.html", "results.csv"]);
    let page = std::str::from_utf8(&files[0].1).unwrap();
    assert!(page.contains("This page holds 50000 of"));
    let json = page.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    let data: serde_json::Value = serde_json::from_str(json).unwrap();
    let count = |status: &str| {
        let at = data["strings"].as_array().unwrap().iter().position(|s| s == status).unwrap();
        data["rows"].as_array().unwrap().iter().filter(|r| r[5] == at).count()
    };
    for (name, status) in [("fail", ObservationStatus::Fail), ("not-assessed", ObservationStatus::NotAssessed)] {
        assert_eq!(count(name), assessment.results.iter().filter(|r| r.status == status).count());
    }
}

#[test]
fn every_table_is_rfc_4180_and_begins_no_formula() {
    for (name, bytes) in render("csv", &sample::assessment(), &sample::provenance()).unwrap() {
        assert!(bytes.ends_with(b"\r\n") && !bytes.starts_with(b"\xef\xbb\xbf"), "{name}");
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
        let mut cells = 0;
        for record in reader.records() {
            for cell in &record.unwrap() {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{name}: {cell}");
                cells += 1;
            }
        }
        assert!(cells > 9, "{name}");
    }
    let results = rows("results.csv");
    for name in HOSTILE {
        let shown = text::formula_safe(name);
        assert!(results.iter().any(|r| r["resource"] == shown), "{name:?}");
    }
}

#[test]
fn hostile_names_stay_inside_a_line_of_markdown() {
    let mut assessment = sample::assessment();
    for (finding, name) in assessment.findings.iter_mut().zip(HOSTILE) {
        finding.status = Status::NotAssessed;
        finding.title = name.to_owned();
    }
    let files = render("markdown", &assessment, &sample::provenance()).unwrap();
    let text = std::str::from_utf8(&files[0].1).unwrap();
    for line in text.lines() {
        assert!(!line.starts_with("# heading") && !line.starts_with("- [x]"));
        let unescaped = line.replace("\\|", "").replace("\\`", "").replace("\\[", "");
        assert!(!unescaped.contains(['<', '>', '`', '[']), "{line}");
        if line.starts_with("| ") {
            assert!(unescaped.ends_with(" |"), "{line}");
        }
    }
}

#[test]
fn no_gap_wears_the_look_of_a_pass() {
    let mut assessment = sample::assessment();
    for line in &mut assessment.coverage {
        line.state = CoverageState::Partial;
        line.gap = true;
    }
    let files = render("html", &assessment, &sample::provenance()).unwrap();
    let page = std::str::from_utf8(&files[0].1).unwrap();
    let map = page.split_once("<table class=\"map\">").unwrap().1.split_once("</table>").unwrap().0;
    assert!(!map.contains("collected") && !map.contains('✓') && !map.contains("complete"));
    assert!(map.contains("is-gap partial"));
}

#[test]
fn seals_are_listed_even_where_no_archive_s_name_is_known() {
    let nothing = Provenance { tool: "orgproof 0.1.0".to_owned(), archives: vec![], key: None, identity: None };
    for (format, name) in [("html", "report.html"), ("markdown", "summary.md"), ("json", "report.json")] {
        let files = render(format, &sample::assessment(), &nothing).unwrap();
        let text = String::from_utf8(files.into_iter().find(|(n, _)| n == name).unwrap().1).unwrap();
        for seal in sample::assessment().header.evidence {
            assert!(text.contains(&seal.to_string()), "{format}");
        }
    }
}

/// Writes the sample's reports; into the folder that `ORGPROOF_SAMPLE_REPORTS` names, for whoever wants to look at them.
#[test]
fn every_form_can_be_written_side_by_side_into_one_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("ORGPROOF_SAMPLE_REPORTS").map_or(temporary.path().to_owned(), Into::into);
    let mut written = std::collections::BTreeSet::new();
    for language in Language::ALL {
        let folder = folder.join(language.tag());
        std::fs::create_dir_all(&folder).unwrap();
        for report in REPORTS {
            for (name, bytes) in
                render_in(language, report.format, &sample::assessment(), &sample::provenance()).unwrap()
            {
                std::fs::write(folder.join(&name), bytes).unwrap();
                assert!(written.insert((language.tag(), name)), "two forms write the same file");
            }
        }
    }
}

#[test]
fn every_language_states_the_same_verdicts_and_no_template_falls_back_to_a_key() {
    for language in Language::ALL {
        let files = render_in(language, "html", &sample::assessment(), &sample::provenance()).unwrap();
        let page = std::str::from_utf8(&files[0].1).unwrap();
        assert!(page.contains(&format!("<html lang=\"{}\">", language.tag())));
        let texts = texts::Texts::load(language).unwrap();
        for status in ["satisfied", "not-satisfied", "not-assessed", "not-applicable"] {
            let word = texts.get(&format!("verdict.{status}.word")).to_owned();
            let badges = page.matches(&format!("class=\"badge {status}\"")).count();
            assert!(badges > 1 && page.contains(&word), "{status}");
        }
        let (shown, _) = page.split_once("id=\"data\"").unwrap();
        for name in ["count", "gaps", "tasks", "where", "shown", "state", "rule", "what"] {
            assert!(!shown.contains(&format!("{{{name}}}")), "{name} is left unfilled");
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 12, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_text_whatsoever_adds_an_element_to_the_page(text in "(<|>|\"|'|&|/|script|=|\u{202e}|\u{0}|\\PC|\n){0,24}") {
        let mut assessment = sample::assessment();
        assessment.results.truncate(100);
        let elements = |assessment: &Assessment| {
            let files = render("html", assessment, &sample::provenance()).unwrap();
            let page = String::from_utf8(files[0].1.clone()).unwrap();
            (page.matches('<').count(), page.contains('\u{202e}') || page.contains('\u{0}'))
        };
        let fill = |assessment: &mut Assessment, text: &str| {
            assessment.organization.accounts[3].name = text.to_owned();
            assessment.findings[0].title = text.to_owned();
            assessment.findings[0].why = text.to_owned();
            assessment.findings[0].items[0].confidence = text.to_owned();
            assessment.discrepancies[0].kind = text.to_owned();
            let failed = assessment.results.iter_mut().find(|r| r.status == ObservationStatus::Fail).unwrap();
            failed.resource.id = text.to_owned();
            let gap = assessment.coverage.iter_mut().find(|c| c.gap).unwrap();
            gap.error = Some(text.to_owned());
        };
        fill(&mut assessment, "x");
        let (plain, _) = elements(&assessment);
        fill(&mut assessment, &format!("x{text}"));
        let (hostile, deceptive) = elements(&assessment);
        proptest::prop_assert_eq!(plain, hostile);
        proptest::prop_assert!(!deceptive);
    }
}
