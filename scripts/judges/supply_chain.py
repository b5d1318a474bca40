#!/usr/bin/env python3
"""What is built in: licences, sources, duplicates and, where the database can be had, security advisories.

Reads `cargo metadata` for Linux with every feature. Fails on a licence that is not allowed, on a crate that comes from
elsewhere than crates.io, on a crate in two versions in the core-only build (what an auditor builds), and on an advisory
that nobody has answered. The advisories (github.com/rustsec/advisory-db) are no package of a registry: check them out
beside, and name the folder with --advisory-db or ORGPROOF_ADVISORY_DB; without it the judge says what it did not check.

usage: scripts/judges/supply_chain.py [--advisory-db DIR]
"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLATFORM = "x86_64-unknown-linux-gnu"
ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT",
    "MIT-0", "Unicode-3.0", "Unlicense", "Zlib",
}
# Advisories that concern a crate of ours and were answered: why it may stay all the same.
ANSWERED = {
    "RUSTSEC-2023-0071": "rsa comes with age, for ssh-rsa recipients: encrypting uses public keys alone; decrypting happens "
    "on the auditor's own machine, where nobody measures its time over a network",
}


def metadata(*flags: str) -> dict:
    """Returns cargo's own description of what is built."""
    command = ["cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={PLATFORM}", *flags]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def built(described: dict) -> list[dict]:
    """Returns the packages that end up in the product: reached from orgproof without its development dependencies."""
    packages = {p["id"]: p for p in described["packages"]}
    nodes = {n["id"]: n for n in described["resolve"]["nodes"]}
    start = next(p["id"] for p in described["packages"] if p["name"] == "orgproof")
    seen, waiting = {start}, [start]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            kinds = {k["kind"] for k in dependency["dep_kinds"]}
            if kinds != {"dev"} and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    return sorted((packages[i] for i in seen if i != start), key=lambda p: (p["name"], p["version"]))


def linked(described: dict, packages: list[dict]) -> list[dict]:
    """Returns those of the packages that are part of the program, not of its compilation."""
    nodes = {n["id"]: n for n in described["resolve"]["nodes"]}
    known = {p["id"]: p for p in packages if not any("proc-macro" in t["kind"] for t in p["targets"])}
    waiting = [next(p["id"] for p in described["packages"] if p["name"] == "orgproof")]
    seen = set(waiting)
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            if dependency["pkg"] in known and dependency["pkg"] not in seen and any(k["kind"] is None for k in dependency["dep_kinds"]):
                seen.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    return [p for p in packages if p["id"] in seen]


def allowed(expression: str) -> bool:
    """Evaluates an SPDX expression: is there a choice of allowed licences that meets it?"""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def either(at: int) -> tuple[bool, int]:
        value, at = both(at)
        while at < len(tokens) and tokens[at] == "OR":
            other, at = both(at + 1)
            value = value or other
        return value, at

    def both(at: int) -> tuple[bool, int]:
        value, at = one(at)
        while at < len(tokens) and tokens[at] == "AND":
            other, at = one(at + 1)
            value = value and other
        return value, at

    def one(at: int) -> tuple[bool, int]:
        if tokens[at] == "(":
            value, at = either(at + 1)
            return value, at + 1
        name = tokens[at]
        if tokens[at + 1 : at + 2] == ["WITH"]:
            return f"{name} WITH {tokens[at + 2]}" in ALLOWED, at + 3
        return name in ALLOWED, at + 1

    value, at = either(0)
    return value and at == len(tokens)


def release(text: str) -> tuple:
    """Orders versions as semver does: a pre-release comes before its release."""
    core, _, pre = text.split("+")[0].partition("-")
    numbers = [int(n) for n in core.split(".")]
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in pre.split(".")) if pre else ()
    return tuple(numbers + [0] * (3 - len(numbers))), not pre, parts


def meets(version: str, requirement: str) -> bool:
    """Evaluates a requirement of the advisory database, such as `>= 1.2, < 2` or `^0.8.1`."""
    found = release(version)
    for part in requirement.split(","):
        operator, text = re.fullmatch(r"\s*(>=|<=|>|<|=|\^|~)?\s*(\S+)\s*", part).groups()
        bound = release(text)
        numbers = bound[0]
        if operator in ("^", None):
            at = next((i for i, n in enumerate(numbers) if n), 2)
            above = tuple(n + 1 if i == at else n if i < at else 0 for i, n in enumerate(numbers))
            met = bound <= found and found[0] < above
        elif operator == "~":
            met = bound <= found and found[0] < (numbers[0], numbers[1] + 1, 0)
        else:
            met = {">=": found >= bound, "<=": found <= bound, ">": found > bound, "<": found < bound, "=": found == bound}[operator]
        if not met:
            return False
    return True


def advisories(packages: list[dict], database: pathlib.Path) -> list[tuple[str, str, str]]:
    """Returns (advisory, crate and version, kind) for each crate that an advisory concerns."""
    found = []
    for package in packages:
        for file in sorted((database / "crates" / package["name"]).glob("RUSTSEC-*.md")):
            described = tomllib.loads(file.read_text().split("```toml", 1)[1].split("```", 1)[0])
            advisory, versions = described["advisory"], described.get("versions", {})
            fine = versions.get("patched", []) + versions.get("unaffected", [])
            if "withdrawn" in advisory or any(meets(package["version"], r) for r in fine):
                continue
            kind = advisory.get("informational", "vulnerability")
            found.append((advisory["id"], f"{package['name']} {package['version']}", kind))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--advisory-db", default=os.environ.get("ORGPROOF_ADVISORY_DB"), metavar="DIR")
    arguments = parser.parse_args()
    assert allowed("MIT/Apache-2.0") and allowed("(A OR MIT) AND ISC") and not allowed("MIT AND GPL-3.0-only")
    assert meets("1.2.3", ">= 1.2, < 2") and not meets("0.9.0", "^0.8.1") and not meets("1.0.0-rc.1", ">=1.0.0")

    described = metadata("--all-features"), metadata("--no-default-features")
    whole, core = map(built, described)
    faults = []
    for package in whole:
        name = f"{package['name']} {package['version']}"
        if not package["license"] or not allowed(package["license"]):
            faults.append(f"{name}: licence {package['license']!r} is not allowed")
        if not (package["source"] or "").startswith("registry+https://github.com/rust-lang/crates.io-index"):
            faults.append(f"{name}: comes from {package['source']!r}, not from crates.io")
    for where, resolved, packages in zip(("whole", "core-only"), described, (whole, core)):
        parts = linked(resolved, packages)
        versions = collections.Counter(p["name"] for p in parts)
        twice = sorted(name for name, n in versions.items() if n > 1)
        print(f"{where}: {len(packages)} crates, {len(parts)} of them linked; in several versions: {', '.join(twice) or 'none'}")
        if where == "core-only":
            faults += [f"{name}: in several versions in the core-only build" for name in twice]

    if arguments.advisory_db is None:
        print("NOT CHECKED: security advisories (give a checkout of rustsec/advisory-db with --advisory-db)")
    else:
        concerned = advisories(whole, pathlib.Path(arguments.advisory_db))
        for advisory, name, kind in concerned:
            print(f"advisory {advisory} ({kind}) concerns {name}: {ANSWERED.get(advisory, 'NOT ANSWERED')}")
        faults += [f"{name}: {advisory} ({kind}) is not answered" for advisory, name, kind in concerned if advisory not in ANSWERED]

    for fault in faults:
        print(f"FAULT {fault}")
    checks = len(whole) * 2 + len(core)
    print(f"{checks - len(faults)} passed, {len(faults)} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
