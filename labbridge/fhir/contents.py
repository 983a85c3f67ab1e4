"""The resources of a body and what refers to what: entries by their fullUrl and id, contained resources, logical
references."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

import msgspec
from msgspec import Raw

from labbridge.fhir import resources
from labbridge.fhir.faults import unfit
from labbridge.fhir.guard import BOM
from labbridge.fhir.resources import NO_META, UNSENT, Bundle, Entry, Identifier, Meta, Reference, Resource

T = TypeVar("T")
_PLACE = re.compile(r" - at `\$([^`]*)`")
_TYPED = re.compile(r"(?:.*/)?(?P<named>[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})(?:/_history/[^/]+)?")
_IDENTIFIED = re.compile(r"(?P<kind>[A-Z][A-Za-z]+)\?identifier=(?P<token>[^&]+)")


class Node(msgspec.Struct, frozen=True, eq=False):
    """A resource of the body: where it stands (a FHIRPath), its type, what is read of it (None for a type that is not read),
    and the number of its entry (-1: it is the body itself, or contained)."""

    at: str
    kind: str
    resource: Resource | None
    entry: int = -1


class Contents:
    """All of a body. `kind` is its resource type, `bundle` the Bundle it is, if it is one; `nodes` its resources in order,
    contained ones not among them."""

    def __init__(self, kind: str, bundle: Bundle | None, nodes: tuple[Node, ...], meta: Meta = NO_META) -> None:
        self.kind, self.bundle, self.nodes, self.meta = kind, bundle, nodes, meta
        self._named: dict[str, Node] = {}
        self._contained: dict[str, dict[str, Node]] = {}
        for node in nodes:
            for name in _names(node, bundle):
                self._named.setdefault(name, node)

    def of(self, *kinds: str) -> Iterator[Node]:
        """The nodes of these types, in order."""
        return (node for node in self.nodes if node.kind in kinds)

    def resolve(self, node: Node, reference: Reference | None) -> Node | None:
        """What a reference of a node points to in this body; None where that is not here."""
        if reference is None or not reference.reference:
            return None
        name = reference.reference
        if name.startswith("#"):
            return self._within(node).get(name[1:])
        return self._named.get(name) or self._named.get(named(name)) or self._identified(name)

    def _identified(self, name: str) -> Node | None:
        """A conditional reference (`Patient?identifier=system|value`) of a transaction."""
        found = _IDENTIFIED.fullmatch(name)
        if found is None:
            return None
        for node in self.of(found["kind"]):
            if any(token(one) == found["token"] for one in getattr(node.resource, "identifier", ())):
                return node
        return None

    def _within(self, node: Node) -> dict[str, Node]:
        """The contained resources of a node; those of a contained one are its container's."""
        outer = node.at.partition(".contained[")[0]
        if outer not in self._contained:
            holder = next((one for one in self.nodes if one.at == outer), node)
            self._contained[outer] = dict(_contained(holder))
        return self._contained[outer]


def read(raw: bytes, refused: Collection[int] = ()) -> Contents:
    """The resources of a body that was held against the models before. `refused`: entries that are not looked at. Unfit with
    the place where an element is not what its type says."""
    body = raw.removeprefix(BOM)
    kind = _decoded(resources.head, body, "").resource_type
    if kind != "Bundle":
        _kind, resource = _decoded(resources.read, body, kind)
        return Contents(kind, None, (Node(kind, kind, resource),), _decoded(resources.head, body, "").meta)
    bundle = _decoded(resources.bundle, body, kind)
    nodes = (_node(number, entry) for number, entry in enumerate(bundle.entry) if number not in refused)
    return Contents(kind, bundle, tuple(node for node in nodes if node is not None), bundle.meta)


def _node(number: int, entry: Entry) -> Node | None:
    if entry.resource is UNSENT:
        return None
    at = f"Bundle.entry[{number}].resource"
    kind, resource = _decoded(resources.read, entry.resource, at)
    return Node(at, kind, resource, number)


def _contained(holder: Node) -> Iterator[tuple[str, Node]]:
    for number, raw in enumerate(getattr(holder.resource, "contained", ())):
        at = f"{holder.at}.contained[{number}]"
        kind, resource = _decoded(resources.read, raw, at)
        yield _decoded(resources.head, raw, at).id, Node(at, kind, resource)


def _decoded(decode: Callable[[bytes | Raw], T], raw: bytes | Raw, at: str) -> T:
    try:
        return decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        found = _PLACE.search(str(fault))
        place = f"{at}{found[1]}" if found else at
        raise unfit("processing", "The element has not the form of its type", place.lstrip(".")) from fault


def _names(node: Node, bundle: Bundle | None) -> Iterator[str]:
    """Under what an entry may be referred to: its fullUrl, and the end of that, or `Type/id`."""
    url = bundle.entry[node.entry].full_url if bundle is not None else ""
    if url:
        yield url
        yield named(url)
    id = getattr(node.resource, "id", "")
    if id:
        yield f"{node.kind}/{id}"


def named(reference: str) -> str:
    """`Type/id` at the end of a reference or URL, without a version; the text itself where it has no such end."""
    found = _TYPED.fullmatch(reference)
    return found["named"] if found else reference


def token(identifier: Identifier) -> str:
    """An identifier as a search names it: `system|value`; `|value` without a system."""
    return f"{identifier.system}|{identifier.value}"
