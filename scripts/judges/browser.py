#!/usr/bin/env python3
"""Holds reports/verify.html to genuine and damaged archives in a headless Chromium, from file:// and without a network.

Prints one line per failure and "N passed, M failed". With --pin it writes the hashes of the page's style and script into
its Content-Security-Policy, which is needed after every change of them. With --pictures FOLDER it leaves screenshots there.
"""

import base64
import hashlib
import json
import os
import pathlib
import re
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/browser"))

import forge  # noqa: E402
import later  # noqa: E402
from chromium import Browser  # noqa: E402
from forge import both, pack, put, reseal, rewrite_manifests, unpack  # noqa: E402

PAGE = pathlib.Path(os.environ.get("VERIFY_PAGE", ROOT / "reports/verify.html"))
STORE = ROOT / "tests/browser/store"
RUN, NEXT, PERIOD = "00000002-run-close.zip", "00000005-run-close.zip", "00000006-period-close.zip"
ALLOWED, PEM = (STORE / "allowed_signers").read_text(), (STORE / "seal.pem").read_text()
FINGERPRINT = hashlib.sha256(base64.b64decode("".join(PEM.split("\n")[1:-2]))).hexdigest()
BODY = "data/bodies/310000000002/us-east-1.000.ndjson"
COVERAGE = "data/coverage.ndjson"


def genuine(name: str = RUN) -> bytes:
    return (STORE / "archives" / name).read_bytes()


class Page:
    """The page as a person uses it."""

    def __init__(self, browser: Browser):
        self.browser = browser
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="orgproof-browser-"))
        self.counter = 0

    def show(self, condition: str = "true") -> None:
        self.browser.open(PAGE.as_uri())
        self.browser.until(condition)

    def files(self, given: dict[str, bytes]) -> list[str]:
        self.counter += 1
        folder = self.folder / str(self.counter)
        paths = []
        for name, data in given.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            paths.append(str(path))
        return paths

    def verify(self, given: dict[str, bytes], trust: str = FINGERPRINT) -> dict:
        """Verifies files and returns outcome, codes of problems, codes of what was not checked, checks by archive."""
        return self.given(lambda: self.browser.choose("#input-files", self.files(given)), trust)

    def given(self, give, trust: str = FINGERPRINT) -> dict:
        self.show()
        browser = self.browser
        browser.evaluate(f"document.getElementById('trust').value = {json.dumps(trust)}")
        give()
        browser.until("document.getElementById('files').childElementCount > 0")
        browser.evaluate("document.getElementById('go').click()")
        browser.until("!document.getElementById('results').hidden || document.getElementById('file-error').textContent"
                      " || document.getElementById('trust-error').textContent")
        return browser.evaluate("""(() => {
            const all = (root, selector, field) => [...root.querySelectorAll(selector)].map(n => n.dataset[field]);
            const hidden = document.getElementById('results').hidden;
            return {
                outcome: hidden ? null : document.getElementById('outcome').dataset.outcome,
                problems: hidden ? [] : all(document, '#summary .bad', 'code'),
                named: hidden ? [] : all(document, '#summary .bad', 'file'),
                unchecked: hidden ? [] : all(document, '#summary .open', 'code'),
                passed: hidden ? [] : all(document, '#archives .passed', 'check'),
                text: document.querySelector('main').innerText,
                error: document.getElementById('trust-error').textContent + document.getElementById('file-error').textContent,
            };
        })()""")


class Judge:
    def __init__(self, page: Page):
        self.page, self.passed, self.failures = page, 0, []

    def that(self, name: str, holds: bool, detail: object = "") -> None:
        if holds:
            self.passed += 1
        else:
            self.failures.append(name)
            print(f"FAILED {name}: {detail}")

    def found(self, name: str, given, codes, trust: str = FINGERPRINT, file: str | None = None) -> dict:
        """The damage is found under exactly these codes, and the file is named where one is given."""
        result = self.page.verify(given if isinstance(given, dict) else {RUN: given}, trust)
        good = result["outcome"] == "failed" and set(result["problems"]) == set(codes) and (file is None or file in result["named"])
        self.that(name, good, f"expected {sorted(codes)} {file or ''}, got {result['outcome']} {sorted(set(result['problems']))} {result['named'][:3]} {result['error']}")
        return result

    def any_of(self, name: str, given: bytes, codes) -> None:
        result = self.page.verify({RUN: given})
        self.that(name, result["outcome"] == "failed" and set(result["problems"]) <= set(codes), f"got {result['outcome']} {result['problems']}")

    def clean(self, name: str, given, trust: str = FINGERPRINT) -> dict:
        result = self.page.verify(given if isinstance(given, dict) else {RUN: given}, trust)
        good = result["outcome"] == "verified" and not result["problems"] and not result["unchecked"]
        self.that(name, good and not self.page.browser.logged(), f"got {result['outcome']} {result['problems']} {result['unchecked']} {result['error']} {self.page.browser.logged()}")
        return result


def changed(change, archive: str = RUN) -> bytes:
    files = unpack(genuine(archive))
    change(files)
    return pack(files)


def edit(name: str, old: str, new: str):
    def change(files):
        assert old.encode() in files[name], (name, old)
        files[name] = files[name].replace(old.encode(), new.encode(), 1)
    return change


def drop(*names):
    return lambda files: [files.pop(name) for name in names]


