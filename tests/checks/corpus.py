"""docs/reference/corpus.md: where we and the parsers others wrote part ways over a real file, and why. `--check` compares.

It is printed from tests/corpus/answers.csv and the corpus's own ORACLE_hl7v2.csv (LABBRIDGE_CORPUS).
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/reference/corpus.md"
TABLE = ROOT / "tests/corpus/answers.csv"
ENOUGH = 4  # of six parsers
REASONS = {
    "message type not taken": "It parses, and is a message this service has no use for (MSH-9): AR 200.",
    "event not taken": "The type is taken, this event of it is not (MSH-9): AR 201.",
    "not a production message": "MSH-11 says test or training and the feed is a production feed: AR 202, never interpreted.",
    "an acknowledgement is not acknowledged": "It is an acknowledgement: kept, and nobody is answered.",
    "control id missing": "Without MSH-10 an answer could name no message: AE 101.",
    "message type missing": "Without MSH-9 nothing says what it is: AE 101.",
    "required field missing": "MSH-11 or MSH-12 is empty: AE 101.",
    "delimiters cannot be used": "MSH-1 and MSH-2 are not all different punctuation: a field could be hidden: AE 102.",
    "bytes do not fit the character set": "The bytes are not what MSH-18 says (empty means ASCII): AE 102. Nothing is"
    " replaced; the feed's `charset` is the repair.",
    "a line that is no segment": "A line begins with no segment name, most often a line break inside a field: AE 100.",
    "no MSH": "There is no MSH at the start: nobody to answer.",
    "before PID": "A result stands before any patient: AE 100.",
    "before OBR": "A specimen stands before any order: AE 100.",
    "PID missing": "Results without a patient: AE 100.",
    "OBR missing": "A patient without an order: AE 100.",
    "result without an order": "An OBX that belongs to no order: AE 100.",
    "no identifier": "PID-3 holds no identifier: AE 101.",
    "batch refused whole": "Its own counts or ends do not agree: something of it is missing: AE 100.",
    "MRG missing": "A merge that does not say who was merged: AE 100.",
}


def accepted(verdict: str) -> bool:
    return verdict.startswith(("ok", "VALID"))


def of_parsers(corpus: Path) -> dict[str, int]:
    """How many of the six accept each file."""
    with (corpus / "ORACLE_hl7v2.csv").open(encoding="utf-8") as file:
        return {
            row["file"].removeprefix("hl7v2/"): sum(
                accepted(value or "") for name, value in row.items() if name != "file"
            )
            for row in csv.DictReader(file)
        }


def ours() -> dict[str, str]:
    """Why we refuse each file; empty where all of it is taken."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return {row["file"]: _why(row) for row in csv.DictReader(line for line in lines if not line.startswith("#"))}


def _why(row: dict[str, str]) -> str:
    reasons = [part.split(" (")[0] for part in row["why"].replace("; no answer wanted (MSH-15)", "").split("; ")]
    return next((one for one in reasons if one not in ("kept", "identity: kept")), "")


def page(corpus: Path) -> str:
    theirs, why = of_parsers(corpus), ours()
    refused = [name for name in sorted(why) if why[name] and theirs.get(name, 0) >= ENOUGH]
    taken = [name for name in sorted(why) if not why[name] and theirs.get(name, 0) <= 6 - ENOUGH]
    lines = ["# Where we and other parsers part ways", ""]
    lines += [
        "Real files others wrote, read by six parsers of theirs and answered by us over MLLP on a production feed.",
        "",
    ]
    lines += [f"## Refused by us, accepted by at least {ENOUGH} of 6: {len(refused)} files", ""]
    for reason in sorted({why[name] for name in refused}, key=lambda one: (-sum(why[n] == one for n in refused), one)):
        names = [name for name in refused if why[name] == reason]
        lines += [f"### {reason} ({len(names)})", "", REASONS[reason], "", *_listed(names), ""]
    lines += [f"## Accepted by us, refused by at least {ENOUGH} of 6: {len(taken)} files", ""]
    lines += ["Every part this service reads is there and in order; what those parsers object to is not read here.", ""]
    return "\n".join([*lines, *_listed(taken), ""])


def _listed(names: Iterable[str]) -> list[str]:
    return [f"- {name}" for name in names] or ["None."]


def main() -> int:
    corpus = Path(os.environ.get("LABBRIDGE_CORPUS", ""))
    if not (corpus / "ORACLE_hl7v2.csv").is_file():
        print("set LABBRIDGE_CORPUS to the folder of the corpus", file=sys.stderr)
        return 2
    if "--check" not in sys.argv:
        PAGE.write_text(page(corpus), encoding="utf-8")
        return 0
    stale = PAGE.read_text(encoding="utf-8") != page(corpus)
    if stale:
        print("docs/reference/corpus.md is out of date: run python -m tests.checks.corpus", file=sys.stderr)
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
