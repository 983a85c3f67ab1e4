"""Ask-at-order-entry observations as context facts (contract.md, How context reaches us)."""

from __future__ import annotations

import re
from datetime import date, datetime

from labbridge.knowledge.terminology import Words
from labbridge.knowledge.words import fold
from labbridge.model.report import Observation
from labbridge.model.result import ContextItem, ContextKind
from labbridge.model.values import SentCoding, SentText

_DAY = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
_ANTIBODIES = ("SRP", "HMGCR")


def items(observation: Observation, kind: ContextKind, stated: datetime, words: Words) -> tuple[ContextItem, ...]:
    """The facts an observation states; none where its value is not one of those the contract names."""
    found = (_value(kind, text, words) for text in _texts(observation))
    since = observation.observed.day if observation.observed and kind is ContextKind.KNOWN_MSA else None
    return tuple(ContextItem(kind=kind, value=value, since=since, stated=stated) for value in found if value)


def _texts(observation: Observation) -> list[str]:
    texts = []
    for value in observation.values:
        if isinstance(value, SentText):
            texts.append(value.text)
        elif isinstance(value, SentCoding) and value.codings:
            texts.append(value.codings[0].code or value.codings[0].display)
    return texts


def _value(kind: ContextKind, text: str, words: Words) -> str:
    if kind is ContextKind.IVIG_DATE:
        return _day(text)
    if kind is ContextKind.KNOWN_MSA:
        return text.strip().upper() if text.strip().upper() in _ANTIBODIES else ""
    folded = fold(text)
    if folded in words.phrases.get("yes", ()):
        return "Y"
    if folded in words.phrases.get("no", ()):
        return "N"
    return "U" if text.strip() else ""


def _day(text: str) -> str:
    found = _DAY.match(text.strip())
    if found is None:
        return ""
    try:
        return date(*map(int, found.groups())).isoformat()
    except ValueError:
        return ""
