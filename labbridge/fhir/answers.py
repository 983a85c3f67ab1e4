"""What a FHIR server says of the resources that we write there, and what follows for each of them: how it is known, whether
the one that was found is ours, and what an update leaves as it was."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote

import msgspec

from labbridge.errors import Refuse
from labbridge.fhir import guard
from labbridge.fhir.outgoing import WITHDRAWN

OVER = frozenset("completed rejected failed cancelled entered-in-error".split())
"""A Task whose work has ended: nothing is asked of it any more."""
_LOCATION = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[^/]+)?/?(?:[?#].*)?")
_CODE = re.compile(r"[a-z-]{1,40}")
_EXPRESSION = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:\.[a-zA-Z0-9]+|\[\d+\])*")
LONGEST_EXPRESSION = 200

Resource = dict[str, Any]


class Unreadable(ValueError):
    """An answer that is not what it should be: nothing of it can be trusted."""


class Key(NamedTuple):
    """What one of ours is known by: the search parameter `identifier` or `_tag`, with system and value."""

    parameter: str
    system: str
    value: str

    @property
    def query(self) -> str:
        return f"{self.parameter}={quote(f'{self.system}|{self.value}', safe='')}"

    def borne_by(self, resource: Resource) -> bool:
        if self.parameter == "_tag":
            meta = resource.get("meta")
            tags = meta.get("tag") if isinstance(meta, dict) else None
            return (self.system, self.value) in _pairs(tags, "code")
        return (self.system, self.value) in _pairs(resource.get("identifier"), "value")


class Wanted(msgspec.Struct, frozen=True):
    """One resource to be written. `url`: its name within the Bundle. `updates`: a later one replaces it; else it is written
    once and stays."""

    kind: str
    url: str
    resource: Resource
    key: Key
    updates: bool

    @property
    def withdrawn(self) -> bool:
        """Nothing of it is to be seen at a receiver that never had it."""
        return self.kind in WITHDRAWN and self.resource.get("status") == WITHDRAWN[self.kind]


def wanted(raw: bytes) -> list[Wanted]:
    """The resources of a Bundle that was judged before it was stored, each after those it refers to. Unreadable where it is
    none: it was composed while the receiver was of another kind."""
    try:
        return [_wanted(entry) for entry in guard.load(raw)["entry"]]
    except (Refuse, LookupError, TypeError, ValueError) as fault:
        raise Unreadable("This is no Bundle that was composed for a FHIR server") from fault


def _wanted(entry: Resource) -> Wanted:
    request = entry["request"]
    kind, _mark, query = request["url"].partition("?")
    ((parameter, token),) = parse_qsl(query or request["ifNoneExist"])
    system, _bar, value = token.partition("|")
    return Wanted(kind, entry["fullUrl"], entry["resource"], Key(parameter, system, value), request["method"] == "PUT")


def linked(value: Any, ids: Mapping[str, str]) -> Any:
    """With each reference to one of ours as the receiver names it, as far as that is known."""
    if isinstance(value, dict):
        return {
            key: ids.get(one, one) if key == "reference" and isinstance(one, str) else linked(one, ids)
            for key, one in value.items()
        }
    return [linked(one, ids) for one in value] if isinstance(value, list) else value


# ---------------------------------------------------------------- what is read


def read(body: bytes) -> Resource:
    """The resource of an answer. Unreadable."""
    try:
        found = guard.load(body)
    except Refuse as fault:
        raise Unreadable("The answer is no resource of FHIR") from fault
    if not isinstance(found.get("resourceType"), str):
        raise Unreadable("The answer is no resource of FHIR")
    return found


def matches(body: bytes, kind: str, key: Key) -> list[Resource]:
    """Those of a search that are ours. A server may not know the parameter, and answer with what it likes. Unreadable where
    none of them is and there are more pages: it cannot be told whether ours is there."""
    bundle = read(body)
    entries = bundle.get("entry", [])
    if bundle["resourceType"] != "Bundle" or bundle.get("type") != "searchset" or not isinstance(entries, list):
        raise Unreadable("The answer to a search is no searchset")
    resources = [one.get("resource") for one in entries if isinstance(one, dict)]
    found = [one for one in resources if isinstance(one, dict) and one.get("resourceType") == kind]
    ours = [one for one in found if key.borne_by(one)]
    links = bundle.get("link", [])
    more = any(isinstance(one, dict) and one.get("relation") == "next" for one in links if isinstance(links, list))
    if not ours and more:
        raise Unreadable("The server does not search by what our resources are known by")
    return ours


def id_of(resource: Resource) -> str:
    """Its logical id; empty where it has none that is one."""
    found = resource.get("id")
    return found if isinstance(found, str) and re.fullmatch(r"[A-Za-z0-9.-]{1,64}", found) else ""


def version_of(resource: Resource) -> str:
    """The version a found resource has, as an entity tag; empty where the server does not say."""
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    return f'W/"{version}"' if isinstance(version, str) and re.fullmatch(r"[A-Za-z0-9.-]{1,64}", version) else ""


def located(location: str, kind: str) -> str:
    """The logical id in a Location, absolute or relative, with or without a version; empty where it names none of this
    type. The server it names is not looked at: the resource is where it was sent."""
    found = _LOCATION.fullmatch(location.strip())
    return found[2] if found is not None and found[1] == kind else ""


def same(theirs: Resource, ours: Resource) -> bool:
    """Whether all that we would write is there already."""
    mine = dict(theirs)
    return all(mine.get(name) == one for name, one in ours.items() if name != "meta")


def took(before: Resource, after: Resource, ours: Resource) -> bool:
    """Whether an update was made, read back: it is another version or all that was written; of a server without versions,
    that keeps things in its own way, what a person reads is as it was written."""
    shown = ("status", "valueString", "conclusion")
    return after != before or all(after.get(name) == ours.get(name) for name in shown)


def updated(theirs: Resource, ours: Resource) -> Resource:
    """What replaces a resource that was found. What others have done about a Task is theirs: its status once they took it
    up, who does it, and what came of it; it is only called off, and only while it is not over."""
    found = {**ours, "id": theirs["id"]}
    if ours["resourceType"] != "Task":
        return found
    status = theirs.get("status")
    if status in OVER or (ours["status"] == "requested" and status not in (None, "draft", "requested")):
        found["status"] = status
    return {**{name: one for name, one in theirs.items() if name not in ("meta", "text")}, **found}


def refusal(body: bytes) -> tuple[str, str]:
    """Type and place of the first issue of an OperationOutcome, each as far as it has the form of one; empty where there is
    none. Its words may name anybody, and are not read."""
    try:
        found = read(body)
    except Unreadable:
        return "", ""
    for issue in found.get("issue", ()) if found["resourceType"] == "OperationOutcome" else ():
        if isinstance(issue, dict) and issue.get("severity") != "information":
            places = [*_texts(issue.get("expression")), *_texts(issue.get("location"))]
            place = next((one for one in places if len(one) <= LONGEST_EXPRESSION and _EXPRESSION.fullmatch(one)), "")
            code = str(issue.get("code", ""))
            return code if _CODE.fullmatch(code) else "", place
    return "", ""


def _texts(value: Any) -> Iterator[str]:
    yield from (one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _pairs(value: Any, name: str) -> set[tuple[Any, Any]]:
    found = value if isinstance(value, list) else []
    return {
        (one.get("system"), one.get(name))
        for one in found
        if isinstance(one, dict) and isinstance(one.get("system"), str) and isinstance(one.get(name), str)
    }
