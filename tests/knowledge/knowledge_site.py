"""A site's folder on disk, laid over the shipped knowledge by the means a user has; and what `labbridge check` says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from labbridge.checking import LOCK, check
from labbridge.knowledge.codes import CODE_COLUMNS
from labbridge.knowledge.documents import Fault

HEADER = ",".join(CODE_COLUMNS)
ONE_CODE = f"{HEADER}\nL,SRPX,,,,SRP,result,line_blot,,SITE,approved by us\n"
OWN_RULE = """\
- id: own
  version: 1
  status: active
  why: our habit
  when: {srp: POS_STRONG}
  then: {flags: [{MSA_POSITIVE: major}]}
  citations: [picard-2016]
  cases: {fires: [{srp: POS_STRONG}], silent: [{srp: NEG}]}
"""


def lay(folder: Path, files: Mapping[str, str | bytes]) -> str:
    """A folder of knowledge with these files, as a person keeps one; its path."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    folder.mkdir(exist_ok=True)
    return str(folder)


def said_of(folder: Path, name: str, content: str | bytes, base: Path | None = None) -> list[Fault]:
    """What `labbridge check --site` says of this one file of a site. The lock has tests of its own."""
    faults, _summary = check(base, lay(folder / "site", {name: content}), write_lock=False)
    return [fault for fault in faults if fault.file != LOCK]
