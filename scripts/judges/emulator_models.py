#!/usr/bin/env python3
"""First judge: every answer of the emulator is checked against botocore's service models.

boto3 drives each served operation, over every account and Region of the organisation files, through every page; a
`before-parse` hook checks the raw answer, errors included. Patterns are only warned of: AWS's own answers break them.

usage: $(scripts/python-env) scripts/judges/emulator_models.py [-v]
"""

import collections
import json
import re
import sys
import urllib.request

import boto3
import botocore.exceptions
from botocore.config import Config

from support.emulator_process import ROOT, emulator
from support.model_check import check_answer

ORGANIZATIONS = ROOT / "tests" / "emulator" / "organizations"
NO_RETRY = Config(retries={"max_attempts": 0, "mode": "standard"}, parameter_validation=True)


class Judge:
    """Counts answers, keeps faults, and knows which operations were answered at least once without an error."""

    def __init__(self):
        # One session reads each service's model once.
        self.session = boto3.session.Session()
        self.passed = 0
        self.faults = collections.Counter()
        self.warnings = collections.Counter()
        self.answered = set()
        self.refused = collections.Counter()

    def client(self, service, ready, region=None, keys=None):
        environment = ready["environment"]
        keys = keys or {
            "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
        }
        where = {"region_name": region or environment["AWS_REGION"], "endpoint_url": environment["AWS_ENDPOINT_URL"]}
        client = self.session.client(service, **where, config=NO_RETRY, **keys)
        client.meta.events.register("before-parse", self.hook)
        return client

    def hook(self, operation_model, response_dict, **_):
        name = f"{operation_model.service_model.service_name}:{operation_model.name}"
        checker = check_answer(operation_model, response_dict)
        for fault in checker.faults:
            self.faults[f"{name} {response_dict['status_code']} {fault}"] += 1
        for warning in checker.warnings:
            self.warnings[f"{name} {re.sub(r'/[0-9]+/', '/*/', warning)}"] += 1
        if not checker.faults:
            self.passed += 1
        if response_dict["status_code"] < 300:
            self.answered.add(name)

    def ask(self, client, operation, **parameters):
        """Asks one page; an AWS error is an answer too, and gives None."""
        try:
            return getattr(client, operation)(**parameters)
        except botocore.exceptions.ClientError as error:
            service = client.meta.service_model.service_name
            self.refused[f"{service}:{operation} {error.response['Error']['Code']}"] += 1
            return None

    def pages(self, client, operation, member, **parameters):
        """Asks for every page; an empty page with a token is followed."""
        items = []
        while (page := self.ask(client, operation, **parameters)) is not None:
            items += page[member]
            if not page.get("NextToken"):
                break
            parameters["NextToken"] = page["NextToken"]
        return items

    def check(self, holds, text):
        """A law beside the models."""
        if holds:
            self.passed += 1
        else:
            self.faults[text] += 1


