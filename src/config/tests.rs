use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text.as_bytes().to_vec(), "orgproof.toml")
}

fn codes(text: &str) -> Vec<(String, &'static str)> {
    match parse(text) {
        Err(ConfigError::Invalid { faults, .. }) => faults.0.into_iter().map(|f| (f.key, f.code)).collect(),
        other => panic!("expected faults, got {other:?}"),
    }
}

#[test]
fn the_template_that_init_writes_is_valid_as_it_stands() {
    let config = parse(TEMPLATE).unwrap();
    assert_eq!(config.organization.role_name, "OrgProofAudit");
    assert_eq!(config.aggregator.as_deref(), Some("org"));
    assert_eq!(config.limits.concurrency, 64);
    assert_eq!(config.digest, Sha256Digest::of(TEMPLATE));
}

#[test]
fn a_misspelt_key_is_named_with_the_nearest_known_one() {
    let text = TEMPLATE.replace("home_region ", "home_regoin ");
    let message = parse(&text).unwrap_err().to_string();
    assert!(message.contains("organization.home_regoin: unknown key; did you mean 'home_region'?"), "{message}");
    assert_eq!(codes("[organisation]\n"), [("organisation".to_owned(), "unknown-key")]);
}

#[test]
fn all_faults_come_at_once() {
    let text = TEMPLATE
        .replace("\"us-east-1\", \"eu-west-1\"", "\"us-east-1\", \"Mars\"")
        .replace(
            "[]                          # { account",
            "[{ account = \"12\", by = \"a\", why = \"b\" }, { ou = \"ou-1\" }] # { account",
        )
        .replace("concurrency  = 64", "concurrency  = 0")
        .replace("[\"cis-aws-3.0\", \"s3-data-leak\"]", "[]");
    let keys: Vec<String> = codes(&text).into_iter().map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        [
            "catalog.frameworks",
            "limits.concurrency",
            "organization.regions",
            "organization.exclude[0]",
            "organization.exclude[1]"
        ]
    );
}

#[test]
fn an_exclusion_without_a_person_and_a_reason_is_refused() {
    let text =
        TEMPLATE.replace("= []                          #", "= [{ tag = \"env=dev\", by = \" \", why = \"x\" }] #");
    assert_eq!(codes(&text), [("organization.exclude[0]".to_owned(), "missing")]);
}

#[test]
fn what_is_not_built_yet_is_refused_not_ignored() {
    let text = TEMPLATE.replace("authorities  = []", "authorities  = [\"http://tsa.example\"]");
    assert_eq!(codes(&text), [("timestamp.authorities".to_owned(), "unsupported")]);
}

#[test]
fn a_retention_stands_with_an_s3_store_and_with_no_other() {
    let with = |url: &str, retention: &str| {
        let text = TEMPLATE.replace("\"file:evidence\"", &format!("\"{url}\""));
        text.replace("# retention  = \"7y\"", retention)
    };
    let fine = parse(&with("s3://bucket/x", "retention = \"7y\"")).unwrap();
    assert_eq!(fine.retention.unwrap().to_string(), "7y");
    let key = || "store.retention".to_owned();
    assert_eq!(codes(&with("s3://bucket/x", "#")), [(key(), "missing")]);
    assert_eq!(codes(&with("s3://bucket/x", "retention = \"7\"")), [(key(), "invalid-value")]);
    assert_eq!(codes(&with("file:evidence", "retention = \"7y\"")), [(key(), "unsupported")]);
}

fn schedule(start: &str, zone: &str) -> Schedule {
    let text = TEMPLATE
        .replace("fiscal_year_start = \"01\"", &format!("fiscal_year_start = \"{start}\""))
        .replace("\"UTC\"", &format!("\"{zone}\""));
    parse(&text).unwrap().schedule
}

#[test]
fn periods_follow_the_fiscal_calendar_and_the_time_zone() {
    for (start, zone, label, from, to) in [
        ("01", "UTC", "2026Q4", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("04", "UTC", "2026Q4", "2027-01-01T00:00:00Z", "2027-04-01T00:00:00Z"),
        ("04", "Asia/Tokyo", "2026H1", "2026-03-31T15:00:00Z", "2026-09-30T15:00:00Z"),
        ("01", "UTC", "2026-11", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("07", "UTC", "2026", "2026-07-01T00:00:00Z", "2027-07-01T00:00:00Z"),
        ("12", "UTC", "2026H2", "2027-06-01T00:00:00Z", "2027-12-01T00:00:00Z"),
        ("01", "UTC", "2026-10-01..2026-12-31", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ] {
        let period = schedule(start, zone).period(label).unwrap();
        assert_eq!(
            (period.from.to_string(), period.to.to_string()),
            (from.to_owned(), to.to_owned()),
            "{label} from {start}"
        );
    }
    for bad in ["", "2026Q5", "2026Q", "26Q1", "2026-13", "2026H0", "2026-12-31..2026-10-01", "2026Q+1", "тест"] {
        assert!(schedule("01", "UTC").period(bad).is_err(), "{bad}");
    }
}

proptest::proptest! {
    #[test]
    fn every_instant_lies_in_the_period_that_is_named_for_it(seconds in 0_i64..4_000_000_000, start in 1..=12_u8) {
        let at = jiff::Timestamp::from_second(seconds).unwrap();
        let base = schedule(&format!("{start:02}"), "Asia/Tokyo");
        for period in [Cadence::Month, Cadence::Quarter, Cadence::HalfYear, Cadence::Year] {
            let schedule = Schedule { period, ..base.clone() };
            let found = schedule.period_at(at).unwrap();
            proptest::prop_assert!(found.contains(at), "{found:?} {at}");
        }
    }
}