def genuine_cases(judge: Judge) -> None:
    run = judge.clean("a genuine evidence archive verifies by fingerprint", genuine())
    expected = {"container", "seal", "ssh-signature", "dsse-signature", "trusted-key", "inclusion", "subjects", "manifests", "tag-files",
                "nothing-added", "files", "records", "tasks", "counts", "calls"}
    judge.that("every check of an evidence archive was made", set(run["passed"]) == expected, sorted(expected ^ set(run["passed"])))
    judge.that("gaps are stated", "4 gaps" in run["text"] and "not authorized to perform: sts:AssumeRole" in judge.page.browser.evaluate("document.getElementById('archives').textContent"))
    judge.that("what was not done is stated", "verdicts were not derived again" in run["text"] and "No timestamps" in run["text"])
    period = judge.clean("a genuine assessment archive verifies", {PERIOD: genuine(PERIOD)})
    judge.that("findings are counted", "s3-data-leak" in period["text"] and "not-satisfied" in period["text"])
    for name, trust in [("PEM", PEM), ("allowed_signers", ALLOWED), ("a fingerprint in capitals with colons", ":".join(re.findall("..", FINGERPRINT.upper()))),
                        ("one of several fingerprints", f"{'0' * 64}\n# a comment\n{FINGERPRINT}\n")]:
        judge.clean(f"trust by {name}", genuine(), trust)
    judge.clean("the same files zipped by somebody else", pack(unpack(genuine())))
    judge.clean("zip64 in every header", pack(unpack(genuine()), zip64=True))
    judge.clean("a zip64 end", forge.with_zip64_end(genuine()))
    for algorithm in ["ed25519", "p256"]:
        key = forge.Key(algorithm)
        files = unpack(genuine())
        reseal(files, key)
        for name, trust in [("fingerprint", key.fingerprint), ("PEM", key.pem), ("allowed_signers", key.allowed)]:
            judge.clean(f"a seal by a fresh {algorithm} key, trusted by {name}", pack(files), trust)


def trust_cases(judge: Judge) -> None:
    result = judge.page.verify({RUN: genuine()}, "")
    judge.that("without a key it could not be checked, and that is no success", (result["outcome"], result["unchecked"]) == ("unchecked", ["no-trust"]), result["unchecked"])
    judge.that("it says that a key inside proves nothing", "proves nothing" in result["text"])
    judge.found("another fingerprint", genuine(), ["untrusted-key"], "ab" * 32)
    judge.found("another PEM key", genuine(), ["untrusted-key"], forge.Key("p256").pem)
    for name, text in [("a private key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"), ("a word", "trust me"), ("63 digits", "a" * 63),
                       ("a key for another purpose", ALLOWED.replace("orgproof-seal-v1", "git")), ("a condition", ALLOWED.replace("namespaces", 'valid-before="20200101",namespaces')),
                       ("OpenSSH's fingerprint", "SHA256:" + "A" * 43), ("a key off the curve", PEM.replace(PEM.split("\n")[2][:4], "AAAA"))]:
        result = judge.page.verify({RUN: genuine()}, text)
        judge.that(f"{name} is no trust, and nothing is verified", result["outcome"] is None and result["error"] != "", result)
    stranger = forge.Key("p256")
    files = unpack(genuine())
    reseal(files, stranger)
    judge.found("everything sealed anew by a stranger", pack(files), ["untrusted-key"])
    key_beside = judge.page.verify({RUN: pack(files), "allowed_signers": stranger.allowed.encode(), "seal.pem": stranger.pem.encode()}, "")
    judge.that("a key that comes with the archives is not trusted", key_beside["outcome"] == "unchecked" and "It was not trusted" in key_beside["text"])


def file_cases(judge: Judge) -> None:
    bodies = ["file-changed", "records-root", "body-mismatch"]
    judge.found("one byte changed", changed(edit(BODY, "minute", "minutE") if b"minute" in unpack(genuine())[BODY] else edit(BODY, "us-east-1", "us-eAst-1")), bodies, file=BODY)
    judge.found("a file added in data/", changed(lambda f: f.update({"data/extra.ndjson": b"{}"})), ["unlisted-file"], file="data/extra.ndjson")
    judge.found("a file added at the root", changed(lambda f: f.update({"README": b"trust me"})), ["unlisted-file"], file="README")
    judge.found("a file removed", changed(drop("data/inputs/orgproof.toml")), ["file-missing"], file="data/inputs/orgproof.toml")
    judge.found("a file renamed", changed(lambda f: f.update({"data/inputs/renamed": f.pop("data/inputs/orgproof.toml")})), ["file-missing", "unlisted-file"])
    judge.found("VERIFY.md replaced", changed(lambda f: f.update({"VERIFY.md": b"All is well. Run nothing."})), ["file-changed"], file="VERIFY.md")
    judge.found("bagit.txt removed", changed(drop("bagit.txt")), ["file-missing"])

    def rewritten(files):
        edit("data/inputs/orgproof.toml", "us-east-1", "eu-west-1")(files)
        rewrite_manifests(files)
    judge.found("a file and both manifests rewritten", changed(rewritten), ["seal-mismatch"])
    judge.found("a manifest out of order", changed(lambda f: f.update({"manifest-sha256.txt": b"".join(sorted(f["manifest-sha256.txt"].splitlines(True), reverse=True))})),
                ["seal-mismatch", "manifest-malformed", "file-changed"])
    judge.found("a manifest that is no UTF-8", changed(lambda f: f.update({"manifest-sha256.txt": f["manifest-sha256.txt"] + b"\xff\n"})), ["seal-mismatch", "manifest-malformed", "file-changed"])
    judge.found("the salt key exchanged", changed(lambda f: f.update({"data/inputs/salt.key": bytes(32)})), ["file-changed", "records-root"])
    judge.found("no seal", changed(drop("seal.json")), ["file-missing"])
    judge.found("no manifest", changed(drop("manifest-sha256.txt")), ["file-missing"])
    judge.found("the seal is no JSON", changed(lambda f: f.update({"seal.json": b"{"})), ["seal-malformed"])


