"""docs/reference/corpus-fhir.md: which real FHIR files are taken, which are refused and why, and where three validators
others wrote say something else. `--check` compares.

It is printed from the corpus's files and its own ORACLE_fhir.csv (LABBRIDGE_CORPUS).
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from labbridge.fhir import guard, incoming, structure
from labbridge.fhir.faults import Issue, Unfit
from labbridge.model.work import Feed

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/reference/corpus-fhir.md"
FEED = Feed(name="corpus", kind="fhir")
VALIDATORS = ("medplum", "npm_fhir", "fhir_resources_R4B")
NOT_READ = ".xml"  # answered 415 by the HTTP layer

# Why a file that all three validators accept is refused here, by issue type and place; a transaction's is told by `unasked`.
SCOPE = {
    (
        "not-supported",
        "resourceType",
    ): "The type is not taken alone. Observation, DiagnosticReport, Patient and Bundle are.",
    ("not-supported", "Bundle.type"): "The Bundle is an answer, a search or a history: it brings nothing.",
    ("not-supported", "request.method"): "An entry asks for a deletion or a search; only POST and PUT are done here.",
}


class Verdict(msgspec.Struct, frozen=True):
    """What became of a file: the faults it is refused for (none: it is taken), and how many reports were read of it."""

    issues: tuple[Issue, ...] = ()
    reports: int = 0

    @property
    def taken(self) -> bool:
        return not self.issues

    @property
    def reason(self) -> tuple[str, str]:
        """Issue type and sentence of the first fault."""
        return (self.issues[0].code, self.issues[0].diagnostics)

    @property
    def scope(self) -> tuple[str, str]:
        """Issue type and place of the first fault, without the entry it is in."""
        first = self.issues[0]
        place = first.expression
        return (first.code, ".".join(place.split(".")[-2:]) if place.startswith("Bundle.entry[") else place)


def files(corpus: Path) -> Iterator[Path]:
    """The files of JSON."""
    return (path for path in sorted((corpus / "fhir").rglob("*")) if path.is_file() and path.suffix != NOT_READ)


def verdict(raw: bytes) -> Verdict:
    """Nothing but Unfit is caught: whatever else is raised is a failure."""
    try:
        found = structure.checked(raw)
        if not found:
            found = structure.unasked(structure.read_structure(raw, FEED).contents)
        if found:
            return Verdict(tuple(found))
        return Verdict(reports=len(incoming.read_reports(raw, FEED)))
    except Unfit as fault:
        return Verdict(fault.issues)


def verdicts(corpus: Path) -> dict[str, Verdict]:
    return {str(path.relative_to(corpus / "fhir")): verdict(path.read_bytes()) for path in files(corpus)}


def of_validators(corpus: Path) -> dict[str, tuple[str, ...]]:
    """The validators that accept each file."""
    with (corpus / "ORACLE_fhir.csv").open(encoding="utf-8") as file:
        return {
            row["file"].removeprefix("fhir/"): tuple(name for name in VALIDATORS if row[name] == "VALID")
            for row in csv.DictReader(file)
        }


def ours_to_take(raw: bytes) -> bool:
    """Whether a body is of a type that is taken."""
    body: Any = guard.load(raw)
    kind = body["resourceType"]
    return kind in structure.ALONE or (kind == "Bundle" and body["type"] in structure.BUNDLES)


def page(corpus: Path) -> str:
    theirs, found = of_validators(corpus), verdicts(corpus)
    every = {name for name in found if len(theirs[name]) == len(VALIDATORS)}
    refused = {name for name in found if not found[name].taken}
    xml = sum(path.suffix == NOT_READ for path in (corpus / "fhir").rglob("*"))
    lines = ["# FHIR files of others, and what we make of them", ""]
    lines += [
        f"{len(found)} real files of JSON that others wrote, held against three validators of theirs and read by us."
    ]
    lines += [f"{xml} files of XML are not read: XML is not offered (415).", "", *_table(theirs, found), ""]
    lines += [f"## Refused by us, accepted by all {len(VALIDATORS)}: {len(refused & every)} files", ""]
    for scope in _by_number(found[name].scope for name in refused & every):
        names = sorted(name for name in refused & every if found[name].scope == scope)
        lines += [f"### {scope[0]}, {scope[1]} ({len(names)})", "", SCOPE[scope], "", *_listed(names), ""]
    others = refused - every
    lines += [f"## Refused by us and by at least one of them: {len(others)} files", ""]
    for reason in _by_number(found[name].reason for name in others):
        names = sorted(name for name in others if found[name].reason == reason)
        listed = [f"{name} ({_faults(found[name])}; {_who(theirs[name])})" for name in names]
        lines += [f"### {reason[1]} ({reason[0]}): {len(names)}", "", *_listed(listed), ""]
    loose = sorted(name for name in set(found) - refused - every)
    lines += [f"## Accepted by us, refused by at least one of them: {len(loose)} files", ""]
    lines += ["What that one objects to is in an element that is not read here.", ""]
    return "\n".join([*lines, *_listed(f"{name} ({_who(theirs[name])})" for name in loose), ""])


def _table(theirs: dict[str, tuple[str, ...]], found: dict[str, Verdict]) -> list[str]:
    counts = Counter((theirs[name], one.taken) for name, one in found.items())
    lines = ["| accepted by | taken by us | refused by us |", "|---|---|---|"]
    for who in sorted({who for who, _taken in counts}, key=lambda who: (-len(who), who)):
        lines.append(f"| {', '.join(who) or 'none'} | {counts[who, True]} | {counts[who, False]} |")
    return lines


def _faults(one: Verdict) -> str:
    count = len(one.issues)
    return f"{count} fault{'' if count == 1 else 's'}, first at {one.issues[0].expression}"


def _who(names: tuple[str, ...]) -> str:
    return f"accepted by {', '.join(names)}" if names else "accepted by none"


def _by_number(reasons: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [one for one, _count in sorted(Counter(reasons).items(), key=lambda pair: (-pair[1], pair[0]))]


def _listed(names: Iterable[str]) -> list[str]:
    return [f"- {name}" for name in names] or ["None."]


def main() -> int:
    corpus = Path(os.environ.get("LABBRIDGE_CORPUS", ""))
    if not (corpus / "ORACLE_fhir.csv").is_file():
        print("set LABBRIDGE_CORPUS to the folder of the corpus", file=sys.stderr)
        return 2
    if "--check" not in sys.argv:
        PAGE.write_text(page(corpus), encoding="utf-8")
        return 0
    stale = PAGE.read_text(encoding="utf-8") != page(corpus)
    if stale:
        print("docs/reference/corpus-fhir.md is out of date: run python -m tests.checks.corpus_fhir", file=sys.stderr)
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
