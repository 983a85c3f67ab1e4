"""Who may use the workbench: people and programs, what they may do, and the sessions they hold."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

EVERY_FEED = "*"


class Role(StrEnum):
    """What a person is in the laboratory (standards.md R29)."""

    VIEWER = "viewer"
    SCIENTIST = "scientist"
    SENIOR = "senior"
    AUTHOR = "author"
    APPROVER = "approver"
    INTEGRATOR = "integrator"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Scope(StrEnum):
    """What a program may do that comes with a token, beside the scopes of SMART (fhir/scopes.py)."""

    INGEST = "ingest"
    METRICS = "metrics"


class Right(StrEnum):
    """What a page or an act asks for."""

    SEE_CASES = "see_cases"
    DECIDE = "decide"
    SIGN = "sign"
    SECOND_READ = "second_read"
    SEE_MESSAGES = "see_messages"
    OPEN_RAW = "open_raw"
    REPAIR = "repair"
    EXPORT = "export"
    SEE_STATUS = "see_status"
    READ_AUDIT = "read_audit"
    MANAGE_PEOPLE = "manage_people"
    SUSPEND = "suspend"
    RESUME = "resume"
    SEE_KNOWLEDGE = "see_knowledge"
    AUTHOR_KNOWLEDGE = "author_knowledge"
    TRY_KNOWLEDGE = "try_knowledge"
    APPROVE_KNOWLEDGE = "approve_knowledge"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person with an account. `feeds` are the feeds of the sites the person belongs to, or EVERY_FEED. `secret` is the
    Argon2 hash of the password, empty where the hospital's identity provider signs the person in: it knows the person by
    `subject`, the issuer and its own key with | between. `disabled` is the moment from which the account is closed, empty
    while it is open. `language` and `theme`: empty for the browser's own."""

    key: int
    login: str
    name: str
    roles: frozenset[Role]
    feeds: tuple[str, ...] = ()
    secret: str = ""
    language: str = ""
    theme: str = ""
    disabled: str = ""
    subject: str = ""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One sign-in. `digest` is the SHA-256 of what the cookie holds, which is kept nowhere. `proven`: when the password was
    last given in it."""

    digest: bytes
    person: Person
    opened: datetime
    seen: datetime
    proven: datetime


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A program's key, known by the SHA-256 of it. `scopes`: those of Scope, or of SMART. `used`: when it last was, within a
    minute; empty for never. `feeds`: those that what comes and goes with it is of, or EVERY_FEED; empty for what needs none,
    and where there was one alone."""

    key: int
    name: str
    scopes: frozenset[str]
    expires: datetime
    revoked: str = ""
    used: str = ""
    feeds: tuple[str, ...] = ()

    def over(self, now: datetime) -> bool:
        """Whether it is in force no more."""
        return bool(self.revoked) or now >= self.expires


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """A program that was let in to /fhir. `feeds`: those of its token, by name, at least one; `scopes`: what it may do, as
    SMART writes it (fhir/scopes.py)."""

    name: str
    feeds: tuple[str, ...]
    scopes: frozenset[str]
