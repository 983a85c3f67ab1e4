"""Accounts and tokens from the command line: who has the machine may make the first administrator.

Passwords and tokens never reach this place: their hashes do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from labbridge.errors import Refused
from labbridge.fhir import scopes
from labbridge.fhir.scopes import NoScope
from labbridge.model.people import EVERY_FEED, Person, Scope, Token
from labbridge.model.work import AuditEvent
from labbridge.ports import Clock
from labbridge.review import permissions, policies
from labbridge.store.people import StorePeople

LONGEST_TOKEN_D = 365


class Accounts:
    """Acts on accounts. Each request names the `act`, and what it needs beside. `issuer` is the identity provider's, empty
    without one; `feeds` are those that take FHIR, to which a program may write, `others` the rest, which it may read."""

    def __init__(
        self,
        people: StorePeople,
        clock: Clock,
        issuer: str = "",
        feeds: Sequence[str] = (),
        others: Sequence[str] = (),
    ) -> None:
        self._people, self._clock, self._issuer = people, clock, issuer
        self._feeds, self._others = tuple(feeds), tuple(others)

    def perform(self, login: str, name: str, request: dict[str, Any]) -> str:
        """What was done, in words. Refused where it may not be."""
        policies.check_signer(name)
        acts: Mapping[str, Callable[[str, str, dict[str, Any]], str]] = {
            "add": self._add,
            "close": self._close,
            "open": self._open,
            "password": self._password,
            "link": self._link,
            "token": self._token,
            "revoke": self._revoke,
        }
        act = acts.get(str(request.get("act")))
        if act is None:
            raise Refused("This service does not know the act; is it older than the command line?")
        return act(login, name, request)

    def _add(self, login: str, name: str, request: dict[str, Any]) -> str:
        roles = permissions.check_account(login, str(request.get("name", "")), list(request.get("roles", [])))
        feeds = tuple(str(request.get("feeds", "")).split())
        secret, subject = str(request.get("secret", "")), self._subject(request)
        person = Person(
            key=0,
            login=login,
            name=str(request["name"]).strip(),
            roles=roles,
            feeds=feeds,
            secret=secret,
            subject=subject,
        )
        self._people.add(person, self._event(name, "account made", login, " ".join(sorted(roles))))
        return f"account {login} made"

    def _close(self, login: str, name: str, _request: dict[str, Any]) -> str:
        now = self._clock.now().isoformat()
        self._change(login, name, "account closed", lambda one: msgspec.structs.replace(one, disabled=now))
        return f"account {login} closed; its sign-ins have ended"

    def _open(self, login: str, name: str, _request: dict[str, Any]) -> str:
        self._change(login, name, "account opened", lambda one: msgspec.structs.replace(one, disabled=""))
        return f"account {login} is open"

    def _password(self, login: str, name: str, request: dict[str, Any]) -> str:
        secret = str(request.get("secret", ""))
        self._change(login, name, "password changed", lambda one: msgspec.structs.replace(one, secret=secret))
        return f"account {login} has a new password; its sign-ins have ended"

    def _link(self, login: str, name: str, request: dict[str, Any]) -> str:
        """From now on the identity provider signs the person in; the password goes."""
        subject = self._subject(request)
        if not subject:
            raise Refused("Which account there? Name it with --subject")
        linked = {"subject": subject, "secret": ""}
        self._change(login, name, "account linked", lambda one: msgspec.structs.replace(one, **linked))
        return f"account {login} is signed in by the identity provider; its password and its sign-ins have ended"

    def _subject(self, request: dict[str, Any]) -> str:
        """By what the provider knows somebody; empty where the request names nobody there."""
        named = str(request.get("subject", ""))
        if not named:
            return ""
        if not self._issuer:
            raise Refused("There is no identity provider: [web.oidc] names one")
        subject = f"{self._issuer}|{named}"
        other = self._people.by_subject(subject)
        if other is not None:
            raise Refused(f"The identity provider's account is that of {other.login} already")
        return subject

    def _change(self, login: str, name: str, action: str, changed: Callable[[Person], Person]) -> None:
        person = self._people.by_login(login)
        if person is None:
            raise Refused(f"There is no account {login}")
        self._people.change(changed(person), self._event(name, action, login))

    # ---------------------------------------------------------------- tokens

    def _token(self, about: str, name: str, request: dict[str, Any]) -> str:
        """`about` is what the token is called; `digest` the hexadecimal SHA-256 of it; `scope` and `feed` name several with
        spaces between."""
        allowed, days = _scopes(str(request.get("scope", ""))), request.get("days")
        if not isinstance(days, int) or not 1 <= days <= LONGEST_TOKEN_D:
            raise Refused(f"A token is valid for 1 to {LONGEST_TOKEN_D} days")
        expires = self._clock.now() + timedelta(days=days)
        digest = bytes.fromhex(str(request.get("digest", "")))
        feeds = self._for_feeds(str(request.get("feed", "")).split(), allowed)
        token = Token(key=0, name=about, scopes=allowed, expires=expires, feeds=feeds)
        detail = " ".join((*sorted(allowed), *feeds))
        self._people.add_token(token, digest, self._event(name, "token made", about, detail))
        said = {0: "", 1: f" for the feed {' '.join(feeds)}"}.get(len(feeds), f" for the feeds {', '.join(feeds)}")
        said = " for every feed" if feeds == (EVERY_FEED,) else said
        return f"token {about}{said} valid until {expires:%Y-%m-%d}"

    def _for_feeds(self, named: Sequence[str], allowed: frozenset[str]) -> tuple[str, ...]:
        """The feeds that what comes and goes with a token is of: those that were named, else the only one. What a program
        writes has to be of one."""
        if allowed <= {Scope.METRICS}:
            return ()
        writes = Scope.INGEST in allowed or scopes.may_any(allowed, "cu")
        alone = writes and len(named) < 2
        known, kind = (self._feeds, "FHIR feed") if alone else ((*self._feeds, *self._others), "feed")
        for one in named:
            if one not in known and one != EVERY_FEED:
                raise Refused(f"There is no {kind} {one!r}; there are {', '.join(known) or 'none'}")
        if not named and len(known) > 1:
            every = "" if writes else ", * for all"
            raise Refused(f"There are several {kind}s ({', '.join(known)}); say which with --feed{every}")
        found = (EVERY_FEED,) if EVERY_FEED in named else tuple(dict.fromkeys(named)) or known[:1]
        taking = [one for one in self._feeds if one in found or EVERY_FEED in found]
        if writes and self._feeds and len(taking) != 1:
            raise Refused(
                "What a program writes has to be of one FHIR feed; name it, and make another token for reading"
            )
        return found

    def _revoke(self, about: str, name: str, _request: dict[str, Any]) -> str:
        found = next((one for one in self._people.tokens() if one.name == about and not one.revoked), None)
        if found is None:
            raise Refused(f"There is no token {about} in force")
        self._people.revoke(found.key, self._event(name, "token revoked", about))
        return f"token {about} revoked"

    def _event(self, name: str, action: str, subject: str, detail: str = "") -> AuditEvent:
        return AuditEvent(at=self._clock.now(), actor=name, action=action, subject=subject, detail=detail)


def _scopes(text: str) -> frozenset[str]:
    """What a token is to allow: words of Scope, and scopes of SMART. Refused for what is neither."""
    own = frozenset(one for one in text.split() if one in list(Scope))
    rest = " ".join(one for one in text.split() if one not in own)
    try:
        return own | (scopes.read_scopes(rest) if rest or not own else frozenset())
    except NoScope as fault:
        raise Refused(f"There is no such scope. There are {', '.join(Scope)}, and those of SMART: {fault}") from fault
