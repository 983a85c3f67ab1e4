"""What a person says a sender's code is, as rows of the site's tables (knowledge/codes.py, units.yaml)."""

from __future__ import annotations

import csv
import io
import json

from labbridge.errors import Refused
from labbridge.knowledge.codes import CODE_COLUMNS, NOT_OURS, SITE
from labbridge.knowledge.edits import TABLE
from labbridge.model.mapping import Assigned, Choices, SeenCode, UnitChoice

UNITS = "units.yaml"
LONGEST = 300  # characters of a source


def table_of(sender: str) -> str:
    """The table that a sender's codes stand in: its application's (MSH-3)."""
    return sender.partition("|")[0].strip().casefold()


def edits_of(seen: SeenCode, sender: str, said: Assigned, choices: Choices) -> list[dict[str, str]]:
    """The row of the code and, where a person said what its unit means, the row of that. Refused for what is no choice."""
    table = table_of(sender)
    if not table:
        raise Refused("The message names no sender: its codes cannot be told from another's")
    _check(said, choices)
    code = seen.of.code or seen.of.label
    found = [{"item": f"code:{table}:{code}", "text": _code_row(seen, said)}]
    if said.means is not None:
        found.append({"item": f"{TABLE}{UNITS}", "text": _unit_row(seen.unit, said.means, said.source)})
    return found


def _check(said: Assigned, choices: Choices) -> None:
    ours = said.role != NOT_OURS
    ids = {one.id for one in choices.analytes}
    for wrong, what in (
        (said.role not in choices.roles, "part"),
        (ours and said.analyte not in ids, "analyte"),
        (bool(said.method) and said.method not in {one.id for one in choices.methods}, "method"),
        (bool(said.assay) and said.assay not in {one.id for one in choices.kits}, "assay"),
        (said.means is not None and said.means not in choices.units, "unit"),
    ):
        if wrong:
            raise Refused(f"Choose the {what}")
    if not ours and (said.analyte or said.method or said.assay or said.means is not None):
        raise Refused("A code that is none of ours has neither analyte nor method, assay or unit")
    if not said.source.strip() or len(said.source) > LONGEST or not said.source.isprintable():
        raise Refused("Say where this was read, or which procedure decided it: at most 300 printable characters")


def _code_row(seen: SeenCode, said: Assigned) -> str:
    row = {
        "system": seen.of.system,
        "code": seen.of.code,
        "name": "" if seen.of.code else seen.of.label,
        "unit": seen.unit if said.only_unit else "",
        "specimen": "",
        "analyte": said.analyte,
        "role": said.role,
        "method": said.method,
        "assay": said.assay,
        "status": SITE,
        "source": said.source.strip(),
    }
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow([row[name] for name in CODE_COLUMNS])
    return file.getvalue()


def _unit_row(spelling: str, means: UnitChoice, source: str) -> str:
    """One spelling, as a record of units.yaml."""
    said = json.dumps(spelling, ensure_ascii=False), json.dumps(source.strip(), ensure_ascii=False)
    return (
        f"- {{analyte: {means.analyte}, unit: {means.unit}, factor: {means.factor}, spellings: [{said[0]}],"
        f" source: {said[1]}}}"
    )
