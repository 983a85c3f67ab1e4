"""The words, units, statuses and specimens of mappings/, folded as the normaliser looks them up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

import msgspec

from labbridge.knowledge.codes import check_digit
from labbridge.knowledge.documents import Fault, Row, Source, by_key, read_csv, read_records
from labbridge.knowledge.terminology import UnitRow, Words
from labbridge.knowledge.words import fold, pattern, plain
from labbridge.model.result import Analyte, Hep2Class, Material, Status
from labbridge.model.values import Coding, Comparator, Grade

COLUMNS = {
    "systems.csv": ("spelling", "system", "source"),
    "qualifiers.csv": ("kind", "value", "system", "language", "grade", "source"),
    "hep2-patterns.csv": ("kind", "value", "language", "class", "source"),
    "specimens.csv": ("value", "material", "source"),
    "statuses.csv": ("kind", "code", "status", "source"),
    "phrases.csv": ("kind", "value", "language", "source"),
    "comparators.csv": ("kind", "value", "comparator", "language", "source"),
}
KINDS = {
    "qualifiers.csv": ("text", "sign", "code", "flag", "mark"),
    "hep2-patterns.csv": (
        "code", "cytoplasm", "nucleus", "compatible", "organelle", "nuclear", "alone",
        "negation", "denial", "contrast", "list",
    ),
    "statuses.csv": ("result", "stored", "order", "text"),
    "phrases.csv": ("ana_reason", "poor_quality", "control_role", "yes", "no", "between"),
    "comparators.csv": ("prefix", "postfix", "prefix_declared", "postfix_declared", "flag"),
}  # fmt: skip

E = TypeVar("E", bound=StrEnum)
SPECIMEN = "SPECIMEN"  # in units.yaml: the volume of a tube


def read_systems(sources: Sequence[Source], faults: list[Fault]) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    """Spellings of coding systems, and beginnings of spellings (`99*`), folded, with the name they mean."""
    rows = list(_csv(sources, "systems.csv", faults))
    found = by_key(((row, row.fields["spelling"].casefold(), row.fields["system"]) for row in rows), faults)
    stems = tuple((spelling[:-1], name) for spelling, name in found.items() if spelling.endswith("*"))
    return {spelling: name for spelling, name in found.items() if not spelling.endswith("*")}, stems


class UnitRecord(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Spellings of one unit of an analyte (SPECIMEN: of its volume) and the exact factor to the canonical one (`refuse`:
    contradicts it)."""

    analyte: str
    unit: str
    factor: Decimal
    spellings: tuple[str, ...]


def read_units(sources: Sequence[Source], faults: list[Fault]) -> dict[tuple[str, str], UnitRow]:
    """The closed list of unit spellings by analyte. The same spelling twice is a fault: the factor would be a guess."""
    rows = []
    for row, record in read_records(sources, "units.yaml", UnitRecord, faults):
        if record.factor <= 0 or not record.factor.is_finite():
            faults.append(row.fault("A factor is above zero.", "Mend the factor."))
        if record.analyte not in (*Analyte, SPECIMEN):
            faults.append(
                row.fault(f"{record.analyte} is no analyte.", f"Use one of {', '.join(Analyte)}, {SPECIMEN}.")
            )
        unit = UnitRow(record.unit, record.factor)
        rows += [(row, (record.analyte, spelling), unit) for spelling in record.spellings]
    return by_key(rows, faults)


def read_words(sources: Sequence[Source], faults: list[Fault]) -> Words:
    """Result words, HEp-2 words, specimen words, status codes and phrases of notes."""
    qualifiers = _Kinds(sources, "qualifiers.csv", faults)
    patterns = _Kinds(sources, "hep2-patterns.csv", faults)
    statuses = _Kinds(sources, "statuses.csv", faults)
    specimens = ((row, plain(row.fields["value"])) for row in _csv(sources, "specimens.csv", faults))
    return Words(
        grades=_table(((row, plain(row.fields["value"])) for row in qualifiers("text")), "grade", Grade, faults),
        signs=_table(((row, row.fields["value"]) for row in qualifiers("sign")), "grade", Grade, faults),
        grade_codes=_table(
            ((row, (row.fields["system"], row.fields["value"])) for row in qualifiers("code")), "grade", Grade, faults
        ),
        flags=_table(((row, row.fields["value"]) for row in qualifiers("flag")), "grade", Grade, faults),
        marks=frozenset(row.fields["value"] for row in qualifiers("mark")),
        comparators=_comparators(sources, faults),
        hep2_codes=_table(((row, row.fields["value"]) for row in patterns("code")), "class", Hep2Class, faults),
        hep2_words={kind: _patterns(patterns(kind), faults) for kind in KINDS["hep2-patterns.csv"][1:]},
        materials=_table(specimens, "material", Material, faults),
        result_statuses=_table(((row, row.fields["code"]) for row in statuses("result")), "status", Status, faults),
        order_statuses=_table(((row, row.fields["code"]) for row in statuses("order")), "status", Status, faults),
        status_texts=tuple(
            _table(((row, fold(row.fields["code"])) for row in statuses("text")), "status", Status, faults).items()
        ),
        stored_statuses=frozenset(row.fields["code"] for row in statuses("stored")),
        phrases=_phrases(sources, faults),
    )


