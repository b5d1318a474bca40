"""The sentences that requirements share by family: purpose, who acts and why, and which evidence a person gathers."""
from collections import defaultdict

import generate as g

CUSTOMER = ("customer", "It concerns the organisation's own people, rules and decisions, which AWS cannot act on.", None)
SETTINGS = ("shared", "AWS secures the services themselves; how they are set up and used is the organisation's part.",
            ("AWS operates the services that the organisation's settings build on under controls of its own.", "SOC 2"))
PREMISES = ("shared", "AWS guards the data centres; offices, devices and paper are the organisation's part.",
            ("AWS guards the premises, hardware and media of its data centres.", "SOC 2"))


# Families of NIST SP 800-53 that people and papers fulfil, and those that premises and hardware fulfil.
PEOPLE = {"AT", "CA", "IR", "PL", "PM", "PS", "PT", "RA"}
HARDWARE = {"MA", "MP", "PE"}


def kind(mapped, physical=False, technical=False):
    """Where checks exist, or the subject is a system, settings of AWS services matter, so AWS has a part."""
    if physical:
        return PREMISES
    return SETTINGS if mapped or technical else CUSTOMER


def nist_kind(family, mapped, policy):
    technical = family not in PEOPLE and not policy
    return kind(mapped, physical=family in HARDWARE and not policy, technical=technical)


