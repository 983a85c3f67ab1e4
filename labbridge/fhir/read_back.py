"""A comment as a FHIR server will show it: read back from the Bundle that leaves, not from what it was made of."""

from __future__ import annotations

from typing import Any

import msgspec

from labbridge.fhir import guard
from labbridge.fhir.conformance import TEXTS


class ReadBack(msgspec.Struct, frozen=True, kw_only=True):
    """`segment` is the resource that carries the text, `kind` the element; `lines` the text. `key` is our identifier of it.
    `beside`: the types of what is written with it. `placer`: the order it is based on, where that has a number."""

    segment: str
    kind: str
    lines: tuple[str, ...]
    status: str
    key: str
    placer: str
    beside: tuple[str, ...]
    version: str = "R4"


def read_back(raw: bytes) -> ReadBack:
    """Of the bytes of a comment's Bundle (fhir/outgoing.py)."""
    resources: list[dict[str, Any]] = [entry["resource"] for entry in guard.load(raw)["entry"]]
    (comment,) = (one for one in resources if one["resourceType"] in TEXTS)
    kind = TEXTS[comment["resourceType"]]
    orders = comment.get("basedOn", [])
    return ReadBack(
        segment=comment["resourceType"],
        kind=kind,
        lines=tuple(comment[kind].split("\n")),
        status=comment["status"],
        key=comment["identifier"][0]["value"],
        placer=orders[0]["identifier"]["value"] if orders else "",
        beside=tuple(one["resourceType"] for one in resources if one is not comment),
    )
