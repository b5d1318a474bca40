//! From what a person typed, on the command line or in a row of a spreadsheet, to an amendment: all faults at once, each under
//! the name of its field.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{
    assess::same_person,
    catalog::{Catalog, places},
    model::{Amendment, Attached, Attestation, Exception},
};

/// What was typed, by field. An empty text is as good as none.
pub type Fields = BTreeMap<&'static str, String>;

/// The fields of an exception, as options of `exception add` and columns of `exception import`.
pub const EXCEPTION: [&str; 13] = [
    "id",
    "check",
    "account",
    "ou",
    "tag",
    "region",
    "resource",
    "owner",
    "approver",
    "reason",
    "compensating",
    "from",
    "expires",
];

/// The fields of an attestation, likewise; `files` belongs to the spreadsheet alone.
pub const ATTESTATION: [&str; 8] = ["id", "item", "statement", "holds", "by", "observed", "valid-until", "files"];

/// Longest text of a field, in characters.
const MAX_TEXT: usize = 4000;

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct FieldFault {
    /// The field.
    pub field: &'static str,
    /// What, and the next step.
    pub why: String,
}

/// What a statement is held against.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// The catalogue.
    pub catalog: &'a Catalog,
    /// Time zone of dates without a time.
    pub zone: TimeZone,
    /// Now.
    pub now: Timestamp,
}

struct Reader<'a> {
    context: &'a Context<'a>,
    fields: &'a Fields,
    faults: Vec<FieldFault>,
}

/// Which instant a date without a time stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// The day's first.
    Begin,
    /// The first after it: the day itself is included.
    End,
}

impl Reader<'_> {
    fn fault(&mut self, field: &'static str, why: impl Into<String>) {
        self.faults.push(FieldFault { field, why: why.into() });
    }

    fn text(&mut self, field: &'static str) -> Option<String> {
        let text = self.fields.get(field).map(|t| t.trim()).filter(|t| !t.is_empty())?.to_owned();
        if text.chars().count() > MAX_TEXT {
            self.fault(field, format!("it is longer than {MAX_TEXT} characters; attach a document instead"));
        }
        // What is signed is shown on a terminal first: nothing in it may hide or turn around.
        if text.chars().any(|c| (c.is_control() && c != '\n' && c != '\t') || turns(c)) {
            self.fault(field, "it holds control characters, or marks that turn the direction of writing");
        }
        Some(text)
    }

    fn needed(&mut self, field: &'static str, what: &str) -> String {
        let text = self.text(field);
        if text.is_none() {
            self.fault(field, format!("say {what}"));
        }
        text.unwrap_or_default()
    }

    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, field: &'static str) -> Option<T> {
        let text = self.text(field)?;
        text.parse().map_err(|e: T::Err| self.fault(field, e.to_string())).ok()
    }

    fn time(&mut self, field: &'static str, edge: Edge) -> Option<Timestamp> {
        let text = self.text(field)?;
        let time = instant(&text, &self.context.zone, edge);
        if time.is_none() {
            self.fault(field, format!("{text:?} is no date: write 2026-12-31, or 2026-12-31T09:00:00Z"));
        }
        time
    }

    fn id(&mut self) -> String {
        let id = self.text("id").unwrap_or_default();
        if !id.is_empty() && !Amendment::is_id(&id) {
            self.fault("id", "letters, digits, '.', '_' and '-', at most 64, beginning with a letter or digit");
        }
        id
    }

    fn finish(self, amendment: Amendment, prefix: &str) -> Result<Amendment, Vec<FieldFault>> {
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        if !amendment.id().is_empty() {
            return Ok(amendment);
        }
        amendment.named_by_content(prefix).map_err(|e| vec![FieldFault { field: "id", why: e.to_string() }])
    }
}

fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn instant(text: &str, zone: &TimeZone, edge: Edge) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let date: Date = text.parse().ok()?;
    let date = if edge == Edge::End { date.tomorrow().ok()? } else { date };
    zone.to_timestamp(date.at(0, 0, 0, 0)).ok()
}

