#!/usr/bin/env python3
"""Second judge: two look-alikes that others wrote, each where it is known to be right.

moto:      the same auditor run, `orgproof collect` and `assess`, over one organisation built in moto and declared to the emulator: what it
           says of organisation, control policies and recorders must be the same.
ministack: the same AssumeRole questions must be granted and refused alike.

What moto is known to do otherwise is not compared; KNOWN says what and why, and is printed.

usage: $(scripts/python-env) scripts/judges/independent.py      (needs orgproof and orgproof-emulator built; $ORGPROOF, $ORGPROOF_EMULATOR)
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import boto3
import botocore.exceptions
from botocore.config import Config

from support.emulator_process import ROOT, emulator
from support.environments import environment
from support.ministack_process import ministack

#: What moto 5.2.5 is known to do otherwise, so that nothing is concluded from it.
KNOWN = [
    "moto grants every AssumeRole: trust is compared with ministack instead",
    "moto has no aggregated compliance, no advanced queries, no rule evaluation and no conformance packs: those tasks end as gaps",
    "moto ignores Security Hub's filters and knows no members: Security Hub is not compared",
    "moto has no account:ListRegions: Regions are not compared",
    "only service control policies are built in moto: resource control policies are not compared",
]

#: The checks whose answers must agree (by the beginning of their ids), and the answers that this organisation must bring about.
COMPARED = {
    "guard/": ("pass", "fail", "not-applicable"),
    "state/organization-all-features": ("pass",),
    "state/scp-enabled": ("pass",),
    "state/config-recorder": ("pass", "fail"),
}

ROLE = "OrgProofAudit"
MANAGEMENT = "123456789012"
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
PROTECT = {
    "Version": "2012-10-17",
    "Statement": [{
        "Sid": "ProtectBuckets", "Effect": "Deny", "Resource": "*",
        "Action": ["s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutAccountPublicAccessBlock"],
        "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/BreakGlass"}},
    }],
}
STAY = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "Stay", "Effect": "Deny", "Action": "organizations:LeaveOrganization", "Resource": "*"}],
}


MOTO = """
import sys, time
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def moto():
    """Runs moto on a free port; yields its URL."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [environment("moto"), "-c", MOTO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            # moto ends when its standard input does.
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=3)
            process.kill()
            process.wait()


def client(service, url, key, secret="test", **more):
    return boto3.client(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 0}), **more,
    )


def build_in_moto(url):
    """Makes the organisation in moto and returns what moto named it."""
    organizations = client("organizations", url, "auditor")
    organization = organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    units = {}
    for name, parent in [("Workloads", None), ("Production", "Workloads"), ("Sandbox", None)]:
        made = organizations.create_organizational_unit(ParentId=units.get(parent, root), Name=name)
        units[name] = made["OrganizationalUnit"]["Id"]
    accounts = {}
    for name, unit in [("shop", "Production"), ("ledger", "Workloads"), ("playground", "Sandbox")]:
        status = organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]
        accounts[name] = status["AccountId"]
        organizations.move_account(AccountId=accounts[name], SourceParentId=root, DestinationParentId=units[unit])
    for name, document, target in [("protect", PROTECT, units["Workloads"]), ("stay", STAY, accounts["playground"])]:
        policy = organizations.create_policy(
            Name=name, Description=name, Type="SERVICE_CONTROL_POLICY", Content=json.dumps(document)
        )["Policy"]["PolicySummary"]["Id"]
        organizations.attach_policy(PolicyId=policy, TargetId=target)
    for name in ("shop", "ledger"):
        record(url, accounts[name], started=name == "shop")
    record(url, MANAGEMENT, started=True)
    return organization, accounts


def record(url, account, started):
    """Sets up a recorder in an account of moto's."""
    keys = client("sts", url, "auditor").assume_role(RoleArn=f"arn:aws:iam::{account}:role/{ROLE}", RoleSessionName="setup")["Credentials"]
    config = client("config", url, keys["AccessKeyId"], keys["SecretAccessKey"], aws_session_token=keys["SessionToken"])
    config.put_configuration_recorder(ConfigurationRecorder={
        "name": "default", "roleARN": f"arn:aws:iam::{account}:role/config",
        "recordingGroup": {"allSupported": True, "includeGlobalResourceTypes": True},
    })
    config.put_delivery_channel(DeliveryChannel={"name": "default", "s3BucketName": "history"})
    if started:
        config.start_configuration_recorder(ConfigurationRecorderName="default")


