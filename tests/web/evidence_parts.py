"""Results of a patient through the real pipeline, as the views of a case are given them, and pages read back as text."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "story"))
from story_parts import BLOT, CK, CLIA, ELISA, Laboratory, obx, order, oru

from labbridge.model.outcome import Outcome
from labbridge.model.work import Case, HeldResults
from labbridge.store.bench import StoreBench
from labbridge.web.rendering import environment, words
from labbridge.web.views import matrix, timeline
from labbridge.web.views.entries import Entry
from labbridge.web.views.matrix import Cell, Matrix
from labbridge.web.views.timeline import Timeline

__all__ = ["BLOT", "CK", "CLIA", "ELISA", "Laboratory", "obx", "order", "oru"]
ANYWHERE = frozenset[str]()
SRP, HMGCR, SLIDE, MUCH = "anti-SRP", "anti-HMGCR", "HEp-2", "CK"
HEP2 = (
    "CE|ANAS^ANA HEp-2 IIF, screen^L|1|{screen}||Negative|A|||F",
    "SN|ANAT^ANA HEp-2 IIF, titre^L|1|{titre}|{{titer}}^titre^UCUM|<1:80|A|||F",
    "CE|ANAP^ANA HEp-2 IIF, pattern^L|1|{pattern}||||||F",
)


def slide(screen: str, titre: str, pattern: str) -> tuple[str, ...]:
    """The three lines of a HEp-2 order."""
    return tuple(line.format(screen=screen, titre=titre, pattern=pattern) for line in HEP2)


def by(line: str, laboratory: str) -> str:
    """The same line, by a laboratory that signs it (OBX-23)."""
    fields = line.split("|")
    return "|".join((*fields, *[""] * (21 - len(fields)), laboratory))


class Said:
    """A numbered sender: each message a minute after the other, under a control id of its own."""

    def __init__(self, lab: Laboratory) -> None:
        self.lab, self.count = lab, 0

    async def __call__(
        self, filler: str, *lines: str, day: str = "20261110", patient: str = "PT1", more: str = ""
    ) -> None:
        """An order's lines. `more` are further segments under the last of them."""
        self.count += 1
        stamp = f"20261113{8 + self.count // 60:02}{self.count % 60:02}00+0100"
        one = order(filler, *lines, collected=f"{day}091500+0100" if day else "")
        await self.lab.take(oru(f"E{self.count}", f"{one}\r{more}" if more else one, patient=patient, sent=stamp))


def case_of(lab: Laboratory) -> Case:
    return lab.cases()[-1]


def held_of(lab: Laboratory) -> HeldResults:
    found = StoreBench(lab.rows).held(case_of(lab).key)
    assert found is not None
    return found


def matrix_of(lab: Laboratory, ours: frozenset[str] = ANYWHERE) -> Matrix:
    return matrix.matrix(held_of(lab).results, case_of(lab).outcome, ours)


def timeline_of(lab: Laboratory, ours: frozenset[str] = ANYWHERE) -> Timeline:
    held = held_of(lab)
    return timeline.timeline(held.results, case_of(lab).outcome, held.context, ours)


def cell(found: Matrix, row: str, column: str) -> Cell:
    (place,) = (place for place, one in enumerate(found.columns) if one.name == column)
    (cells,) = (one.cells for one in found.rows if one.name == row)
    return cells[place]


def entry(found: Matrix, row: str, column: str) -> Entry:
    (only,) = cell(found, row, column).entries
    return only


class Asked:
    """`_` of a page, which remembers what it was asked for."""

    def __init__(self, language: str = "en") -> None:
        self.known, self.asked = words(language), set[str]()

    def __call__(self, text: str) -> str:
        self.asked.add(text)
        return self.known.get(text, text)


def printed(macro: str, found: Any, say: Asked | None = None) -> str:
    module = environment().get_template("evidence.html").module
    return str(getattr(module, macro)(found, say or Asked()))


class Page(HTMLParser):
    """The cells of each table, row by row, as text with single blanks; the tags and attributes that were met. `seen` leaves
    out what only a screen reader is told."""

    VOID = ("br", "link")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self._cell: list[str] | None = None
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag in ("td", "th"):
            assert self._cell is not None
            self.tables[-1][-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell is not None:
            self._cell.append(data)


def of_nothing(outcome: Outcome) -> Matrix:
    """The matrix of a case of which nothing is held any more."""
    return matrix.matrix((), outcome)
