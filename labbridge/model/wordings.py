"""What became of drafted comments, for who writes the rules: nobody's name is in it."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from labbridge.model.review import Decided


class Asked(msgspec.Struct, frozen=True):
    """Which ones: of a comment class, of a rule (its name without version), from a day on. `feeds`: None for all."""

    feeds: tuple[str, ...] | None = None
    comment_class: str = ""
    rule: str = ""
    since: date | None = None


class Drafted(msgspec.Struct, frozen=True, kw_only=True):
    """A drafted version of a case: the class and language of its comment, empty where it had none, and the rules that held
    (name@version)."""

    case: int
    version: int
    comment_class: str = ""
    language: str = ""
    rules: tuple[str, ...] = ()


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that says something of the draft: another wording, no action, or that it was rejected. `signed`: whether
    this version was then signed, and that not called back."""

    key: int
    draft: Drafted
    kind: Decided
    at: datetime
    why: str
    drafted: str
    worded: str = ""
    signed: bool = False


class Window(msgspec.Struct, frozen=True):
    """The newest decisions before a place, and the newest drafts that were signed as they were. `behind`: where the next
    window begins; 0 where there is none."""

    judged: tuple[Judged, ...]
    as_drafted: tuple[Drafted, ...]
    behind: int