def declaration(organization, accounts):
    """Declares the same organisation to the emulator."""
    quoted = lambda document: "'" + json.dumps(document) + "'"
    text = f'''
id = "{organization}"
management = "{MANAGEMENT}"
audit = "{MANAGEMENT}"
home_region = "us-east-1"
regions = ["us-east-1"]
policy_types = ["SERVICE_CONTROL_POLICY"]
auditor = {{ role = "{ROLE}" }}
account = [
  {{ id = "{MANAGEMENT}", name = "master" }},
  {{ id = "{accounts['shop']}", name = "shop", unit = "Production" }},
  {{ id = "{accounts['ledger']}", name = "ledger", unit = "Workloads" }},
  {{ id = "{accounts['playground']}", name = "playground", unit = "Sandbox" }},
]
unit = [{{ name = "Workloads" }}, {{ name = "Production", parent = "Workloads" }}, {{ name = "Sandbox" }}]
target = [
  {{ accounts = ["{accounts['ledger']}"], recorder = "stopped" }},
  {{ accounts = ["{accounts['playground']}"], recorder = "absent" }},
]
'''
    for ident, name, managed, targets, document in [
        ("p-FullAWSAccess", "FullAWSAccess", "true", ["*"], ALLOW),
        ("p-protect00001", "protect", "false", ["Workloads"], PROTECT),
        ("p-stay00000001", "stay", "false", [accounts["playground"]], STAY),
    ]:
        text += f'''
[[policy]]
id = "{ident}"
name = "{name}"
type = "SERVICE_CONTROL_POLICY"
aws_managed = {managed}
targets = {json.dumps(targets)}
document = {quoted(document)}
'''
    return text


def product() -> pathlib.Path:
    given = os.environ.get("ORGPROOF")
    path = pathlib.Path(given) if given else pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "orgproof"
    if not path.exists():
        raise SystemExit("no orgproof: run `cargo build` first, or set ORGPROOF")
    return path