def signature_cases(judge: Judge) -> None:
    for name in ["seal.json.sig", "seal.dsse.json"]:
        judge.found(f"{name} removed", changed(drop(name)), ["signature-missing", "not-signed"], trust=PEM)
        judge.found(f"{name} emptied", changed(lambda f: f.update({name: b""})), ["signature-invalid", "not-signed"], trust=PEM)
    judge.found("both signatures removed", changed(drop("seal.json.sig", "seal.dsse.json")), ["signature-missing", "not-signed"])

    def without(files):
        envelope = json.loads(files["seal.dsse.json"])
        envelope["signatures"] = []
        files["seal.dsse.json"] = json.dumps(envelope).encode()
    result = judge.found("an empty list of signatures", changed(without), ["signature-invalid", "not-signed"])
    judge.that("it is called not signed by a trusted key", "Not signed by a trusted key" in result["text"])
    judge.found("one digit of the seal changed", changed(edit("seal.json", '"gaps":4', '"gaps":3')), ["signature-invalid", "not-signed", "seal-counts-differ"])
    other = unpack(genuine(NEXT))
    judge.found("signatures of another seal", changed(lambda f: f.update({n: other[n] for n in ["seal.json.sig", "seal.dsse.json"]})), ["signature-invalid", "not-signed"])
    key = forge.Key("p256")

    def for_git(files):
        reseal(files, key)
        files["seal.json.sig"] = key.sshsig(files["seal.json"], b"git")
    judge.found("an SSH signature for another purpose", changed(for_git), ["signature-invalid", "not-signed"], key.fingerprint)

    def two_keys(files):
        reseal(files, key)
        files["seal.json.sig"] = forge.Key("p256").sshsig(files["seal.json"])
    judge.found("two signatures by two keys", changed(two_keys), ["signature-invalid", "not-signed"], key.fingerprint)
    twice = unpack(genuine())
    forge.sign(twice, key, twice["seal.json"].replace(b'"gaps":4', b'"gaps":0,"gaps":4'), json.loads(twice["seal.json"])["predicate"])
    judge.found("a signed seal that writes a field twice", pack(twice), ["seal-malformed"], key.fingerprint)
    one, other = unpack(genuine()), unpack(genuine())
    reseal(one, key)
    reseal(other, key, lambda s: s["predicate"].update(gaps=0))
    judge.found("a DSSE envelope by the same key over another seal", pack({**one, "seal.dsse.json": other["seal.dsse.json"]}), ["signature-invalid", "not-signed"], key.fingerprint)
    judge.found("a proof by the same key, at the same place, of another seal", pack({**one, "seal.tlog-proof": other["seal.tlog-proof"]}), ["inclusion-proof"], key.fingerprint)
    head, blob = one["seal.tlog-proof"].decode().rstrip().rsplit(" ", 1)
    raw = base64.b64decode(blob)
    broken = base64.b64encode(put(raw, len(raw) - 4, bytes([raw[-4] ^ 1]))).decode()
    judge.found("a checkpoint with a broken signature", pack({**one, "seal.tlog-proof": f"{head} {broken}\n".encode()}), ["inclusion-proof"], key.fingerprint)
    for name, change in {"doubled": lambda s: s["subject"].append(s["subject"][0]), "missing": lambda s: s["subject"].pop(),
                         "renamed": lambda s: s["subject"][0].update(name="manifest-md5.txt"), "twice the same": lambda s: s["subject"].__setitem__(1, s["subject"][0])}.items():
        files = unpack(genuine())
        reseal(files, key, change)
        judge.found(f"a subject {name}, validly signed", pack(files), ["seal-subjects"], key.fingerprint)
    files = unpack(genuine())
    reseal(files, key, lambda s: s["predicate"]["key"].update(id="0" * 64))
    judge.found("the seal names another key", pack(files), ["key-id-mismatch"], key.fingerprint)


def place_cases(judge: Judge) -> None:
    proof = "seal.tlog-proof"
    elsewhere = unpack(genuine(NEXT))[proof]
    judge.found("a checkpoint of another state", changed(lambda f: f.update({proof: elsewhere})), ["inclusion-proof"])
    key = forge.Key("p256")
    files = unpack(genuine())
    reseal(files, key)
    genuine_note = files[proof]
    other = unpack(genuine())
    reseal(other, key, lambda s: s["predicate"].update(log="f" * 32))
    files[proof] = other[proof]
    judge.found("a genuine checkpoint of another log", pack(files), ["inclusion-proof"], key.fingerprint)
    moved = genuine_note.replace(b"index 2", b"index 1")
    files[proof] = moved
    judge.found("a proof of another place", pack(files), ["inclusion-proof"], key.fingerprint)
    for name, old, new in [("header", "tlog-proof@v1", "tlog-proof@v2"), ("index", "index 2", "index 02"), ("size", "\n3\n", "\n4\n"), ("origin", "orgproof/", "orgproof/0")]:
        judge.found(f"the {name} of the proof changed", changed(edit(proof, old, new)), ["inclusion-proof"])
    judge.found("the proof removed", changed(drop(proof)), ["inclusion-proof"])
    files = unpack(genuine())
    forged = forge.Key("p256")
    reseal(files, forged)
    judge.found("a checkpoint by another key", changed(lambda f: f.update({proof: files[proof]})), ["inclusion-proof"])


def ledger_cases(judge: Judge) -> None:
    key = forge.Key("p256")

    def insider(name, codes, change, seal=lambda s: None):
        files = unpack(genuine())
        change(files)
        reseal(files, key, seal)
        return judge.found(f"insider: {name}", pack(files), codes, key.fingerprint)

    def without_last(name):
        return lambda files: files.update({name: b"".join(files[name].splitlines(True)[:-1])})
    judge.found("a coverage line removed", changed(without_last(COVERAGE)), ["file-changed", "task-sets-differ", "seal-counts-differ"], file=COVERAGE)
    insider("a coverage line removed", ["task-sets-differ", "seal-counts-differ"], without_last(COVERAGE))
    denied = lambda files: files.update({COVERAGE: re.sub(rb'"state":"denied","gap":true,"error":"[^"]*"', b'"state":"collected","gap":false', files[COVERAGE])})  # noqa: E731
    counts = lambda s: s["predicate"].update(coverage={"collected": 22}, gaps=0)  # noqa: E731
    insider("denied called collected, counts kept", ["collected-without-evidence", "seal-counts-differ"], denied)
    insider("denied called collected, counts changed", ["collected-without-evidence"], denied, counts)
    insider("a gap not marked as one", ["gap-flag", "seal-counts-differ"], edit(COVERAGE, '"gap":true', '"gap":false'))
    insider("a planned task removed", ["task-sets-differ"], without_last("data/plan.ndjson"))
    insider("a line twice", ["task-sets-differ", "seal-counts-differ"], lambda f: f.update({COVERAGE: f[COVERAGE] + f[COVERAGE].splitlines(True)[0]}))
    insider("another number of calls", ["call-count-differs"], lambda f: f.update({COVERAGE: re.sub(rb'"calls":(\d+)', lambda m: b'"calls":%d' % (int(m[1]) + 1), f[COVERAGE], count=1)}))
    insider("a plan that was not sealed", ["plan-mismatch"], lambda f: None, lambda s: s["predicate"].update(plan="0" * 64))
    tree = {}
    planted = lambda f: (f.update({BODY: f[BODY] + b'{"planted":true}\n'}), tree.update(forge.records(f)))  # noqa: E731
    insider("a planted answer", ["unreferenced-body"], planted, lambda s: s["predicate"].update(records=tree))
    edited = lambda f: (edit(BODY, "us-east-1", "us-eAst-1")(f), tree.update(forge.records(f)))  # noqa: E731
    insider("an edited answer", ["body-mismatch"], edited, lambda s: s["predicate"].update(records=tree))
    insider("an edited answer under the old tree", ["body-mismatch", "records-root"], edit(BODY, "us-east-1", "us-eAst-1"))
    insider("a field written twice in the ledger", ["content-malformed"], edit(COVERAGE, '"state":"denied"', '"state":"collected","state":"denied"'))
    files = unpack(genuine(PERIOD))
    files["data/evidence.ndjson"] = files["data/evidence.ndjson"].splitlines(True)[0]
    reseal(files, key)
    judge.found("insider: an evidence archive left out of the list", {PERIOD: pack(files)}, ["evidence-list-differs"], key.fingerprint)
    result = judge.found("hostile text", hostile(key), ["task-sets-differ"], key.fingerprint)
    browser = judge.page.browser
    judge.that("hostile text is inert", browser.evaluate("document.querySelectorAll('img, iframe, object, a[href]').length") == 0 and not browser.evaluate("window.hacked") and not browser.logged(), browser.logged())
    shown = browser.evaluate("document.getElementById('results').textContent")
    judge.that("characters that turn text around are shown as code points", "⟨U+202E⟩" in shown and "\u202e" not in shown and "<img src=x" in shown, result["text"][:200])