def _phrases(sources: Sequence[Source], faults: list[Fault]) -> dict[str, tuple[str, ...]]:
    phrases = _Kinds(sources, "phrases.csv", faults)
    return {kind: _patterns(phrases(kind), faults) for kind in KINDS["phrases.csv"]}


def _comparators(sources: Sequence[Source], faults: list[Fault]) -> dict[str, dict[str, Comparator]]:
    """Words and marks of comparison by their kind, folded as values are. A row without a word would stand beside every
    number, one with a digit beside none; a word that needs the feed's declaration cannot also do without it."""
    rows = _Kinds(sources, "comparators.csv", faults)
    found: dict[str, dict[str, Comparator]] = {}
    for kind in KINDS["comparators.csv"]:
        keyed = [(row, plain(row.fields["value"])) for row in rows(kind)]
        for row, word in keyed:
            if not word or any(char.isdigit() for char in word):
                faults.append(row.fault("A comparator is a word or a mark, without digits.", "Write the word alone."))
            elif word in found.get(kind.removesuffix("_declared"), {}) and kind.endswith("_declared"):
                faults.append(row.fault(f"{word!r} stands twice.", "Keep it as declared, or for every feed."))
        found[kind] = _table(keyed, "comparator", Comparator, faults)
    return found


def read_validated(sources: Sequence[Source], faults: list[Fault]) -> frozenset[tuple[str, str]]:
    """(analyte, material) pairs that a test is validated on."""
    rows = list(read_records(sources, "specimens-validated.yaml", ValidatedRecord, faults))
    by_key(((row, one.id, one) for row, one in rows), faults)
    return frozenset((one.analyte.value, one.material.value) for _row, one in rows)


class ValidatedRecord(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A material that a test is validated on."""

    id: str
    analyte: Analyte
    material: Material


class CommentCode(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The codes of our own comments: a public one, and the local one beside it."""

    id: str
    code: str
    display: str
    system: str
    local_code: str
    local_display: str
    local_system: str


def read_comment(sources: Sequence[Source], faults: list[Fault]) -> tuple[Coding, ...]:
    """The codings of an outgoing comment's OBX-3; the last record decides."""
    for row, one in list(read_records(sources, "outgoing.yaml", CommentCode, faults))[-1:]:
        if one.system == "LN" and not check_digit(one.code):
            faults.append(row.fault("The check digit is wrong.", "Look the code up."))
        ours = Coding(one.local_code, one.local_display, one.local_system)
        return (Coding(one.code, one.display, one.system), ours)
    return ()


class _Kinds:
    """The rows of a file by their kind; a kind that nobody reads is a fault, not a row without effect."""

    def __init__(self, sources: Sequence[Source], name: str, faults: list[Fault]) -> None:
        self._rows: dict[str, list[Row]] = {}
        for row in _csv(sources, name, faults):
            kind = row.fields["kind"]
            if kind in KINDS[name]:
                self._rows.setdefault(kind, []).append(row)
            else:
                faults.append(row.fault(f"Kind {kind!r} is not known.", f"Use one of {', '.join(KINDS[name])}."))

    def __call__(self, kind: str) -> list[Row]:
        return self._rows.get(kind, [])


def _csv(sources: Sequence[Source], name: str, faults: list[Fault]) -> Iterator[Row]:
    for source in sources:
        if source.name == name:
            yield from read_csv(source, COLUMNS[name], faults)


Key = TypeVar("Key", str, tuple[str, str])


def _table(rows: Iterable[tuple[Row, Key]], column: str, values: type[E], faults: list[Fault]) -> dict[Key, E]:
    """Keys with the member their column names. Two languages may share a word, if it means the same in both."""
    known = {member.value: member for member in values}
    found = []
    for row, key in rows:
        if row.fields[column] in known:
            found.append((row, key, known[row.fields[column]]))
        else:
            fault = row.fault(f"{row.fields[column]!r} is no {column}.", f"Use one of {', '.join(known)}.")
            faults.append(fault)
    return by_key(found, faults, agree=True)


def _patterns(rows: Iterable[Row], faults: list[Fault]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for row in rows:
        its = pattern(row.fields["value"])
        if its.strip():
            found[its] = None
        else:  # every text would hold it
            faults.append(row.fault("A word is missing.", "Write the word, or its beginning and `*`."))
    return tuple(found)