def audit(folder: pathlib.Path, variables) -> set:
    """Runs the auditor; returns the compared observations, without what differs from run to run."""
    folder.mkdir()
    (folder / "orgproof.toml").write_text(f'''
[organization]
role_name = "{ROLE}"
regions = ["us-east-1"]
home_region = "us-east-1"
[config]
aggregator = ""
[store]
url = "file:evidence"
[signing]
key = "file:seal.pem"
[catalog]
frameworks = ["cis-aws-3.0", "s3-data-leak"]
[schedule]
period = "quarter"
''')
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    for arguments, allowed in [
        (["keys", "generate", "--out", "seal.pem"], {0}), (["collect"], {0, 3}), (["assess", "--out", "results"], {0, 1, 3}),
    ]:
        done = subprocess.run(
            [product(), *arguments], cwd=folder, env={**clean, **variables}, capture_output=True, text=True, timeout=300
        )
        if done.returncode not in allowed:
            raise SystemExit(f"orgproof {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    found = set()
    for path in (folder / "results").rglob("observations.ndjson"):
        for line in path.read_text().splitlines():
            one = json.loads(line)
            if one["check"].startswith(tuple(COMPARED)):
                found.add((one["check"], one["account"], one["region"], one["resource"]["type"], one["status"]))
    return found


def compare_runs() -> list:
    faults = []
    with tempfile.TemporaryDirectory(prefix="orgproof-judge-") as name, moto() as url:
        folder = pathlib.Path(name)
        organization, accounts = build_in_moto(url)
        (folder / "organization.toml").write_text(declaration(organization, accounts))
        theirs = audit(folder / "moto", {
            "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "auditor", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
        })
        with emulator("--organization", str(folder / "organization.toml")) as ready:
            ours = audit(folder / "emulator", ready["environment"])
    # What moto lacks ends as gaps, and each gap rightly adds a "not assessed" beside what was seen: only on moto's side, never on ours.
    gaps = {o for o in theirs - ours if o[-1] == "not-assessed"}
    theirs -= gaps
    for kind, statuses in COMPARED.items():
        for status in statuses:
            if not any(o[0].startswith(kind) and o[-1] == status for o in ours & theirs):
                faults.append(f"no {kind} is {status} on both sides: nothing was compared")
    faults += [f"only from moto: {o}" for o in sorted(theirs - ours)] + [f"only from the emulator: {o}" for o in sorted(ours - theirs)]
    print(f"moto: {len(ours & theirs)} observations agree, {len(ours ^ theirs)} do not; {len(gaps)} more not assessed for what moto lacks")
    return faults


def compare_trust() -> list:
    """Asks both the same: who gets the role of account B, whose trust wants account A's auditor and an external id."""
    a, b, c = "111111111111", "222222222222", "333333333333"
    declared = f'''
id = "o-trust000001"
management = "{c}"
audit = "{a}"
home_region = "us-east-1"
regions = ["us-east-1"]
auditor = {{ role = "{ROLE}", external_id = "right" }}
account = [{{ id = "{a}", name = "a" }}, {{ id = "{b}", name = "b" }}, {{ id = "{c}", name = "c", role = false }}]
[[policy]]
id = "p-FullAWSAccess"
name = "FullAWSAccess"
type = "SERVICE_CONTROL_POLICY"
aws_managed = true
targets = ["*"]
document = '{json.dumps(ALLOW)}'
'''
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{a}:root"}, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
        "Condition": {"StringEquals": {"sts:ExternalId": "right"}},
    }]}
    questions = [
        ("the auditor", b, ROLE, "right"), ("the auditor", b, ROLE, "wrong"), ("the auditor", b, ROLE, None),
        ("the auditor", b, "Nothing", "right"), ("the auditor", c, ROLE, "right"), ("another account", b, ROLE, "right"),
    ]
    with tempfile.TemporaryDirectory(prefix="orgproof-judge-") as name, ministack() as url:
        path = pathlib.Path(name) / "trust.toml"
        path.write_text(declared)
        client("iam", url, b).create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust))
        with emulator("--organization", str(path)) as ready:
            keys = {who: ready["identities"][name]["environment"] for who, name in [("the auditor", "auditor"), ("another account", "management")]}
            faults, agreed = [], 0
            for who, account, role, external in questions:
                def ask(sts):
                    more = {"ExternalId": external} if external else {}
                    try:
                        sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName="judge", **more)
                        return "granted"
                    except botocore.exceptions.ClientError as error:
                        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]

                theirs = ask(client("sts", url, a if who == "the auditor" else c))
                ours = ask(client("sts", ready["url"], keys[who]["AWS_ACCESS_KEY_ID"], keys[who]["AWS_SECRET_ACCESS_KEY"]))
                if ours == theirs:
                    agreed += 1
                else:
                    faults.append(f"AssumeRole by {who} of {role} in {account} with external id {external}: ministack {theirs}, emulator {ours}")
    print(f"ministack: {agreed} of {len(questions)} AssumeRole answers agree")
    return faults


def main() -> int:
    faults = compare_trust() + compare_runs()
    for text in KNOWN:
        print(f"known   {text}")
    for text in faults:
        print(f"FAILED  {text}")
    print("independent: " + (f"{len(faults)} differences" if faults else "no difference"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