def organizations(judge, client):
    judge.ask(client, "describe_organization")
    accounts = judge.pages(client, "list_accounts", "Accounts", MaxResults=3)
    judge.check(len({a["Id"] for a in accounts}) == len(accounts) > 0, "list_accounts repeats or loses accounts")
    waiting, reached = [r["Id"] for r in judge.pages(client, "list_roots", "Roots")], []
    while waiting:
        parent = waiting.pop()
        units = judge.pages(client, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=parent)
        reached += judge.pages(client, "list_accounts_for_parent", "Accounts", ParentId=parent, MaxResults=2)
        waiting += [u["Id"] for u in units]
    judge.check(
        sorted(a["Id"] for a in reached) == sorted(a["Id"] for a in accounts), "the tree and the list of accounts differ"
    )
    for account in accounts:
        judge.pages(client, "list_parents", "Parents", ChildId=account["Id"])
        judge.pages(client, "list_tags_for_resource", "Tags", ResourceId=account["Id"])
        judge.pages(client, "list_delegated_services_for_account", "DelegatedServices", AccountId=account["Id"])
    for kind in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY", "TAG_POLICY"):
        for policy in judge.pages(client, "list_policies", "Policies", Filter=kind, MaxResults=2):
            content = judge.ask(client, "describe_policy", PolicyId=policy["Id"])["Policy"]["Content"]
            judge.check(isinstance(json.loads(content), dict), f"the document of {policy['Id']} is no JSON object")
            judge.pages(client, "list_targets_for_policy", "Targets", PolicyId=policy["Id"], MaxResults=5)
    judge.pages(client, "list_delegated_administrators", "DelegatedAdministrators")
    judge.pages(client, "list_aws_service_access_for_organization", "EnabledServicePrincipals")
    judge.ask(client, "describe_resource_policy")
    for operation, name in [
        ("describe_policy", "PolicyId"), ("list_parents", "ChildId"), ("list_accounts_for_parent", "ParentId"),
    ]:
        judge.ask(client, operation, **{name: {"PolicyId": "p-nothing00"}.get(name, "999999999999" if name == "ChildId" else "r-none")})
    return accounts


QUERY = (
    "SELECT accountId, awsRegion, resourceId, configurationItemCaptureTime, configuration.complianceType, "
    "configuration.configRuleList.configRuleName, configuration.configRuleList.complianceType "
    "WHERE resourceType = 'AWS::Config::ResourceCompliance'"
)


def config(judge, client):
    recorders = judge.ask(client, "describe_configuration_recorders")
    judge.ask(client, "describe_configuration_recorder_status")
    judge.ask(client, "describe_delivery_channels")
    judge.ask(client, "describe_delivery_channel_status")
    judge.pages(client, "describe_retention_configurations", "RetentionConfigurations")
    if recorders is None:
        return
    rules = judge.pages(client, "describe_config_rules", "ConfigRules")
    judge.pages(client, "describe_config_rule_evaluation_status", "ConfigRulesEvaluationStatus", Limit=7)
    states = judge.pages(client, "describe_compliance_by_config_rule", "ComplianceByConfigRules")
    judge.check(len(states) == len(rules), "rules and their states differ in number")
    packs = judge.pages(client, "describe_conformance_packs", "ConformancePackDetails")
    judge.pages(client, "describe_conformance_pack_status", "ConformancePackStatusDetails")
    known = {rule["ConfigRuleName"] for rule in rules}
    for pack in packs:
        brought = judge.pages(
            client, "describe_conformance_pack_compliance", "ConformancePackRuleComplianceList", ConformancePackName=pack["ConformancePackName"]
        )
        judge.check({rule["ConfigRuleName"] for rule in brought} <= known, "a pack brought a rule that is not there")
    detailed = set()
    for rule in rules:
        name = rule["ConfigRuleName"]
        for row in judge.pages(client, "get_compliance_details_by_config_rule", "EvaluationResults", ConfigRuleName=name, Limit=3):
            detailed.add((name, row["EvaluationResultIdentifier"]["EvaluationResultQualifier"]["ResourceId"], row["ComplianceType"]))
    names = [rule["ConfigRuleName"] for rule in rules]
    for start in range(0, len(names), 25):
        answer = judge.ask(client, "describe_remediation_configurations", ConfigRuleNames=names[start : start + 25])
        for one in answer["RemediationConfigurations"]:
            name = one["ConfigRuleName"]
            judge.pages(client, "describe_remediation_execution_status", "RemediationExecutionStatuses", ConfigRuleName=name)
            judge.pages(client, "describe_remediation_exceptions", "RemediationExceptions", ConfigRuleName=name)
    queried = set()
    for text in judge.pages(client, "select_resource_config", "Results", Expression=QUERY, Limit=4):
        row = json.loads(text)
        for rule in row["configuration"]["configRuleList"]:
            queried.add((rule["configRuleName"], row["resourceId"].split("/", 1)[1], rule["complianceType"]))
    binary = {row for row in detailed if row[2] in ("COMPLIANT", "NON_COMPLIANT")}
    judge.check(not queried or queried == binary, "SelectResourceConfig and GetComplianceDetailsByConfigRule disagree")