# NIST SP 800-53: family -> (name, purpose, evidence, how often, by whom).
NIST = {
    "AC": ("access control", "who may reach what is decided, granted and enforced", "Access policy, list of roles with their holders, and the last review of them", "every quarter", "security officer"),
    "AT": ("awareness and training", "people know the risks and their duties", "Training material and attendance of the period", "every year", "human resources"),
    "AU": ("audit and accountability", "what happens is recorded, kept and looked at", "Logging standard, retention settings, and records of the reviews in the period", "every quarter", "security officer"),
    "CA": ("assessment, authorization and monitoring", "controls are assessed, systems authorised and watched", "Assessment plan and report, authorisation, and open actions", "every year", "security officer"),
    "CM": ("configuration management", "systems are built and changed in a known way", "Baselines, inventory, and approved changes of the period", "every quarter", "platform team"),
    "CP": ("contingency planning", "systems can be kept up and brought back", "Contingency plan and the report of its last test", "every year", "platform team"),
    "IA": ("identification and authentication", "whoever acts has proved who they are", "Authentication standard, and exceptions from multifactor authentication with their reasons", "every quarter", "security officer"),
    "IR": ("incident response", "incidents are noticed, handled and learned from", "Incident plan, last exercise, and incidents of the period with what was learned", "every half-year", "security officer"),
    "MA": ("maintenance", "systems are maintained by the right people with the right tools", "Maintenance records of the period, with who was admitted", "every year", "platform team"),
    "MP": ("media protection", "media are marked, kept, moved and destroyed safely", "Media inventory and certificates of destruction of the period", "every year", "platform team"),
    "PE": ("physical and environmental protection", "places and equipment are safe", "Access lists and visitor logs of the organisation's own premises", "every half-year", "facilities manager"),
    "PL": ("planning", "security is planned and written down", "System security plan and rules of behaviour, with their approval", "every year", "security officer"),
    "PM": ("program management", "security is led across the organisation", "Programme plan, resources and reports to leadership", "every year", "chief information security officer"),
    "PS": ("personnel security", "people are screened, moved and let go safely", "Screening, transfer and termination records of a sample", "every half-year", "human resources"),
    "PT": ("personal data processing and transparency", "personal data is processed openly and by right", "Record of processing with purposes, legal bases and notices", "every year", "privacy officer"),
    "RA": ("risk assessment", "risks are found, judged and followed", "Risk register and the last assessment, with results of scans", "every quarter", "risk owner"),
    "SA": ("system and services acquisition", "what is bought and built is secure from the start", "Security requirements in contracts and development records of a sample", "every year", "procurement and development leads"),
    "SC": ("system and communications protection", "systems and what they exchange are shielded", "Network and encryption architecture, with its last review", "every half-year", "network team"),
    "SI": ("system and information integrity", "flaws, malware and attacks are found and dealt with", "Patch and alert records of the period, with overdue ones", "every quarter", "platform team"),
    "SR": ("supply chain risk management", "suppliers and what they deliver can be trusted", "Supplier list by criticality, with assessments and agreements", "every year", "procurement"),
}
N171 = {"3.1": "AC", "3.2": "AT", "3.3": "AU", "3.4": "CM", "3.5": "IA", "3.6": "IR", "3.7": "MA", "3.8": "MP", "3.9": "PS", "3.10": "PE", "3.11": "RA", "3.12": "CA", "3.13": "SC", "3.14": "SI"}
CSF = {
    "GV": ("Govern", "strategy, roles and policy for cyber risk are set and watched", "Minutes, policy and risk records in which leadership decided on it", "every year", "chief information security officer"),
    "ID": ("Identify", "assets, risks and room for improvement are known", "Inventory or risk register with its last review", "every quarter", "risk owner"),
    "PR": ("Protect", "safeguards keep risks down", "Standard for the safeguard and a sample that shows it at work", "every quarter", "security officer"),
    "DE": ("Detect", "attacks and anomalies are found and analysed", "Use cases of the monitoring, and alerts of the period with their analysis", "every month", "security operations"),
    "RS": ("Respond", "incidents are acted on", "Incident records of the period, or the last exercise where there was none", "every half-year", "security operations"),
    "RC": ("Recover", "what an incident harmed is brought back", "Recovery records of the period, or the last exercise where there was none", "every year", "platform team"),
}
PCI = {
    "1": ("network security controls", "Rule sets and diagrams with their last review", "every half-year", "network team"),
    "2": ("secure configuration", "Configuration standard and a sample compared with it", "every half-year", "platform team"),
    "3": ("stored account data", "Data retention record, key inventory, and results of searches for card numbers", "every quarter", "data owner"),
    "4": ("data in transmission", "Inventory of certificates and of open connections that carry card numbers", "every half-year", "network team"),
    "5": ("malicious software", "Coverage report of anti-malware, with systems left out and why", "every quarter", "platform team"),
    "6": ("secure systems and software", "Vulnerability list with dates of correction, and change records of a sample", "every quarter", "development lead"),
    "7": ("access by need to know", "Access model and the last review of accounts and privileges", "every half-year", "security officer"),
    "8": ("identification and authentication", "Authentication standard, account lists with exceptions, and leavers of the period", "every quarter", "security officer"),
    "9": ("physical access", "Access and visitor records, media and terminal inventories", "every half-year", "facilities manager"),
    "10": ("logging and monitoring", "Log reviews of the period with what followed from them", "every month", "security operations"),
    "11": ("testing of security", "Scan and penetration test reports with retests", "every quarter", "security officer"),
    "12": ("policies and programmes", "Policy, programme or agreement with its last approval", "every year", "chief information security officer"),
    "A1": ("multi-tenant service providers", "Tests of separation, or the statement that the organisation is no such provider", "every half-year", "security officer"),
    "A2": ("early TLS at terminals", "Terminal list with protocols, or the statement that there are none", "every year", "security officer"),
    "A3": ("supplemental validation", "Programme records, or the statement that no brand or acquirer demands it", "every quarter", "compliance lead"),
}
ISO = {
    "A.5": ("organisational controls", "Policy, record or agreement that shows the control at work, with its last review", "every year", "security officer"),
    "A.6": ("people controls", "Personnel records of a sample", "every year", "human resources"),
    "A.7": ("physical controls", "Walk-through record of the organisation's own premises", "every year", "facilities manager"),
    "A.8": ("technological controls", "Standard for the control and a sample that shows it at work", "every half-year", "platform team"),
}
SOC2 = {
    "CC1": ("control environment", "Code of conduct, organisation chart and board minutes", "every year", "executive management"),
    "CC2": ("communication and information", "Communications of the period to staff and outside parties", "every year", "executive management"),
    "CC3": ("risk assessment", "Risk register with its last assessment", "every year", "risk owner"),
    "CC4": ("monitoring activities", "Evaluations of controls and the deficiencies reported", "every half-year", "internal audit"),
    "CC5": ("control activities", "List of controls with the risks that they reduce", "every year", "compliance lead"),
    "CC6": ("logical and physical access", "Access reviews, joiners and leavers of the period", "every quarter", "security officer"),
    "CC7": ("system operations", "Alerts and incidents of the period with what was done", "every quarter", "security operations"),
    "CC8": ("change management", "Change records of a sample, from request to release", "every quarter", "development lead"),
    "CC9": ("risk mitigation", "Continuity plan, insurance and vendor assessments", "every year", "risk owner"),
    "A": ("availability", "Capacity reports and recovery tests of the period", "every half-year", "platform team"),
    "C": ("confidentiality", "Data inventory by class and records of disposal", "every half-year", "data owner"),
    "PI": ("processing integrity", "Reconciliations and error reports of the period", "every quarter", "application owner"),
    "P": ("privacy", "Privacy notice, requests of data subjects and disclosures of the period", "every half-year", "privacy officer"),
}
HIPAA = {
    "164.308": ("administrative safeguards", "Policy, risk analysis or record that shows the safeguard at work", "every year", "security official"),
    "164.310": ("physical safeguards", "Facility, workstation and media records of the organisation's own premises", "every half-year", "facilities manager"),
    "164.312": ("technical safeguards", "Settings of the systems that hold health information, with their last review", "every quarter", "platform team"),
    "164.314": ("organisational requirements", "Agreements and plan documents with the required terms", "every year", "legal counsel"),
    "164.316": ("policies and documentation", "Policies and records with dates of review", "every year", "security official"),
}
# AWS Well-Architected questions that AWS's samples relate FISC numbers to: theme in English and Japanese.
THEMES = {
    "SEC1": ("secure operation", "安全な運用"), "SEC2": ("identities", "ID の管理"), "SEC3": ("permissions", "権限の管理"),
    "SEC4": ("detection", "検知"), "SEC5": ("network protection", "ネットワークの保護"), "SEC6": ("compute protection", "コンピューティングの保護"),
    "SEC7": ("classification of data", "データの分類"), "SEC8": ("data at rest", "保管中のデータの保護"), "SEC9": ("data in transit", "伝送中のデータの保護"),
    "SEC10": ("incident response", "インシデント対応"), "SEC11": ("application security", "アプリケーションのセキュリティ"),
    "OPS5": ("safe changes", "変更の安全性"), "OPS6": ("deployment risk", "デプロイのリスク"), "OPS7": ("readiness for operation", "運用の準備"),
    "OPS8": ("observation of operation", "運用状況の観測"), "OPS10": ("handling of events", "イベントへの対応"), "OPS11": ("improvement of operation", "運用の改善"),
    "REL1": ("quotas", "クォータの管理"), "REL2": ("network topology", "ネットワーク構成"), "REL6": ("monitoring", "監視"),
    "REL8": ("changes", "変更の管理"), "REL9": ("backup", "バックアップ"), "REL10": ("isolation of faults", "障害の分離"), "REL12": ("tests of reliability", "信頼性のテスト"),
    "FISCOPS": ("operation (FISC lens)", "運用 (FISC レンズ)"), "FISCREL": ("reliability (FISC lens)", "信頼性 (FISC レンズ)"), "FISCSEC": ("security (FISC lens)", "セキュリティ (FISC レンズ)"),
}


