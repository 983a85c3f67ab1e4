"""The Containerfile, read: its instructions one after the other."""

from __future__ import annotations

import json

from tests.conftest import ROOT

FILE = ROOT / "deploy/Containerfile"


def steps() -> list[tuple[str, str]]:
    """Each instruction and what it says, continued lines put together."""
    lines = [
        line for line in FILE.read_text(encoding="utf-8").splitlines() if line and not line.lstrip().startswith("#")
    ]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [(name, " ".join(rest.split())) for name, _, rest in (line.partition(" ") for line in whole.splitlines())]


def said(instruction: str) -> list[str]:
    """The words of an instruction, the last where there are several."""
    rest = [text for name, text in steps() if name == instruction][-1]
    return list(json.loads(rest)) if rest.startswith("[") else rest.split()