def aggregator(judge, client):
    for one in judge.pages(client, "describe_configuration_aggregators", "ConfigurationAggregators"):
        name = {"ConfigurationAggregatorName": one["ConfigurationAggregatorName"]}
        judge.pages(client, "describe_configuration_aggregator_sources_status", "AggregatedSourceStatusList", **name, Limit=9)
        rows = judge.pages(client, "describe_aggregate_compliance_by_config_rules", "AggregateComplianceByConfigRules", **name)
        again = judge.pages(client, "describe_aggregate_compliance_by_config_rules", "AggregateComplianceByConfigRules", **name, Limit=17)
        judge.check(rows == again and rows, "pages of another size hold other rows")
        judge.pages(client, "select_aggregate_resource_config", "Results", **name, Expression=QUERY, Limit=100)
        page = judge.ask(client, "select_aggregate_resource_config", **name, Expression=QUERY, Limit=5)
        changed = {**name, "Expression": QUERY + " AND awsRegion = 'eu-west-1'", "NextToken": page["NextToken"]}
        judge.check(
            judge.ask(client, "select_aggregate_resource_config", **changed) is None, "a token was taken with other parameters"
        )
    judge.ask(client, "select_aggregate_resource_config", ConfigurationAggregatorName="nothing", Expression=QUERY)
    judge.ask(client, "select_resource_config", Expression="SELECT nonsense FROM")


def securityhub(judge, client):
    judge.ask(client, "describe_hub")
    judge.ask(client, "describe_security_hub_v2")
    for standard in judge.pages(client, "get_enabled_standards", "StandardsSubscriptions"):
        arn = standard["StandardsSubscriptionArn"]
        judge.pages(client, "describe_standards_controls", "Controls", StandardsSubscriptionArn=arn, MaxResults=10)
    controls = [c["SecurityControlId"] for c in judge.pages(client, "list_security_control_definitions", "SecurityControlDefinitions")]
    if controls:
        judge.ask(client, "batch_get_security_controls", SecurityControlIds=[*controls, "None.1"])
        judge.pages(client, "list_standards_control_associations", "StandardsControlAssociationSummaries", SecurityControlId=controls[0])
    judge.pages(client, "list_enabled_products_for_import", "ProductSubscriptions")
    judge.pages(client, "get_findings", "Findings", MaxResults=50)
    active = {"RecordState": [{"Value": "ACTIVE", "Comparison": "EQUALS"}]}
    for finding in judge.pages(client, "get_findings", "Findings", MaxResults=100, Filters=active):
        judge.check(finding["RecordState"] == "ACTIVE", "a filter let an archived finding through")


def central(judge, client):
    judge.ask(client, "describe_organization_configuration")
    judge.pages(client, "list_organization_admin_accounts", "AdminAccounts")
    for one in judge.pages(client, "list_finding_aggregators", "FindingAggregators"):
        judge.ask(client, "get_finding_aggregator", FindingAggregatorArn=one["FindingAggregatorArn"])
    judge.pages(client, "list_members", "Members", OnlyAssociated=False, MaxResults=4)
    for one in judge.pages(client, "list_configuration_policies", "ConfigurationPolicySummaries"):
        judge.ask(client, "get_configuration_policy", Identifier=one["Id"])
    judge.pages(client, "list_configuration_policy_associations", "ConfigurationPolicyAssociationSummaries", MaxResults=6)
    rules = judge.pages(client, "list_automation_rules", "AutomationRulesMetadata")
    if rules:
        judge.ask(client, "batch_get_automation_rules", AutomationRulesArns=[rule["RuleArn"] for rule in rules])


