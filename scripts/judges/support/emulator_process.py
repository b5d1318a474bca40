"""Starts the emulator for a judge, and ends it again."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]


def binary() -> pathlib.Path:
    """Returns the emulator's binary: $ORGPROOF_EMULATOR, or the one that cargo built."""
    given = os.environ.get("ORGPROOF_EMULATOR")
    if given:
        return pathlib.Path(given)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    for profile in ("debug", "release"):
        if (target / profile / "orgproof-emulator").exists():
            return target / profile / "orgproof-emulator"
    raise SystemExit("no emulator: run `cargo build -p orgproof-emulator` first, or set ORGPROOF_EMULATOR")


@contextlib.contextmanager
def emulator(*arguments: str):
    """Runs an emulator; yields what its ready file says."""
    with tempfile.TemporaryDirectory(prefix="orgproof-emulator-") as folder:
        ready = pathlib.Path(folder) / "ready.json"
        process = subprocess.Popen([binary(), "--ready-file", ready, *arguments], stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while not ready.exists():
                if process.poll() is not None:
                    raise SystemExit(f"the emulator ended with {process.returncode} before it was ready")
                if time.monotonic() > deadline:
                    raise SystemExit("the emulator was not ready after 20 s")
                time.sleep(0.02)
            yield json.loads(ready.read_text())
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        if code != 0:
            raise SystemExit(f"the emulator ended with {code} on SIGTERM")
