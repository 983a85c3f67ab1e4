"""strace on a running service: kill it at a system call, fail one, or write down what reaches the disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.service import until

NEEDED = "strace is missing: apt-get install strace"


def present() -> bool:
    return shutil.which("strace") is not None


@contextlib.contextmanager
def attached(pid: int, output: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """strace on a process and its threads, from here on. RuntimeError where it may not attach."""
    command = ["strace", "-f", "-p", str(pid), "-o", str(output), *options]
    with output.with_suffix(".strace").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        threads = len(os.listdir(f"/proc/{pid}/task"))
        if not until(lambda: _traced(pid) >= threads or process.poll() is not None, 10) or process.poll() is not None:
            raise RuntimeError(f"strace could not attach: {output.with_suffix('.strace').read_text()[-300:]}")
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        if process.poll() is None:
            process.kill()
            process.wait()


def _traced(pid: int) -> int:
    """How many threads of a process are traced."""
    found = 0
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += "TracerPid:\t0" not in Path(f"/proc/{pid}/task/{thread}/status").read_text()
    return found


def ends(process: subprocess.Popen[bytes], within_s: float) -> bool:
    """Whether a process ended in this time."""
    deadline = time.monotonic() + within_s
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return process.poll() is not None
