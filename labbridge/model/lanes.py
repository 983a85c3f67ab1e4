"""Lanes: the unit of order is a patient, else a specimen, else a sender (architecture.md, Scale)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from labbridge.model.report import Identifier

LONGEST = 500  # characters


def lane(kind: str, name: str) -> str:
    """A lane is looked up: one whose name is too long for any index is named by its digest. `kind`: p a patient, s a
    specimen, f a sender, o a sender's answers."""
    if len(name) > LONGEST:
        name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{kind}:{name}"


def lane_of(identifiers: Sequence[Identifier]) -> str:
    """The lane of a patient: the identifier history is kept under (MR, then PI, else the first)."""
    chosen = next((one for kind in ("MR", "PI") for one in identifiers if one.type == kind), identifiers[0])
    return lane("p", f"{chosen.authority}|{chosen.id}")
