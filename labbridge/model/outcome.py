"""What the service says about a patient's results: states, flags, retests and one comment (contract.md, Outcome)."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Literal

import msgspec

from labbridge.model.report import Identifier, PlacedNote


class Severity(StrEnum):
    """Rising: info is logged, minor is visible, major enters the worklist, critical follows the telephone policy."""

    INFO = "info"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class Priority(StrEnum):
    """urgent: next run, within 3 working days; routine: within 14 days (clinical.md C4, CONVENTION)."""

    ROUTINE = "routine"
    URGENT = "urgent"


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A finding: its code and severity (clinical.md C4), the rule and version that raised it, the results it rests on
    (their refs) and the citation ids of the rule. `analyte` names whom it concerns, where that is one."""

    code: str
    severity: Severity
    rule: str
    evidence: tuple[str, ...] = ()
    citations: tuple[str, ...] = ()
    analyte: str = ""


class Retest(msgspec.Struct, frozen=True, kw_only=True):
    """A recommended retest: the analyte, acceptable method families in order, priority, earliest day, flag code."""

    analyte: str
    families: tuple[str, ...]
    priority: Priority
    not_before: date | None = None
    reason: str


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """The drafted comment: class (C01...C25), language, text, addenda (each a sentence of its own), citation ids."""

    comment_class: str = msgspec.field(name="class")
    language: str
    text: str
    addenda: tuple[str, ...] = ()
    addendum_classes: tuple[str, ...] = ()
    citations: tuple[str, ...] = ()

    @property
    def full_text(self) -> str:
        """Text and addenda as one line of prose, as sent. What replaces an earlier comment comes first (D2.11)."""
        named = list(zip(self.addendum_classes, self.addenda, strict=False))
        first = [text for name, text in named if name == "C19"]
        return " ".join((*first, self.text, *(text for name, text in named if name != "C19"))).strip()


class States(msgspec.Struct, frozen=True):
    """The four states of clinical.md C2-C3, by their contract names."""

    SRP: str
    HMGCR: str
    HEP2: str
    CK: str


class Step(msgspec.Struct, frozen=True):
    """A node of the pathway where something is to be done or decided next, and whose that is."""

    node: str
    decision: Literal["laboratory", "clinician"]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a case stands on the pathway (clinical.md A10, mappings/pathway.yaml): the node, all it has reached, what is
    open next, and sentences for the laboratory. `at` is empty in an outcome that was written before there was a pathway."""

    at: str = ""
    reached: tuple[str, ...] = ()
    open: tuple[Step, ...] = ()
    says: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One evaluation of one patient. The JSON form is public (contract.md).

    `comment` is None when the class is NONE. `subject` is the ref of the result the comment hangs on (architecture.md,
    rule 3), `used` the refs of all result versions the comment was written from, `held` the analytes that hold it.
    `facts` are the named facts the rules saw, `fired` the rules that held, by name and version.
    `changes` are the refs of the results whose change since an earlier one is told (C7). `newest` is the receipt of the
    newest result used, `outstanding` the analytes in progress with it; `settles`: the comment waits for them (C10.15),
    until `offered_from` at the latest. `quiet` are flags and classes that alone open no case (C10.16, C10.18). A comment is
    not repeated within `repeat_d` days (C10.39): `said_on` is the day it was posted, and then there is none.
    A comment that has not left `expires_h` hours after its signature is read again by a person (0: no limit).
    `second_reader`: two persons sign it; of the others `second_reader_share` percent (standards.md 4.3).
    `prompts_from`: the case shows nothing but prompts that wait until then (C10.16).
    `pathway` stands beside all this: nothing else depends on it, and no comment holds any of it.
    """

    patient: Identifier | None
    evaluated_at: date
    knowledge: str
    states: States
    flags: tuple[Flag, ...] = ()
    retests: tuple[Retest, ...] = ()
    comment: Comment | None = None
    hold: bool = False
    held: tuple[str, ...] = ()
    notes: tuple[PlacedNote, ...] = ()
    subject: str = ""
    used: tuple[str, ...] = ()
    facts: dict[str, str | bool] = {}
    fired: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    newest: datetime | None = None
    outstanding: tuple[str, ...] = ()
    settles: bool = False
    offered_from: datetime | None = None
    quiet: tuple[str, ...] = ()
    repeat_d: int = 0
    said_on: date | None = None
    prompts_from: datetime | None = None
    expires_h: int = 0
    second_reader: bool = False
    second_reader_share: int = 0
    pathway: Standing = Standing()


DAMAGED = Outcome(
    patient=None,
    evaluated_at=date.min,
    knowledge="",
    states=States("UNKNOWN", "UNKNOWN", "UNKNOWN", "UNKNOWN"),
    hold=True,
)
"""In place of an outcome that is no longer what was written: it says nothing and holds."""


class PostedComment(msgspec.Struct, frozen=True, kw_only=True):
    """A comment that was released to a receiver before: what a correction or replacement refers to."""

    comment_class: str
    text: str
    posted: datetime
    used: tuple[str, ...] = ()
    analytes: tuple[str, ...] = ()
