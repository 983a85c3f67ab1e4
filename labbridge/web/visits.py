"""A visit: who asks, in which sign-in, with which token against forged requests."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple

from labbridge.model.people import Person, Right, Session
from labbridge.review import permissions

COOKIE, SECURE_COOKIE = "labbridge", "__Host-labbridge"
BEGUN, SECURE_BEGUN = "labbridge-begun", "__Host-labbridge-begun"


class Visit(NamedTuple):
    """`secret` is what the cookie holds; `csrf` follows from it, stands in each page and comes back with each change."""

    session: Session
    secret: str

    @property
    def person(self) -> Person:
        return self.session.person

    @property
    def csrf(self) -> str:
        return hmac.new(self.secret.encode(), b"csrf", hashlib.sha256).hexdigest()

    def may(self, right: Right) -> bool:
        return right in permissions.rights(self.person)


class Ages(NamedTuple):
    """How long a sign-in lasts unused, at most, and for signatures."""

    idle: timedelta
    longest: timedelta
    signing: timedelta

    def over(self, session: Session, now: datetime) -> bool:
        """Whether a sign-in has ended by its age, or its account was closed."""
        unused, old = now - session.seen, now - session.opened
        return bool(session.person.disabled) or unused >= self.idle or old >= self.longest or old < -self.idle

    def proven(self, session: Session, now: datetime) -> bool:
        """Whether the password was given so recently that a signature need not ask again."""
        return timedelta() <= now - session.proven < self.signing


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """By which a session or token is known in the store, which never holds the secret."""
    return hashlib.sha256(secret.encode()).digest()


def secret_of(headers: Mapping[str, str], secure: bool) -> str:
    """What the cookie of our name holds; empty without one. Over TLS only the cookie that is bound to this host counts."""
    return _cookie(headers, SECURE_COOKIE if secure else COOKIE)


def begun_of(headers: Mapping[str, str], secure: bool) -> str:
    """The same of a sign-in that was begun at the identity provider."""
    return _cookie(headers, SECURE_BEGUN if secure else BEGUN)


def _cookie(headers: Mapping[str, str], name: str) -> str:
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    found = cookies.get(name)
    return found.value if found is not None else ""


def set_cookie(secret: str, secure: bool) -> str:
    """The Set-Cookie header of a sign-in; an empty secret takes it away. Over plain loopback a browser would not keep a
    cookie that says Secure."""
    name, more = (SECURE_COOKIE, "; Secure") if secure else (COOKIE, "")
    ends = "" if secret else "; Max-Age=0"
    return f"{name}={secret}; Path=/; HttpOnly; SameSite=Strict{more}{ends}"


def set_begun(kept: str, secure: bool, seconds: int) -> str:
    """The Set-Cookie header of a sign-in that was begun: it comes with the answer from elsewhere, hence Lax."""
    name, more = (SECURE_BEGUN, "; Secure") if secure else (BEGUN, "")
    return f"{name}={kept}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{more}"
