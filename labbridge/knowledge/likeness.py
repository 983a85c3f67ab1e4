"""resemblance.csv: by which words an unknown code may be one of ours. Each row is checked before it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labbridge.knowledge.documents import Fault, Row, Source, read_csv
from labbridge.knowledge.terminology import AnalyteRow, Likeness
from labbridge.knowledge.words import pattern
from labbridge.model.result import Analyte

COLUMNS = ("kind", "value", "analyte", "language", "source")
KINDS = ("name", "short", "beside", "against")
FOR_ALL = ("beside", "against")  # may leave the analyte empty
CHEMISTRY = (Analyte.CK, Analyte.CREATININE)  # what stands beside an antibody says nothing of an enzyme


def read_likeness(
    sources: Sequence[Source], analytes: Mapping[str, AnalyteRow], faults: list[Fault]
) -> dict[str, Likeness]:
    """The words by analyte id. A site's rows are added to ours."""
    rows = [row for source in sources if source.name == "resemblance.csv" for row in read_csv(source, COLUMNS, faults)]
    sound = [row for row in rows if _sound(row, analytes, faults)]
    return {id: _likeness(analyte, sound) for id, analyte in analytes.items()}


def _sound(row: Row, analytes: Mapping[str, AnalyteRow], faults: list[Fault]) -> bool:
    kind, analyte = row.fields["kind"], row.fields["analyte"]
    found = [row.fault(message, repair) for wrong, message, repair in (
        (kind not in KINDS, f"Kind {kind!r} is not known.", f"Use one of {', '.join(KINDS)}."),
        (not pattern(row.fields["value"]).strip(), "A word is missing.", "Write the word, or its beginning and `*`."),
        (bool(analyte) and analyte not in analytes, f"Analyte {analyte} is not known.", "Use an id of analytes.yaml."),
        (not analyte and kind not in FOR_ALL, "A name is of an analyte.", "Give an id of analytes.yaml."),
        (not row.fields["source"], "A source is missing.", "Say where the word was read."),
    ) if wrong]  # fmt: skip
    faults.extend(found)
    return not found


def _likeness(analyte: AnalyteRow, rows: Sequence[Row]) -> Likeness:
    def words(kind: str) -> tuple[str, ...]:
        shared = kind != "beside" or analyte.analyte not in CHEMISTRY
        found = {
            pattern(row.fields["value"]): None
            for row in rows
            if row.fields["kind"] == kind and row.fields["analyte"] in ((analyte.id, "") if shared else (analyte.id,))
        }
        return tuple(sorted(found, key=len, reverse=True))

    return Likeness(*map(words, KINDS))
