#!/usr/bin/env python3
"""Judge of the S3 store: a whole route (collect, seal, verify) with its store in ministack's S3, which others wrote.

orgproof asks the emulator for the organisation and ministack for the store. Then boto3, with the owner's own keys, must find every object once, locked in
compliance mode for the retention; must be refused each deletion of a locked version, each shortening of a lock and each conditional overwrite; and what
it reads back must verify on a disk like any other store. A bucket without Object Lock must be refused before anything is written.

usage: $(scripts/python-env) scripts/judges/s3_store.py      (needs orgproof and orgproof-emulator built; $ORGPROOF, $ORGPROOF_EMULATOR)
"""

import datetime
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
from support.ministack_process import ministack

BUCKET, PREFIX = "orgproof-evidence", "organizations/o-1"
URL = f"s3://{BUCKET}/{PREFIX}"
OWNER = "110000000002"
DURING, AFTER = "2026-12-31T06:00:00Z", "2027-01-01T00:30:00Z"


class Judge:
    """Counts what was looked at, and what was wrong."""

    def __init__(self):
        self.passed, self.failed = 0, []

    def expect(self, holds: bool, what: str):
        if holds:
            self.passed += 1
        else:
            self.failed.append(what)

    def refused(self, what: str, call, **arguments):
        try:
            call(**arguments)
        except botocore.exceptions.ClientError as error:
            self.expect(True, what)
            return error.response["Error"]["Code"]
        self.expect(False, f"{what} was not refused")
        return None


def orgproof(folder, env, code, *arguments, clock=DURING):
    """Runs the product and returns what it said; its exit code must be `code`."""
    binary = os.environ.get("ORGPROOF", ROOT / "target" / "debug" / "orgproof")
    done = subprocess.run(
        [binary, *arguments], cwd=folder, env={**env, "ORGPROOF_CLOCK": clock}, capture_output=True, text=True, check=False
    )
    if done.returncode != code:
        raise SystemExit(f"orgproof {' '.join(arguments)} ended with {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
    return done


def configure(folder, url):
    path = folder / "orgproof.toml"
    text = path.read_text()
    text = text.replace('"file:evidence"', f'"{url}"').replace('# retention  = "7y"', 'retention  = "7y"')
    path.write_text(text)


def contents(s3):
    """Returns every version below the prefix, by key."""
    found = {}
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET, Prefix=PREFIX + "/"):
        for version in page.get("Versions", []):
            found.setdefault(version["Key"], []).append(version)
        for marker in page.get("DeleteMarkers", []):
            raise SystemExit(f"a delete marker: {marker['Key']}")
    return found


def look(judge, s3, folder):
    """Tries to harm the store, and copies it to a disk."""
    retained = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=7 * 365)
    everything = contents(s3)
    judge.expect(any(key.endswith("run-close.zip") for key in everything), "the run's archive is there")
    judge.expect(any(key.endswith("period-close.zip") for key in everything), "the period's archive is there")
    for key, versions in sorted(everything.items()):
        name = key.removeprefix(PREFIX + "/")
        if name in ("checkpoint", ".lock"):
            continue
        judge.expect(len(versions) == 1, f"{name} was written once, not {len(versions)} times")
        target = {"Bucket": BUCKET, "Key": key}
        version = {**target, "VersionId": versions[0]["VersionId"]}
        lock = s3.get_object_retention(**version)["Retention"]
        judge.expect(lock["Mode"] == "COMPLIANCE", f"{name} is locked in compliance mode: {lock}")
        judge.expect(lock["RetainUntilDate"] >= retained, f"{name} is locked for seven years: {lock}")
        judge.refused(f"deleting {name}", s3.delete_object, **version)
        judge.refused(f"deleting {name}, bypassing governance", s3.delete_object, BypassGovernanceRetention=True, **version)
        shorter = {"Mode": "COMPLIANCE", "RetainUntilDate": datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)}
        judge.refused(f"shortening the lock on {name}", s3.put_object_retention, Retention=shorter, **version)
        code = judge.refused(f"overwriting {name}", s3.put_object, Body=b"forged", IfNoneMatch="*", **target)
        judge.expect(code == "PreconditionFailed", f"overwriting {name} fails by its condition, not by {code}")
        place = folder / "copy" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(s3.get_object(**version)["Body"].read())
    checkpoint = s3.get_object(Bucket=BUCKET, Key=f"{PREFIX}/checkpoint")["Body"].read()
    (folder / "copy" / "checkpoint").write_bytes(checkpoint)


