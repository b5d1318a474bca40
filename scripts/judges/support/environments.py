"""The pinned Python environments of the judges."""

import pathlib
import subprocess
import sys

from .emulator_process import ROOT


def environment(name: str) -> pathlib.Path:
    """Returns the interpreter of one of the pinned environments."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "python-env", ROOT / "scripts" / f"requirements-{name}.txt"],
        stdout=subprocess.PIPE, text=True, check=True,
    )
    return pathlib.Path(done.stdout.strip())
