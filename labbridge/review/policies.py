"""What the state of a case allows. `check_x` raises Refused with a sentence; nothing here asks who the person is."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import msgspec

from labbridge.errors import Refused
from labbridge.model.outcome import PostedComment
from labbridge.model.work import Case, Kept
from labbridge.review.offering import named
from labbridge.states import CaseState, State

_NUMBER = "[0-9]{1,18}"  # a key of the store; nothing longer is one
_SHOWN = re.compile("C([1-9][0-9]{0,17})(?:@([1-9][0-9]{0,17}))?")
_KEY = re.compile(f"([MD])({_NUMBER})|(C)({_NUMBER})(?:@{_NUMBER})?")
LEAST_DAYS = 35
_RELEASABLE = (CaseState.NEW, CaseState.REOPENED)


def parse_shown(text: str) -> tuple[int, int]:
    """Case and draft version of `C12@3`. Refused for anything else: a release without its version could sign a text
    that nobody has seen."""
    found = _SHOWN.fullmatch(text.strip())
    if found is None:
        raise Refused(f"{text!r} is not a case; write C12@3: case 12, version 3")
    if found[2] is None:
        raise Refused(f"Say which version of {found[0]} was read, for example {found[0]}@1; `labbridge show` prints it")
    return int(found[1]), int(found[2])


def parse_key(text: str) -> tuple[str, int]:
    """Kind and number of `C12`, `C12@3`, `M17` or `D3`. Refused for anything else."""
    found = _KEY.fullmatch(text)
    if found is None:
        raise Refused(f"{text!r} is no key; write C12, M17 or D3")
    return found[1] or found[3], int(found[2] or found[4])


def parse_days(text: str) -> int:
    """A number of days, at least the 35 in which senders may repeat a message."""
    if not text.isascii() or not text.isdigit() or not LEAST_DAYS <= int(text) <= 36_500:
        raise Refused(f"{text!r}: say how many days bytes are kept, {LEAST_DAYS} at least")
    return int(text)


def parse_patient(text: str) -> str:
    """The lane of a patient written AUTHORITY|NUMBER, as `labbridge show` prints it."""
    authority, bar, number = text.partition("|")
    if not bar or not number.strip():
        raise Refused(f"{text!r} is no patient; write AUTHORITY|NUMBER, as `labbridge show C12` prints it")
    return f"p:{authority}|{number}"


def check_whole(case: Case) -> None:
    """Nothing is decided of what is no longer what was written."""
    if case.damaged:
        raise Refused(
            f"C{case.key} is no longer what was written on the disk; `labbridge reprocess` a message of its patient, and its"
            " draft is made again"
        )


def check_release(case: Case, version: int, signer: str) -> None:
    """Raises Refused unless this version of the case may be released now."""
    check_signer(signer)
    check_whole(case)
    if case.version != version:
        raise Refused(f"C{case.key} is at version {case.version} now, not {version}: read it again before signing")
    if case.state is CaseState.HELD or case.outcome.hold:
        raise Refused(f"C{case.key} is on hold for {', '.join(case.outcome.held) or 'a result'}; settle that first")
    if case.state not in _RELEASABLE:
        raise Refused(f"C{case.key} is {case.state}: there is nothing to release")
    if case.outcome.comment is None or not case.text:
        raise Refused(f"C{case.key} has no comment to release; its findings are for the worklist only")


def check_second_person(shown: str, editor: str, name: str) -> None:
    """What one person edited another one sends through."""
    if editor and editor.casefold().split() == name.casefold().split():
        raise Refused(f"{shown} was edited by the same person: somebody else has to read the edit and reprocess it")


def check_editable(shown: str, message: Kept) -> None:
    """Only what waits for a person may be edited; the results of a processed message are its sender's to correct."""
    if message.state not in (State.PARKED, State.QUARANTINED):
        raise Refused(f"{shown} is {message.state}: only a parked or quarantined message may be edited")


def check_reason(why: str) -> str:
    """An edit needs its reason, for who reads the audit."""
    why = " ".join(why.split())
    if not why or not why.isprintable() or len(why) > 200:
        raise Refused("An edit needs its reason: at most 200 printable characters (--why TEXT)")
    return why


def check_signer(signer: str) -> None:
    """A signature needs a name that can be printed beside it."""
    if not signer.strip() or not signer.isprintable() or len(signer) > 80:
        raise Refused("A signature needs a name: printable, at most 80 characters (--as NAME)")


def worded(case: Case, wording: str) -> Case:
    """The case with the text that a person gave it, where one did."""
    return msgspec.structs.replace(case, text=wording) if wording else case


def sent_text(case: Case) -> str:
    """The text that leaves: the comment of the case's current version."""
    return case.text


def expires(case: Case, now: datetime) -> datetime | None:
    """Until when a comment signed now may leave (policy `comment_expiry_h`); None where its draft names no limit."""
    return now + timedelta(hours=case.outcome.expires_h) if case.outcome.expires_h else None


def posted(case: Case, now: datetime) -> PostedComment:
    """What is remembered of the comment once it is released."""
    comment = case.outcome.comment
    return PostedComment(
        comment_class=comment.comment_class if comment else "",
        text=case.text,
        posted=now,
        used=case.outcome.used,
        analytes=named(case.outcome),
    )
