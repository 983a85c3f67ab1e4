"""Changes of what the machine says, from who wrote them to when they came into force; written where the writer is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from labbridge.errors import Refused
from labbridge.model.changes import CHANGE_TRANSITIONS, Change, ChangeState, ItemEdit
from labbridge.model.mapping import LocalCode
from labbridge.model.work import AuditEvent
from labbridge.store.approvals import Signing, check_account, sign_one, standing_of
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection
from labbridge.store.writer import Writer

COLUMNS = (
    "id, edits, about, base, state, author, author_name, put_forward, why, approver, approver_name, approved, ended,"
    " said, replay, read_again"
)
FROM = f"SELECT {COLUMNS} FROM changes"  # noqa: S608 - a constant
ONE = f"{FROM} WHERE id = ?"
OPEN = f"{FROM} WHERE state IN ('put_forward', 'approved') ORDER BY id"
ENDED = f"{FROM} WHERE state IN ('in_force', 'given_up') ORDER BY id DESC LIMIT ?"
ADD = (
    "INSERT INTO changes(edits, about, base, state, author, author_name, put_forward, why)"
    " VALUES (?,?,?,'put_forward',?,?,?,?)"
)
APPROVE = (
    "UPDATE changes SET state = 'approved', approver = ?, approver_name = ?, approved = ?"
    " WHERE id = ? AND state = 'put_forward'"
)
STEP = "UPDATE changes SET state = ?, said = ?, ended = ? WHERE id = ? AND state = ?"
SAID = "UPDATE changes SET said = ? WHERE id = ? AND state = 'approved'"
TRIED = "UPDATE changes SET replay = ? WHERE id = ?"
READ_AGAIN = "UPDATE changes SET read_again = read_again + ? WHERE id = ?"
MAPPED = "DELETE FROM unmapped WHERE feed = ? AND system = ? AND code = ? AND label = ?"
MAPPED_IN = "DELETE FROM unmapped_in WHERE feed = ? AND system = ? AND code = ? AND label = ? AND message = ?"
LEFT_IN = "SELECT 1 FROM unmapped_in WHERE feed = ? AND system = ? AND code = ? AND label = ? LIMIT 1"

_edits = msgspec.json.Decoder(tuple[ItemEdit, ...])
_about = msgspec.json.Decoder(LocalCode | None)
Check = Callable[[Change], None]


class StoreChanges:
    """Reads on a connection of its own."""

    def __init__(self, reader: Connection, writer: Writer | None = None) -> None:
        self._reader, self._writer = reader, writer

    def one(self, key: int) -> Change | None:
        return _one(self._reader, key)

    def open(self) -> list[Change]:
        """Those that wait for a person, oldest first."""
        return [_change(row) for row in self._reader.execute(OPEN).fetchall()]

    def ended(self, limit: int) -> list[Change]:
        """Those in force and those given up, the newest first."""
        return [_change(row) for row in self._reader.execute(ENDED, (limit,)).fetchall()]

    # ---------------------------------------------------------------- from who wrote it to being in force

    def put_forward(self, change: Change, signing: Signing) -> int:
        """Keep a change with its author's signature under each item; its key. Refused while another one of the same items
        waits: the later would undo the earlier unseen."""

        def job(connection: Connection) -> int:
            check_account(connection, signing)
            mine = {one.item for one in change.edits}
            for other in connection.execute(OPEN).fetchall():
                waiting = _change(other)
                if mine & {one.item for one in waiting.edits}:
                    raise Refused(f"{waiting.shown} changes the same and waits: approve it or give it up first")
            for item in signing.items:
                if standing_of(connection, item) is None and item.site:
                    sign_one(connection, item, signing)
            row = (
                msgspec.json.encode(change.edits),
                msgspec.json.encode(change.about),
                change.base,
                change.author,
                change.author_name,
                change.put_forward.isoformat(),
                change.why,
            )
            key = connection.execute(ADD, row).lastrowid or 0
            _audit(connection, signing, "change put forward", f"E{key}", " ".join(sorted(mine)))
            return key

        key: int = self._writing().submit(job).result()
        return key

    def approve(self, key: int, signing: Signing, check: Check) -> Change:
        """The second signature, under the change and each of its items. `check` is asked of it as it is by then."""

        def job(connection: Connection) -> Change:
            check_account(connection, signing)
            change = _there(connection, key)
            check(change)
            for item in signing.items:
                standing = standing_of(connection, item)
                if standing is None or standing.approved is None:
                    sign_one(connection, item, signing)
            signer, now = signing.signer, signing.at.isoformat()
            if connection.execute(APPROVE, (signer.login, signer.name, now, key)).rowcount != 1:
                raise Refused(f"{change.shown} was decided meanwhile: look at it again")
            _audit(connection, signing, "change approved", change.shown, change.base)
            return _there(connection, key)

        change: Change = self._writing().submit(job).result()
        return change

    def end(self, key: int, state: ChangeState, audit: AuditEvent, *, check: Check | None = None) -> None:
        """It is in force, or given up (the reason is the audit's). Refused for a step that is not in CHANGE_TRANSITIONS."""

        def job(connection: Connection) -> None:
            change = _there(connection, key)
            if check is not None:
                check(change)
            if state not in CHANGE_TRANSITIONS[change.state]:
                raise Refused(f"{change.shown} is {change.state.value.replace('_', ' ')}: it cannot be ended so")
            said = audit.detail if state is ChangeState.GIVEN_UP else ""
            connection.execute(STEP, (state.value, said, audit.at.isoformat(), key, change.state.value))
            connection.execute(INSERT_AUDIT, audit_row(audit))

        self._writing().submit(job).result()

    def kept_back(self, key: int, said: str) -> None:
        """Approved, and not in force: why."""
        self._writing().submit(lambda connection: connection.execute(SAID, (said, key))).result()

    def tried(self, key: int, replay: int) -> None:
        self._writing().submit(lambda connection: connection.execute(TRIED, (replay, key))).result()

    # ---------------------------------------------------------------- what was read again

    def mapped(self, key: int, about: LocalCode, messages: Sequence[int]) -> None:
        """These messages are read again: the code is listed no more, unless others carried it meanwhile."""
        of = (about.feed, about.system, about.code, about.label)

        def job(connection: Connection) -> None:
            for message in messages:
                connection.execute(MAPPED_IN, (*of, message))
            if connection.execute(LEFT_IN, of).fetchone() is None:
                connection.execute(MAPPED, of)
            connection.execute(READ_AGAIN, (len(messages), key))

        self._writing().submit(job).result()

    def _writing(self) -> Writer:
        assert self._writer is not None, "made for reading alone"
        return self._writer


def _there(connection: Connection, key: int) -> Change:
    found = _one(connection, key)
    if found is None:
        raise Refused(f"There is no change E{key}")
    return found


def _one(connection: Connection, key: int) -> Change | None:
    row = connection.execute(ONE, (key,)).fetchone()
    return _change(row) if row else None


def _audit(connection: Connection, signing: Signing, action: str, subject: str, detail: str) -> None:
    event = AuditEvent(at=signing.at, actor=signing.signer.login, action=action, subject=subject, detail=detail)
    connection.execute(INSERT_AUDIT, audit_row(event))


def _change(row: Sequence[object]) -> Change:
    found = dict(zip(COLUMNS.split(", "), row, strict=True))
    moments = {
        name: datetime.fromisoformat(str(found[name])) if found[name] else None
        for name in ("put_forward", "approved", "ended")
    }
    read = {"edits": _edits.decode(found["edits"]), "about": _about.decode(found["about"])}  # type: ignore[arg-type]
    return msgspec.convert({**found, **moments, **read, "key": found.pop("id")}, Change)