PCI_TECHNICAL = {"1", "2", "3", "4", "5", "6", "7", "8", "10", "11"}


def theme(question):
    return THEMES.get(question) or THEMES[question.rstrip("0123456789")]


def generate(mappings):
    fsbp(mappings)
    nist(mappings)
    simple(mappings, "nist-800-171-r2", "NIST SP 800-171", "r2", ("NIST_800_171", "r2"), "n171",
           lambda i: NIST[N171[i.rsplit(".", 1)[0]]], lambda i, mapped: nist_kind(N171[i.rsplit(".", 1)[0]], mapped, False))
    simple(mappings, "nist-csf-2.0", "NIST Cybersecurity Framework", "2.0", ("NIST_CSF", "2.0"), "csf",
           lambda i: CSF[i[:2]], lambda i, mapped: kind(mapped, i in ("PR.AA-06", "DE.CM-02", "PR.IR-02", "PR.PS-03"), i[:2] in ("PR", "DE") and i[:5] != "PR.AT"))
    simple(mappings, "pci-dss-4.0.1", "PCI DSS", "4.0.1", ("PCI_DSS", "4.0.1"), "pci",
           lambda i: short(PCI[i.split(".")[0] if i[0] != "A" else i[:2]]), lambda i, mapped: kind(mapped, i.startswith("9.") and i[:3] not in ("9.1", "9.5"), i.split(".")[0] in PCI_TECHNICAL))
    simple(mappings, "iso-27001-2022", "ISO/IEC 27001 Annex A", "2022", ("ISO_27001", "2022"), "iso",
           lambda i: short(ISO[i[:3]]), lambda i, mapped: kind(mapped, i.startswith("A.7.") and i != "A.7.7", i.startswith("A.8.")))
    simple(mappings, "soc2-2017", "SOC 2 Trust Services Criteria", "2017", ("SOC2_TSC", "2017"), "soc2",
           lambda i: short(SOC2[i.split(".")[0].rstrip("0123456789") if i[:2] != "CC" else i[:3]]), lambda i, mapped: kind(mapped, i == "CC6.4", i[:3] in ("CC6", "CC7") or i in ("A1.1", "A1.2")))
    simple(mappings, "hipaa", "HIPAA Security Rule", "2013", ("HIPAA", "2013"), "hipaa",
           lambda i: short(HIPAA[i[:7]]), lambda i, mapped: kind(mapped, i.startswith("164.310") and i not in ("164.310(b)", "164.310(c)"), i.startswith("164.312")))
    fisc(mappings)


