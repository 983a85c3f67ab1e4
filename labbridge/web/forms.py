"""What the pages' forms hold. A field that a form lacks, or that is none of its kind, is refused before a page sees it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from labbridge.model.approvals import SignAct
from labbridge.model.review import Decided
from labbridge.model.work import Verdict

LONGEST_DAYS = 90
LONGEST_CALL_AGO = 7 * 24 * 60  # minutes


class _Form(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class DecisionForm(_Form):
    """What was decided of the version that was shown. A held case comes back after so many days."""

    version: int
    kind: Decided
    why: str = ""
    text: str = ""
    days: int = Field(1, ge=1, le=LONGEST_DAYS)


class PreviewForm(_Form):
    """A comment that is being written, and the version it is for."""

    version: int
    text: str = ""


class SignatureForm(_Form):
    """A signature: for which version and screen, with the password where it has to be given again."""

    version: int
    screen: str = Field(max_length=64)
    password: str = ""


class ReadingForm(_Form):
    """What a second reader read of HEp-2 in the version that waits."""

    version: int
    finding: str = Field(max_length=40)
    why: str = ""


class CallForm(_Form):
    """A telephone call about the version that was shown, so many minutes ago."""

    version: int
    told: str = ""
    minutes: int = Field(0, ge=0, le=LONGEST_CALL_AGO)
    read_back: bool = False
    note: str = ""


class RemarkForm(_Form):
    """A note at a case that stays in the laboratory."""

    version: int
    text: str = ""


class AlikeForm(_Form):
    """Several cases under one signature: each as C12@3, a colon, and its screen."""

    chosen: list[str] = []
    password: str = ""


class AccountForm(_Form):
    """An account as it is to be. An empty password leaves the one that is there."""

    login: str = ""
    name: str = ""
    role: list[str] = []
    feeds: str = ""
    password: str = ""
    closed: bool = False


class ItemsForm(_Form):
    """A signature under items of the knowledge: each as its key, @, and the hash that was read."""

    act: SignAct
    chosen: list[str] = []
    why: str = ""
    password: str = ""


class ChangeForm(_Form):
    """A record of the site's files as it is to be. An empty text takes the site's record out."""

    item: str = Field(max_length=200)
    text: str = ""
    why: str = ""
    password: str = ""


class AssignForm(_Form):
    """What a person says a code is: of which feed, system and code, and its analyte, part, method, assay and unit."""

    feed: str = ""
    system: str = ""
    code: str = ""
    label: str = ""
    analyte: str = ""
    role: str = ""
    method: str = ""
    assay: str = ""
    only_unit: bool = False
    means: str = Field("", max_length=80)
    source: str = ""
    why: str = ""
    password: str = ""


class PasswordForm(_Form):
    """An act that needs a proof of who acts."""

    password: str = ""


class ReviewForm(_Form):
    """What a person says of what a rule released."""

    version: int
    agrees: bool
    why: str = ""


class SuspendForm(_Form):
    """Where release by rule is to stop; an empty field is any."""

    feed: str = ""
    analyte: str = ""
    rule: str = ""
    why: str = ""


class ResumeForm(_Form):
    """Suspensions to be lifted, by their keys."""

    key: list[str] = []


class CancelForm(_Form):
    """Why nobody is to do a retest."""

    why: str = ""


class SayForm(_Form):
    """What a person says of a case that a replay would change."""

    verdict: Literal["accept", "narrow"]
    why: str = ""


class WhyForm(_Form):
    """An act that needs its reason and nothing else."""

    why: str = ""


class ManyForm(_Form):
    """Messages to be sent through again, by their keys."""

    key: list[str] = []
    why: str = ""


class EditForm(_Form):
    """A repaired message as text, and the version it was made from (1: as received)."""

    base: int
    text: str
    why: str = ""


class ApproveForm(_Form):
    """Which edit was read, and the SHA-256 of its bytes."""

    version: int
    digest: str = Field(max_length=64)
    why: str = ""


class VerdictForm(_Form):
    """Whether a message is of the patient whose number it bears."""

    verdict: Verdict
    why: str = ""
