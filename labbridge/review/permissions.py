"""Who may do what (standards.md R29). Nothing is allowed that is not listed; whoever runs the machine signs no result."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from labbridge.errors import Refused
from labbridge.model.people import EVERY_FEED, Person, Right, Role

READS = frozenset({Right.SEE_CASES, Right.SEE_STATUS, Right.SEE_KNOWLEDGE})
DECIDES = READS | {Right.DECIDE, Right.SIGN, Right.SEE_MESSAGES, Right.EXPORT, Right.SUSPEND}

RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: READS,
    Role.SCIENTIST: DECIDES,
    Role.SENIOR: DECIDES | {Right.SECOND_READ, Right.OPEN_RAW, Right.REPAIR},
    Role.AUTHOR: READS | {Right.AUTHOR_KNOWLEDGE, Right.TRY_KNOWLEDGE},
    Role.APPROVER: READS | {Right.APPROVE_KNOWLEDGE, Right.TRY_KNOWLEDGE, Right.SUSPEND, Right.RESUME},
    Role.INTEGRATOR: frozenset({Right.SEE_STATUS, Right.SUSPEND, Right.SEE_MESSAGES, Right.OPEN_RAW, Right.REPAIR}),
    Role.ADMIN: frozenset({Right.SEE_STATUS, Right.MANAGE_PEOPLE}),
    Role.AUDITOR: READS | {Right.SEE_MESSAGES, Right.READ_AUDIT, Right.EXPORT},
}
SIGNS = frozenset({Role.SCIENTIST, Role.SENIOR})
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")


def rights(person: Person) -> frozenset[Right]:
    """All that a person's roles allow together."""
    if person.disabled:
        return frozenset()
    return frozenset(right for role in person.roles for right in RIGHTS[role])


def sees(person: Person, feed: str) -> bool:
    """Whether what came by a feed is of a site the person belongs to."""
    return EVERY_FEED in person.feeds or feed in person.feeds


def check_account(login: str, name: str, roles: Iterable[str]) -> frozenset[Role]:
    """The roles of an account to be made or changed. Refused for a login that is none, for roles that do not go together,
    and for a name that could not stand beside a signature."""
    if not _LOGIN.fullmatch(login):
        raise Refused(f"{login!r} is no login: 2 to 40 small letters, digits, dots, dashes, underscores")
    if not name.strip() or not name.isprintable() or len(name) > 80:
        raise Refused(
            "An account needs the person's name as it stands beside a signature: at most 80 printable characters"
        )
    known = set(Role)
    unknown = sorted(set(roles) - known)
    if unknown:
        raise Refused(f"There is no role {', '.join(unknown)}; there are {', '.join(Role)}")
    found = frozenset(Role(one) for one in roles)
    if not found:
        raise Refused(f"An account needs a role: {', '.join(Role)}")
    if Role.ADMIN in found and found & SIGNS:
        raise Refused("Who manages accounts signs no results: give admin and scientist or senior to two people")
    return found
