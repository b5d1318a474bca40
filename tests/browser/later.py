"""Seals, archives and proofs that the fixture store does not hold, written from the format document with keys of the judge's own."""

import base64
import hashlib
import hmac
import json

import forge
from forge import sha256

LOG = "0123456789abcdef0123456789abcdef"


def compact(value) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def predicate(sequence: int, kind: str, key: forge.Key, **more) -> dict:
    at = f"2026-10-{1 + sequence // 24:02}T{sequence % 24:02}:00:00Z"
    algorithm = "ed25519" if key.ed25519 else "ecdsa-p256-sha256"
    return {"log": LOG, "sequence": sequence, "kind": kind, "semantics": 1, "opened": at, "closed": at, "tool": {"name": "orgproof", "version": "0"},
            "overridden": [], "key": {"id": key.fingerprint, "algorithm": algorithm, "assurance": "file"}, **more}


def statement(predicate: dict, *subjects: tuple[str, str]) -> bytes:
    return compact({"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": n, "digest": {"sha256": d}} for n, d in subjects],
                    "predicateType": "orgproof:seal/v1", "predicate": predicate}) + b"\n"


class Chain:
    """A chain of seals without archives, with whatever its maker wants to get away with."""

    def __init__(self):
        self.seals: list[tuple[bytes, bytes]] = []

    def add(self, kind: str, key: forge.Key, *signers: forge.Key, subjects=(("run", "0" * 64),), **more) -> "Chain":
        if self.seals:
            more["previous"] = sha256(self.seals[-1][0]).hex()
        payload = statement(predicate(len(self.seals), kind, key, **more), *subjects)
        envelope = json.loads(key.envelope(payload))
        envelope["signatures"] = [json.loads(k.envelope(payload))["signatures"][0] for k in signers or (key,)]
        self.seals.append((payload, compact(envelope)))
        return self

    def rotate(self, old: forge.Key, new: forge.Key, signers=None, **more) -> "Chain":
        subjects = (("previous-key", old.fingerprint), ("key", new.fingerprint))
        more.setdefault("succession", {"from": b64(old.spki), "to": b64(new.spki)})
        return self.add("key-rotation", new, *(signers if signers is not None else (new, old)), subjects=subjects, **more)

    def files(self) -> dict[str, bytes]:
        return {f"{n:08}.dsse.json": envelope for n, (_, envelope) in enumerate(self.seals)}


def salted(key: bytes, prefix: str, index: int, path: str, line: int, record: bytes) -> tuple[str, bytes]:
    salt = hmac.new(key, f"{prefix}{index}".encode(), "sha256").hexdigest()
    return salt, sha256(f"\0evr1 {salt} {sha256(path.encode()).hex()} {line} {sha256(record).hex()}\n".encode())


def opening(key: bytes, prefix: str, path: str, lines: list[bytes], chosen: list[int]) -> tuple[dict, dict]:
    """What a proof shows of a tree, and the tree as its seal states it."""
    salts, leaves = zip(*(salted(key, prefix, i, path, i + 1, line) for i, line in enumerate(lines)))
    hashes: list[str] = []

    def walk(first: int, size: int) -> None:
        if not any(first <= c < first + size for c in chosen):
            hashes.append(forge.root(list(leaves[first:first + size])).hex())
        elif size > 1:
            k = 1 << (size - 1).bit_length() - 1
            walk(first, k)
            walk(first + k, size - k)
    walk(0, len(lines))
    disclosed = [{"index": i, "path": path, "line": i + 1, "salt": salts[i], "record": lines[i].decode()} for i in chosen]
    return {"disclosed": disclosed, "hashes": hashes}, {"count": len(lines), "root": forge.root(list(leaves)).hex()}


def part(key: forge.Key, sequence: int, kind: str, records: dict, opened: dict, tally: dict | None = None, opened_tally: dict | None = None) -> dict:
    more = {"records": records, "previous": "0" * 64} | ({"tally": tally} if tally else {})
    facts = predicate(sequence, kind, key, **more)
    files: dict[str, bytes] = {}
    forge.sign(files, key, statement(facts, *[(m, "0" * 64) for m in forge.MANIFESTS]), facts)
    return {"files": {n: d.decode() for n, d in files.items()}, "records": opened} | ({"tally": opened_tally} if opened_tally else {})