def large(judge, s3):
    """The conditions and locks of an upload in parts, as ministack has them: orgproof uses them beyond 16 MiB only."""
    target = {"Bucket": BUCKET, "Key": f"{PREFIX}-probe/large"}
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2)
    for first in (True, False):
        upload = s3.create_multipart_upload(
            ChecksumAlgorithm="SHA256", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until, **target
        )["UploadId"]
        tag = s3.upload_part(Body=b"x" * 100, PartNumber=1, UploadId=upload, ChecksumAlgorithm="SHA256", **target)["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
        try:
            s3.complete_multipart_upload(UploadId=upload, MultipartUpload=parts, IfNoneMatch="*", **target)
            completed = True
        except botocore.exceptions.ClientError:
            completed = False
        if completed != first:
            print("known: ministack does not hold the completion of an upload to its condition; AWS does, and so does the emulator")
            return
    judge.expect(True, "an upload in parts is conditional")


def main() -> int:
    judge = Judge()
    organization = ROOT / "tests" / "emulator" / "organizations" / "healthy.toml"
    # ministack takes account ids for access keys and checks signatures; the emulator is told to take the same.
    same = ["--auditor-key", f"{OWNER}:test"]
    with emulator("--organization", str(organization), "--at", DURING, "--quotas", "off", *same) as ready, ministack() as s3_url, \
            tempfile.TemporaryDirectory(prefix="orgproof-s3-judge-") as scratch:
        folder = pathlib.Path(scratch)
        env = {"PATH": os.environ["PATH"], "HOME": scratch, "AWS_EC2_METADATA_DISABLED": "true", **ready["environment"]}
        env["AWS_ENDPOINT_URL_S3"] = s3_url
        s3 = boto3.client(
            "s3", endpoint_url=s3_url, region_name="us-east-1", aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )
        s3.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        s3.create_bucket(Bucket="no-lock")
        orgproof(folder, env, 0, "init")
        orgproof(folder, env, 0, "keys", "generate", "--out", "keys/seal.pem")
        signers = orgproof(folder, env, 0, "keys", "show", "--allowed-signers").stdout
        (folder / "allowed_signers").write_text(signers)
        configure(folder, "s3://no-lock/x")
        refused = orgproof(folder, env, 2, "collect").stderr
        judge.expect("Object Lock" in refused and "versioning" in refused, f"what is needed and what is there is said: {refused}")
        judge.expect("Contents" not in s3.list_objects_v2(Bucket="no-lock"), "nothing was written to the bucket without locks")
        path = folder / "orgproof.toml"
        path.write_text(path.read_text().replace("s3://no-lock/x", URL))

        orgproof(folder, env, 0, "collect")
        orgproof(folder, env, 0, "collect")
        orgproof(folder, env, 3, "status")
        sealed = json.loads(orgproof(folder, env, 3, "seal", "--period", "2026Q4", "--json", clock=AFTER).stdout)
        verify = ["--trust", "allowed_signers", "--json"]
        remote = json.loads(orgproof(folder, env, 0, "verify", URL, *verify, clock=AFTER).stdout)
        judge.expect(any(a["reperformed"] for a in remote["archives"]), "the verdicts were rebuilt from what lies in S3")
        orgproof(folder, env, 0, "verify", f"{URL}/{sealed['archive']}", *verify, "--depth", "bytes", clock=AFTER)
        look(judge, s3, folder)
        local = json.loads(orgproof(folder, env, 0, "verify", "copy", *verify, clock=AFTER).stdout)
        judge.expect(local["chains"][0]["root"] == remote["chains"][0]["root"], "the copy on disk is the chain in S3")
        seal = orgproof(folder, env, 0, "verify", "copy", "--trust", "allowed_signers", clock=AFTER)
        judge.expect("AWS_ENDPOINT_URL_S3" in seal.stdout, "an overridden endpoint of the store stands in the seals")
        large(judge, s3)

        # Hiding is no removal, and is found.
        last = sorted(key for key in contents(s3) if key.endswith("/seal.dsse.json"))[-1]
        s3.delete_object(Bucket=BUCKET, Key=last)
        hidden = orgproof(folder, env, 4, "verify", URL, *verify, clock=AFTER).stdout
        judge.expect("object-rewritten" in hidden, "a hidden seal is named")
        refused = orgproof(folder, env, 2, "collect").stderr
        judge.expect("delete marker" in refused, f"nothing is written over a hidden seal: {refused}")
    print(f"{judge.passed} checks hold, {len(judge.failed)} do not")
    for what in judge.failed:
        print(f"FAILED: {what}")
    return 1 if judge.failed else 0


if __name__ == "__main__":
    sys.exit(main())
