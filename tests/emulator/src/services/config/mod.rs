//! AWS Config: recorders, rules, remediation, queries and the organisation's aggregator.

mod aggregate;
mod query;
mod recorder;
mod remediation;
mod rules;

use crate::{call::Call, wire::Answer};

pub(super) fn answer(call: &Call<'_>) -> Option<Answer> {
    type Operation = fn(&Call<'_>) -> Answer;
    let operation: Operation = match call.operation {
        "DescribeConfigurationAggregators" => aggregate::describe,
        "DescribeConfigurationAggregatorSourcesStatus" => aggregate::sources,
        "DescribeAggregateComplianceByConfigRules" => aggregate::compliance,
        "SelectAggregateResourceConfig" => query::aggregate,
        "SelectResourceConfig" => query::local,
        "DescribeConfigurationRecorders" => recorder::describe,
        "DescribeConfigurationRecorderStatus" => recorder::status,
        "DescribeDeliveryChannels" => recorder::channels,
        "DescribeDeliveryChannelStatus" => recorder::channel_status,
        "DescribeRetentionConfigurations" => recorder::retention,
        "DescribeConfigRules" => rules::describe,
        "DescribeConfigRuleEvaluationStatus" => rules::evaluation_status,
        "DescribeComplianceByConfigRule" => rules::compliance,
        "GetComplianceDetailsByConfigRule" => rules::details,
        "DescribeConformancePacks" => rules::packs,
        "DescribeConformancePackStatus" => rules::pack_status,
        "DescribeConformancePackCompliance" => rules::pack_compliance,
        "DescribeRemediationConfigurations" => remediation::configurations,
        "DescribeRemediationExecutionStatus" => remediation::executions,
        "DescribeRemediationExceptions" => remediation::exceptions,
        _ => return None,
    };
    Some(operation(call))
}
