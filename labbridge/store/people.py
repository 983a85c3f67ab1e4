"""Accounts, sessions and tokens in the store. Reads on a connection of its own, writes through a UnitWriter, each act with
its line of the audit in the same unit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from labbridge.errors import Refused
from labbridge.model.people import Person, Role, Session, Token
from labbridge.model.provider import Begun
from labbridge.model.work import AuditEvent
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection, Statement
from labbridge.store.work import UnitWriter

PERSON = "SELECT id, login, name, roles, feeds, secret, language, theme, disabled, subject FROM people"
ADD = "INSERT INTO people(login, name, roles, feeds, secret, language, made, subject) VALUES (?,?,?,?,?,?,?,?)"
CHANGE = (
    "UPDATE people SET name = ?, roles = ?, feeds = ?, secret = ?, language = ?, disabled = ?, subject = ? WHERE id = ?"
)
OPEN = "INSERT INTO sessions(digest, person, opened, seen, proven) VALUES (?,?,?,?,?)"
SESSION = (
    "SELECT s.opened, s.seen, s.proven, p.id, p.login, p.name, p.roles, p.feeds, p.secret, p.language, p.theme, p.disabled,"
    " p.subject FROM sessions s JOIN people p ON p.id = s.person WHERE s.digest = ?"
)
SEEN = "UPDATE sessions SET seen = ? WHERE digest = ?"
PROVEN = "UPDATE sessions SET seen = ?, proven = ? WHERE digest = ?"
CLOSE = "DELETE FROM sessions WHERE digest = ?"
CLOSE_ALL = "DELETE FROM sessions WHERE person = ?"
CLOSE_OLD = "DELETE FROM sessions WHERE seen < ? OR opened < ?"
OPENS = (
    'INSERT INTO opened("case", person, at) VALUES (?,?,?) ON CONFLICT("case", person) DO UPDATE SET at = excluded.at'
)
THEME = "UPDATE people SET theme = ?, language = ? WHERE id = ?"
BEGIN = "INSERT INTO sign_ins(digest, nonce, verifier, made) VALUES (?,?,?,?)"
BEGUN = "SELECT nonce, verifier, made FROM sign_ins WHERE digest = ?"
TAKEN = "DELETE FROM sign_ins WHERE digest = ?"
SWEPT = "DELETE FROM sign_ins WHERE made < ?"
TOKEN = "SELECT id, name, scope, expires, revoked, used, feed FROM tokens"  # noqa: S105 - a statement
ADD_TOKEN = "INSERT INTO tokens(digest, name, scope, made, expires, feed) VALUES (?,?,?,?,?,?)"  # noqa: S105 - a statement
USED = "UPDATE tokens SET used = ? WHERE id = ?"
REVOKE = "UPDATE tokens SET revoked = ? WHERE id = ? AND revoked = ''"


class StorePeople:
    """Who may use the workbench. Nothing here judges: what is allowed, and whether a session is too old, is asked before."""

    def __init__(self, reader: Connection, writer: UnitWriter) -> None:
        self._reader, self._writer = reader, writer

    # ---------------------------------------------------------------- accounts

    def by_login(self, login: str) -> Person | None:
        return self._one(f"{PERSON} WHERE login = ?", login)

    def by_key(self, key: int) -> Person | None:
        return self._one(f"{PERSON} WHERE id = ?", key)

    def by_subject(self, subject: str) -> Person | None:
        """Whom the identity provider knows by that; nobody for an empty one."""
        return self._one(f"{PERSON} WHERE subject = ? AND subject <> ''", subject)

    def everybody(self) -> list[Person]:
        return [_person(row) for row in self._reader.execute(f"{PERSON} ORDER BY login").fetchall()]

    def add(self, person: Person, audit: AuditEvent) -> None:
        """Refused where the login is taken."""
        if self.by_login(person.login) is not None:
            raise Refused(f"There is an account {person.login} already; change it, or choose another login")
        roles, feeds = " ".join(sorted(person.roles)), " ".join(person.feeds)
        row = (
            person.login,
            person.name,
            roles,
            feeds,
            person.secret,
            person.language,
            audit.at.isoformat(),
            person.subject,
        )
        self._written(audit, Statement(ADD, row, 1))

    def change(self, person: Person, audit: AuditEvent) -> None:
        """The account as it is to be. Its sessions end: what they were opened with does not hold any more."""
        roles, feeds = " ".join(sorted(person.roles)), " ".join(person.feeds)
        row = (person.name, roles, feeds, person.secret, person.language, person.disabled, person.subject, person.key)
        self._written(audit, Statement(CHANGE, row, 1), Statement(CLOSE_ALL, (person.key,)))

    def prefers(self, person: Person, theme: str, language: str) -> None:
        self._post(Statement(THEME, (theme, language, person.key), 1))

    # ---------------------------------------------------------------- sessions

    def open(self, session: Session, audit: AuditEvent, oldest_seen: datetime, oldest_opened: datetime) -> None:
        """Begin one; those that have ended by their age go at the same time."""
        old = Statement(CLOSE_OLD, (oldest_seen.isoformat(), oldest_opened.isoformat()))
        self._written(audit, old, _opened(session))

    def begin(self, begun: Begun, oldest: datetime) -> None:
        """A sign-in goes to the identity provider; those that nobody came back from go at the same time."""
        row = (begun.digest, begun.nonce, begun.verifier, begun.made)
        self._post(Statement(SWEPT, (oldest.isoformat(),)), Statement(BEGIN, row, 1))

    def begun(self, digest: bytes) -> Begun | None:
        row = self._reader.execute(BEGUN, (digest,)).fetchone()
        return Begun(digest=digest, nonce=row[0], verifier=row[1], made=row[2]) if row else None

    def given_up(self, begun: Begun, audit: AuditEvent) -> None:
        """It proved nobody, and proves nobody again."""
        self._post(Statement(TAKEN, (begun.digest,)), Statement(INSERT_AUDIT, audit_row(audit)))

    def arrived(self, begun: Begun, session: Session, audit: AuditEvent, *, instead: bytes = b"") -> None:
        """Somebody came back: the sign-in is opened and cannot be used again, in one. It stands `instead` of another one.
        Refused where it was used already."""
        taken = Statement(TAKEN, (begun.digest,), 1)
        self._written(audit, taken, Statement(CLOSE, (instead,)), _opened(session))

    def session(self, digest: bytes) -> Session | None:
        row = self._reader.execute(SESSION, (digest,)).fetchone()
        if row is None:
            return None
        opened, seen, proven = map(datetime.fromisoformat, row[:3])
        return Session(digest=digest, person=_person(row[3:]), opened=opened, seen=seen, proven=proven)

    def seen(self, session: Session, now: datetime) -> None:
        self._post(Statement(SEEN, (now.isoformat(), session.digest)))

    def proven(self, session: Session, now: datetime) -> None:
        """The password was given again."""
        self._post(Statement(PROVEN, (now.isoformat(), now.isoformat(), session.digest)))

    def close(self, session: Session, audit: AuditEvent) -> None:
        self._written(audit, Statement(CLOSE, (session.digest,)))

    def opens(self, case: int, person: Person, audit: AuditEvent) -> None:
        """A person has a case before them: others are told, and it is written down."""
        opened = Statement(OPENS, (case, person.key, audit.at.isoformat()))
        self._post(opened, Statement(INSERT_AUDIT, audit_row(audit)))

    def noted(self, *events: AuditEvent) -> None:
        """Acts that change nothing: a page that showed a patient, a sign-in that failed."""
        self._post(*(Statement(INSERT_AUDIT, audit_row(one)) for one in events))

    # ---------------------------------------------------------------- tokens

    def token(self, digest: bytes) -> Token | None:
        row = self._reader.execute(f"{TOKEN} WHERE digest = ?", (digest,)).fetchone()
        return _token(row) if row else None

    def tokens(self) -> list[Token]:
        return [_token(row) for row in self._reader.execute(f"{TOKEN} ORDER BY id").fetchall()]

    def add_token(self, token: Token, digest: bytes, audit: AuditEvent) -> None:
        scopes, feeds = " ".join(sorted(token.scopes)), " ".join(token.feeds)
        row = (digest, token.name, scopes, audit.at.isoformat(), token.expires.isoformat(), feeds)
        self._written(audit, Statement(ADD_TOKEN, row, 1))

    def used(self, token: Token, now: datetime) -> None:
        self._post(Statement(USED, (now.isoformat(), token.key)))

    def revoke(self, key: int, audit: AuditEvent) -> None:
        """Refused where there is no such token in force."""
        revoked = Statement(REVOKE, (audit.at.isoformat(), key), 1)
        if not self._post(revoked, Statement(INSERT_AUDIT, audit_row(audit))):
            raise Refused(f"There is no token {key} in force")

    # ---------------------------------------------------------------- one unit

    def _one(self, sql: str, value: object) -> Person | None:
        row = self._reader.execute(sql, (value,)).fetchone()
        return _person(row) if row else None

    def named(self, name: str) -> list[Person]:
        """The open accounts whose login or name this is."""
        asked = f"{PERSON} WHERE (login = ? OR name = ?) AND disabled = '' ORDER BY id"
        return [_person(row) for row in self._reader.execute(asked, (name, name)).fetchall()]

    def any(self) -> bool:
        """Whether there is any account."""
        return self._reader.execute("SELECT 1 FROM people LIMIT 1").fetchone() is not None

    def _written(self, audit: AuditEvent, *statements: Statement) -> None:
        if not self._post(*statements, Statement(INSERT_AUDIT, audit_row(audit))):
            raise Refused("It was changed by somebody else meanwhile: look again")

    def _post(self, *statements: Statement) -> bool:
        return self._writer.post([list(statements)])() == [True]


def person_of(connection: Connection, login: str) -> Person | None:
    """The account as it stands in a transaction."""
    row = connection.execute(f"{PERSON} WHERE login = ?", (login,)).fetchone()
    return _person(row) if row else None


def _opened(session: Session) -> Statement:
    began = session.opened.isoformat()
    return Statement(OPEN, (session.digest, session.person.key, began, began, session.proven.isoformat()), 1)


def _person(row: Iterable[str]) -> Person:
    key, login, name, roles, feeds, secret, language, theme, disabled, subject = row
    return Person(
        key=int(key),
        login=login,
        name=name,
        roles=frozenset(Role(one) for one in roles.split()),
        feeds=tuple(feeds.split()),
        secret=secret,
        language=language,
        theme=theme,
        disabled=disabled,
        subject=subject,
    )


def _token(row: Iterable[str]) -> Token:
    key, name, scopes, expires, revoked, used, feeds = row
    return Token(
        key=int(key),
        name=name,
        scopes=frozenset(scopes.split()),
        expires=datetime.fromisoformat(expires),
        revoked=revoked,
        used=used,
        feeds=tuple(feeds.split()),
    )
