"""The pack as one page for people: no script, no address but its own parts, every text of a file or account escaped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from labbridge.pack.form import Case, Coverage, FactValue, Pack, Row
from labbridge.pack.given import brief

FOLDER = Path(__file__).parent
KINDS = {
    "rule": "Rules",
    "comment": "Comment texts",
    "pathway": "Nodes of the pathway",
    "flag": "Flags",
    "retest": "Retest lists",
    "release": "Release by rule",
    "order": "Services that are ordered",
    "policy": "Numbers and choices of the policy",
    "method": "Methods",
    "kit": "Kits",
    "manufacturer": "Manufacturers",
    "code": "Codes",
    "words": "Words and style of the comments",
    "table": "Whole tables",
}
NUMBERS = {
    "rules": "Active rules that held in some case",
    "values": "Values of conditions by which their rule held in some case",
    "conditions": "Conditions that some case lacked alone (near miss)",
    "comments": "Comments that some case has",
    "wordings": "Wordings that some case has",
    "nodes": "Nodes of the pathway that some case reached",
}
COLUMNS = "filler analyte value unit method specimen status collected received".split()
APART = ("id", "title", "results")


class Verdict(NamedTuple):
    """The cases counted, and the word for all of them."""

    passed: int
    failed: int
    open: int

    @property
    def word(self) -> str:
        if self.failed:
            return "failed"
        return "passed" if self.passed else "open"


class Gap(NamedTuple):
    """What no case exercises of one rule: the rule itself, values of its conditions, conditions lacked alone."""

    rule: str
    never: bool
    values: tuple[tuple[str, tuple[FactValue, ...]], ...]
    conditions: tuple[str, ...]


def html(pack: Pack, sha256: str) -> bytes:
    """The page of a pack; `sha256` is that of the document for programs beside it."""
    page = _environment().get_template("pack.html")
    return page.render(
        pack=pack,
        sha256=sha256,
        verdict=verdict(pack.cases),
        numbers=NUMBERS,
        kinds=[(title, rows) for kind, title in KINDS.items() if (rows := _of_kind(pack.rows, kind))],
        gaps=gaps(pack.coverage),
        unreviewed=sum(row.id.startswith("rule:") and row.status == "active" and not row.reviewed for row in pack.rows),
        columns=COLUMNS,
    ).encode()


@lru_cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"brief": brief, "bare": _bare, "moment": _moment, "further": _further, "about": _about}
    return made


def verdict(cases: Sequence[Case]) -> Verdict:
    """How many cases passed, failed, and state nothing that is expected."""
    words = [case.passed for case in cases]
    return Verdict(words.count(True), words.count(False), words.count(None))


def gaps(coverage: Coverage) -> list[Gap]:
    """The rules of which something is not exercised, in their order."""
    found = []
    for rule in coverage.rules:
        values = [(one.fact, value.value) for one in rule.conditions for value in one.values if not value.fired]
        by_fact = tuple(
            (fact, tuple(value for _fact, value in some)) for fact, some in groupby(values, lambda one: one[0])
        )
        alone = tuple(one.fact for one in rule.conditions if not one.near)
        if not rule.fired or by_fact or alone:
            found.append(Gap(rule.id, not rule.fired, by_fact if rule.fired else (), alone))
    return found


def _of_kind(rows: Sequence[Row], kind: str) -> list[Row]:
    return [row for row in rows if row.id.partition(":")[0] == kind]


def _bare(id: str) -> str:
    """The id of a row without its kind."""
    return id.partition(":")[2]


def _moment(at: str) -> str:
    return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M} UTC"


def _further(row: Any) -> str:
    """What a result of a case says beside the columns of its table."""
    return brief({name: value for name, value in row.items() if name not in COLUMNS})


def _about(case: Case) -> list[tuple[str, str]]:
    """What a case says beside its id, title and results."""
    return [(name, brief(value)) for name, value in case.given.items() if name not in APART]
