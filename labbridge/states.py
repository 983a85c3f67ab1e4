"""Where a message can be, why, and which steps are allowed. The diagram in docs/ is printed from this table."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """A message's states: few, they drive the work."""

    KEPT = "kept"
    DONE = "done"
    PARKED = "parked"
    QUARANTINED = "quarantined"


class Reason(StrEnum):
    """Why a message is where it is: many, they report. Each has its sentence in SENTENCES."""

    RECEIVED = "received"
    DRAFTED = "drafted"
    NOTHING_OF_OURS = "nothing_of_ours"
    ECHO = "echo"
    IDENTITY = "identity"
    IDENTITY_CONFLICT = "identity_conflict"
    OTHER_PATIENT = "other_patient"
    NO_PATIENT = "no_patient"
    STRUCTURE = "structure"
    CHARACTERS = "characters"
    OVERSIZE = "oversize"
    NOT_HL7 = "not_hl7"
    UNSUPPORTED = "unsupported"
    WRONG_PROCESSING_ID = "wrong_processing_id"
    UNREADABLE = "unreadable"
    CRASHED = "crashed"
    UNDONE = "undone"
    DAMAGED = "damaged"
    HELD_DAMAGED = "held_damaged"
    CASE_DAMAGED = "case_damaged"
    WORK_DAMAGED = "work_damaged"
    LANE_WAITS = "lane_waits"
    REPROCESSED = "reprocessed"
    NO_ANSWER = "no_answer"
    ANSWER = "answer"
    OTHER_ANSWER = "other_answer"
    HISTORY = "history"
    HEARTBEAT = "heartbeat"
    NO_HEARTBEAT = "no_heartbeat"


SENTENCES: dict[Reason, str] = {
    Reason.RECEIVED: "Kept on disk and acknowledged; waits to be processed.",
    Reason.DRAFTED: "Interpreted; the draft waits for a person.",
    Reason.NOTHING_OF_OURS: "Read in full; it holds no analyte of this service.",
    Reason.ECHO: "A message of our own came back; kept, never interpreted.",
    Reason.IDENTITY: "It says who a patient is; applied to what is held of that patient.",
    Reason.IDENTITY_CONFLICT: "Whose it is cannot be told for sure; a person says so with `labbridge identity`.",
    Reason.OTHER_PATIENT: "A person said that it is not of the patient whose number it bears; kept, not interpreted.",
    Reason.NO_PATIENT: "It names no patient; its results are kept under their specimen and not interpreted.",
    Reason.STRUCTURE: "The structure breaks the standard at the place named; the sender was told.",
    Reason.CHARACTERS: "Bytes do not fit the declared character set; the sender was told.",
    Reason.OVERSIZE: "Longer than the limit; only its head was kept, and the sender was told.",
    Reason.NOT_HL7: "No MSH segment: there was nobody to answer.",
    Reason.UNSUPPORTED: "A message type or version this service does not take; the sender was told.",
    Reason.WRONG_PROCESSING_ID: "A test or training message on a production feed, or the reverse.",
    Reason.UNREADABLE: "Acknowledged, but could not be read further; see the note and reprocess after a repair.",
    Reason.CRASHED: "Processing failed on this message; see the log of this key, then reprocess.",
    Reason.UNDONE: "What was drafted of it could not be written, as often as it was tried; report it, then reprocess.",
    Reason.DAMAGED: "Its bytes on the disk are no longer the ones received; look at the disk, and restore a backup.",
    Reason.HELD_DAMAGED: "A held result of its patient is no longer what was written; look at the disk, see the note.",
    Reason.CASE_DAMAGED: "A case of its patient is no longer what was written; look at the disk, see the note.",
    Reason.WORK_DAMAGED: "What was kept of its processing is no longer what was written; look at the disk, then reprocess.",
    Reason.LANE_WAITS: "An earlier message of the same lane is parked; it goes on when that one is settled.",
    Reason.REPROCESSED: "Sent through again by a person after a repair.",
    Reason.NO_ANSWER: "The receiver gave no acknowledgement that can be trusted; the same bytes go again.",
    Reason.ANSWER: "It answers an order of a retest; what it says stands at the order.",
    Reason.OTHER_ANSWER: "It answers no order of this service, or says nothing of one; kept, and credited to none.",
    Reason.HISTORY: "Earlier results from an archive; held for later ones, and never by themselves a reason for anything.",
    Reason.HEARTBEAT: "The synthetic patient's: it came through to a draft, which is counted and kept nowhere.",
    Reason.NO_HEARTBEAT: "The synthetic patient's, and no comment was drafted of it: look at the knowledge and the feed.",
}

TRANSITIONS: dict[State, frozenset[State]] = {
    State.KEPT: frozenset({State.DONE, State.PARKED}),
    State.PARKED: frozenset({State.KEPT, State.DONE}),
    State.QUARANTINED: frozenset({State.KEPT}),
    State.DONE: frozenset({State.KEPT}),
}


class CaseState(StrEnum):
    """A case on the worklist (standards.md 4.2), as far as this version goes."""

    NEW = "new"
    HELD = "held"
    SIGNED = "signed"
    REOPENED = "reopened"
    CLOSED = "closed"


class DeliveryState(StrEnum):
    """An outgoing message. Sent is not acknowledged."""

    WAITING = "waiting"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"
    CANCELLED = "cancelled"


DELIVERY_TRANSITIONS: dict[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.WAITING: frozenset({DeliveryState.SENT, DeliveryState.CANCELLED}),
    DeliveryState.SENT: frozenset({DeliveryState.ACKNOWLEDGED, DeliveryState.WAITING, DeliveryState.FAILED}),
    DeliveryState.FAILED: frozenset({DeliveryState.WAITING}),
    DeliveryState.ACKNOWLEDGED: frozenset(),
    DeliveryState.CANCELLED: frozenset(),
}
