"""Starts ministack for a judge, on loopback only, and ends it again."""

import contextlib
import os
import socket
import subprocess
import time

from .environments import environment


@contextlib.contextmanager
def ministack():
    """Runs ministack on a port that was free a moment ago (it takes no port 0), again if somebody else was quicker; yields its URL."""
    python = environment("ministack")
    for _ in range(3):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # Without these it opens ports on every interface.
        settings = {"AUTH": "true", "IOT_MTLS_ENABLED": "0", "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
        process = subprocess.Popen(
            [python.parent / "ministack"], env={**os.environ, **settings}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + 20
            while process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    yield f"http://127.0.0.1:{port}"
                    return
                time.sleep(0.05)
        finally:
            process.terminate()
            process.wait(timeout=10)
    raise SystemExit("ministack did not start")