/// Reads an exception. `everywhere` allows one without any scope.
///
/// # Errors
/// All faults.
pub fn exception(fields: &Fields, everywhere: bool, context: &Context<'_>) -> Result<Amendment, Vec<FieldFault>> {
    let mut read = Reader { context, fields, faults: Vec::new() };
    let id = read.id();
    let check = read.needed("check", "which check it excepts failures of, such as securityhub/S3.8");
    if !check.is_empty()
        && let Err(why) = places::check(context.catalog, &check)
    {
        read.fault("check", why);
    }
    // In a spreadsheet a star stands for every account.
    let everywhere = everywhere || fields.get("account").is_some_and(|a| a.trim() == "*");
    let account = if fields.get("account").is_some_and(|a| a.trim() == "*") { None } else { read.parsed("account") };
    let exception = Exception {
        id,
        check,
        account,
        ou: read.text("ou"),
        tag: read.text("tag"),
        region: read.parsed("region"),
        resource: read.text("resource"),
        owner: read.needed("owner", "who answers for the failure"),
        approver: read.needed("approver", "who accepted it"),
        reason: read.needed("reason", "why the failure is lived with"),
        compensating: read.text("compensating"),
        from: read.time("from", Edge::Begin),
        expires: read.time("expires", Edge::End).unwrap_or_default(),
    };
    scope(&exception, everywhere, &mut read);
    if !exception.owner.is_empty() && same_person(&exception.owner, &exception.approver) {
        read.fault("approver", "its owner cannot approve it; name somebody else");
    }
    if fields.get("expires").is_none_or(|t| t.trim().is_empty()) {
        read.fault("expires", "say until when; an exception without an end is none");
    } else if exception.expires <= context.now && exception.expires != Timestamp::UNIX_EPOCH {
        read.fault("expires", format!("{} is over: it would never count", exception.expires));
    } else if exception.from.is_some_and(|from| from >= exception.expires) {
        read.fault("from", "it begins only when it has ended");
    }
    read.finish(Amendment::Exception(exception), "E-")
}

fn scope(exception: &Exception, everywhere: bool, read: &mut Reader<'_>) {
    let Exception { account, ou, tag, region, resource, .. } = exception;
    if tag.as_ref().is_some_and(|tag| tag.split_once('=').is_none_or(|(key, _)| key.is_empty())) {
        read.fault("tag", "a tag is written key=value");
    }
    if ou.as_ref().is_some_and(|ou| !ou.starts_with("ou-") && !ou.starts_with("r-")) {
        read.fault("ou", "an organizational unit's id begins with ou-, a root's with r-");
    }
    let typed = ["account", "ou", "tag", "region", "resource"];
    let scoped = account.is_some() || [ou, tag, resource].iter().any(|s| s.is_some()) || region.is_some();
    let faulty = read.faults.iter().any(|fault| typed.contains(&fault.field));
    if !scoped && !everywhere && !faulty {
        let why = "name what is excepted: account, ou, tag, region or resource; the whole organisation only with --everywhere \
                   (in a spreadsheet: * as account)";
        read.fault("account", why);
    }
}