def short(family):
    name, evidence, frequency, by = family
    return name, None, evidence, frequency, by


def described(family, sentence, mapped):
    name, purpose = family[0], family[1]
    end = f": {purpose}" if purpose else ""
    who = "Checks see a part of it; a person confirms the rest." if mapped else "No check sees it; a person confirms it."
    return f"{sentence}. One of the requirements on {name}{end}. {who}"


def simple(mappings, identifier, title, version, framework, source, family_of, party_of):
    documented, derived = mappings(*framework)
    words, out = g.titles(source), []
    present = [number for number, _ in g.ids(*framework)]
    for number in present:
        family, name = family_of(number), words[number][0]
        mapped = {**documented[number], **derived[number]}
        party = party_of(number, mapped)
        manual = family[2:]
        if any(other.startswith(number + ".") for other in present) and not documented[number] and not derived[number]:
            manual = (f"Results of the requirements under {number}", "every year", manual[2])
        out.append(g.requirement(number, name, described(family, name, mapped), *party, documented[number], derived[number], manual))
    g.write(identifier, title, version, NOTE, out)


NOTE = "Numbers are the publisher's; titles and sentences are ours. `derived` mappings are hints: read `source`."


def fsbp(mappings):
    documented, _ = mappings("AWS_FSBP", "1.0")
    out = []
    titled = {row["control_id"] for row in g.facts("securityhub_controls") if row["status"] == "current"}
    names = check_titles()
    for number, _ in g.ids("AWS_FSBP", "1.0"):
        check = f"securityhub/{number}"
        assert number in titled, number
        name = names[check]
        out.append(g.requirement(
            number, name, f"{name}. AWS's standard holds the control {number}; what it asks of the resource is said at the check.",
            "customer", "The setting of the resource is the customer's.", None, documented[number] or {check: "iainelder-2026-03"}, {}, None,
        ))
    g.write("aws-fsbp", "AWS Foundational Security Best Practices", "1.0.0", NOTE, out)


