"""Reading the terminology tables of mappings/ into a Terminology; every fault is collected with file, line and repair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from labbridge.knowledge.codes import CODE_COLUMNS, ROLES, SHIPPED, Known, check_digit, read_codes
from labbridge.knowledge.documents import Fault, Row, Source, by_key, read_records
from labbridge.knowledge.likeness import read_likeness
from labbridge.knowledge.terminology import AnalyteRow, KitRow, MakerRow, MethodRow, Terminology
from labbridge.knowledge.vocabulary import read_comment, read_systems, read_units, read_validated, read_words
from labbridge.knowledge.words import fold
from labbridge.model.result import Analyte, Band, ContextKind

__all__ = ["CODE_COLUMNS", "ROLES", "SHIPPED", "check_digit", "read_terminology"]


def read_terminology(sources: Sequence[Source], faults: list[Fault]) -> Terminology:
    """The terminology of these files, ours first, a site's after them: a site's row replaces ours of the same id."""
    analyte_rows = list(read_records(sources, "analytes.yaml", AnalyteRow, faults))
    method_rows = list(read_records(sources, "assays/methods.yaml", MethodRow, faults))
    kit_rows = list(read_records(sources, "assays/kits.yaml", KitRow, faults))
    maker_rows = list(read_records(sources, "assays/manufacturers.yaml", MakerRow, faults))
    analytes = by_key(((row, one.id, one) for row, one in analyte_rows), faults)
    methods = by_key(((row, one.id, one) for row, one in method_rows), faults)
    kits = by_key(((row, one.id, one) for row, one in kit_rows), faults)
    by_key(((row, one.id, one) for row, one in maker_rows), faults)
    systems, stems = read_systems(sources, faults)
    known = Known(frozenset(analytes), frozenset(ContextKind), frozenset(methods), frozenset(kits))
    bare = Terminology(systems=systems, system_stems=stems)
    codes = read_codes(sources, bare, known, faults)
    faults += _of_methods(method_rows)
    faults += _of_kits(kit_rows, known)
    return msgspec.structs.replace(
        bare,
        codes=codes,
        by_specimen=any(row.specimen for table in codes.values() for rows in table.values() for row in rows),
        analytes={id: _folded(row) for id, row in analytes.items()},
        methods=methods,
        kits=kits,
        method_words=_words(((row, one.id, one.words) for row, one in method_rows), faults),
        kit_words=_words(((row, one.id, one.words) for row, one in kit_rows), faults),
        maker_words=_words(((row, one.id, one.words) for row, one in maker_rows), faults),
        units=read_units(sources, faults),
        words=read_words(sources, faults),
        validated=read_validated(sources, faults),
        comment=read_comment(sources, faults),
        likeness=read_likeness(sources, analytes, faults),
    )


def _folded(row: AnalyteRow) -> AnalyteRow:
    return msgspec.structs.replace(row, words=tuple(map(fold, row.words)), not_words=tuple(map(fold, row.not_words)))


def _words(rows: Iterable[tuple[Row, str, tuple[str, ...]]], faults: list[Fault]) -> tuple[tuple[str, str], ...]:
    """Folded words with the id they mean, longest first: the most specific name decides. A site's record takes the
    words of the one it replaces with it."""
    ordered = list(rows)
    replaced = {id for row, id, _words in ordered if row.site}
    pairs = (
        (row, folded, id)
        for row, id, words in ordered
        if row.site or id not in replaced
        for word in words
        if (folded := fold(word)).strip()
    )
    found = by_key(pairs, faults, agree=True)
    return tuple(sorted(found.items(), key=lambda pair: (-len(pair[0]), pair[0])))


def _of_methods(rows: Iterable[tuple[Row, MethodRow]]) -> list[Fault]:
    return [fault for row, method in rows for fault in _of_bands(row, method.bands)]


def _of_kits(rows: Iterable[tuple[Row, KitRow]], known: Known) -> list[Fault]:
    faults = []
    for row, kit in rows:
        faults += _of_bands(row, kit.bands)
        if kit.method not in known.methods:
            faults.append(row.fault(f"Kit {kit.id} names no known method.", "Use an id of methods.yaml."))
        for analyte in filter(None, (kit.analyte, *kit.antigens_absent)):
            if analyte not in set(Analyte):
                faults.append(row.fault(f"Kit {kit.id}: {analyte} is no analyte.", f"Use one of {', '.join(Analyte)}."))
        if kit.cut_off is not None and not (kit.cut_off.is_finite() and kit.cut_off > 0):
            faults.append(row.fault(f"Kit {kit.id}: a cut-off is above zero.", "Mend the cut-off."))
        if kit.cut_off is not None and kit.bands:
            faults.append(row.fault(f"Kit {kit.id} has a cut-off and bands.", "Keep one of the two."))
    return faults


def _of_bands(row: Row, bands: Sequence[Band]) -> list[Fault]:
    """Bands rise, in their numbers and in what they mean."""
    order = ("EQUIVOCAL", "POS_LOW", "POS_STRONG")
    rising = all(
        low.low < high.low and low.category in order and order.index(low.category) < order.index(high.category)
        for low, high in pairwise(bands)
        if high.category in order
    )
    if rising and all(band.category in order for band in bands):
        return []
    return [row.fault("The bands do not rise.", "List EQUIVOCAL, POS_LOW, POS_STRONG with rising `low`; below is NEG.")]
