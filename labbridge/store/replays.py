"""Replays of another knowledge over the stored past, and what people say of each case that would change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from labbridge.errors import Refused
from labbridge.model.replay import Replay, Replayed, ReplayState, Sum, Told, Wanted
from labbridge.model.work import AuditEvent
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection, marks
from labbridge.store.writer import Writer

BEGIN = "INSERT INTO replays(before, after, by, started, state, sum) VALUES (?,?,?,?,'running',?)"
RUNNING = "SELECT 1 FROM replays WHERE state = 'running' LIMIT 1"
END = "UPDATE replays SET state = ?, said = ?, sum = ? WHERE id = ?"
LEFT = "UPDATE replays SET state = 'failed', said = 'The service ended before it was done' WHERE state = 'running'"
ADD = "INSERT INTO replayed(replay, number, feed, lane, body) VALUES (?,?,?,?,?)"
NEWEST = "SELECT id, before, after, by, started, state, said, sum FROM replays ORDER BY id DESC LIMIT ?"
ONE = "SELECT id, before, after, by, started, state, said, sum FROM replays WHERE id = ?"
CASES = (
    "SELECT number, body, verdict, name, why, at FROM replayed WHERE replay = ? AND number > ? AND {}"
    " ORDER BY number LIMIT ?"
)
VERDICTS = "SELECT verdict, count(*) FROM replayed WHERE replay = ? AND {} GROUP BY verdict"
SAY = "UPDATE replayed SET verdict = ?, person = ?, name = ?, why = ?, at = ? WHERE replay = ? AND number = ?"
NOTHING = b""

_told = msgspec.json.Decoder(Told)
_sum = msgspec.json.Decoder(Sum)


class StoreReplays:
    """Reads on a connection of its own. `feeds`: those that a person may see, None for all."""

    def __init__(self, reader: Connection, writer: Writer | None = None) -> None:
        self._reader, self._writer = reader, writer

    # ---------------------------------------------------------------- the replay itself

    def begin(self, before: str, after: str, audit: AuditEvent) -> int:
        """Its key. Refused while another one runs."""

        def job(connection: Connection) -> int:
            if connection.execute(RUNNING).fetchone() is not None:
                raise Refused("A replay is running; wait for its end")
            connection.execute(INSERT_AUDIT, audit_row(audit))
            return connection.execute(BEGIN, (before, after, audit.actor, audit.at.isoformat(), NOTHING)).lastrowid or 0

        key: int = self._writing().submit(job).result()
        return key

    def add(self, key: int, first: int, told: Sequence[Told]) -> None:
        """The next cases, numbered from `first`."""
        rows = [(key, first + place, one.feed, one.lane, msgspec.json.encode(one)) for place, one in enumerate(told)]

        def job(connection: Connection) -> None:
            for row in rows:
                connection.execute(ADD, row)

        self._writing().submit(job).result()

    def end(self, key: int, found: Sum | None, said: str = "") -> None:
        """Done with this sum, or failed for this reason."""
        state = ReplayState.DONE if found is not None else ReplayState.FAILED
        row = (state.value, said, msgspec.json.encode(found) if found is not None else NOTHING, key)
        self._writing().submit(lambda connection: connection.execute(END, row)).result()

    def left(self) -> None:
        """At the start of a service: what ran when the one before ended has failed."""
        self._writing().submit(lambda connection: connection.execute(LEFT)).result()

    # ---------------------------------------------------------------- what people see and say

    def newest(self, limit: int) -> list[Replay]:
        return [_replay(row) for row in self._reader.execute(NEWEST, (limit,)).fetchall()]

    def one(self, key: int) -> Replay | None:
        row = self._reader.execute(ONE, (key,)).fetchone()
        return _replay(row) if row else None

    def cases(self, key: int, feeds: Sequence[str] | None, after: int, limit: int) -> list[Replayed]:
        """The cases behind a number."""
        where, params = _of(feeds)
        rows = self._reader.execute(CASES.format(where), (key, after, *params, limit)).fetchall()
        return [
            Replayed(
                number=int(number), told=_told.decode(body), verdict=Wanted(verdict), name=name, why=why,
                at=datetime.fromisoformat(at) if at else None,
            )
            for number, body, verdict, name, why, at in rows
        ]  # fmt: skip

    def verdicts(self, key: int, feeds: Sequence[str] | None) -> dict[Wanted, int]:
        """How many cases there are of each verdict."""
        where, params = _of(feeds)
        rows = self._reader.execute(VERDICTS.format(where), (key, *params)).fetchall()
        return {Wanted(verdict): int(count) for verdict, count in rows}

    def say(self, about: tuple[int, int], verdict: Wanted, by: tuple[str, str, str], audit: AuditEvent) -> None:
        """What a person says of a case: `about` is replay and number, `by` login, name, reason. Refused where there is no
        such case."""
        person, name, why = by

        def job(connection: Connection) -> None:
            row = (verdict.value, person, name, why, audit.at.isoformat(), *about)
            if connection.execute(SAY, row).rowcount != 1:
                raise Refused("There is no such case in this replay")
            connection.execute(INSERT_AUDIT, audit_row(audit))

        self._writing().submit(job).result()

    def _writing(self) -> Writer:
        assert self._writer is not None, "made for reading alone"
        return self._writer


def _of(feeds: Sequence[str] | None) -> tuple[str, tuple[str, ...]]:
    if feeds is None:
        return "1 = 1", ()
    return (f"feed IN ({marks(len(feeds))})", tuple(feeds)) if feeds else ("1 = 0", ())


def _replay(row: Sequence[object]) -> Replay:
    key, before, after, by, started, state, said, found = row
    return Replay(
        key=int(str(key)),
        before=str(before),
        after=str(after),
        by=str(by),
        started=datetime.fromisoformat(str(started)),
        state=ReplayState(str(state)),
        said=str(said),
        sum=_sum.decode(found) if found else None,  # type: ignore[arg-type]
    )