def hostile(key: forge.Key) -> bytes:
    files = unpack(genuine())
    lines = files[COVERAGE].decode().splitlines()
    line = next(i for i, text in enumerate(lines) if '"denied"' in text)
    record = json.loads(lines[line])
    record["error"] = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>\u202egnp.exe"
    record["region"] = "javascript:window.hacked=1"
    lines[line] = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
    files[COVERAGE] = ("\n".join(lines) + "\n").encode()
    reseal(files, key)
    return pack(files)


def container_cases(judge: Judge) -> None:
    data = genuine()
    d = forge.Directory(data)
    first, local, name = d.headers[0]
    files = unpack(data)
    for again in ["data/calls.ndjson", "data/CALLS.ndjson"]:
        judge.found(f"a name twice: {again}", pack([*files.items(), (again, b"{}\n")]), ["zip-duplicate-name"])
    for cut in [1, 21, 22, 100, len(data) // 2, len(data) - 3, len(data)]:
        judge.any_of(f"truncated by {cut}", data[:len(data) - cut], ["zip-malformed", "zip-trailing-bytes", "zip-gap"])
    judge.found("trailing bytes", data + b"x", ["zip-trailing-bytes"])
    judge.found("a zip comment", put(data, d.end + 20, b"\3\0") + b"abc", ["zip-trailing-bytes"])
    judge.any_of("leading bytes", b"#!/bin/sh\n" + data, ["zip-leading-bytes", "zip-gap", "zip-malformed"])
    judge.found("bytes before the directory", put(data, d.end + 16, (d.start + 4).to_bytes(4, "little"))[:d.start] + b"hide" + put(data, d.end + 16, (d.start + 4).to_bytes(4, "little"))[d.start:], ["zip-gap"])
    hole = data[:d.headers[1][1]] + b"hide" + data[d.headers[1][1]:]
    for at, offset, _ in d.headers[1:]:
        hole = put(hole, at + 4 + 42, (offset + 4).to_bytes(4, "little"))
    judge.found("bytes between two members", put(hole, d.end + 4 + 16, (d.start + 4).to_bytes(4, "little")), ["zip-gap"])
    judge.found("a comment that is stated and not there", put(data, d.end + 20, b"\3\0"), ["zip-trailing-bytes"])
    judge.found("no zip at all", b"PK hello, this is no zip at all", ["zip-malformed"])
    for evil in ["../../etc/cron", "/etc/cron.d/xx", "a//b/c/d/e/f/g", "a\\b\\c\\d\\e", "a\0b\0c\0d", "C:\\evil", "data/\xe4\xf6"]:
        renamed = evil.encode("latin-1").ljust(len(name), b"x")[:len(name)]
        judge.found(f"the path {evil!r}", both(data, 0, 46, 30, renamed), ["path"])
    nested = pack({**files, "data/../../evil": b"x"})
    judge.found("a name that leads out of the folder", nested, ["path"])
    judge.found("a symbolic link", put(data, first + 38, (0o120777 << 16).to_bytes(4, "little")), ["not-a-plain-file"])
    judge.found("a folder", pack({**files, "data/folder/": b""}), ["path"])
    judge.found("encrypted, with a data descriptor", put(data, first + 8, b"\x09\0"), ["zip-odd-header"])
    judge.found("another compression", both(data, 0, 10, 8, b"\x0c\0"), ["zip-method"])
    for what, at in [("name", 30), ("CRC", 14), ("compressed size", 18), ("size", 22), ("method", 8)]:
        judge.found(f"a local header with another {what}", put(data, local + at, bytes([data[local + at] ^ 1])), ["zip-header-mismatch"])
    judge.found("a bomb by its claim", both(data, 0, 24, 22, (2**32 - 2).to_bytes(4, "little")), ["zip-bomb"])
    judge.found("a bomb beyond what DEFLATE can do", both(data, 0, 24, 22, (60 << 20).to_bytes(4, "little")), ["zip-bomb"])
    size = int.from_bytes(data[first + 24:first + 28], "little")
    for lie in [size - 1, size + 1]:
        judge.found(f"a size of {lie} for {size}", both(data, 0, 24, 22, lie.to_bytes(4, "little")), ["file-unreadable"])
    bomb = pack({**files, "data/bomb": bytes(65 << 20)})
    judge.found("a file of 65 MiB of zeros", bomb, ["zip-bomb"], file="data/bomb")
    judge.found("a wrong CRC on both sides", both(data, 0, 16, 14, b"\1\2\3\4"), ["file-unreadable"])
    second = d.headers[1][0]
    judge.any_of("two members at one place", put(data, second + 42, local.to_bytes(4, "little")), ["zip-overlap", "zip-header-mismatch"])
    compressed = int.from_bytes(data[first + 20:first + 24], "little")
    judge.found("a member that runs into the next", both(data, 0, 20, 18, (compressed + 10).to_bytes(4, "little")), ["zip-overlap"])
    for lie in [len(d.headers) - 1, len(d.headers) + 1]:
        judge.any_of(f"{lie} members stated", put(put(data, d.end + 8, lie.to_bytes(2, "little")), d.end + 10, lie.to_bytes(2, "little")), ["zip-malformed"])
    large = forge.with_zip64_end(data)
    at = large.rindex(b"PK\x06\x06")
    judge.found("a zip64 end that points elsewhere", put(large, at + 48, (5).to_bytes(8, "little")), ["zip-gap"])
    judge.found("a zip64 end with an absurd offset", put(large, at + 48, b"\xff" * 8), ["zip-malformed"])
    judge.found("ends that disagree", put(large, len(large) - 12, (3).to_bytes(2, "little")), ["zip-malformed"])
    judge.found("sizes that ask for a zip64 end without one", put(data, d.end + 12, b"\xff" * 4), ["zip-malformed"])


def flips(judge: Judge) -> None:
    """No single changed byte passes, except where the files come out the same (times and modes in the container)."""
    data, whole = genuine(), unpack(genuine())
    start = forge.Directory(data).start
    opened = 0
    for at in [*range(7, start, start // 24), *range(start, len(data), (len(data) - start) // 30)]:
        result = judge.page.verify({RUN: put(data, at, bytes([data[at] ^ 0x20]))})
        try:
            same = unpack(put(data, at, bytes([data[at] ^ 0x20]))) == whole
        except Exception:  # noqa: BLE001 - zipfile refuses in many ways
            same = False
        opened += "container" in result["passed"]
        judge.that(f"byte {at} changed", result["outcome"] == "failed" or (result["outcome"] == "verified" and same), result["outcome"])
    judge.that("flips reach beyond the container", opened > 5, opened)


def chain_cases(judge: Judge) -> None:
    archives = {name: genuine(name) for name in [RUN, NEXT, PERIOD]}
    seals = {f"chain/{n:08}/seal.dsse.json": (STORE / f"chain/{n:08}/seal.dsse.json").read_bytes() for n in range(7)}
    # The page knows a loose seal by its content; files of one name from different folders stay apart here by number.
    loose = {f"{n}.dsse.json": data for n, data in enumerate(seals.values())}
    checkpoint = {"checkpoint": (STORE / "checkpoint").read_bytes()}
    result = judge.clean("a period's archives together", archives)
    judge.that("places between are named", "Not given: seals 0 to 1, seals 3 to 4" in result["text"], result["text"][-900:])
    result = judge.clean("a whole store", {**archives, **loose, **checkpoint})
    judge.that("from the first seal without a gap", "from the first seal without a gap" in result["text"] and "Not given" not in result["text"])
    result = judge.clean("a whole store, trusted by PEM, seals alone", {**loose, **checkpoint}, PEM)
    result = judge.page.verify(loose, FINGERPRINT)
    judge.that("a fingerprint alone cannot check seals that carry no key", result["outcome"] == "unchecked" and "no-key" in result["unchecked"], result["unchecked"])
    without = {name: data for name, data in {**archives, **loose}.items() if name != "3.dsse.json"}
    judge.that("a seal left out is named", "Not given: seal 3" in judge.page.verify(without)["text"])
    tail = {name: data for name, data in loose.items() if name[0] in "01234"}
    judge.found("the end cut off, against a checkpoint", {**tail, **checkpoint}, ["chain-truncated"], PEM)
    judge.found("a checkpoint by a stranger", {**archives, "checkpoint": forge.Key("p256").checkpoint("orgproof/" + "0" * 32, [bytes(32)]).encode()}, ["checkpoint-invalid"])
    key = forge.Key("p256")

    def mine(name, change=lambda s: None):
        files = unpack(genuine(name))
        reseal(files, key, change)
        return pack(files), hashlib.sha256(files["seal.json"]).hexdigest()
    first, digest = mine(NEXT)
    second, _ = mine(PERIOD, lambda s: s["predicate"].update(previous=digest))
    judge.clean("two neighbours of one chain", {NEXT: first, PERIOD: second}, key.fingerprint)
    late, _ = mine(NEXT, lambda s: s["predicate"].update(next_run_expected_by="2020-01-01T00:00:00Z"))
    result = judge.clean("a seal that expected a run long ago", {NEXT: late}, key.fingerprint)
    judge.that("a run that is due stands beside the outcome", "was due by 2020-01-01T00:00:00Z" in judge.page.browser.evaluate("document.getElementById('limits').textContent"))
    own_chain(judge, key)
    stray, _ = mine(PERIOD)
    judge.found("a replaced run", {NEXT: first, PERIOD: stray}, ["chain-broken"], key.fingerprint)
    fork, _ = mine(NEXT, lambda s: s["predicate"].update(closed="2026-12-31T07:00:00Z"))
    judge.found("two seals at one place", {"a.zip": first, "b.zip": fork}, ["chain-forked"], key.fingerprint)
    rootless, _ = mine(NEXT, lambda s: s["predicate"].pop("previous"))
    judge.found("a later seal without one before it", {NEXT: rootless}, ["chain-broken"], key.fingerprint)
    result = judge.page.given(lambda: judge.page.browser.choose("#input-folder", [str(STORE)]))
    judge.that("a folder chosen is a whole store", result["outcome"] == "verified" and "from the first seal without a gap" in result["text"], result["text"][-600:])
    judge.that("the keys in a chosen folder are not trusted", "It was not trusted" in result["text"])
    result = judge.page.given(lambda: drop_files(judge.page.browser, {RUN: genuine()}))
    judge.that("an archive dropped", result["outcome"] == "verified" and "4 gaps recorded in 1 archive" in result["text"], result["text"][:800])
    swapped = {**loose, "1.dsse.json": loose["4.dsse.json"], "4.dsse.json": loose["1.dsse.json"]}
    judge.clean("file names mean nothing: exchanged names change nothing", {**archives, **swapped})


def own_chain(judge: Judge, key: forge.Key) -> None:
    """A chain of seals without archives, sealed by an insider from the first on, and what gives him away."""
    def chain(change=lambda n, p: None, evidence=True):
        seals, digests = [], {}
        for n in range(7):
            envelope = json.loads((STORE / f"chain/{n:08}/seal.dsse.json").read_text())
            payload = base64.b64decode(envelope["payload"])
            seal = json.loads(payload)
            predicate = seal["predicate"]
            predicate["key"]["id"] = key.fingerprint
            if seals:
                predicate["previous"] = hashlib.sha256(seals[-1]).hexdigest()
            if evidence and "evidence" in predicate:
                predicate["evidence"] = [digests[old] for old in predicate["evidence"]]
            change(n, predicate)
            seals.append((json.dumps(seal, separators=(",", ":"), ensure_ascii=False) + "\n").encode())
            digests[hashlib.sha256(payload).hexdigest()] = hashlib.sha256(seals[-1]).hexdigest()
        return seals, predicate["log"]

    def given(seals):
        return {f"{n}.dsse.json": key.envelope(seal) for n, seal in enumerate(seals)}
    seals, log = chain()
    leaves = [forge.sha256(b"\0" + seal) for seal in seals]
    judge.clean("a chain with the checkpoint kept outside", {**given(seals), "kept": key.checkpoint(f"orgproof/{log}", leaves[:5]).encode()}, key.pem)
    judge.found("history rewritten, against a checkpoint kept outside", {**given(seals), "kept": key.checkpoint(f"orgproof/{log}", [bytes(32), *leaves[1:5]]).encode()}, ["chain-forked"], key.pem)
    judge.found("a checkpoint of another log by the same key", {**given(seals), "kept": key.checkpoint("orgproof/" + "0" * 32, leaves).encode()}, ["chain-forked"], key.pem)
    judge.found("an assessment of evidence that is not in the chain", given(chain(evidence=False)[0]), ["evidence-not-in-chain"], key.pem)
    for field, code in [("configuration", "run-changed"), ("catalog", "run-changed"), ("plan", "plan-changed")]:
        altered, _ = chain(lambda n, p: p.update({field: "0" * 64}) if n == 2 else None)  # noqa: B023
        judge.found(f"a run that closes with another {field}", given(altered), [code], key.pem)


def key_cases(judge: Judge) -> None:
    """Rotations and changes of the schedule, in chains that the judge makes."""
    a, b, c = forge.Key("p256"), forge.Key("ed25519"), forge.Key("p256")
    start = lambda: later.Chain().add("run-open", a).add("run-abort", a)  # noqa: E731
    whole = start().rotate(a, b).add("run-open", b).add("run-abort", b).rotate(b, c).add("run-open", c).add("run-abort", c)
    result = judge.clean("keys handed over twice, trusted by the first", whole.files(), a.pem)
    judge.that("succession is told apart from direct trust", "trusted by succession" in result["text"])
    result = judge.page.verify(whole.files(), c.pem)
    judge.that("trust in the last key does not work backwards, and that is no failure", (result["outcome"], set(result["unchecked"])) == ("unchecked", {"earlier-key-not-trusted"}), result)
    result = judge.page.verify({n: d for n, d in whole.files().items() if "00000003" not in n}, a.pem)
    judge.that("succession needs the whole chain", (result["outcome"], set(result["unchecked"])) == ("unchecked", {"succession-not-shown"}), result)
    judge.found("a rotation that the old key did not sign", start().rotate(a, b, [b]).files(), ["rotation-unsigned"], a.pem)
    judge.found("a rotation that the new key did not sign", start().rotate(a, b, [a]).files(), ["rotation-unsigned"], a.pem)
    judge.found("a rotation by a stranger", start().rotate(c, b).files(), ["untrusted-key", "rotation-mismatch"], f"{a.pem}\n")
    judge.found("another key without a rotation", start().add("run-open", b).files(), ["key-changed"], a.pem)
    judge.found("another key without a rotation, though both are trusted", start().add("run-open", b).files(), ["key-changed"], f"{a.pem}\n{b.pem}")
    judge.found("a key that was given up returns", start().rotate(a, b).rotate(b, a).files(), ["rotation-mismatch"], f"{a.pem}\n{b.pem}")
    judge.found("a rotation whose subjects are other keys", start().rotate(a, b, succession={"from": later.b64(c.spki), "to": later.b64(b.spki)}).files(), ["rotation-mismatch"], f"{a.pem}\n{b.pem}")
    due = lambda n, hours: f"2026-10-01T{n + hours:02}:00:00Z"  # noqa: E731
    steady = lambda hours: later.Chain().add("run-open", a).add("run-close", a, next_run_expected_by=due(1, 6)).add("run-open", a).add("run-close", a, next_run_expected_by=due(3, hours))  # noqa: E731
    judge.clean("the same interval throughout", steady(6).files(), a.pem)
    judge.found("a longer interval that nothing announces", steady(9).files(), ["schedule-unannounced"], a.pem)
    announced = later.Chain().add("run-open", a).add("run-close", a, next_run_expected_by=due(1, 6)).add("schedule-change", a, interval={"from": 6 * 3600, "to": 9 * 3600}, subjects=(("configuration", "0" * 64),))
    judge.clean("a longer interval that is announced", announced.add("run-open", a).add("run-close", a, next_run_expected_by=due(4, 9)).files(), a.pem)


def proof_cases(judge: Judge) -> None:
    key = forge.Key("p256")
    made = later.Assessment(key)
    result = judge.clean("a proof of one line", {"one.json": made.proof([2])}, key.fingerprint)
    judge.that("it is not said to be all", "nothing says that these are all" in result["text"])
    judge.clean("a proof of several lines", {"some.json": made.proof([0, 1, 4])}, key.pem)
    result = judge.clean("a proof of all of an account", {"all.json": made.proof([1, 3, 4], [1])}, key.fingerprint)
    judge.that("that they are all is said", "all 3 records of account 222222222222" in result["text"])
    judge.clean("a proof of all of a check, with the page behind a line", {"page.json": made.proof([0, 1], [2], pages=True)}, key.fingerprint)
    judge.found("fewer lines than the account has", {"p.json": made.proof([1, 3], [1])}, ["proof-incomplete"], key.fingerprint)
    judge.found("a page that no line rests on", {"p.json": made.proof([0], pages=True)}, ["proof-page-unrelated"], key.fingerprint)
    judge.found("another key", {"p.json": made.proof([2])}, ["untrusted-key"], "ab" * 32)
    line = lambda p: p["parts"][0]["records"]["disclosed"][0]  # noqa: E731
    for name, change in {"record": lambda p: line(p).update(record=line(p)["record"].replace("pass", "fail")), "salt": lambda p: line(p).update(salt="0" * 64),
                         "index": lambda p: line(p).update(index=3), "line": lambda p: line(p).update(line=2), "path": lambda p: line(p).update(path="data/results/observations.001.ndjson"),
                         "hash": lambda p: p["parts"][0]["records"]["hashes"].__setitem__(0, "0" * 64), "hash too many": lambda p: p["parts"][0]["records"]["hashes"].append("0" * 64),
                         "hash too few": lambda p: p["parts"][0]["records"]["hashes"].pop()}.items():
        judge.found(f"a proof with another {name}", {"p.json": made.proof([2], change=change)}, ["proof-inclusion"], key.fingerprint)
    judge.found("lines of one archive under the seal of another", {"p.json": made.proof([2], change=lambda p: p["parts"][0].update(files=made.run["files"]))}, ["proof-inclusion"], key.fingerprint)
    for name, change in {"an unknown field": lambda p: p.update(note="trust me"), "an unknown field of a line": lambda p: line(p).update(note=""), "no parts": lambda p: p.update(parts=[]),
                         "a line twice": lambda p: p["parts"][0]["records"]["disclosed"].append(line(p))}.items():
        judge.found(f"a proof with {name}", {"p.json": made.proof([2], change=change)}, ["proof-malformed"], key.fingerprint)
    twice = made.proof([2]).replace(b'"index": 2', b'"index": 2, "index": 2', 1)
    judge.found("a proof that writes a field twice", {"p.json": twice}, ["proof-malformed"], key.fingerprint)


def amend_cases(judge: Judge) -> None:
    key, approver = forge.Key("p256"), forge.Key("ed25519")
    result = judge.clean("an amend archive", {"00000003-amend.zip": later.amended(key, approver)}, key.fingerprint)
    judge.that("what was added is shown", "moves in May" in result["text"] and "amendments" in result["passed"] and "approvals" in result["passed"], result["passed"])
    edit_line = lambda old, new: lambda files: files.update({"data/amendments.ndjson": files["data/amendments.ndjson"].replace(old, new, 1)})  # noqa: E731
    document = lambda files: next(n for n in files if n.startswith("data/files/"))  # noqa: E731
    for name, change, codes in [
        ("an unknown kind", edit_line(b'"kind":"attestation"', b'"kind":"blessing"'), ["amendment-malformed"]),
        ("an unknown field", edit_line(b'"holds":true', b'"holds":true,"really":true'), ["amendment-malformed"]),
        ("two of one id", edit_line(b'"id":"legacy"', b'"id":"review"'), ["amendment-malformed"]),
        ("a document that is another than its name says", lambda f: f.update({document(f): b"other minutes"}), ["amendment-malformed"]),
        ("a document that no amendment names", lambda f: f.update({"data/files/" + "0" * 64: b""}), ["amendment-malformed"]),
        ("a document that is missing", lambda f: f.pop(document(f)), ["amendment-malformed"]),
        ("an approval of a text that was changed later", edit_line(b"moves in May", b"moves in Jun"), ["approval-invalid"]),
        ("an approval by a key that is not listed", lambda f: f.update({"data/inputs/approvers": b""}), ["approval-invalid"]),
        ("an approval by a seal's key", lambda f: f.update({"data/approvals/legacy.sig": key.sshsig(b"x", b"orgproof-approval-v1")}), ["approval-invalid"]),
    ]:
        judge.found(name, {"a.zip": later.amended(key, approver, change)}, codes, key.fingerprint)


def drop_files(browser: Browser, given: dict[str, bytes]) -> None:
    for name, data in given.items():
        browser.evaluate(f"""(() => {{
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob({json.dumps(base64.b64encode(data).decode())}), c => c.charCodeAt(0));
            transfer.items.add(new File([bytes], {json.dumps(name)}));
            document.getElementById('drop').dispatchEvent(new DragEvent('drop', {{ dataTransfer: transfer, bubbles: true, cancelable: true }}));
        }})()""")


def rules(judge: Judge) -> None:
    """The page itself: its policy, the keyboard, names for assistive technology, small screens, the record."""
    page, browser = judge.page, judge.page.browser
    text = PAGE.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    judge.that("the policy allows nothing but the page's own style and script", re.fullmatch(r"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-\S+'; script-src 'sha256-\S+'", policy) is not None, policy)
    judge.that("no address of another place", not re.search(r"(?:src|href|url)\s*[=(]\s*[\"']?\s*(?:https?:)?//", text))
    judge.that("text from files reaches the page as text only", not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text))
    judge.clean("a genuine archive once more", {RUN: genuine(), PERIOD: genuine(PERIOD)})
    asked = [url for url in browser.requests() if not url.startswith("file:")]
    judge.that("nothing was asked of a network", not asked, asked)
    judge.that("the policy blocks a request", browser.evaluate("fetch('https://example.com/').then(() => 'asked', () => 'blocked')") == "blocked")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    nameless = [n["role"]["value"] for n in nodes if not n["ignored"] and n["role"]["value"] in ("button", "textbox", "heading", "progressbar", "table", "region") and not n.get("name", {}).get("value")]
    judge.that("everything to be used or read has a name", not nameless, nameless)
    judge.that("focus goes to the outcome", browser.evaluate("document.activeElement.id") == "outcome-title")
    for width in (1440, 390, 320):
        browser.call("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 500)
        browser.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        judge.that(f"nothing sticks out at {width} pixels", browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), browser.evaluate("document.documentElement.scrollWidth"))
    browser.call("Emulation.clearDeviceMetricsOverride")
    record_case(judge)
    keyboard_case(judge)
    for scheme in ("light", "dark"):
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        poor = browser.evaluate(CONTRAST)
        judge.that(f"text can be read in {scheme}", not poor, poor)
    browser.call("Emulation.setEmulatedMedia", features=[])


# WCAG 2.2, 1.4.3: at least 4.5 to 1.
CONTRAST = """(() => {
    const style = getComputedStyle(document.documentElement);
    const light = name => { const n = parseInt(style.getPropertyValue(name).trim().slice(1), 16);
        const [r, g, b] = [n >> 16, n >> 8 & 255, n & 255].map(c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b; };
    const pairs = [['--ink', '--bg'], ['--ink', '--paper'], ['--soft', '--bg'], ['--soft', '--paper'], ['--soft', '--good-bg'], ['--soft', '--bad-bg'], ['--soft', '--open-bg'], ['--accent', '--paper'], ['--on-accent', '--accent'],
        ['--good', '--good-bg'], ['--bad', '--bad-bg'], ['--open', '--open-bg'], ['--good', '--paper'], ['--bad', '--paper'], ['--open', '--paper'], ['--ink', '--good-bg'], ['--ink', '--bad-bg'], ['--ink', '--open-bg'], ['--ink', '--shade']];
    return pairs.filter(([a, b]) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return !((x + .05) / (y + .05) >= 4.5); });
})()"""


def record_case(judge: Judge) -> None:
    page, browser = judge.page, judge.page.browser
    folder = page.folder / "downloads"
    folder.mkdir()
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder), eventsEnabled=True)
    browser.evaluate("document.getElementById('save').click()")
    deadline = time.monotonic() + 20
    while not list(folder.glob("*.json")) and time.monotonic() < deadline:
        browser.evaluate("new Promise(done => setTimeout(done, 50))")
    saved = list(folder.glob("*.json"))
    judge.that("the record is saved", len(saved) == 1, saved)
    if not saved:
        return
    record = json.loads(saved[0].read_text())
    archive = record["archives"][0]
    manifest = {line[66:]: line[:64] for line in unpack(genuine())["manifest-sha256.txt"].decode().splitlines()}
    judge.that("the record names outcome, trust, time and browser", record["outcome"] == "verified" and record["trusted"] == [FINGERPRINT] and "Chrome" in record["user_agent"]
               and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["made"]) is not None)
    judge.that("the record holds every file with its digest", {f["name"]: f["sha256"] for f in archive["files"]} == manifest)
    judge.that("the record holds every check, every gap and what was not done", len(archive["checks"]) == 16 and all(c["outcome"] == "passed" or (c["check"], c["outcome"]) == ("tokens", "skipped") for c in archive["checks"])
               and len(archive["gaps"]) == 4 and len(record["not_done"]) == 3)
    judge.that("the record holds the seal's digest", archive["seal"] == hashlib.sha256(unpack(genuine())["seal.json"]).hexdigest())


