"""What a program may do, as SMART writes it (SMART App Launch 2, scopes for clinical data; Backend Services): `system/`, a
type of resource or `*`, and letters of `cruds`. Scopes of version 1 (`.read`, `.write`, `.*`) are taken and written anew.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

LETTERS = "cruds"  # create, read, update, delete, search: in this order, as the grammar has them
FIRST_VERSION = {"read": "rs", "write": "cud", "*": LETTERS}
ANY = "*"
EVERYTHING_SENT = frozenset({"system/*.cu"})
"""What the scope `ingest` of a token stands for: to write all that its feed takes, and to read nothing."""

_SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]{0,63})\.(read|write|\*|(?=.)c?r?u?d?s?)", re.ASCII)
_NARROWED = re.compile(r"system/[^ ?]{1,80}\?.*", re.DOTALL)


class NoScope(ValueError):
    """A scope that is none here; the text says what would be, and quotes nothing that is not a scope by its form."""


def read_scope(text: str) -> str:
    """One scope in the form of version 2. NoScope where it is none."""
    found = _SCOPE.fullmatch(text)
    if found is not None:
        kind, letters = found.groups()
        return _written(kind, FIRST_VERSION.get(letters, letters))
    if _NARROWED.fullmatch(text):
        raise NoScope("A scope is not narrowed by search parameters here; leave out what begins with ?")
    context = text.partition("/")[0]
    if context in ("patient", "user"):
        raise NoScope(f"{context}/ is of a person who signs in; a program has system/, as in system/Observation.rs")
    raise NoScope("Write system/, a type or *, and letters of cruds in this order, as in system/Observation.rs")


def read_scopes(text: str) -> frozenset[str]:
    """The scopes of a text, with spaces between, as OAuth 2 sends them. NoScope for none, and where one is none."""
    found = together(read_scope(one) for one in text.split())
    if not found:
        raise NoScope("Name the scopes, as in system/Observation.rs, with spaces between")
    return found


def may(scopes: Collection[str], kind: str, interaction: str) -> bool:
    """Whether these let a program do this (a letter of `cruds`) with resources of this type."""
    return any(interaction in letters for of, letters in _parts(scopes) if of in (ANY, kind))


def may_any(scopes: Collection[str], interactions: str) -> bool:
    """Whether these let a program do one of these with any type of resource."""
    return any(letter in letters for _of, letters in _parts(scopes) for letter in interactions)


def narrowed(requested: Collection[str], allowed: Collection[str]) -> frozenset[str]:
    """What is both asked for and allowed; empty where that is nothing."""
    return together(
        _written(*both) for one in _parts(requested) for other in _parts(allowed) if (both := _both(one, other))
    )


def together(scopes: Iterable[str]) -> frozenset[str]:
    """The same scopes, one for each type; a type that has no more than all types have is left out."""
    found: dict[str, set[str]] = {}
    for kind, letters in _parts(scopes):
        found.setdefault(kind, set()).update(letters)
    every = found.get(ANY, set())
    return frozenset(_written(kind, letters) for kind, letters in found.items() if kind == ANY or letters - every)


def _both(one: tuple[str, str], other: tuple[str, str]) -> tuple[str, set[str]] | None:
    (kind, letters), (of, allowed) = one, other
    left = set(letters) & set(allowed)
    if not left or (kind != of and ANY not in (kind, of)):
        return None
    return (of if kind == ANY else kind), left


def _parts(scopes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Type and letters of each; what is no such scope has none."""
    for one in scopes:
        context, _slash, rest = one.partition("/")
        kind, _point, letters = rest.partition(".")
        if context == "system" and kind and letters:
            yield kind, letters


def _written(kind: str, letters: Collection[str]) -> str:
    return f"system/{kind}.{''.join(one for one in LETTERS if one in letters)}"
