//! Which operation brings which kind of answer. Operations that are kept as evidence only have none.

use super::{aggregator, compliance, findings, hub, packs, recorder, rules, wire::Strings};
use crate::model::{Call, TaskId};

/// An answer, read.
#[derive(Debug)]
pub(super) enum Answer {
    Regions(Vec<aggregator::RawRegion>),
    Sources(Vec<aggregator::RawSource>),
    Members(Vec<aggregator::RawMember>),
    FindingAggregator(Box<aggregator::RawFindingAggregator>),
    Recorders(Vec<recorder::RawRecorder>),
    RecorderStatuses(Vec<recorder::RawStatus>),
    Channels(Vec<recorder::RawChannel>),
    Rules(Vec<rules::RawRule>),
    Evaluations(Vec<rules::RawEvaluation>),
    Remediations(Vec<rules::RawRemediation>),
    Executions(Vec<rules::RawExecution>),
    /// Rows that name resources, from either way of asking.
    Rows(Vec<compliance::Row>),
    /// Verdicts on whole rules, from inside the account.
    Verdicts(Vec<compliance::RawVerdict>),
    /// Verdicts on whole rules of any target, through the aggregator.
    Aggregate(Vec<compliance::RawVerdict>),
    /// The same, kept elsewhere under this number.
    Spooled(u64),
    Hub(Box<hub::RawHub>),
    Standards(Vec<hub::RawStandard>),
    StandardControls(Vec<hub::RawControl>),
    SecurityControls(Vec<hub::RawControl>),
    Findings(Vec<findings::FindingRow>),
    /// Subscriptions to products, by ARN.
    Products(Vec<String>),
    Packs(Vec<packs::RawPack>),
    PackStatuses(Vec<packs::RawPackStatus>),
    PackRules(Vec<packs::RawPackRule>),
    /// Security Hub's own word that the account is not subscribed.
    NotSubscribed,
}

/// An answer and whether there is more of it; or what makes it unreadable.
pub(super) type Read = Result<(Answer, bool), String>;

/// Reads what AWS answered; `None` where the operation is none that is judged.
pub(super) fn read(call: &Call, body: &[u8], strings: &mut Strings) -> Option<Read> {
    fn list<T>(read: Result<(Vec<T>, bool), impl ToString>, to: fn(Vec<T>) -> Answer) -> Read {
        read.map(|(items, more)| (to(items), more)).map_err(|e| e.to_string())
    }
    fn one<T: serde::de::DeserializeOwned>(body: &[u8], to: fn(Box<T>) -> Answer) -> Read {
        serde_json::from_slice(body).map(|value| (to(value), false)).map_err(|e| e.to_string())
    }
    let task: &TaskId = &call.task;
    Some(match call.operation.as_str() {
        "ListRegions" => list(aggregator::regions(body), Answer::Regions),
        "DescribeConfigurationAggregatorSourcesStatus" => list(aggregator::sources(body), Answer::Sources),
        "ListMembers" => list(aggregator::members(body), Answer::Members),
        "GetFindingAggregator" => one(body, Answer::FindingAggregator),
        "DescribeConfigurationRecorders" => list(recorder::recorders(body), Answer::Recorders),
        "DescribeConfigurationRecorderStatus" => list(recorder::statuses(body), Answer::RecorderStatuses),
        "DescribeDeliveryChannels" => list(recorder::channels(body), Answer::Channels),
        "DescribeConfigRules" => list(rules::rules(body), Answer::Rules),
        "DescribeConfigRuleEvaluationStatus" => list(rules::evaluations(body), Answer::Evaluations),
        "DescribeRemediationConfigurations" => list(rules::remediations(body), Answer::Remediations),
        "DescribeRemediationExecutionStatus" => list(rules::executions(body), Answer::Executions),
        "SelectResourceConfig" | "SelectAggregateResourceConfig" => {
            list(compliance::selected(body, task, strings), Answer::Rows)
        }
        "GetComplianceDetailsByConfigRule" => list(compliance::details(body, strings), Answer::Rows),
        "DescribeComplianceByConfigRule" => list(compliance::verdicts(body), Answer::Verdicts),
        "DescribeAggregateComplianceByConfigRules" => list(compliance::aggregate_verdicts(body), Answer::Aggregate),
        "DescribeHub" => one(body, Answer::Hub),
        "GetEnabledStandards" => list(hub::standards(body), Answer::Standards),
        "DescribeStandardsControls" => list(hub::standard_controls(body), Answer::StandardControls),
        "BatchGetSecurityControls" => list(hub::security_controls(body), Answer::SecurityControls),
        "ListEnabledProductsForImport" => list(hub::products(body), Answer::Products),
        "DescribeConformancePacks" => list(packs::packs(body), Answer::Packs),
        "DescribeConformancePackStatus" => list(packs::statuses(body), Answer::PackStatuses),
        "DescribeConformancePackCompliance" => list(packs::rules(body), Answer::PackRules),
        "GetFindings" => list(findings::findings(body, task, strings), Answer::Findings),
        _ => return None,
    })
}

/// Reads a refusal that is itself an answer: `DescribeHub` in an account that is not subscribed (an error of its own, or 404).
///
/// The code `InvalidAccessException` also means "not an administrator": the message tells them apart.
pub(super) fn refusal(call: &Call, body: &[u8]) -> Option<Answer> {
    let unsubscribed = match call.error.as_deref() {
        Some("InvalidAccessException") => String::from_utf8_lossy(body).to_ascii_lowercase().contains("not subscribed"),
        Some("ResourceNotFoundException") => true,
        _ => false,
    };
    (call.operation == "DescribeHub" && unsubscribed).then_some(Answer::NotSubscribed)
}
