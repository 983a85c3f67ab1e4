"""What a laboratory answers to an order: ORL^O22, ORR^O02 or a plain acknowledgement (standards.md 2.7).

Answers come from outside: whatever bytes come, reading them never raises, and a doubtful answer is none. What an answer
does not say is unknown, never accepted: a plain AA says that the message arrived, and nothing of the order.

ORC-1 (table 0119). Accepted is OK alone. Refused, the order will not be carried out: UA (unable to accept), DE (data
errors), OC and OD (cancelled, discontinued by the filler), CR and DR (the same at somebody's request). All else says
nothing of a new order: RR (received, not looked at), NA, SN and SC (numbers, a status), and what answers requests we never
make: UC, UD, UF, UH, UM, UR, UX (unable to cancel, to change: the order stands as it stood), HR, OR, XR, RQ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from labbridge.hl7 import charset, escapes, visible
from labbridge.hl7.ack import KNOWN
from labbridge.hl7.escapes import Delimiters
from labbridge.hl7.head import BOM, SKELETON, before, head
from labbridge.hl7.reader import MAX_SEGMENTS

ACCEPTED, REFUSED, SAYS_NOTHING = "accepted", "refused", ""
SAID = {"OK": ACCEPTED, **dict.fromkeys(("UA", "DE", "OC", "OD", "CR", "DR"), REFUSED)}

LONGEST_NUMBER = 250  # characters; what is longer is no number, and a part of one is another one
LONGEST_REASON = 500
MOST_FIELDS = 50  # of a segment: none that is read stands behind them

_ANSWERS = {"ORL": ("O22", ""), "ORR": ("O02", "")}
_NULL = '""'
_CONTROL = re.compile(r"[A-Z]{2}")


class AnsweredOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order of an answer: ORC-1, the placer number (ours; ORC-2.1, else OBR-2.1) and the filler number (ORC-3.1, else
    OBR-3.1): empty where the two disagree. `reason` is for a person alone: ORC-16, else a note of the order (NTE-3), else
    what the answer says as a whole."""

    control: str
    placer: str
    filler: str = ""
    reason: str = ""

    @property
    def said(self) -> str:
        """`accepted`, `refused`, or empty where ORC-1 says neither."""
        return SAID.get(self.control, SAYS_NOTHING)


class OrderAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """MSA-1, MSA-2 and the orders; none in a plain acknowledgement. `reason`, for a person alone: ERR-8 or ERR-7, else
    ERR-3, else a note of the answer, else MSA-3. Reasons are text of bounded length in which nothing is hidden."""

    code: str
    control_id: str
    orders: tuple[AnsweredOrder, ...] = ()
    reason: str = ""

    def of(self, placer: str) -> AnsweredOrder | None:
        """What it says of the order with this number of ours; None where it names it not at all, or says two things."""
        found = [one for one in self.orders if placer and one.placer == placer]
        return found[0] if found and len({(one.said, one.filler) for one in found}) == 1 else None


def read_answer(raw: bytes) -> OrderAnswer | None:
    """An answer to an order; None for bytes that are not one MSH with one MSA of table 0008. Never raises."""
    first = head(raw)
    if first.fields in ((), SKELETON) or before(raw) not in (b"", BOM):
        return None
    declared = first.field(18).split(first.delimiters.repetition)[0]
    text, codec = _decoded(raw.removeprefix(BOM), declared)
    lines = re.split(r"[\r\n]+", text, maxsplit=MAX_SEGMENTS)
    segments = [line.split(first.delimiters.field, MOST_FIELDS) for line in lines]
    names = [fields[0] for fields in segments]
    if len(segments) > MAX_SEGMENTS or names.count("MSH") != 1 or names.count("MSA") != 1:
        return None
    msa = segments[names.index("MSA")]
    if _field(msa, 1) not in KNOWN:
        return None
    answer = _Answer(segments, first.delimiters, codec)
    kind, _, event = first.message_type.partition("^")
    orders = tuple(answer.orders()) if event in _ANSWERS.get(kind, ()) else ()
    return OrderAnswer(code=msa[1], control_id=answer.number(msa, 2), orders=orders, reason=answer.reason)


