"""Access tokens of SMART clients in the store, and the assertions that were used for them, so that each is used once.

The one writer takes an assertion and gives the token in one transaction: of two who show the same assertion, in whatever
process or node, one is refused.
"""

from __future__ import annotations

from datetime import datetime

from labbridge.model.smart import Assertion, Grant
from labbridge.model.work import AuditEvent
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection, Statement
from labbridge.store.work import UnitWriter

GRANT = "SELECT client, scopes, expires FROM grants WHERE digest = ?"
GIVE = "INSERT INTO grants(digest, client, scopes, expires) VALUES (?,?,?,?)"
USE = "INSERT INTO assertions(digest, until) VALUES (?,?) ON CONFLICT DO NOTHING"
FORGET = ("DELETE FROM grants WHERE expires < ?", "DELETE FROM assertions WHERE until < ?")


class StoreGrants:
    """Nothing here judges: whether an assertion holds, and what its client may do, is asked before."""

    def __init__(self, reader: Connection, writer: UnitWriter) -> None:
        self._reader, self._writer = reader, writer

    def grant(self, digest: bytes) -> Grant | None:
        """What was given with the access token of this digest."""
        row = self._reader.execute(GRANT, (digest,)).fetchone()
        if row is None:
            return None
        client, scopes, expires = row
        return Grant(client=client, scopes=frozenset(scopes.split()), expires=datetime.fromisoformat(expires))

    def give(self, grant: Grant, digest: bytes, shown: Assertion, audit: AuditEvent) -> bool:
        """Give a token for an assertion; False where that was used already. What has ended by its age goes."""
        now, scopes = audit.at.isoformat(), " ".join(sorted(grant.scopes))
        unit = [
            *(Statement(sql, (now,)) for sql in FORGET),
            Statement(USE, (shown.digest, shown.until.isoformat()), 1),
            Statement(GIVE, (digest, grant.client, scopes, grant.expires.isoformat()), 1),
            Statement(INSERT_AUDIT, audit_row(audit)),
        ]
        return self._writer.post([unit])() == [True]
