"""codes/*.csv: what the codes of a system, a sender, or every sender mean. Each row is checked before it is used."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from labbridge.knowledge.documents import Fault, Row, Source, read_csv
from labbridge.knowledge.terminology import CodeRow, Terminology
from labbridge.model.values import Coding

CODE_COLUMNS = ("system", "code", "name", "unit", "specimen", "analyte", "role", "method", "assay", "status", "source")
NOT_OURS, SITE = "not_ours", "SITE"
ROLES = (
    "result",
    "grade",
    "quantity",
    "screen",
    "titre",
    "pattern",
    "nuclear_titre",
    "cytoplasmic_pattern",
    "cytoplasmic_titre",
    "comment",
    "context",
    NOT_OURS,
)
SHIPPED = ("VERIFIED", "PART", SITE)
LOINC = "loinc"

Table = dict[str, tuple[CodeRow, ...]]


class Known(msgspec.Struct, frozen=True):
    """The ids that a row of codes may name."""

    analytes: frozenset[str]
    contexts: frozenset[str]
    methods: frozenset[str]
    kits: frozenset[str]


def read_codes(sources: Sequence[Source], systems: Terminology, known: Known, faults: list[Fault]) -> dict[str, Table]:
    """Code tables by the name of their file, ours first: a site's rows replace ours of the same code."""
    tables: dict[str, Table] = {}
    for source in sources:
        folder, _, file = source.name.rpartition("/")
        if folder != "codes" or not file.endswith(".csv"):
            continue
        name = file.removesuffix(".csv").casefold()
        table = tables.setdefault(name, {})
        mine: set[str] = set()
        for row in read_csv(source, CODE_COLUMNS, faults):
            system = systems.system(Coding("", "", row.fields["system"]))
            if not _sound(row, system, known, faults):
                continue
            code = row.fields["code"]
            if source.site and code not in mine:
                table.pop(code, None)
                mine.add(code)
            _add(table, row, msgspec.structs.replace(_code_row(row), table=name, system=system), faults)
    return tables


def _sound(row: Row, system: str, known: Known, faults: list[Fault]) -> bool:
    fields = row.fields
    by_name = row.site and fields["name"]  # names alone identify nothing, unless a site approves that name
    found = [row.fault(message, repair) for wrong, message, repair in (
        (not (fields["code"] or by_name), "The code is empty.", "Give the code as the sender writes it."),
        *_of_meaning(fields, known),
        (fields["status"] not in SHIPPED, f"Status {fields['status']} does not ship.", f"Use one of {', '.join(SHIPPED)}."),
        (fields["status"] == "PART" and any(fields[name] for name in ("method", "unit", "assay", "specimen")),
         "A PART code identifies its analyte only.", "Empty method, unit, specimen and assay."),
        (system == LOINC and not check_digit(fields["code"]), "The check digit is wrong.", "Look the code up."),
        (not fields["source"], "A source is missing.", "Say where the code was read, or who approved it."),
    ) if wrong]  # fmt: skip
    faults.extend(found)
    return not found


def _of_meaning(fields: dict[str, str], known: Known) -> tuple[tuple[bool, str, str], ...]:
    """What is wrong with the analyte, role, method and assay of a row."""
    analyte, role = fields["analyte"], fields["role"]
    meant = {"context": known.contexts, NOT_OURS: frozenset({""})}.get(role, known.analytes)
    method, assay = fields["method"], fields["assay"]
    return (
        (role not in ROLES, f"Role {role} is not known.", f"Use one of {', '.join(ROLES)}."),
        (analyte not in meant, f"Analyte {analyte} is not known.", "Use an id of analytes.yaml, for the role it has."),
        (bool(method) and method not in known.methods, "The method is not known.", "Use an id of methods.yaml."),
        (bool(assay) and assay not in known.kits, "The assay is not known.", "Use an id of kits.yaml."),
    )


def _code_row(row: Row) -> CodeRow:
    names = ("code", "name", "unit", "specimen", "analyte", "role", "method", "assay")
    return CodeRow(**{name: row.fields[name] for name in names})


def _add(table: Table, row: Row, new: CodeRow, faults: list[Fault]) -> None:
    def told_by(one: CodeRow) -> tuple[str, str, str, str]:
        return one.system, one.name, one.unit, one.specimen

    before = table.get(new.code, ())
    if any(told_by(other) == told_by(new) for other in before):
        repair = "Keep one row, or tell them apart by system, name, unit or specimen."
        faults.append(row.fault(f"Code {new.code or new.name} stands twice.", repair))
        return
    table[new.code] = (*before, new)


def check_digit(code: str) -> bool:
    """LOINC's mod-10 check digit (Luhn over the digits before the dash)."""
    number, dash, check = code.partition("-")
    if not dash or not number.isascii() or not number.isdigit() or check not in tuple("0123456789"):
        return False
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return (10 - total % 10) % 10 == int(check)
