//! "Did you mean": the nearest known identifier.

/// Returns `did you mean "…"?` for the candidate nearest to `typed`, where one is near enough to be meant.
pub(super) fn did_you_mean<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = typed.to_lowercase();
    let score = |candidate: &str| strsim::jaro_winkler(&lower, &candidate.to_lowercase());
    candidates
        .into_iter()
        .map(|candidate| (score(candidate), candidate))
        .filter(|(score, _)| *score > 0.85)
        .max_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| y.cmp(x)))
        .map(|(_, candidate)| format!("did you mean {candidate:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["securityhub/S3.8", "securityhub/S3.1", "guard/s3-public-access"];
        assert_eq!(did_you_mean("securityhub/s3.8", known), Some("did you mean \"securityhub/S3.8\"?".to_owned()));
        assert_eq!(did_you_mean("zebra", known), None);
    }
}