def check_titles():
    import tomllib

    found = {}
    for path in (g.CONTROLS / "checks").glob("*.toml"):
        for check in tomllib.loads(path.read_text(encoding="utf-8")).get("check", []):
            found[check["id"]] = check["title"]
    return found


def nist(mappings):
    documented, derived = mappings("NIST_800_53", "r5")
    out = []
    for number, name in g.ids("NIST_800_53", "r5"):
        family = NIST[number[:2]]
        mapped = {**documented[number], **derived[number]}
        party = nist_kind(number[:2], mapped, number.endswith("-1"))
        out.append(g.requirement(
            number, name, described(family, f"NIST asks for this: {name}", mapped), *party, documented[number], derived[number], family[2:]
        ))
    g.write("nist-800-53-r5", "NIST SP 800-53", "r5", "Numbers and titles are NIST's (public domain); the other sentences are ours.", out)
    baselines = defaultdict(list)
    for row in g.facts("nist_800_53_baselines"):
        baselines[row["baseline"]].append(row["requirement_id"])
    for baseline, numbers in baselines.items():
        numbers.sort(key=g.natural)
        chosen = "\n".join(f"  {g.q(number)}," for number in numbers)
        text = f"""{g.MADE}# The {baseline} baseline of NIST SP 800-53B, as NIST publishes it in OSCAL (public domain).

id = "nist-800-53-r5-{baseline}"
title = "NIST SP 800-53, {baseline} baseline"
version = "r5"
from = "nist-800-53-r5"
only = [
{chosen}
]
"""
        (g.CONTROLS / "frameworks" / f"nist-800-53-r5-{baseline}.toml").write_text(text, encoding="utf-8")


def fisc(mappings):
    documented, derived = mappings("FISC", "11")
    themes = defaultdict(set)
    for row in g.facts("fisc_well_architected"):
        themes[row["fisc_id"]].add(theme(row["wa_question"]))
    out = []
    for number, _ in g.ids("FISC", "11"):
        related = sorted(themes[number])
        english = f"FISC practice standard {number}" + (": " + ", ".join(e for e, _ in related) if related else "")
        japanese = f"FISC 安全対策基準 {number}" + (": " + "、".join(j for _, j in related) if related else "")
        hint = "AWS's samples relate it to these themes of the Well-Architected Framework; " if related else ""
        hint_ja = "テーマは AWS のサンプルによる Well-Architected Framework との対応です。" if related else ""
        description = {
            "en": f"{hint}the sentence of the guideline stands in FISC's publication and is to be read there.",
            "ja": f"{hint_ja}基準の本文は FISC の刊行物を参照してください。",
        }
        description["en"] = description["en"][0].upper() + description["en"][1:]
        out.append(g.requirement(
            number, {"en": english, "ja": japanese}, description, *kind({**documented[number], **derived[number]}),
            documented[number], derived[number],
            (f"Record of how {number} is met, read against the guideline's own sentence", "every year", "system risk manager"),
        ))
    g.write("fisc-11", {"en": "FISC Security Guidelines on Computer Systems", "ja": "FISC 金融機関等コンピュータシステムの安全対策基準"}, "11",
            "Numbers are FISC's. The guideline's sentences are not ours to repeat: titles give number and theme only.", out)