/// Reads an attestation with the documents behind it.
///
/// # Errors
/// All faults.
pub fn attestation(fields: &Fields, files: Vec<Attached>, context: &Context<'_>) -> Result<Amendment, Vec<FieldFault>> {
    let mut read = Reader { context, fields, faults: Vec::new() };
    let id = read.id();
    let path = read.needed("item", "which item it confirms, as framework/requirement/item");
    let place = places::item(context.catalog, &path);
    if let Err(why) = &place
        && !path.is_empty()
    {
        read.fault("item", why);
    }
    let holds = read.needed("holds", "whether the item was found to hold: yes or no").to_ascii_lowercase();
    if !["yes", "no", "true", "false", ""].contains(&holds.as_str()) {
        read.fault("holds", format!("{holds:?} is neither yes nor no"));
    }
    let statement = read.needed("statement", "what was found, in a sentence");
    let by = read.needed("by", "who says so");
    read.needed("observed", "when it was seen");
    read.needed("valid-until", "until when it counts");
    let (observed, valid_until) = (read.time("observed", Edge::Begin), read.time("valid-until", Edge::End));
    if observed.is_some_and(|at| at > context.now) {
        read.fault("observed", "it lies in the future");
    }
    if observed.zip(valid_until).is_some_and(|(observed, until)| until <= observed) {
        read.fault("valid-until", "it ends before it was observed");
    }
    let attestation = Attestation {
        id,
        framework: place.as_ref().map(|p| p.framework.id.clone()).unwrap_or_default(),
        requirement: place.as_ref().map(|p| p.requirement.id.clone()).unwrap_or_default(),
        item: place.as_ref().map(|p| p.item.id.clone()).unwrap_or_default(),
        statement,
        holds: ["yes", "true"].contains(&holds.as_str()),
        by,
        observed: observed.unwrap_or_default(),
        valid_until: valid_until.unwrap_or_default(),
        files,
    };
    read.finish(Amendment::Attestation(attestation), "A-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        crate::catalog::load(&["cis-aws-3.0".to_owned()], std::path::Path::new(".")).unwrap().0
    }

    fn context(catalog: &Catalog) -> Context<'_> {
        Context { catalog, zone: TimeZone::get("Asia/Tokyo").unwrap(), now: "2026-11-01T00:00:00Z".parse().unwrap() }
    }

    fn fields(pairs: &[(&'static str, &str)]) -> Fields {
        pairs.iter().map(|(k, v)| (*k, (*v).to_owned())).collect()
    }

    fn good(catalog: &Catalog) -> Fields {
        let check = catalog.checks.keys().next().unwrap();
        fields(&[
            ("check", check),
            ("account", "111122223333"),
            ("owner", "owner@x"),
            ("approver", "boss@x"),
            ("reason", "being moved"),
            ("expires", "2026-12-31"),
        ])
    }

    #[test]
    fn a_date_is_a_day_of_the_configured_zone_and_an_end_includes_it() {
        let catalog = catalog();
        let Amendment::Exception(exception) = exception(&good(&catalog), false, &context(&catalog)).unwrap() else {
            panic!("no exception")
        };
        assert_eq!(exception.expires.to_string(), "2026-12-31T15:00:00Z", "the end of the day in Tokyo");
        assert_eq!(exception.from, None);
        assert!(exception.id.starts_with("E-") && exception.id.len() == 18, "{}", exception.id);
    }

    #[test]
    fn the_same_words_make_the_same_bytes() {
        let catalog = catalog();
        let make = || exception(&good(&catalog), false, &context(&catalog)).unwrap().line().unwrap();
        assert_eq!(make(), make());
    }

    #[test]
    fn every_fault_of_an_exception_is_named_at_once_by_its_field() {
        let catalog = catalog();
        let faulty = fields(&[
            ("id", "../x"),
            ("check", "securityhub/nothing-of-the-kind"),
            ("account", "12"),
            ("tag", "novalue"),
            ("ou", "x"),
            ("region", "Mars"),
            ("owner", "Me@x"),
            ("approver", "me@x "),
            ("reason", "  "),
            ("from", "yesterday"),
            ("expires", "2026-10-01"),
        ]);
        let mut found: Vec<_> =
            exception(&faulty, false, &context(&catalog)).unwrap_err().into_iter().map(|f| f.field).collect();
        found.sort_unstable();
        assert_eq!(found, ["account", "approver", "check", "expires", "from", "id", "ou", "reason", "region", "tag"]);
        let mut everywhere = good(&catalog);
        everywhere.remove("account");
        assert_eq!(exception(&everywhere, false, &context(&catalog)).unwrap_err()[0].field, "account");
        assert!(exception(&everywhere, true, &context(&catalog)).is_ok());
    }

    #[test]
    fn every_fault_of_an_attestation_is_named_at_once_by_its_field() {
        let catalog = catalog();
        let faulty = fields(&[
            ("item", "cis-aws-3.1/1.1"),
            ("holds", "maybe"),
            ("statement", ""),
            ("observed", "2026-12-01"),
            ("valid-until", "2026-11-30"),
        ]);
        let mut found: Vec<_> =
            attestation(&faulty, vec![], &context(&catalog)).unwrap_err().into_iter().map(|f| f.field).collect();
        found.sort_unstable();
        assert_eq!(found, ["by", "holds", "item", "observed", "statement", "valid-until"]);
        let path = places::confirmable(&catalog).next().unwrap().path();
        let right = fields(&[
            ("item", &path),
            ("holds", "no"),
            ("statement", "seen"),
            ("by", "a"),
            ("observed", "2026-10-31"),
            ("valid-until", "2026-12-31"),
        ]);
        let Amendment::Attestation(made) = attestation(&right, vec![], &context(&catalog)).unwrap() else {
            panic!("no attestation")
        };
        assert!(!made.holds);
    }
}
