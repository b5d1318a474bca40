#!/usr/bin/env python3
"""Judge of sealing with AWS KMS: ministack holds the keys, and openssl checks what they signed.

Nothing rests on the emulator's word: each signature is checked by openssl and ssh-keygen with the public key as boto3 fetched it, with the
commands that the format and the archives themselves give.

usage: $(scripts/python-env) scripts/judges/kms.py      (needs orgproof and orgproof-emulator built; $ORGPROOF, $ORGPROOF_EMULATOR)
"""

import base64
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import boto3
from botocore.config import Config

from support.emulator_process import ROOT, emulator
from support.ministack_process import ministack

ACCOUNT = "111111111111"
DURING, LATER, AFTER = "2026-12-31T06:00:00Z", "2026-12-31T07:00:00Z", "2027-01-01T00:30:00Z"
TRUST = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
}]}
SEALS = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Action": ["kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"], "Resource": "*",
}]}


class Judge:
    def __init__(self):
        self.passed, self.failed = 0, 0

    def that(self, name: str, holds: bool, detail: object = "") -> None:
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        if not holds:
            print(f"FAILED {name}: {detail}")


class Desk:
    """A working folder with a configuration, and the product in it."""

    def __init__(self, folder: pathlib.Path, region: str = "us-east-1"):
        self.folder = folder
        given = os.environ.get("ORGPROOF")
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        self.product = pathlib.Path(given) if given else target / "debug" / "orgproof"
        if not self.product.exists():
            raise SystemExit("no orgproof: run `cargo build` first, or set ORGPROOF")
        self.run({}, ["init"])

    def configure(self, key: str, more: str = "") -> None:
        path = self.folder / "orgproof.toml"
        text = re.sub(r"(?ms)^\[signing\]\n.*?^\[timestamp\]", f'[signing]\nkey = "{key}"\n{more}\n[timestamp]', path.read_text())
        path.write_text(text)

    def run(self, variables: dict, arguments: list, clock: str = DURING) -> subprocess.CompletedProcess:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ORGPROOF_"))}
        clean |= {"ORGPROOF_CLOCK": clock, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(self.folder)}
        return subprocess.run(
            [self.product, *arguments], cwd=self.folder, env={**clean, **variables}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=300,
        )


def client(service: str, url: str, key: str = ACCOUNT):
    return boto3.client(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 0}),
    )


