"""A SMART client proves itself by a signed assertion (SMART App Launch 2, private_key_jwt; RFC 7523): whose it is, for whom,
until when. That it proves it once is the store's business (store/grants.py)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError

from labbridge.model.smart import Assertion, Client

ALGORITHMS = ("RS384", "ES384")
LONGEST = timedelta(minutes=5)
LEEWAY = timedelta(seconds=30)  # clocks of two machines
LONGEST_JTI = 256
SMALLEST_RSA = 2048  # bits; six in each character of its modulus
SECRET_MEMBERS = frozenset("d p q dp dq qi oth k".split())

_REGISTRY = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
_UNPROVEN = "The assertion proves no client of this service"


class NotAClient(Exception):
    """An assertion that proves nobody. `reason` is a word for our own log; the text is for who sent it, and tells of the
    assertion alone once its signature was right."""

    def __init__(self, reason: str, text: str = _UNPROVEN) -> None:
        super().__init__(text)
        self.reason = reason


class BadKeys(ValueError):
    """A file of keys that cannot be used; the text says why, and quotes nothing of it."""


def read_keys(path: Path) -> jwk.KeySet:
    """The public keys of a client, RSA or P-384, each with its `kid`. BadKeys where there is none, or one that is secret."""
    try:
        held = json.loads(path.read_bytes())
    except OSError as fault:
        raise BadKeys(f"{fault.strerror}") from None
    except (ValueError, RecursionError):
        raise BadKeys("it is no JSON") from None
    listed = held.get("keys") if isinstance(held, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise BadKeys('it is no JWK Set: write {"keys": [...]}')
    found = [_key(one) for one in listed if one.get("kty") in ("RSA", "EC", "oct")]
    if not found:
        raise BadKeys("it holds no RSA key and none of the curve P-384")
    if len({one.kid for one in found}) < len(found):
        raise BadKeys("two of its keys have the same kid")
    return jwk.KeySet(found)


def _key(one: dict[str, Any]) -> jwk.Key:
    if SECRET_MEMBERS & set(one):
        raise BadKeys("it holds a secret key; the client keeps that, and gives the public one")
    if not isinstance(one.get("kid"), str) or not one["kid"]:
        raise BadKeys("a key in it has no kid")
    if one["kty"] == "RSA" and len(str(one.get("n", ""))) * 6 < SMALLEST_RSA:
        raise BadKeys(f"an RSA key in it is shorter than {SMALLEST_RSA} bits")
    try:
        key = jwk.import_key(one)
    except (JoseError, ValueError, TypeError, KeyError):
        raise BadKeys("a key in it cannot be read") from None
    if one["kty"] == "EC" and one.get("crv") != "P-384":
        raise BadKeys("a key in it is of another curve than P-384, which ES384 needs")
    return key


def proven(raw: str, clients: Mapping[str, Client], audience: str, now: datetime) -> tuple[Client, Assertion]:
    """The client that an assertion proves, and what is written down of it. NotAClient where anything does not hold; BadKeys
    where the keys of its client cannot be read now. `audience` is our own token URL."""
    client = clients.get(_said_issuer(raw))
    if client is None:
        raise NotAClient("unknown_client")
    keys = read_keys(Path(client.jwks_file))
    try:
        claims = jwt.decode(raw, lambda shown: _chosen(keys, shown.headers()), registry=_REGISTRY).claims
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):  # a token that is none, in one of many ways
        raise NotAClient("bad_signature") from None
    return client, _checked(claims, client, audience, now)


def _said_issuer(raw: str) -> str:
    """Whose the assertion says it is; empty where it is none. Believed by nobody: it chooses the keys that are tried."""
    try:
        claims = json.loads(jws.extract_compact(raw.encode("ascii"), registry=_REGISTRY).payload)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        return ""
    said = claims.get("iss") if isinstance(claims, dict) else None
    return said if isinstance(said, str) else ""


def _chosen(keys: jwk.KeySet, header: Mapping[str, Any]) -> jwk.Key:
    kid, algorithm = header.get("kid"), header.get("alg")
    if not isinstance(kid, str):
        raise ValueError("no kid")
    key = keys.get_by_kid(kid)
    if key.key_type != {"RS384": "RSA", "ES384": "EC"}.get(str(algorithm)):
        raise ValueError("a key of another kind")
    return key


def _checked(claims: Mapping[str, Any], client: Client, audience: str, now: datetime) -> Assertion:
    if claims.get("iss") != client.name or claims.get("sub") != client.name:
        raise NotAClient("other_subject", "iss and sub of the assertion have to be the client id, both")
    if claims.get("aud") not in (audience, [audience]):
        raise NotAClient("other_audience", f"aud of the assertion has to be {audience}")
    ends = _moment(claims, "exp")
    if ends is None or ends + LEEWAY <= now:
        raise NotAClient("expired", "exp of the assertion is missing or past")
    if ends > now + LONGEST + LEEWAY:
        raise NotAClient("too_long", f"exp of the assertion is more than {LONGEST.seconds} seconds from now")
    for name in ("nbf", "iat"):
        begins = _moment(claims, name) if name in claims else now
        if begins is None or begins > now + LEEWAY:
            raise NotAClient("not_yet", f"{name} of the assertion is no time that has come")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
        raise NotAClient("no_jti", f"jti of the assertion has to be a text of at most {LONGEST_JTI} characters")
    digest = hashlib.sha256(f"{client.name}\0{jti}".encode("utf-8", "surrogatepass")).digest()
    return Assertion(client=client.name, digest=digest, until=ends + LEEWAY)


def _moment(claims: Mapping[str, Any], name: str) -> datetime | None:
    """A NumericDate (RFC 7519) as a moment; None for anything else."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
