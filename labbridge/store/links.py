"""Which lanes are one patient's: links that identity messages made, in force until they are undone; nothing is moved.

`merged` holds what the links in force come to, so that a lane's patient is one look-up.
"""

from __future__ import annotations

from labbridge.model.work import Link, Verdict
from labbridge.store.connection import Connection, marks

SURVIVING = "coalesce((SELECT surviving FROM merged WHERE lane = ?1), ?1)"
OF_PATIENT = f"SELECT surviving, lane FROM merged WHERE surviving = {SURVIVING} ORDER BY lane"  # noqa: S608
LINKS = "SELECT prior, surviving, message, undone FROM links WHERE prior = ?1 OR surviving = ?1 ORDER BY id"
VERDICTS = "SELECT who, verdict FROM identities WHERE lane = ?"
NAMING = "SELECT message FROM links WHERE surviving = ? AND undone = '' ORDER BY id DESC LIMIT 1"

LINK = (  # once, whichever of the message's two lanes comes first
    "INSERT INTO links(prior, surviving, message, made) SELECT ?1, ?2, ?3, ?4"
    " WHERE NOT EXISTS (SELECT 1 FROM links WHERE message = ?3 AND prior = ?1)"
)
REPOINT = "UPDATE merged SET surviving = ? WHERE surviving = ?"
MERGE = (
    "INSERT INTO merged(lane, surviving) VALUES (?,?) ON CONFLICT(lane) DO UPDATE SET surviving = excluded.surviving"
)
JOIN = (  # guarded: what another message has linked since it was read must be read again, or the chain is not followed
    "INSERT INTO merged(lane, surviving) SELECT ?1, ?2"
    " WHERE NOT EXISTS (SELECT 1 FROM merged WHERE lane = ?2 OR (lane = ?1 AND surviving <> ?2))"
    " ON CONFLICT(lane) DO UPDATE SET surviving = excluded.surviving"
)
DECIDE = (
    "INSERT INTO identities(lane, who, verdict, message, at) VALUES (?,?,?,?,?)"
    " ON CONFLICT(lane, who) DO UPDATE SET verdict = excluded.verdict, message = excluded.message, at = excluded.at"
)
UNDO = "UPDATE links SET undone = ? WHERE message = ? AND undone = ''"
OF_MESSAGE = "SELECT DISTINCT prior, surviving FROM links WHERE message = ? AND undone = ''"
IN_FORCE = "SELECT prior, surviving FROM links WHERE undone = '' AND (prior = ?1 OR surviving = ?1) ORDER BY id"


def count_of_patient(table: str, lane: str, where: str = "") -> str:
    """SQL of how many rows of a table stand in the lanes of one patient: in `lane` itself (a parameter, `?3`), in the one
    it was merged into, and in the others that were merged there. Three look-ups: a statement that gathers the lanes first
    makes a table of them each time, which costs more than all it does besides."""
    counted, surviving = f"SELECT count(*) FROM {table} t", SURVIVING.replace("?1", lane)  # noqa: S608
    return (
        f"({counted} WHERE t.lane = {lane}{where})"
        f" + ({counted} JOIN merged m ON m.surviving = t.lane WHERE m.lane = {lane}{where})"
        f" + ({counted} JOIN merged m ON m.lane = t.lane WHERE m.surviving = {surviving} AND m.lane <> {lane}{where})"
    )


def lanes_of(connection: Connection, lane: str) -> tuple[str, ...]:
    """Every lane of the patient of this one, the surviving one first."""
    merged = connection.execute(OF_PATIENT, (lane,)).fetchall()
    return (merged[0][0], *(joined for _surviving, joined in merged)) if merged else (lane,)


def links_of(connection: Connection, lanes: tuple[str, ...]) -> tuple[Link, ...]:
    """Every link of these lanes, undone ones too."""
    found: dict[Link, None] = {}
    for lane in lanes:
        for prior, surviving, message, undone in connection.execute(LINKS, (lane,)).fetchall():
            found[Link(prior=prior, surviving=surviving, message=message, undone=bool(undone))] = None
    return tuple(found)


def verdicts_of(connection: Connection, lanes: tuple[str, ...]) -> dict[tuple[str, str], Verdict]:
    """What was decided of who is who in these lanes."""
    rows = ((lane, row) for lane in lanes for row in connection.execute(VERDICTS, (lane,)).fetchall())
    return {(lane, who): Verdict(verdict) for lane, (who, verdict) in rows}


def others_in(connection: Connection, lanes: tuple[str, ...]) -> set[tuple[str, str]]:
    """What of these lanes a person said is somebody else's: lane, and what was stated of the patient. One statement."""
    asked = f"SELECT lane, who FROM identities WHERE verdict = ? AND lane IN ({marks(len(lanes))})"  # noqa: S608
    return {(lane, who) for lane, who in connection.execute(asked, (Verdict.OTHER.value, *lanes)).fetchall()}


def naming(connection: Connection, lane: str) -> int | None:
    """The identity message that last merged a patient into the one of this lane: it names who the patient is now."""
    row = connection.execute(NAMING, (lane,)).fetchone()
    return int(row[0]) if row else None


def undo(connection: Connection, message: int, now: str) -> list[str]:
    """Take the links of a message out of force, and work out anew what the others come to. The lanes it touches."""
    pairs = connection.execute(OF_MESSAGE, (message,)).fetchall()
    lanes = sorted(
        {part for prior, surviving in pairs for lane in (prior, surviving) for part in lanes_of(connection, lane)}
    )
    connection.execute(UNDO, (now, message))
    for lane in lanes:
        connection.execute("DELETE FROM merged WHERE lane = ?", (lane,))
    for lane in lanes:
        last = _last(connection, lane)
        if last != lane:
            connection.execute(MERGE, (lane, last))
    return lanes


def _last(connection: Connection, lane: str) -> str:
    """The end of the chain of links in force."""
    seen = {lane}
    while True:
        following = [s for p, s in connection.execute(IN_FORCE, (lane,)).fetchall() if p == lane and s not in seen]
        if not following:
            return lane
        lane = following[-1]
        seen.add(lane)
