//! The results as files of the assessment archive: one JSON object a line, sorted, byte-stable.

use serde::Serialize;

use crate::model::Assessment;

/// The size past which a file of the archive is continued in another (a browser hashes a file in one piece).
const FILE_LIMIT: usize = 64 << 20;

/// Files of an archive, by path.
type Files = Vec<(String, Vec<u8>)>;

/// Returns `data/results/{observations,findings,discrepancies,exceptions,attestations}.ndjson`; large ones go on in `….001.ndjson` and so forth.
///
/// # Errors
/// A record has no JSON form (a fault of this program): none is left out instead.
pub fn results_files(assessment: &Assessment) -> Result<Files, serde_json::Error> {
    let mut files = Vec::new();
    put("observations", &assessment.results, FILE_LIMIT, &mut files)?;
    put("findings", &assessment.findings, FILE_LIMIT, &mut files)?;
    put("discrepancies", &assessment.discrepancies, FILE_LIMIT, &mut files)?;
    put("exceptions", &assessment.exceptions, FILE_LIMIT, &mut files)?;
    put("attestations", &assessment.attestations, FILE_LIMIT, &mut files)?;
    Ok(files)
}

fn put<T: Serialize>(name: &str, records: &[T], limit: usize, files: &mut Files) -> Result<(), serde_json::Error> {
    let mut parts = vec![Vec::new()];
    for record in records {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        if let Some(part) = parts.last_mut() {
            if part.is_empty() || part.len() + line.len() <= limit {
                part.append(&mut line);
            } else {
                parts.push(line);
            }
        }
    }
    files.extend(parts.into_iter().enumerate().map(|(i, bytes)| match i {
        0 => (format!("data/results/{name}.ndjson"), bytes),
        _ => (format!("data/results/{name}.{i:03}.ndjson"), bytes),
    }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_goes_on_in_the_next_without_loss() {
        let records: Vec<u32> = (100..200).collect();
        let mut files = Vec::new();
        put("x", &records, 40, &mut files).unwrap();
        assert!(files.len() > 1 && files.iter().all(|(_, bytes)| bytes.len() <= 40));
        assert_eq!(files[0].0, "data/results/x.ndjson");
        assert_eq!(files[1].0, "data/results/x.001.ndjson");
        let joined = files.into_iter().flat_map(|(_, bytes)| bytes).collect::<Vec<_>>();
        assert_eq!(String::from_utf8(joined).unwrap().lines().count(), 100);
    }

    #[test]
    fn a_file_is_there_even_when_it_is_empty() {
        let mut files = Vec::new();
        put::<u32>("x", &[], 40, &mut files).unwrap();
        assert_eq!(files, [("data/results/x.ndjson".to_owned(), Vec::new())]);
    }

    #[test]
    fn a_record_that_cannot_be_written_is_never_left_out() {
        // JSON has no map whose keys are lists.
        let records = [std::collections::BTreeMap::from([(vec![1], 1)])];
        assert!(put("x", &records, 40, &mut Vec::new()).is_err());
    }
}
