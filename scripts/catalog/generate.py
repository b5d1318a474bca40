#!/usr/bin/env python3
"""Writes the frameworks and checks that are too many to write by hand, from controls/facts and the titles beside this script.

Facts (numbers, identifiers, mappings, NIST's own titles) come from controls/facts. Titles of controls, rules and requirements
are our own words, in the text files here: `id|family|title` or `id|title`. The remaining sentences are made by family, below.
Checks that stand in a file written by hand are left alone. Run it from anywhere: it rewrites its own files only, the same
bytes each time.
"""
import csv
import json
import re
import sys
from collections import defaultdict
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
CONTROLS = HERE.parent.parent / "controls"
MADE = "# Made by scripts/catalog/generate.py from controls/facts and the titles beside it: change those, not this file.\n"


def q(value):
    return json.dumps(value, ensure_ascii=False)


def facts(name):
    with open(CONTROLS / "facts" / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def titles(name):
    lines = (HERE / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return {parts[0]: parts[1:] for parts in (line.split("|") for line in lines)}


# What to do about a failure, by the family of the check.
REMEDY = {
    "a": "Give it the zones, standby, health check or scaling that it lacks, in the template it came from, and try the failover once.",
    "b": "Turn on its backups or add it to a backup plan with the retention demanded, and restore once to prove that it works.",
    "c": "Bring its configuration in line in the template it came from, and remove it where nobody needs it.",
    "d": "Turn on its protection against deletion or change, and say who may turn it off.",
    "e": "Turn on encryption with a KMS key; where the service cannot do that in place, copy the data to an encrypted resource and move over.",
    "g": "Add the tags in the template it came from, and enforce them by a tag policy of the organization.",
    "i": "Narrow who can act or sign in: adjust the policy, credential or authentication setting that the finding names.",
    "l": "Turn on its logs, to a central destination with the retention demanded, and check that entries arrive.",
    "m": "Turn it on in every account and Region, and say who acts on what it reports.",
    "p": "Close the way in that the finding names: narrow the policy, address, route or rule, and guard it against return.",
    "t": "Demand encryption on both ends: set the protocol, policy or certificate, and watch for clients that fall away.",
    "v": "Move to a supported and current version, install what is missing, and let updates come by themselves.",
}
# Config knows no severity: ours, by family.
SEVERITY = {"p": "high", "i": "medium", "e": "medium", "t": "medium", "l": "medium", "m": "medium", "v": "medium", "d": "medium"}
SOURCE_COPY = {"RDS.16", "RDS.17", "RDS.47", "RDS.48", "FSx.1", "FSx.2", "Neptune.8"}
GLOBAL_TYPES = ("AWS::IAM::", "AWS::CloudFront::", "AWS::Route53::", "AWS::GlobalAccelerator::")
GLOBAL_CONTROLS = {"Account.2", "KMS.1", "KMS.2", "WAF.1", "WAF.6", "WAF.7", "WAF.8"}

VERDICTS = {"securityhub": ("Security Hub", "PASSED", "FAILED"), "config-rule": ("AWS Config", "COMPLIANT", "NON_COMPLIANT")}
SH_MEANS = """[means]
not-applicable = "Security Hub answers that there is nothing in the account and Region to which the control applies, and the resource types were recorded throughout."
not-assessed = "Security Hub gave no usable answer: it is off, the control is disabled or suppressed, the answer was WARNING or NOT_AVAILABLE, or the account or Region could not be read."
"""
CONFIG_MEANS = """[means]
not-applicable = "The rule evaluated nothing or answered NOT_APPLICABLE, and its resource types were recorded throughout."
not-assessed = "The rule gave no usable answer: it is not deployed, has insufficient data, its evaluation failed or is stale, or the account or Region could not be read."
"""


def by_hand(key):
    """Identifiers that a file written by hand defines a check for."""
    found = set()
    for path in (CONTROLS / "checks").glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        if not text.startswith(MADE):
            found |= set(re.findall(rf'^{key} = "(.*)"$', text, re.M))
    return found


def check(kind, identifier, title, family, severity, types, is_global):
    of = f"the {types[0]}" if len(types) == 1 else "the resource" if types else "the account"
    asker, passed, failed = VERDICTS[kind]
    lines = ["", "[[check]]", f"id = {q(('securityhub/' if kind == 'securityhub' else 'config/') + identifier)}"]
    lines += [f"{kind} = {q(identifier)}", f"title = {q(title)}", f"severity = {q(severity)}"]
    if types:
        lines.append(f"resource-types = {q(types)}")
    if is_global:
        lines.append("global = true")
    lines.append(f"pass = {q(f'{asker} reports {passed} for {of}: {title}.')}")
    lines.append(f"fail = {q(f'{asker} reports {failed} for {of}. It should be so: {title}.')}")
    lines.append(f"remedy = {q(REMEDY[family])}")
    return "\n".join(lines) + "\n"


def write_checks():
    """Returns the ids of all Security Hub controls and Config rules that have a check."""
    own, hand = titles("controls"), by_hand("securityhub")
    services = defaultdict(str)
    controls = [row for row in facts("securityhub_controls") if row["status"] == "current"]
    for row in controls:
        identifier = row["control_id"]
        types = [kind for kind in row["resource_types"].split(";") if kind and kind != "AWS::::Account"]
        if identifier in hand:
            continue
        if identifier in own:
            family, title = own[identifier]
            if family == "g":
                title += " carry the tags of their source" if identifier in SOURCE_COPY else " carry the tags demanded"
        else:
            what = f"Resources of type {types[0]}" if types else f"{row['service']} resources"
            family, title = "g", f"{what} carry the tags demanded"
        is_global = identifier in GLOBAL_CONTROLS or any(kind.startswith(GLOBAL_TYPES) for kind in types)
        service = identifier.split(".")[0].lower()
        services[service] += check(
            "securityhub", identifier, title, family, row["severity"].lower(), types, is_global
        )
    for service, text in services.items():
        path = CONTROLS / "checks" / f"securityhub-{service}.toml"
        path.write_text(MADE + "\n" + SH_MEANS + text, encoding="utf-8")

    known = {row["identifier"]: row for row in facts("config_managed_rules")}
    one = defaultdict(list)
    for row in controls:
        if row["config_rule_identifier"]:
            one[row["config_rule_identifier"]].append(row["control_id"])
    hand, text, rules = by_hand("config-rule"), "", set()
    wanted = {identifier: tuple(parts) for identifier, parts in titles("rules").items()}
    for rule, ids in one.items():
        # Several controls may share a rule with different parameters: then the rule speaks for itself.
        if len(ids) > 1:
            wanted.setdefault(rule, SHARED.get(rule) or ("c", f"AWS Config rule {known[rule]['rule_name']} is complied with"))
    for rule, (family, title) in sorted(wanted.items()):
        if rule in hand:
            continue
        types = [kind for kind in known[rule]["resource_types"].split(";") if kind]
        is_global = any(kind.startswith(GLOBAL_TYPES) for kind in types) or rule in GLOBAL_RULES
        severity = SEVERITY.get(family, "low")
        text += check("config-rule", rule, title, family, severity, types, is_global)
        rules.add(rule)
    (CONTROLS / "checks" / "config-more.toml").write_text(MADE + "\n" + CONFIG_MEANS + text, encoding="utf-8")
    single = {rule: ids[0] for rule, ids in one.items() if len(ids) == 1}
    return {row["control_id"] for row in controls}, rules | hand, single


GLOBAL_RULES = {"IAM_PASSWORD_POLICY", "IAM_USER_UNUSED_CREDENTIALS_CHECK"}
SHARED = {
    "IAM_PASSWORD_POLICY": ("i", "The password policy meets the parameters of the rule"),
    "IAM_USER_UNUSED_CREDENTIALS_CHECK": ("i", "Credentials unused for the time in the rule are gone"),
    "RESTRICTED_INCOMING_TRAFFIC": ("p", "No security group opens the ports in the rule to everybody"),
    "VPC_ENDPOINT_ENABLED": ("p", "VPCs have an endpoint for the service in the rule"),
    "VPC_SG_PORT_RESTRICTION_CHECK": ("p", "No security group opens a restricted port to everybody"),
    "ECS_TASK_DEFINITION_USER_FOR_HOST_MODE_CHECK": ("i", "Task definitions on the host network name an unprivileged user"),
}
# Best first, as controls/facts/README.md ranks the methods.
METHODS = [
    "via_securityhub_control", "text_match", "via_control_tower_control", "steampipe_via_fsbp", "check_via_fsbp",
    "check_via_pci_text",
]


def mappings(framework, version, controls, rules, single):
    """Returns requirement -> ({documented check: source}, {derived check: source})."""
    documented, derived = defaultdict(dict), defaultdict(dict)
    for row in facts("securityhub_control_requirements"):
        if (row["framework"], row["version"]) != (framework, version) or row["control_id"] not in controls:
            continue
        name = f"securityhub/{row['control_id']}"
        if row["method"] == "direct":
            documented[row["requirement_id"]][name] = row["source"]
        else:
            derived[row["requirement_id"]].setdefault(name, f"{row['source']}, {row['method']}")
    rows = [row for row in facts("config_rule_requirements") if (row["framework"], row["version"]) == (framework, version)]
    for row in sorted(rows, key=lambda row: METHODS.index(row["method"])):
        rule = row["config_rule_identifier"]
        name = f"securityhub/{single[rule]}" if rule in single else f"config/{rule}"
        requirement = row["requirement_id"]
        if row["method"] == "via_securityhub_control":
            # The control itself stands here already.
            continue
        if rule not in single and rule not in rules:
            raise SystemExit(f"{framework} {requirement}: rule {rule} has no check: give it a title in rules.txt")
        if name not in documented[requirement]:
            derived[requirement].setdefault(name, f"{row['source']}, {row['method']}")
    return documented, derived


def item(identifier, title, body):
    return f"\n[[requirement.item]]\nid = {q(identifier)}\ntitle = {q(title)}\n{body}"


def checks_body(mapped, confidence):
    """Checks whose mapping comes from the commonest source stand plainly, the others with their own."""
    sources = list(mapped.values())
    common = max(sorted(set(sources)), key=sources.count)
    plain = [f"  {q(name)}," for name in sorted(mapped) if mapped[name] == common]
    others = [
        f"  {{ check = {q(name)}, confidence = {q(confidence)}, source = {q(source)} }},"
        for name, source in sorted(mapped.items()) if source != common
    ]
    lines = "\n".join(plain + others)
    return f"confidence = {q(confidence)}\nsource = {q(common)}\nchecks = [\n{lines}\n]\n"


def requirement(identifier, title, description, party, reason, part, documented, derived, manual):
    lines = ["", "[[requirement]]", f"id = {q(identifier)}", f"title = {text(title)}", f"description = {text(description)}"]
    lines += [f"responsibility = {q(party)}", f"responsibility-reason = {q(reason)}"]
    if part:
        lines.append(f"aws-part = {{ what = {q(part[0])}, attestation = {q(part[1])} }}")
    out = "\n".join(lines) + "\n"
    if documented:
        out += item("a", "The controls that AWS names for it hold", checks_body(documented, "aws-documented"))
    if derived:
        out += item("b", "The checks that reach it through another mapping hold", checks_body(derived, "derived"))
    if part:
        out += item("i", "AWS's part is attested", f"inherited = {q(part[1])}\n")
    if manual:
        name = "What no check sees was confirmed" if documented or derived else "A person confirmed it"
        evidence, frequency, by = manual
        out += item("m", name, f"manual = {{ evidence = {q(evidence)}, frequency = {q(frequency)}, by = {q(by)} }}\n")
    return out


def text(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{tag} = {q(words)}" for tag, words in value.items()) + " }"
    return q(value)


def write(identifier, title, version, note, requirements):
    head = f"{MADE}# {note}\n\nid = {q(identifier)}\ntitle = {text(title)}\nversion = {q(version)}\n"
    (CONTROLS / "frameworks" / f"{identifier}.toml").write_text(head + "".join(requirements), encoding="utf-8")


def natural(identifier):
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", identifier)]


def ids(framework, version):
    rows = [row for row in facts("frameworks") if (row["framework"], row["version"]) == (framework, version)]
    return [(row["requirement_id"], row["title"]) for row in sorted(rows, key=lambda row: natural(row["requirement_id"]))]


def main():
    import families

    controls, rules, single = write_checks()
    families.generate(lambda framework, version: mappings(framework, version, controls, rules, single))


if __name__ == "__main__":
    main()
