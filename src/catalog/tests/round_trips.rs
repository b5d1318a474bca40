//! What goes out as a file or a spreadsheet comes back the same.

use super::{
    super::{load, sheet},
    ALL, by_id,
};

#[test]
fn every_framework_comes_back_from_a_spreadsheet() {
    for framework in &ALL.frameworks {
        let sheet = sheet::export(framework).unwrap();
        assert_eq!(sheet::import(&sheet).unwrap(), *framework, "{}", framework.id);
    }
}

#[test]
fn every_framework_reads_back_from_its_own_text() {
    let folder = tempfile::tempdir().unwrap();
    let mut wanted = Vec::new();
    for framework in &ALL.frameworks {
        let name = format!("{}.toml", framework.id);
        std::fs::write(folder.path().join(&name), framework.to_toml()).unwrap();
        wanted.push(name);
    }
    let (catalog, _) = load(&wanted, folder.path()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(catalog.frameworks, ALL.frameworks);
}

#[test]
fn a_spreadsheet_may_reorder_columns_add_empty_rows_and_begin_with_a_byte_order_mark() {
    let framework = by_id("s3-data-leak");
    let sheet = sheet::export(framework).unwrap();
    let mut reader = csv::Reader::from_reader(&sheet[..]);
    let mut writer = csv::Writer::from_writer(b"\xef\xbb\xbf".to_vec());
    writer.write_record(reader.headers().unwrap().iter().rev()).unwrap();
    for record in reader.records() {
        let record = record.unwrap();
        writer.write_record(record.iter().rev()).unwrap();
        writer.write_record(record.iter().map(|_| "")).unwrap();
    }
    assert_eq!(sheet::import(&writer.into_inner().unwrap()).unwrap(), *framework);
}

#[test]
fn faults_of_a_spreadsheet_name_their_rows_all_at_once() {
    let framework = by_id("s3-data-leak");
    let sheet = String::from_utf8(sheet::export(framework).unwrap()).unwrap();
    let damaged = sheet.replacen("mode", "mood", 1);
    let text = sheet::import(damaged.as_bytes()).unwrap_err().to_string();
    assert!(
        text.contains("no column \"mood\"; did you mean \"mode\"?") && text.contains("\"mode\" is missing"),
        "{text}"
    );
    let damaged = sheet.replacen("judgement", "jugement", 1).replacen(",customer,", ",costumer,", 1);
    let text = sheet::import(damaged.as_bytes()).unwrap_err().to_string();
    assert!(
        text.contains("row 2: confidence \"jugement\"") && text.contains("row 2: responsibility \"costumer\""),
        "{text}"
    );
}

#[test]
fn no_id_of_a_spreadsheet_looks_like_a_number() {
    for framework in &ALL.frameworks {
        let sheet = sheet::export(framework).unwrap();
        let mut reader = csv::Reader::from_reader(&sheet[..]);
        let ids: Vec<_> = reader.records().map(|record| record.unwrap()[0].to_owned()).collect();
        assert!(!ids.is_empty() && ids.iter().all(|id| id.parse::<f64>().is_err() && id.contains(':')));
    }
}