def _decoded(raw: bytes, declared: str) -> tuple[str, str]:
    """The answer as text. A character that cannot be read stands in a reason, or in a number that is then none of ours:
    it is no ground to lose the answer. A receiver that declares nothing often writes its own characters all the same."""
    codec = charset.codec(declared) if declared else None
    if codec is not None:
        return raw.decode(codec, "replace"), codec
    try:
        return raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return raw.decode("latin-1"), "latin-1"


class _Answer:
    """The segments of an answer in order."""

    def __init__(self, segments: list[list[str]], marks: Delimiters, codec: str) -> None:
        self._segments, self._marks, self._codec = segments, marks, codec
        self.reason = self._general()

    def orders(self) -> Iterator[AnsweredOrder]:
        """An order begins with its ORC; its OBR and notes follow."""
        starts = [place for place, fields in enumerate(self._segments) if fields[0] == "ORC"]
        for start, end in zip(starts, [*starts[1:], len(self._segments)], strict=False):
            yield self._order(self._segments[start], self._segments[start + 1 : end])

    def _order(self, orc: list[str], below: list[list[str]]) -> AnsweredOrder:
        obr = next((fields for fields in below if fields[0] == "OBR"), [])
        control = _field(orc, 1).split(self._marks.component)[0]
        return AnsweredOrder(
            control=control if _CONTROL.fullmatch(control) else "",
            placer=self._agreed(orc, obr, 2),
            filler=self._agreed(orc, obr, 3),
            reason=self._shown(self._coded(_field(orc, 16))) or self._first(below, "NTE", self._text, 3) or self.reason,
        )

    def _general(self) -> str:
        """What is said of the whole: before any order, or in ERR wherever it stands."""
        names = [fields[0] for fields in self._segments]
        before_orders = self._segments[: names.index("ORC")] if "ORC" in names else self._segments
        msa = self._segments[names.index("MSA")]
        return (
            self._first(self._segments, "ERR", self._text, 8)
            or self._first(self._segments, "ERR", self._text, 7)
            or self._first(self._segments, "ERR", self._coded, 3)
            or self._first(before_orders, "NTE", self._text, 3)
            or self._shown(self._text(_field(msa, 3)))
        )

    def _first(self, segments: list[list[str]], name: str, read: Callable[[str], str], number: int) -> str:
        """The first of these fields that says something."""
        found = (self._shown(read(_field(fields, number))) for fields in segments if fields[0] == name)
        return next(filter(None, found), "")

    def _agreed(self, orc: list[str], obr: list[str], number: int) -> str:
        found = {one for one in (self.number(orc, number), self.number(obr, number)) if one}
        return found.pop() if len(found) == 1 else ""

    def number(self, fields: list[str], number: int) -> str:
        """The first part of a number (EI.1), or a control id, as text; empty where it is none that could be kept."""
        sent = _field(fields, number).split(self._marks.component)[0]
        found = self._text(sent) if len(sent) <= LONGEST_NUMBER else ""
        return found if found.isprintable() else ""

    def _coded(self, field: str) -> str:
        """A coded field for a person: its text (CWE.2, else the original one, CWE.9) behind its code."""
        parts = [self._text(one) for one in field.split(self._marks.repetition)[0].split(self._marks.component)]
        parts += [""] * (9 - len(parts))
        return " ".join(filter(None, (parts[0], parts[1] or parts[8])))

    def _text(self, field: str) -> str:
        return "" if field == _NULL else escapes.decode(field[: 4 * LONGEST_REASON], self._marks, self._codec).strip()

    def _shown(self, text: str) -> str:
        """Text in which nothing is hidden: a control character stands as its bytes (hl7/visible.py)."""
        if not text:
            return ""
        data = text[:LONGEST_REASON].replace("\n", " ⏎ ").encode("utf-8", "surrogatepass")
        found = visible.text_of(data, "utf-8")
        return found if len(found) <= LONGEST_REASON else f"{found[: LONGEST_REASON - 2]} …"


def _field(fields: list[str], number: int) -> str:
    return fields[number] if number < len(fields) else ""