def keyboard_case(judge: Judge) -> None:
    page, browser = judge.page, judge.page.browser
    page.show()
    reached = []
    for _ in range(6):
        browser.key("Tab", 9)
        reached.append(browser.evaluate("document.activeElement.id || document.activeElement.className"))
    judge.that("the keyboard reaches everything in order", reached[:5] == ["trust", "pick-trust", "pick", "pick-folder", "go"], reached)
    browser.evaluate("document.getElementById('go').focus()")
    browser.key("Enter", 13, "\r")
    browser.until("document.getElementById('file-error').textContent")
    judge.that("verifying nothing says what is missing", "Choose at least one archive" in browser.evaluate("document.getElementById('file-error').textContent"))
    browser.choose("#input-files", page.files({RUN: genuine()}))
    browser.until("document.getElementById('files').childElementCount > 0")
    browser.evaluate("document.getElementById('trust').focus()")
    browser.call("Input.insertText", text=FINGERPRINT)
    browser.evaluate("document.getElementById('go').focus()")
    browser.key("Enter", 13, "\r")
    browser.until("!document.getElementById('results').hidden")
    judge.that("a verification by keyboard alone", browser.evaluate("document.getElementById('outcome').dataset.outcome") == "verified")


def pictures(page: Page, folder: pathlib.Path) -> None:
    browser = page.browser
    folder.mkdir(parents=True, exist_ok=True)
    damaged = changed(edit("data/inputs/orgproof.toml", "us-east-1", "eu-west-1"))
    loose = {f"{n}.dsse.json": (STORE / f"chain/{n:08}/seal.dsse.json").read_bytes() for n in range(2)}
    whole = {RUN: genuine(), NEXT: genuine(NEXT), PERIOD: genuine(PERIOD), **loose}
    for width, height in [(1440, 900), (390, 844)]:
        browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        for scheme in ("light", "dark"):
            browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            for name, given, trust in [("start", None, ""), ("verified", whole, FINGERPRINT), ("failed", {RUN: damaged}, "ab" * 32), ("unchecked", {RUN: genuine()}, "")]:
                if given is None:
                    page.show()
                else:
                    page.verify(given, trust)
                    if name == "verified":
                        browser.evaluate("document.querySelectorAll('details').forEach((d, i) => d.open = i < 4)")
                browser.evaluate("scrollTo(0, 0)")
                shot = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=name != "start")
                (folder / f"{name}-{width}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))


def pin() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for tag, directive in [("style", "style-src"), ("script", "script-src")]:
        inner = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        text = re.sub(rf"{directive} '[^']*'", f"{directive} 'sha256-{digest}'", text, count=1)
    PAGE.write_text(text, encoding="utf-8")


def main() -> int:
    if "--pin" in sys.argv:
        pin()
        return 0
    with Browser() as browser:
        page = Page(browser)
        if "--pictures" in sys.argv:
            pictures(page, pathlib.Path(sys.argv[sys.argv.index("--pictures") + 1]))
            return 0
        judge = Judge(page)
        for part in (genuine_cases, trust_cases, file_cases, signature_cases, place_cases, ledger_cases, container_cases, chain_cases, key_cases, proof_cases, amend_cases, rules, flips):
            part(judge)
    print(f"{judge.passed} passed, {len(judge.failures)} failed")
    return 1 if judge.failures or judge.passed < 150 else 0


if __name__ == "__main__":
    sys.exit(main())
