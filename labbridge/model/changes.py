"""A change of what the machine says, made at the workbench: one person writes it, another one approves it, and then it is in
the site's files."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from labbridge.model.mapping import LocalCode


class ItemEdit(msgspec.Struct, frozen=True, kw_only=True):
    """What an item is to say (model/items.py), as it stands in a file of the site's folder. An empty text takes the site's
    record out: what ships holds again. To a table, which has no records of its own, the text is added. `before`: how the
    item was written when this was; `sha256`: the hash of what it says with it (empty: the item is gone)."""

    item: str
    file: str
    text: str
    before: str = ""
    sha256: str = ""


class ChangeState(StrEnum):
    """How far a change is. `approved`: two people signed it, and it is not in force yet: something kept it from it."""

    PUT_FORWARD = "put_forward"
    APPROVED = "approved"
    IN_FORCE = "in_force"
    GIVEN_UP = "given_up"


CHANGE_TRANSITIONS = {
    ChangeState.PUT_FORWARD: frozenset({ChangeState.APPROVED, ChangeState.GIVEN_UP}),
    ChangeState.APPROVED: frozenset({ChangeState.IN_FORCE, ChangeState.GIVEN_UP}),
    ChangeState.IN_FORCE: frozenset[ChangeState](),
    ChangeState.GIVEN_UP: frozenset[ChangeState](),
}


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Edits that come into force together, with their reason and the two people. `about`: the code that a mapping is about,
    whose messages are read again once it is in force. `replay`: the replay it was tried in (0: none yet). `base`: the
    version of the files it was written over. `said`: what kept it from being in force, or why it was given up. `read_again`:
    how many messages were."""

    key: int
    edits: tuple[ItemEdit, ...]
    about: LocalCode | None = None
    base: str = ""
    state: ChangeState
    author: str
    author_name: str
    put_forward: datetime
    why: str
    approver: str = ""
    approver_name: str = ""
    approved: datetime | None = None
    ended: datetime | None = None
    said: str = ""
    replay: int = 0
    read_again: int = 0

    @property
    def shown(self) -> str:
        return f"E{self.key}"
