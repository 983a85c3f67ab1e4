"""Our own words coming back (reliability.md H10): by who sent them, by the software they name, and by the text itself.

A LIS may send a comment on under its own name, its own control id, its own code, and in lines of its own length. What
it does not change are the words. They are kept, and never read for a result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from itertools import groupby

import msgspec

from labbridge.hl7.outgoing import SOFTWARE, SUB_ID
from labbridge.model.report import Observation, Order, Report
from labbridge.model.values import SentText

LEAST_CHARACTERS = 40  # without blanks; a shorter text may be a laboratory's own words by chance


def digest(text: str) -> bytes:
    """What a text is known by: its letters and digits, however lines were broken, cased or spaced."""
    return hashlib.sha256(_letters(text).encode()).digest()


def _letters(text: str) -> str:
    return "".join(one for one in text.casefold() if one.isalnum())


def is_own(report: Report, application: str, codes: Collection[str]) -> bool:
    """True for a message of our own that came back: sent under our name, or holding nothing but comments of ours.
    `codes` are the codes our comments carry.

    A report that carries our comment beside results of the laboratory is the laboratory's, and is read.
    """
    if application and report.sender.partition("|")[0] == application:
        return True
    observations = _observations(report)
    return bool(observations) and all(_own(one, codes) for one in observations)


def _own(one: Observation, codes: Collection[str]) -> bool:
    """Under our key and code, or made by this software, wherever it runs."""
    keyed = SUB_ID.fullmatch(one.sub_id) is not None and any(coding.code in codes for coding in one.codes)
    return keyed or any(name.startswith(SOFTWARE) for name in one.equipment)


def _observations(report: Report) -> list[Observation]:
    return [one for order in report.orders for one in order.observations]


# ---------------------------------------------------------------- by the words


def texts(report: Report) -> dict[bytes, None]:
    """The digests of every text long enough to be a comment: of each observation and note, and of those together that
    follow each other."""
    found: dict[bytes, None] = {}
    for text in _texts(report):
        if len(text) >= LEAST_CHARACTERS and len(_letters(text)) >= LEAST_CHARACTERS:
            found[digest(text)] = None
    return found


def _texts(report: Report) -> Iterator[str]:
    for order in report.orders:
        yield from _notes(order.notes)
        for lines in _by_code(order):
            yield from (texts := [_text(one) for one in lines])
            if len(texts) > 1:
                yield "".join(texts)
        for one in order.observations:
            yield from _notes(one.notes)


def _by_code(order: Order) -> Iterator[list[Observation]]:
    """Observations that follow each other under one code: a comment in an OBX for each of its lines."""
    for _codes, lines in groupby(order.observations, key=lambda one: one.codes):
        yield list(lines)


def _notes(notes: tuple[str, ...]) -> tuple[str, ...]:
    return (*notes, "".join(notes)) if notes else ()


def _text(one: Observation) -> str:
    return "\n".join(value.text for value in one.values if isinstance(value, SentText))


def without(report: Report, codes: Collection[str], known: Collection[bytes]) -> Report:
    """The report as the laboratory's own: without our comments, and without the texts of these digests. No order is left
    out; one that held nothing else is empty."""
    return msgspec.structs.replace(report, orders=tuple(_order(order, codes, known) for order in report.orders))


def _order(order: Order, codes: Collection[str], known: Collection[bytes]) -> Order:
    observations = [
        msgspec.structs.replace(one, notes=_left(one.notes, known)) if one.notes and known else one
        for lines in _by_code(order)
        if not _known(lines, known)
        for one in lines
        if not _own(one, codes) and not _known([one], known)
    ]
    return msgspec.structs.replace(order, observations=tuple(observations), notes=_left(order.notes, known))


def _known(lines: list[Observation], known: Collection[bytes]) -> bool:
    return bool(known) and digest("".join(map(_text, lines))) in known


def _left(notes: tuple[str, ...], known: Collection[bytes]) -> tuple[str, ...]:
    if not notes or not known:
        return notes
    if digest("".join(notes)) in known:
        return ()
    return tuple(one for one in notes if digest(one) not in known)
