"""One target under atheris, in a process of its own: it goes on after a finding, and tells each kind of finding once."""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from pathlib import Path

from tests.fuzz.target import SEEDS, Target, Wrong

INPUT_S = {"large": 120}  # where 16 MiB are read several times
USUAL_INPUT_S, RSS_MB = 10, 2048


class Findings:
    """Each broken rule once, with the first input that broke it, kept in a folder outside the tree."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target, self._folder = target, folder
        self._seen: set[str] = set()

    def tried(self, data: bytes) -> None:
        try:
            self._target.check(data)
        except Wrong as fault:
            self._kept("wrong", str(fault), data)
        except Exception as fault:  # noqa: BLE001
            last = traceback.extract_tb(fault.__traceback__)[-1]
            self._kept("crash", f"{type(fault).__name__} in {Path(last.filename).name}:{last.lineno}", data)

    def _kept(self, kind: str, rule: str, data: bytes) -> None:
        if rule not in self._seen:
            self._seen.add(rule)
            path = self._folder / f"{kind}-{len(self._seen)}"
            while path.exists():
                path = path.with_name(f"{path.name}-")
            path.write_bytes(data)
            print(json.dumps({"kind": kind, "rule": rule, "file": str(path)}), flush=True)


def main(name: str, product: list[str], seconds: int, folder: Path) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=product or ["none"]):
        target: Target = importlib.import_module("tests.fuzz.targets").TARGETS[name]
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    options = {
        "dict": target.dictionary, "max_len": target.longest, "timeout": INPUT_S.get(name, USUAL_INPUT_S),
        "rss_limit_mb": RSS_MB, "max_total_time": seconds, "artifact_prefix": f"{folder}/", "print_final_stats": 1,
        "report_slow_units": 3600,
    }  # fmt: skip
    arguments = [f"-{option}={value}" for option, value in options.items()]
    atheris.Setup([sys.argv[0], str(corpus), str(SEEDS / name), *arguments], Findings(target, folder).tried)
    atheris.Fuzz()