def member(judge, ready, sts, account):
    organization = ready["organization"]
    parameters = {
        "RoleArn": f"arn:aws:iam::{account}:role/{organization['role']}", "RoleSessionName": "orgproof-judge",
        "SourceIdentity": "orgproof-judge",
    }
    if organization["external_id"]:
        parameters["ExternalId"] = organization["external_id"]
    answer = judge.ask(sts, "assume_role", **parameters)
    if answer is None:
        return
    keys = {
        "aws_access_key_id": answer["Credentials"]["AccessKeyId"],
        "aws_secret_access_key": answer["Credentials"]["SecretAccessKey"],
        "aws_session_token": answer["Credentials"]["SessionToken"],
    }
    judge.ask(judge.client("sts", ready, keys=keys), "get_caller_identity")
    judge.pages(judge.client("account", ready, keys=keys), "list_regions", "Regions", MaxResults=50)
    judge.ask(judge.client("organizations", ready, keys=keys), "list_accounts")
    for region in organization["regions"]:
        config(judge, judge.client("config", ready, region, keys))
        securityhub(judge, judge.client("securityhub", ready, region, keys))


def identities(judge, ready):
    """Callers other than the auditor: what they may not do must be refused as AWS refuses it."""
    for name, identity in ready["identities"].items():
        keys = {
            "aws_access_key_id": identity["environment"]["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": identity["environment"]["AWS_SECRET_ACCESS_KEY"],
        }
        judge.ask(judge.client("sts", ready, keys=keys), "get_caller_identity")
        judge.ask(judge.client("organizations", ready, keys=keys), "describe_organization")
        listed = judge.ask(judge.client("organizations", ready, keys=keys), "list_accounts")
        judge.check((listed is not None) == (name in ("auditor", "management")), f"list_accounts as {name}")
        central(judge, judge.client("securityhub", ready, keys=keys))
    wrong = {"aws_access_key_id": ready["environment"]["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": "wrong"}
    for service, operation in [("organizations", "list_accounts"), ("securityhub", "describe_hub"), ("sts", "get_caller_identity")]:
        judge.check(judge.ask(judge.client(service, ready, keys=wrong), operation) is None, f"{service} took a wrong signature")


def faults(judge, ready):
    """Each fault, in each protocol, still speaks AWS's language."""
    def post(path, body):
        request = urllib.request.Request(f"{ready['url']}/_emulator/{path}", json.dumps(body).encode(), method="POST")
        urllib.request.urlopen(request).read()

    asked = [
        ("organizations", "list_accounts"), ("sts", "get_caller_identity"), ("config", "describe_config_rules"),
        ("securityhub", "get_findings"), ("account", "list_regions"),
    ]
    for kind in ("throttle", "internal", "unavailable", "deny"):
        for service, operation in asked:
            post("faults", {"service": service, "kind": kind, "count": 1})
            client = judge.client(service, ready)
            judge.check(judge.ask(client, operation) is None, f"{kind} did not strike {service}")
            judge.check(judge.ask(client, operation) is not None, f"{kind} struck {service} twice")


def run(judge, path):
    with emulator("--organization", str(path), "--at", "2026-11-23T00:00:00Z", "--quotas", "off") as ready:
        sts = judge.client("sts", ready)
        judge.ask(sts, "get_caller_identity")
        accounts = organizations(judge, judge.client("organizations", ready))
        aggregator(judge, judge.client("config", ready))
        central(judge, judge.client("securityhub", ready))
        judge.pages(judge.client("account", ready), "list_regions", "Regions")
        for account in accounts:
            member(judge, ready, sts, account["Id"])
        identities(judge, ready)
        faults(judge, ready)
        unserved = json.load(urllib.request.urlopen(f"{ready['url']}/_emulator/unserved"))["unserved"]
        judge.check(not unserved, f"not served: {unserved}")


#: Every operation that the emulator serves: each must have been answered without an error at least once.
SERVED = """
organizations:DescribeOrganization organizations:ListRoots organizations:ListOrganizationalUnitsForParent organizations:ListAccounts
organizations:ListAccountsForParent organizations:ListParents organizations:ListTagsForResource organizations:ListPolicies
organizations:DescribePolicy organizations:ListTargetsForPolicy organizations:ListDelegatedAdministrators
organizations:ListDelegatedServicesForAccount organizations:ListAWSServiceAccessForOrganization organizations:DescribeResourcePolicy
sts:GetCallerIdentity sts:AssumeRole account:ListRegions
config:DescribeConfigurationAggregators config:DescribeConfigurationAggregatorSourcesStatus
config:DescribeAggregateComplianceByConfigRules config:SelectAggregateResourceConfig config:SelectResourceConfig
config:DescribeConfigurationRecorders config:DescribeConfigurationRecorderStatus config:DescribeDeliveryChannels
config:DescribeDeliveryChannelStatus config:DescribeRetentionConfigurations config:DescribeConfigRules
config:DescribeConfigRuleEvaluationStatus config:DescribeComplianceByConfigRule config:GetComplianceDetailsByConfigRule
config:DescribeConformancePacks config:DescribeConformancePackStatus config:DescribeConformancePackCompliance
config:DescribeRemediationConfigurations
config:DescribeRemediationExecutionStatus config:DescribeRemediationExceptions
securityhub:DescribeHub securityhub:GetEnabledStandards securityhub:DescribeStandardsControls
securityhub:ListSecurityControlDefinitions securityhub:BatchGetSecurityControls securityhub:ListStandardsControlAssociations
securityhub:GetFindings securityhub:DescribeOrganizationConfiguration securityhub:ListOrganizationAdminAccounts
securityhub:ListFindingAggregators securityhub:GetFindingAggregator securityhub:ListMembers securityhub:ListConfigurationPolicies
securityhub:GetConfigurationPolicy securityhub:ListConfigurationPolicyAssociations securityhub:ListAutomationRules
securityhub:BatchGetAutomationRules securityhub:DescribeSecurityHubV2 securityhub:ListEnabledProductsForImport
""".split()


def prove_that_the_checker_sees(judge):
    """A judge that lets everything pass would be silent too: each of these answers must be found wrong."""
    operation = judge.session.client("organizations", region_name="us-east-1").meta.service_model.operation_model("ListAccounts")
    good = {"Id": "110000000001", "State": "ACTIVE", "JoinedTimestamp": 1_700_000_000}
    for change in [{"Nmae": "x"}, {"Name": None}, {"State": "FINE"}, {"JoinedTimestamp": "2026-11-23"}, {"Paths": "x"}, {"Email": "x"}]:
        body = json.dumps({"Accounts": [{**good, **change}]}).encode()
        response = {"status_code": 200, "headers": {"x-amzn-requestid": "1"}, "body": body}
        judge.check(check_answer(operation, response).faults, f"the checker does not see {change}")


def main() -> int:
    judge = Judge()
    prove_that_the_checker_sees(judge)
    for path in sorted(ORGANIZATIONS.glob("*.toml")):
        run(judge, path)
    for operation in SERVED:
        judge.check(operation in judge.answered, f"{operation} was never answered without an error")
    if "-v" in sys.argv[1:]:
        for text, count in sorted(judge.refused.items()):
            print(f"refused {count:5} {text}")
        for text, count in sorted(judge.warnings.items()):
            print(f"pattern {count:5} {text}")
    for text, count in sorted(judge.faults.items()):
        print(f"FAILED  {count:5} {text}")
    print(f"{judge.passed} passed, {sum(judge.faults.values())} failed ({len(judge.warnings)} patterns not matched: -v shows them)")
    return 1 if judge.faults else 0


if __name__ == "__main__":
    sys.exit(main())
