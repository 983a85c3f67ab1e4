"""Who put forward and who approved what, and the knowledge that was in force; written where the writer is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

import msgspec

from labbridge.errors import Refused
from labbridge.model.approvals import AS_SHIPPED, Approval, SignAct, Signer
from labbridge.model.items import Item
from labbridge.model.people import Person
from labbridge.model.work import AuditEvent
from labbridge.store import people
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection
from labbridge.store.writer import Writer

COLUMNS = (
    "id, item, sha256, version, text, author, author_name, put_forward, why, approver, approver_name, approved, meaning,"
    " withdrawn, withdrawn_by, withdrawn_why"
)
FROM = f"SELECT {COLUMNS} FROM approvals"  # noqa: S608 - a constant
ALL = f"{FROM} ORDER BY id"
OF_ITEM = f"{FROM} WHERE item = ? ORDER BY id"
OF_CONTENT = f"{FROM} WHERE item = ? AND sha256 = ? AND withdrawn = ''"
ADD = (
    "INSERT INTO approvals(item, sha256, version, text, author, author_name, put_forward, why, approver, approver_name,"
    " approved, meaning) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
)
APPROVE = (
    "UPDATE approvals SET approver = ?, approver_name = ?, approved = ?, meaning = ?"
    " WHERE id = ? AND approver = '' AND withdrawn = ''"
)
WITHDRAW = "UPDATE approvals SET withdrawn = ?, withdrawn_by = ?, withdrawn_why = ? WHERE id = ? AND withdrawn = ''"
KEEP = "INSERT INTO knowledge(version, body, taken) VALUES (?,?,?) ON CONFLICT(version) DO NOTHING"
KEPT = "SELECT body FROM knowledge WHERE version = ?"
SAID = {
    SignAct.PUT_FORWARD: "put forward",
    SignAct.APPROVE: "approved",
    SignAct.WITHDRAW: "approval withdrawn",
}
MEANING = "read and approved for use at this site"


class Signing(msgspec.Struct, frozen=True, kw_only=True):
    """A signature under several items, each in the content it was read in. Asked again where it is written: `allowed`,
    whether the account as it is by then may do it; `check`, whether what stands of an item's content allows it. Both raise
    Refused."""

    act: SignAct
    items: Sequence[Item]
    signer: Signer
    why: str
    at: datetime
    allowed: Callable[[Person | None], None]
    check: Callable[[Item, Approval | None], None]


class StoreApprovals:
    """Signatures under the knowledge. Reads on a connection of its own."""

    def __init__(self, reader: Connection, writer: Writer | None = None) -> None:
        self._reader, self._writer = reader, writer

    def all(self) -> list[Approval]:
        """Every one there is, oldest first."""
        return [_approval(row) for row in self._reader.execute(ALL).fetchall()]

    def of_item(self, key: str) -> list[Approval]:
        return [_approval(row) for row in self._reader.execute(OF_ITEM, (key,)).fetchall()]

    def sign(self, signing: Signing) -> list[str]:
        """Sign each item, all in one transaction; why one was refused, in their order, empty where it was signed."""
        assert self._writer is not None, "made for reading alone"
        found: list[str] = self._writer.submit(lambda connection: _sign_each(connection, signing)).result()
        return found

    def keep(self, version: str, body: bytes, now: datetime) -> None:
        """The knowledge that comes into force, for whoever asks later what was said by it."""
        assert self._writer is not None, "made for reading alone"
        row = (version, body, now.isoformat())
        self._writer.submit(lambda connection: connection.execute(KEEP, row)).result()

    def knowledge(self, version: str) -> bytes | None:
        """A knowledge that was in force, as it was kept; None where there is none of this version."""
        row = self._reader.execute(KEPT, (version,)).fetchone()
        return bytes(row[0]) if row else None


def _sign_each(connection: Connection, signing: Signing) -> list[str]:
    if refused := _tried(lambda: check_account(connection, signing)):
        return [refused] * len(signing.items)
    return [_tried(partial(sign_one, connection, item, signing)) for item in signing.items]


def check_account(connection: Connection, signing: Signing) -> None:
    """Refused where the account may not sign, as it is by now."""
    if signing.signer.account:
        signing.allowed(people.person_of(connection, signing.signer.login))


def _tried(act: Callable[[], None]) -> str:
    """Why it was refused; empty where it was not. What refuses has written nothing."""
    try:
        act()
    except Refused as refusal:
        return str(refusal)
    return ""


def standing_of(connection: Connection, item: Item) -> Approval | None:
    """What stands of the content that an item has."""
    row = connection.execute(OF_CONTENT, (item.key, item.sha256)).fetchone()
    return _approval(row) if row else None


def sign_one(connection: Connection, item: Item, signing: Signing) -> None:
    """One signature, within a transaction. Refused where it may not be; then nothing is written."""
    standing = standing_of(connection, item)
    signer, now = signing.signer, signing.at.isoformat()
    signing.check(item, standing)
    content = (item.key, item.sha256, item.version, item.text)
    signature = (signer.login, signer.name, now, MEANING)
    if signing.act is SignAct.PUT_FORWARD:
        connection.execute(ADD, (*content, signer.login, signer.name, now, signing.why, "", "", "", ""))
    elif signing.act is SignAct.WITHDRAW:
        assert standing is not None
        connection.execute(WITHDRAW, (now, signer.login, signing.why, standing.key))
    elif standing is None:
        connection.execute(ADD, (*content, AS_SHIPPED, AS_SHIPPED, now, "", *signature))
    elif connection.execute(APPROVE, (*signature, standing.key)).rowcount != 1:
        raise Refused(f"{item.shown} was signed meanwhile: look at it again")
    event = AuditEvent(
        at=signing.at, actor=signer.login, action=SAID[signing.act], subject=item.key, detail=item.sha256
    )
    connection.execute(INSERT_AUDIT, audit_row(event))


def _approval(row: Sequence[object]) -> Approval:
    found = dict(zip(COLUMNS.split(", "), row, strict=True))
    moments = {name: _moment(found[name]) for name in ("put_forward", "approved", "withdrawn")}
    return msgspec.convert({**found, **moments, "key": found.pop("id")}, Approval)


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