def variables(url: str, key: str = ACCOUNT) -> dict:
    return {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


def bash(script: str, folder: pathlib.Path, **more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env={**os.environ, **more}, capture_output=True, text=True, timeout=120
    )


def blocks(text: str) -> str:
    return "\n".join(re.findall(r"(?ms)^```bash\n(.*?)^```", text))


def bare(pem: str) -> str:
    return "".join(line for line in pem.split() if "-----" not in line)


def make_key(kms, alias: str, **kind: str) -> dict:
    key = kms.create_key(**(kind or {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}))["KeyMetadata"]
    kms.create_alias(AliasName=f"alias/{alias}", TargetKeyId=key["KeyId"])
    return key


def exported(kms, alias: str, folder: pathlib.Path) -> str:
    """Writes the public key as KMS gives it to seal.pem and allowed_signers, by stock tools; returns its fingerprint."""
    spki = kms.get_public_key(KeyId=f"alias/{alias}")["PublicKey"]
    text = base64.encodebytes(spki).decode()
    (folder / "seal.pem").write_text(f"-----BEGIN PUBLIC KEY-----\n{text}-----END PUBLIC KEY-----\n")
    line = subprocess.run(["ssh-keygen", "-i", "-m", "PKCS8", "-f", folder / "seal.pem"], capture_output=True, text=True, check=True).stdout
    (folder / "allowed_signers").write_text(f'evidence@example.org namespaces="orgproof-seal-v1" {line}')
    return hashlib.sha256(spki).hexdigest()


def opening(judge: Judge, desk: Desk, url: str) -> None:
    """What a key must be, and what is said of one that is not."""
    kms = client("kms", url)
    key = make_key(kms, "evidence-seal")
    fingerprint = exported(kms, "evidence-seal", desk.folder)
    for name in ["alias/evidence-seal", key["Arn"], key["KeyId"], f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/evidence-seal"]:
        desk.configure(f"awskms:///{name}")
        shown = desk.run(variables(url), ["keys", "show", "--json"])
        good = shown.returncode == 0 and json.loads(shown.stdout)
        judge.that(f"{name} is shown", good and good["fingerprint"] == fingerprint, shown.stderr)
        judge.that("its PEM is the one that KMS gives", good and bare(good["pem"]) == bare((desk.folder / "seal.pem").read_text()))
        judge.that("its allowed_signers is what ssh-keygen makes of it", good and good["allowed_signers"].split()[2:4]
                   == (desk.folder / "allowed_signers").read_text().split()[2:4])
    make_key(kms, "edwards", KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")
    make_key(kms, "rsa", KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    make_key(kms, "symmetric", KeySpec="SYMMETRIC_DEFAULT", KeyUsage="ENCRYPT_DECRYPT")
    kms.disable_key(KeyId=make_key(kms, "disabled")["KeyId"])
    kms.schedule_key_deletion(KeyId=make_key(kms, "doomed")["KeyId"], PendingWindowInDays=7)
    for name, said, settings in [
        ("alias/edwards", "4,096 bytes", variables(url)),
        ("alias/rsa", "ECC_NIST_P256", variables(url)),
        ("alias/symmetric", "SIGN_VERIFY", variables(url)),
        ("alias/disabled", "enable-key", variables(url)),
        ("alias/doomed", "PendingDeletion", variables(url)),
        ("alias/absent", "NotFoundException", variables(url)),
        (key["Arn"], "NotFoundException", variables(url, "222222222222")),
        (key["Arn"], "UnrecognizedClientException", {**variables(url), "AWS_ACCESS_KEY_ID": "AKIAABCDEFGHIJKLMNOP"}),
        (key["Arn"], "Check network", {**variables(url), "AWS_ENDPOINT_URL_KMS": "http://127.0.0.1:9"}),
    ]:
        desk.configure(f"awskms:///{name}")
        shown = desk.run(settings, ["keys", "show"])
        judge.that(f"{name} is refused with the reason", shown.returncode == 2 and said in shown.stderr and name in shown.stderr, shown.stderr)


def sealing(judge: Judge, desk: Desk, url: str) -> None:
    """A chain from a file key to KMS, closed with KMS, checked by stock tools alone."""
    kms, iam = client("kms", url), client("iam", url)
    iam.create_role(RoleName="Seal", AssumeRolePolicyDocument=json.dumps(TRUST))
    role = f'role = "arn:aws:iam::{ACCOUNT}:role/Seal"'
    organization = ROOT / "tests/emulator/organizations/healthy.toml"
    desk.configure("file:old.pem")
    secret = {"ORGPROOF_KEY_PASSPHRASE": "correct horse battery staple"}
    made = desk.run(secret, ["keys", "generate", "--out", "old.pem", "--passphrase", "--json"])
    old = json.loads(made.stdout)["fingerprint"]
    with emulator("--organization", str(organization), "--at", DURING) as ready:
        done = desk.run({**ready["environment"], **secret}, ["collect"])
    judge.that("a run is sealed with the encrypted key file", done.returncode in (0, 3), done.stderr)
    refused = desk.run({**variables(url), **secret}, ["keys", "rotate", "--to", "awskms:///alias/evidence-seal", "--role", role.split('"')[1]], LATER)
    judge.that("a role that may not use the key is refused", refused.returncode == 2 and "AccessDenied" in refused.stderr, refused.stderr)
    judge.that("and nothing was appended", not (desk.folder / "evidence/chain/00000003").exists())
    iam.put_role_policy(RoleName="Seal", PolicyName="seal", PolicyDocument=json.dumps(SEALS))
    rotated = desk.run(
        {**variables(url), **secret},
        ["keys", "rotate", "--to", "awskms:///alias/evidence-seal", "--role", role.split('"')[1], "--why", "yearly", "--json"], LATER,
    )
    fingerprint = exported(kms, "evidence-seal", desk.folder)
    judge.that("the key is rotated to KMS", rotated.returncode == 0 and json.loads(rotated.stdout)["to"]["fingerprint"] == fingerprint, rotated.stderr)
    section = (ROOT / "src/archive/FORMAT.md").read_text().split("### 5.2 Rotation")[1].split("## 6.")[0]
    checked = bash(blocks(section), desk.folder / "evidence", N="00000003", BEFORE="00000002")
    judge.that("openssl holds both signatures of the rotation", checked.returncode == 0 and f"from {old} to {fingerprint}" in checked.stdout, checked)

    stale = desk.run(secret, ["seal", "--period", "2026Q4"], AFTER)
    judge.that("the old key seals no more", stale.returncode == 2 and "rotation at seal 3" in stale.stderr, stale.stderr)
    desk.configure("awskms:///alias/evidence-seal", role)
    down = desk.run({**variables(url), "AWS_ENDPOINT_URL_KMS": "http://127.0.0.1:9"}, ["seal", "--period", "2026Q4"], AFTER)
    judge.that("without KMS nothing is sealed", down.returncode == 2 and not (desk.folder / "evidence/chain/00000004").exists(), down.stderr)
    done = desk.run(variables(url), ["seal", "--period", "2026Q4"], AFTER)
    judge.that("the period is closed with KMS", done.returncode in (0, 1, 3), done.stderr)
    archive = next((desk.folder / "evidence/archives").glob("*-period-close.zip"))
    (desk.folder / archive.name).write_bytes(archive.read_bytes())
    guide = subprocess.run(["unzip", "-p", archive, "VERIFY.md"], capture_output=True, text=True, check=True).stdout
    checked = bash(blocks(guide), desk.folder)
    judge.that("every command of its VERIFY.md holds with the key as boto3 exported it", checked.returncode == 0, checked)
    seal = json.loads(subprocess.run(["unzip", "-p", archive, "seal.json"], capture_output=True, check=True).stdout)["predicate"]
    judge.that("the seal says where the key lies, and who answered", seal["key"]["assurance"] == "kms"
               and any(url in what for what in seal["overridden"]), seal)
    for trust, code, said in [(old, 0, "succession"), (fingerprint, 5, "earlier-key-not-trusted"), ("0" * 64, 4, "untrusted-key")]:
        verified = desk.run({}, ["verify", "evidence", "--trust", trust], AFTER)
        judge.that(f"verify says {said}", verified.returncode == code and said in verified.stdout, (verified.returncode, verified.stdout))
    everything = b"".join(p.read_bytes() for p in (desk.folder / "evidence").rglob("*") if p.is_file())
    judge.that("no passphrase in the store", b"battery staple" not in everything and b"battery staple" not in (made.stderr + done.stderr).encode())


def main() -> int:
    judge = Judge()
    with ministack() as url:
        for part in (opening, sealing):
            with tempfile.TemporaryDirectory(prefix="orgproof-judge-") as folder:
                desk = Desk(pathlib.Path(folder))
                if part is sealing and "evidence-seal" not in str(client("kms", url).list_aliases()["Aliases"]):
                    make_key(client("kms", url), "evidence-seal")
                part(judge, desk, url)
    print(f"kms: {judge.passed} passed, {judge.failed} failed")
    return 1 if judge.failed else 0


if __name__ == "__main__":
    sys.exit(main())
