"""Who put forward what the machine says, and who approved it, each for one content of one item of the knowledge."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

AS_SHIPPED = "(as shipped)"
"""The author of an item that nobody here changed. No login looks like it."""


class Standing(StrEnum):
    """How far an item is signed, in the content it has now."""

    UNSIGNED = "unsigned"
    PUT_FORWARD = "put_forward"
    APPROVED = "approved"


class SignAct(StrEnum):
    """What a person does to an item."""

    PUT_FORWARD = "put_forward"
    APPROVE = "approve"
    WITHDRAW = "withdraw"


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts: the login (or the name alone, where there are no accounts), and the name as it stands in a signature.
    `account`: it is an account's, whose role is looked at again where the signature is written."""

    login: str
    name: str
    account: bool = False


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """One content of one item: who put it forward, who approved it (empty: nobody yet), who took that back. `text` is how it
    was written then; empty for a whole table. Logins are kept beside names: names change."""

    key: int
    item: str
    sha256: str
    version: int
    text: str
    author: str
    author_name: str
    put_forward: datetime
    why: str = ""
    approver: str = ""
    approver_name: str = ""
    approved: datetime | None = None
    meaning: str = ""
    withdrawn: datetime | None = None
    withdrawn_by: str = ""
    withdrawn_why: str = ""

    @property
    def standing(self) -> Standing:
        if self.withdrawn is not None:
            return Standing.UNSIGNED
        return Standing.APPROVED if self.approved is not None else Standing.PUT_FORWARD
