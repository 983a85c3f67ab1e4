"""orders.yaml: which service of the LIS's own catalogue is ordered for a retest. It is a site's own; nothing ships in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from labbridge.knowledge.decisions import FAMILIES, NEW_SPECIMEN, Decisions
from labbridge.knowledge.documents import Fault, Source, by_key, read_records
from labbridge.model.result import Analyte
from labbridge.model.values import Coding

FILE = "orders.yaml"
LONGEST_TEXT, LONGEST_SYSTEM = 199, 20  # characters: what every version takes in ST, and in IS (hl7apy's tables)


class OrderRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A retest of this analyte by this family is the service `code` of the LIS's catalogue (OBR-4), with the name and the
    coding system as the LIS has them."""

    analyte: str
    family: str
    code: str
    display: str = ""
    system: str = "L"


Services = dict[tuple[str, str], Coding]
"""The services by analyte and family. A retest is ordered as the first of its acceptable families that is here; the same
method on a new specimen, as that method."""


def read_orders(sources: Sequence[Source], faults: list[Fault]) -> Services:
    """The rows of these files. Shipped rows are a fault: no catalogue but the site's own can be known."""
    rows = list(read_records(sources, FILE, OrderRow, faults))
    faults += [
        row.fault("An order row is shipped.", "It belongs into a site's folder.") for row, _one in rows if not row.site
    ]
    keyed = ((row, (one.analyte, one.family), Coding(one.code, one.display, one.system)) for row, one in rows)
    return by_key(keyed, faults)


def check_orders(sources: Sequence[Source], decisions: Decisions) -> list[Fault]:
    """Rows that no recommendation could ever use, and codes that no message could carry."""
    return [
        row.fault(message, repair)
        for row, one in read_records(sources, FILE, OrderRow, [])
        for message, repair in _wrong(one, decisions)
    ]


def _wrong(one: OrderRow, decisions: Decisions) -> Iterator[tuple[str, str]]:
    if one.analyte not in set(Analyte):
        yield f"{one.analyte} is no analyte.", f"Use one of {', '.join(Analyte)}."
    elif one.family == NEW_SPECIMEN:
        yield f"{NEW_SPECIMEN} is no method.", "Name the method: on a new specimen its service is ordered."
    elif one.family not in FAMILIES:
        yield f"{one.family} is no family.", f"Use one of {', '.join(FAMILIES[:-1])}."
    elif one.family not in _recommended(one.analyte, decisions):
        yield f"No rule recommends {one.analyte} by {one.family}.", "Use a family of retests.yaml or of a rule's `by`."
    if not one.code.strip():
        yield "It names no service.", "Write the code of the LIS's catalogue."
    for name, text, longest in (
        ("code", one.code, LONGEST_TEXT),
        ("display", one.display, LONGEST_TEXT),
        ("system", one.system, LONGEST_SYSTEM),
    ):
        if len(text) > longest or not text.isprintable() or text != text.strip():
            yield f"The {name} cannot be sent.", f"Write at most {longest} characters on one line."


def _recommended(analyte: str, decisions: Decisions) -> set[str]:
    """Every family by which a retest of the analyte may be recommended."""
    listed = {family for (name, _from), families in decisions.retests.items() if name == analyte for family in families}
    actions = (action for rule in decisions.rules for action in rule.then.retest)
    named = (action.by for action in actions if action.analyte in (analyte, "") and isinstance(action.by, tuple))
    return listed.union(*named)
