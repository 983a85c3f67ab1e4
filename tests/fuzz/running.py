"""Every target in a process of its own, for its share of the time; one row for each."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

GRACE_S = 150  # to begin, and to end the input that is being tried
MOST_STARTS = 5


class Finding(msgspec.Struct, frozen=True):
    """A broken rule: `wrong` or `crash`, what was broken, and the input."""

    kind: str
    rule: str
    file: str


class Row(msgspec.Struct):
    """What one target came to. `edges` is the coverage the tool tells, if it does."""

    name: str
    executions: int = 0
    edges: int = 0
    seconds: float = 0.0
    findings: list[Finding] = msgspec.field(default_factory=list)

    def __str__(self) -> str:
        counts = [sum(one.kind == kind for one in self.findings) for kind in ("crash", "wrong")]
        rate = self.executions / self.seconds if self.seconds else 0
        edges = str(self.edges) if self.edges else "-"
        return f"{self.name:10} {self.executions:11} {rate:9.0f} {edges:>7} {counts[0]:8} {counts[1]:6} {self.seconds:8.0f}"


HEADER = f"{'target':10} {'executions':>11} {'a second':>9} {'edges':>7} {'crashes':>8} {'wrong':>6} {'seconds':>8}"


def run(name: str, product: tuple[str, ...], seconds: int, folder: Path) -> Row:
    """A target for so long. One that ends early (a hang, too much memory, a crash of the interpreter) begins again."""
    row, begun = Row(name), time.monotonic()
    own = folder / name
    own.mkdir(parents=True, exist_ok=True)
    for _start in range(MOST_STARTS):
        left = seconds - int(row.seconds)
        if left <= 0:
            break
        before = set(own.iterdir())
        ended = _child(name, product, left, own, row)
        row.seconds = time.monotonic() - begun
        if ended == 0:
            break
        died = [
            path for path in sorted(set(own.iterdir()) - before) if path.name.startswith(("timeout-", "oom-", "crash-"))
        ]
        known = {one.file for one in row.findings}
        more = [path for path in died if str(path) not in known]
        row.findings += [Finding("crash", path.name.partition("-")[0], str(path)) for path in more]
        if not more:
            row.findings.append(Finding("crash", f"the process ended with {ended}", str(own / "log")))
    return row


def _child(name: str, product: tuple[str, ...], seconds: int, own: Path, row: Row) -> int:
    command = [sys.executable, "-m", "tests.fuzz", "--child", name, "--seconds", str(seconds), "--folder", str(own)]
    with (own / "log").open("w+", encoding="utf-8", errors="replace") as log:
        child = subprocess.Popen(
            [*command, "--product", ",".join(product)], stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            said, _ = child.communicate(timeout=seconds + GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            said, _ = child.communicate()
        log.seek(0)
        _counted(log.read(), row)
    row.findings += list(_told(said))
    return child.returncode


def _told(said: str) -> Iterator[Finding]:
    for line in said.splitlines():
        if line.startswith('{"kind"'):
            yield Finding(**json.loads(line))


def _counted(log: str, row: Row) -> None:
    done = re.findall(r"number_of_executed_units: +(\d+)", log) or re.findall(r"^#(\d+)\t", log, re.MULTILINE)
    row.executions += int(done[-1]) if done else 0
    edges = re.findall(r" cov: (\d+) ", log)
    row.edges = max(row.edges, int(edges[-1]) if edges else 0)
