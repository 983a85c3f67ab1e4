"""mappings/policy.yaml: every number that is a choice, with its unit and where it comes from; and what a site chooses."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

import msgspec

from labbridge.knowledge.documents import Fault, Row, by_key


class PolicyNumber(msgspec.Struct, frozen=True, kw_only=True):
    """One number: value, unit, tag of clinical.md (VERIFIED, DERIVED, CONVENTION), source, who reviewed it, and when."""

    id: str
    value: Decimal
    unit: str
    tag: str
    source: str
    reviewed: tuple[str, ...] = ()
    still_valid_on: str = ""
    note: str = ""


class PolicyChoice(msgspec.Struct, frozen=True, kw_only=True):
    """One of several ways a site may want it: the way chosen, all there are, tag, source, who reviewed it, and when."""

    id: str
    value: str
    choices: tuple[str, ...]
    tag: str
    source: str
    reviewed: tuple[str, ...] = ()
    still_valid_on: str = ""
    note: str = ""


class Policy(msgspec.Struct, frozen=True):
    """All numbers and choices by id. An unknown id is a bug of the caller (KeyError), found by `labbridge check`."""

    numbers: dict[str, PolicyNumber]
    choices: dict[str, PolicyChoice] = {}
    _whole: dict[str, int] = msgspec.field(
        default_factory=dict
    )  # what has been asked for as days; of these numbers only

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "_whole", {})

    def number(self, id: str) -> Decimal:
        return self.numbers[id].value

    def days(self, id: str) -> int:
        """A whole number of calendar days."""
        found = self._whole.get(id)
        if found is None:
            found = self._whole[id] = int(self.numbers[id].value)
        return found

    def choice(self, id: str) -> str:
        """What was chosen."""
        return self.choices[id].value


_REQUIRED = ("id", "value", "unit", "tag", "source")
_OPTIONAL = ("reviewed", "still_valid_on", "note")
_DAYS = "d"
_TAGS = ("VERIFIED", "DERIVED", "CONVENTION")


def read_policy(rows: Iterable[Row], faults: list[Fault]) -> Policy:
    """Policy from the rows of policy.yaml, a site's rows after ours so that they replace by id. A site chooses among the
    ways that ours names."""
    every = list(rows)
    chosen = [row for row in every if "choices" in row.fields]
    offered = [row.fields.get("id") for row in chosen]
    chosen += [row for row in every if row.site and row.fields.get("id") in offered and row not in chosen]
    numbers = [(row, one.id, one) for row in every if row not in chosen and (one := _number(row, faults)) is not None]
    ours = {id: number for row, id, number in numbers if not row.site}
    for row, id, number in numbers:
        if row.site and id not in ours:
            faults.append(row.fault(f"No number is called {id}.", "Use an id of the shipped policy.yaml."))
        elif row.site and number.unit != ours[id].unit:
            faults.append(row.fault(f"{id} is in {ours[id].unit}, not {number.unit}.", "Give it in that unit."))
    return Policy(by_key(numbers, faults), _choices(chosen, faults))


def _choices(rows: Iterable[Row], faults: list[Fault]) -> dict[str, PolicyChoice]:
    """The choices, a site's value in the place of ours."""
    found: dict[str, PolicyChoice] = {}
    for row in rows:
        fields = {name: value for name, value in row.fields.items() if not row.site or name != "unit"}
        if row.site and fields.get("id") in found:
            fields["choices"] = list(found[fields["id"]].choices)
        try:
            one = msgspec.convert(fields, PolicyChoice)
        except msgspec.ValidationError as error:
            faults.append(row.fault(f"{error}.", "Give id, value, choices, tag and source, each as one text."))
            continue
        if one.value not in one.choices:
            faults.append(row.fault(f"{one.id} is never {one.value!r}.", f"Choose one of {', '.join(one.choices)}."))
        elif one.tag not in _TAGS:
            faults.append(row.fault(f"Tag {one.tag} does not ship.", f"Use one of {', '.join(_TAGS)}."))
        elif one.id in found and not row.site:
            faults.append(row.fault(f"{one.id!r} stands twice.", "Keep one."))
        else:
            found[one.id] = one
    return found


def _number(row: Row, faults: list[Fault]) -> PolicyNumber | None:
    fields = row.fields
    missing = [name for name in _REQUIRED if not fields.get(name)]
    unknown = [name for name in fields if name not in _REQUIRED + _OPTIONAL]
    if missing or unknown:
        faults.append(row.fault(f"Missing: {missing}; unknown: {unknown}.", "Give id, value, unit, tag, source."))
        return None
    if str(fields["tag"]) not in _TAGS:
        faults.append(row.fault(f"Tag {fields['tag']} does not ship.", f"Use one of {', '.join(_TAGS)}."))
        return None
    if not all(isinstance(fields[name], str) for name in _REQUIRED if name != "value"):
        faults.append(row.fault("Id, unit, tag and source are words.", "Write each as one text."))
        return None
    if not isinstance(fields.get("reviewed") or [], list):
        faults.append(row.fault("`reviewed` is a list.", "Write reviewed: [NAME]."))
        return None
    value = _decimal(str(fields["value"]))
    if value is None:
        faults.append(row.fault("The value is not a decimal number.", "Write digits with a point."))
        return None
    if value < 0 or (fields["unit"] == _DAYS and value != int(value)):
        faults.append(row.fault("The value is negative, or not a whole number of days.", "Mend the value."))
        return None
    return PolicyNumber(
        id=fields["id"],
        value=value,
        unit=fields["unit"],
        tag=fields["tag"],
        source=fields["source"],
        reviewed=tuple(fields.get("reviewed") or ()),
        still_valid_on=fields.get("still_valid_on", ""),
        note=fields.get("note", ""),
    )


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
