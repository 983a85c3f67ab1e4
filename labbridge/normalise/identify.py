"""Which analyte an observation is: code system, code, name and unit together, never one of them alone."""

from __future__ import annotations

import msgspec

from labbridge.knowledge.terminology import AnalyteRow, CodeRow, Terminology
from labbridge.knowledge.words import fold, plain
from labbridge.model.result import ContextKind
from labbridge.model.values import Coding


class Identified(msgspec.Struct, frozen=True):
    """The analyte and the row of the code that named it; or neither, with the note that says why (N101, N102)."""

    analyte: AnalyteRow | None = None
    code: CodeRow | None = None
    context: ContextKind | None = None
    public: bool = False
    not_ours: bool = False
    note: str = ""


UNKNOWN = Identified(note="N101")
CONTRADICTED = Identified(note="N102")
NOT_OURS = Identified(not_ours=True, note="N101")
MOST_CACHED = 20_000  # distinct code fields; beyond it the cache starts over

Key = tuple[str, tuple[Coding, ...], str, tuple[Coding, ...]]


class Identifier:
    """Looks observations up in the terminology; remembers what it has looked up."""

    def __init__(self, terminology: Terminology) -> None:
        self._terminology = terminology
        self._seen: dict[Key, Identified] = {}

    def identify(
        self, sender: str, codings: tuple[Coding, ...], unit: str, specimen: tuple[Coding, ...] = ()
    ) -> Identified:
        """The analyte of an observation, from its codings (primary and alternates), their names, unit and specimen."""
        key = (sender, codings, unit, specimen if self._terminology.by_specimen else ())
        found = self._seen.get(key)
        if found is None:
            if len(self._seen) >= MOST_CACHED:
                self._seen.clear()
            found = self._seen[key] = self._look_up(key)
        return found

    def _look_up(self, key: Key) -> Identified:
        """Two codings must not say different things: not another analyte, nor that it is none of ours."""
        found = [one for coding in key[1] if (one := self._of_coding(coding, key)) is not None]
        matches = [one for one in found if one.code is not None]
        if CONTRADICTED in found or (matches and NOT_OURS in found):
            return CONTRADICTED
        if not matches:
            return NOT_OURS if NOT_OURS in found else UNKNOWN
        if len({(one.analyte.id if one.analyte else one.context) for one in matches}) > 1:
            return CONTRADICTED
        own_first = min(matches, key=lambda one: one.public)  # a sender's own row knows method and kit
        if any(not self._agrees(one, key) for one in matches):
            return CONTRADICTED
        return own_first

    def _of_coding(self, coding: Coding, key: Key) -> Identified | None:
        """What one coding says; None where its code is unknown. A known code whose row asks for another name, unit or
        specimen is contradicted."""
        sender, _codings, unit, specimen = key
        rows = self._terminology.rows(sender, coding)
        if not rows:
            return None
        fitting = [row for row in rows if _fits(row, coding, unit, specimen)]
        if not fitting:
            return CONTRADICTED if coding.code else None
        row = max(fitting, key=_stated)
        if sum(_stated(one) == _stated(row) for one in fitting) > 1:
            return CONTRADICTED
        if row.role == "not_ours":
            return NOT_OURS
        public = row.system == "loinc"
        if row.role == "context":
            return Identified(code=row, context=ContextKind(row.analyte), public=public)
        return Identified(self._terminology.analytes[row.analyte], row, public=public)

    def _agrees(self, found: Identified, key: Key) -> bool:
        """Name and unit must not contradict; under a public code the name must also speak of the analyte."""
        analyte = found.analyte
        if analyte is None:
            return True
        _sender, codings, unit, _specimen = key
        unit_row = self._terminology.units.get((analyte.analyte.value, unit))
        if unit_row is not None and unit_row.unit == "refuse":
            return False
        if not found.public:
            return True  # a site's own row was approved with its name and unit
        names = [fold(coding.display) for coding in codings if coding.display]
        if any(word in name for name in names for word in analyte.not_words):
            return False
        return not names or any(word in name for name in names for word in analyte.words)


def _fits(row: CodeRow, coding: Coding, unit: str, specimen: tuple[Coding, ...]) -> bool:
    """A row that states a name, a unit or a specimen holds only for that name, unit and specimen."""
    if row.name and plain(row.name) != plain(coding.display):
        return False
    if row.unit and row.unit != unit:
        return False
    return not row.specimen or any(plain(row.specimen) in (plain(one.code), plain(one.display)) for one in specimen)


def _stated(row: CodeRow) -> int:
    """How much a row asks for: the most exact of several rows decides."""
    return sum(bool(part) for part in (row.name, row.unit, row.specimen))
