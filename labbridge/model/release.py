"""Release by rule in a person's place: why it is refused, where it is stopped, what persons did with such drafts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from labbridge.model.result import Result


class Refusal(StrEnum):
    """Why a case is a person's (standards.md R10). The sentences are for people."""

    OFF = "off"
    NO_RULE = "no_rule"
    RULE_NOT_APPROVED = "rule_not_approved"
    KNOWLEDGE_NOT_APPROVED = "knowledge_not_approved"
    OTHER_KNOWLEDGE = "other_knowledge"
    SUSPENDED = "suspended"
    RESTORED = "restored"
    NOTHING_TO_RELEASE = "nothing_to_release"
    IN_HAND = "in_hand"
    SECOND_READER = "second_reader"
    POSITIVE = "positive"
    FINDING = "finding"
    AMENDED = "amended"
    ANALYTE = "analyte"
    METHOD = "method"
    HEP2_UNCONFIRMED = "hep2_unconfirmed"
    QC_UNKNOWN = "qc_unknown"
    SPECIMEN = "specimen"
    LOT_UNKNOWN = "lot_unknown"
    NEW_LOT = "new_lot"
    OPEN_CASE = "open_case"
    UNSEEN_CLASS = "unseen_class"
    FEW_REVIEWED = "few_reviewed"
    DISAGREEMENT = "disagreement"
    UNSEEN_TEXT = "unseen_text"


SENTENCES: dict[Refusal, str] = {
    Refusal.OFF: "Release by rule is off ([release] enabled)",
    Refusal.NO_RULE: "No release row is for this feed and comment",
    Refusal.RULE_NOT_APPROVED: "The release row is not approved as it is now",
    Refusal.KNOWLEDGE_NOT_APPROVED: "Something that it rests on is not approved as it is now",
    Refusal.OTHER_KNOWLEDGE: "It was drafted by other knowledge than is in force",
    Refusal.SUSPENDED: "Release by rule is suspended",
    Refusal.RESTORED: "The store was restored, and nobody has confirmed that yet",
    Refusal.NOTHING_TO_RELEASE: "There is no comment that can leave now",
    Refusal.IN_HAND: "A person has it in hand",
    Refusal.SECOND_READER: "Two persons sign it",
    Refusal.POSITIVE: "An antibody is positive or not settled",
    Refusal.FINDING: "It has a finding that the release row does not name",
    Refusal.AMENDED: "A result was corrected or withdrawn, or a comment was posted before",
    Refusal.ANALYTE: "It rests on a result of an analyte that the release row does not name",
    Refusal.METHOD: "It rests on a result by a method that the release row does not name",
    Refusal.HEP2_UNCONFIRMED: "Whether a person confirmed the HEp-2 reading is not known (release_hep2_read)",
    Refusal.QC_UNKNOWN: "Quality control is not seen here (release_qc_unknown)",
    Refusal.SPECIMEN: "A specimen is not validated for its test, or is noted as poor",
    Refusal.LOT_UNKNOWN: "The lot of a reagent was not sent (release_lot_unknown)",
    Refusal.NEW_LOT: "A reagent lot is in its first days (release_new_lot_d)",
    Refusal.OPEN_CASE: "The patient has another open case",
    Refusal.UNSEEN_CLASS: "No person has decided such a comment of this feed yet",
    Refusal.FEW_REVIEWED: "Too few such comments were decided by persons (release_reviewed_least)",
    Refusal.DISAGREEMENT: "Persons changed too many such drafts (release_agreement_least)",
    Refusal.UNSEEN_TEXT: "No person has signed these words yet",
}


class Record(msgspec.Struct, frozen=True):
    """So many cases of one feed and comment class were decided by persons, and so many of them each time as drafted."""

    reviewed: int = 0
    agreed: int = 0


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What decides about a case and stands beside it in the store: the result versions it was written from (none
    where one of them is gone or damaged), what persons did with such drafts, whether they signed such words, whether
    the patient has another open case, whether somebody has this one in hand, whether the store was restored and
    nobody confirmed it."""

    results: tuple[Result, ...]
    record: Record
    words_seen: bool
    other_open: bool
    in_hand: bool
    restored: bool


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a person did with a draft: signed it as it was drafted, or not. `words` is what the signed words are known by."""

    feed: str
    comment_class: str
    agreed: bool
    words: bytes = b""


class ByRule(msgspec.Struct, frozen=True, kw_only=True):
    """What lets a comment leave in a person's place: the release row with its version, and the analytes of the results.
    `sampled`: a person reads it afterwards."""

    rule: str
    feed: str
    comment_class: str
    analytes: tuple[str, ...]
    sampled: bool = False

    @property
    def id(self) -> str:
        return self.rule.partition("@")[0]


class LookedAt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a version that was looked at for release by rule: the row (empty: none), the delivery (0: none), why it
    stayed a person's; whether a person is to read it afterwards, and what they said."""

    rule: str
    delivery: int
    refusals: tuple[Refusal, ...]
    to_review: bool = False
    reviewer: str = ""
    agrees: str = ""
    why: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """By feed and comment class: drafts that persons decided, those they signed as drafted, and what rules released."""

    feed: str
    comment_class: str
    record: Record
    released: int


class Suspension(msgspec.Struct, frozen=True, kw_only=True):
    """Release by rule is stopped: everywhere, or for a feed, an analyte or a release row (empty: any)."""

    key: int
    feed: str = ""
    analyte: str = ""
    rule: str = ""
    why: str
    by: str
    at: datetime

    def stops(self, feed: str, analytes: frozenset[str], rule: str) -> bool:
        """Whether it is for a comment of this feed, on results of these analytes, by the row of this id."""
        return self.feed in ("", feed) and self.rule in ("", rule) and (not self.analyte or self.analyte in analytes)