class Assessment:
    """Observations of two accounts and two checks, and the run that they rest on, as proofs show them."""

    OBSERVATIONS, TALLY, BODIES = "data/results/observations.ndjson", "data/tally.ndjson", "data/bodies/111111111111/us-east-1.000.ndjson"

    def __init__(self, key: forge.Key):
        self.key = key
        self.pages = [compact({"page": n}) for n in range(3)]
        opened, tree = opening(bytes(32), "", self.BODIES, self.pages, [1])
        self.run = part(key, 2, "run-close", tree, opened)
        seal = sha256(self.run["files"]["seal.json"].encode()).hex()
        row = lambda check, account, n: compact({"check": check, "account": account, "region": "us-east-1", "status": "pass",  # noqa: E731
                                                 "evidence": {"seal": seal, "path": self.BODIES, "line": n}})
        self.lines = [row("a", "111111111111", 1), row("a", "222222222222", 2), row("b", "111111111111", 3), row("b", "222222222222", 2), row("b", "222222222222", 3)]
        self.counts = [{"account": "111111111111", "records": 2}, {"account": "222222222222", "records": 3}, {"check": "a", "records": 2}, {"check": "b", "records": 3}]

    def proof(self, chosen: list[int], numbers: list[int] = (), pages: bool = False, change=lambda p: None) -> bytes:
        opened, tree = opening(b"s" * 32, "", self.OBSERVATIONS, self.lines, chosen)
        stated, sealed = opening(b"s" * 32, "tally ", self.TALLY, [compact(c) for c in self.counts], list(numbers) or [0])
        parts = [part(self.key, 6, "period-close", tree, opened, sealed, stated if numbers else None)]
        proof = {"_type": "orgproof:proof/v1", "parts": parts + ([self.run] if pages else [])}
        change(proof)
        return json.dumps(proof, indent=2, ensure_ascii=False).encode()


def amended(key: forge.Key, approver: forge.Key, change=lambda files: None) -> bytes:
    """An amend archive: an attestation with a document, an exception, and its approval."""
    document = b"minutes of the review"
    name = f"data/files/{sha256(document).hex()}.txt"
    lines = [{"kind": "attestation", "id": "review", "framework": "f", "requirement": "1", "item": "a", "statement": "reviewed", "holds": True, "by": "kim@example.com",
              "observed": "2026-09-30T00:00:00Z", "valid-until": "2027-01-01T00:00:00Z", "files": [{"path": name, "sha256": sha256(document).hex(), "size": len(document), "name": "minutes.txt"}]},
             {"kind": "exception", "id": "legacy", "check": "securityhub/S3.8", "owner": "lee@example.com", "approver": "kim@example.com", "reason": "moves in May",
              "from": "2026-10-01T00:00:00Z", "expires": "2027-01-01T00:00:00Z"}]
    covered = compact(lines[1]) + b"\n"
    lines.append({"kind": "approval", "id": "approval-legacy", "of": "legacy", "sha256": sha256(covered).hex(), "by": "kim@example.com"})
    files = {"data/amendments.ndjson": b"".join(compact(line) + b"\n" for line in lines), name: document, "data/inputs/salt.key": bytes(32),
             "data/approvals/legacy.sig": approver.sshsig(covered, b"orgproof-approval-v1"),
             "data/inputs/approvers": f"kim@example.com {approver.kind.decode()} {b64(approver.blob)}\n".encode()}
    change(files)
    files |= {"VERIFY.md": b"", "bag-info.txt": b"", "bagit.txt": b"BagIt-Version: 1.0\n"}
    forge.rewrite_manifests(files)
    facts = predicate(3, "amend", key, previous="0" * 64)
    forge.sign(files, key, statement(facts, *[(m, hashlib.sha256(files[m]).hexdigest()) for m in forge.MANIFESTS]), facts)
    return forge.pack(files)
