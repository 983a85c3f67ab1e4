"""What the parts of an observation say as text, and which observations go on in the next one."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from labbridge.model.report import Observation, PlacedNote
from labbridge.model.values import SentCoding, SentText
from labbridge.notes import note


def unit_of(observation: Observation) -> str:
    """The unit as sent: its code, else its text; empty where none was sent."""
    unit = observation.unit
    return (unit.code.strip() or unit.display.strip()) if unit is not None else ""


def texts_of(observation: Observation) -> list[str]:
    """Every text of the value: of a coded one its codes with their names, and the original text."""
    texts = []
    for value in observation.values:
        if isinstance(value, SentText):
            texts.append(value.text)
        elif isinstance(value, SentCoding):
            texts += [" ".join(filter(None, (coding.code, coding.display))) for coding in value.codings]
            texts += [value.original_text] if value.original_text else []
    return texts


def continued(observations: Iterable[Observation], notes: list[PlacedNote]) -> list[Observation]:
    """Observations with those that only go on with the one before them joined to it: the same OBX-3 and OBX-4 again,
    with OBX-6 to OBX-12 empty (standards.md 2.2). One that states a status or unit of its own stands for itself."""
    found: list[Observation] = []
    for one in observations:
        if found and _goes_on(found[-1], one):
            before = found[-1]
            found[-1] = msgspec.structs.replace(
                before,
                values=(*before.values, *one.values),
                missing=before.missing if not one.values else None,
                notes=(*before.notes, *one.notes),
            )
            notes.append(note("N016", one.at))
        else:
            found.append(one)
    return found


def _goes_on(before: Observation, one: Observation) -> bool:
    if one.status or one.unit is not None or one.reference_range or one.flags or not before.status:
        return False
    return bool(one.codes) and one.codes == before.codes and one.sub_id == before.sub_id
