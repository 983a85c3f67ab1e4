"""The resources of a body and what refers to what: entries by their fullUrl and id, contained resources, logical
references."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import cached_property, lru_cache
from typing import TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import Raw

from labbridge.fhir import resources
from labbridge.fhir.faults import unfit
from labbridge.fhir.guard import BOM
from labbridge.fhir.resources import (
    NO_META,
    UNSENT,
    Bundle,
    Entry,
    Identifier,
    MessageHeader,
    Meta,
    Reference,
    Resource,
)
from labbridge.model.report import Identifier as Who

T = TypeVar("T")
_URN = "urn:uuid:"
_PLACE = re.compile(r" - at `\$([^`]*)`")
_TYPED = re.compile(
    r"(?:(?P<server>[A-Za-z]+://.*/)|.*/)?(?P<named>[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})(?:/_history/[^/]+)?"
)
_IDENTIFIED = re.compile(r"(?P<kind>[A-Z][A-Za-z]+)\?identifier=(?P<token>[^&]+)")


class Node(msgspec.Struct, frozen=True, eq=False):
    """A resource of the body: where it stands (a FHIRPath), its type, what is read of it (None for a type that is not read),
    the number of its entry (-1: it is the body itself, or contained), its fullUrl there, and its labels."""

    at: str
    kind: str
    resource: Resource | None
    entry: int = -1
    url: str = ""
    meta: Meta = NO_META


class Contents:
    """All of a body. `kind` is its resource type, `bundle` the Bundle it is, if it is one; `nodes` its resources in order,
    contained ones not among them."""

    def __init__(self, kind: str, bundle: Bundle | None, nodes: tuple[Node, ...], meta: Meta = NO_META) -> None:
        self.kind, self.bundle, self.nodes, self.meta = kind, bundle, nodes, meta
        self.patients: dict[str, tuple[Who, ...]] = {}  # whose.py notes here whom a reference names
        self._by_url: dict[str, Node] = {}
        self._by_name: dict[str, Node | None] = {}  # None: of two, it cannot be told which is meant
        self._anywhere: dict[str, Node] = {}  # by name, of those whose fullUrl names no server
        self._contained: dict[str, dict[str, Node]] = {}
        for node in nodes:
            self._register(node)

    def _register(self, node: Node) -> None:
        name = _name(node)
        server, end = _parts(node.url)
        self._by_url.setdefault(server + end, node)
        for one in {name, end} - {""}:
            other = self._by_name.setdefault(one, node)
            if other is not None and other.resource != node.resource:
                self._by_name[one] = None
        if not server and name:
            self._anywhere.setdefault(name, node)

    def of(self, *kinds: str) -> Iterator[Node]:
        """The nodes of these types, in order."""
        return (node for node in self.nodes if node.kind in kinds)

    def resolve(self, node: Node, reference: Reference | None) -> Node | None:
        """What a reference of a node points to in this body (R4, Bundle, Resolving references); None where that is not here.
        A relative one is first of the node's own server; one that names another server is never of this one."""
        if reference is None or not reference.reference:
            return None
        sent = reference.reference
        if sent.startswith("#"):
            return self._within(node).get(sent[1:])
        server, name = _parts(sent)
        if server:
            return self._by_url.get(server + name) or self._anywhere.get(name)
        own = server_of(self._by_place.get(outer(node), node).url)
        return (self._by_url.get(own + name) if own else None) or self._by_name.get(name) or self._identified(sent)

    def _identified(self, name: str) -> Node | None:
        """A conditional reference (`Patient?identifier=system|value`) of a transaction."""
        found = _IDENTIFIED.fullmatch(name)
        return self._tokens.get((found["kind"], unquote(found["token"]))) if found is not None else None

    @cached_property
    def source(self) -> str:
        """The name of a message's source; empty for any other body."""
        header = next(self.of("MessageHeader"), None)
        return header.resource.source.name if header and isinstance(header.resource, MessageHeader) else ""

    @cached_property
    def _tokens(self) -> dict[tuple[str, str], Node | None]:
        """By type and identifier; None where two that differ have it."""
        found: dict[tuple[str, str], Node | None] = {}
        for node in self.nodes:
            for one in getattr(node.resource, "identifier", ()):
                other = found.setdefault((node.kind, token(one)), node)
                if other is not None and other.resource != node.resource:
                    found[node.kind, token(one)] = None
        return found

    @cached_property
    def _by_place(self) -> dict[str, Node]:
        return {node.at: node for node in self.nodes}

    def _within(self, node: Node) -> dict[str, Node]:
        """The contained resources of a node; those of a contained one are its container's."""
        place = outer(node)
        if place not in self._contained:
            self._contained[place] = dict(_contained(self._by_place.get(place, node)))
        return self._contained[place]


def read(raw: bytes, refused: Collection[int] = ()) -> Contents:
    """The resources of a body that was held against the models before. `refused`: entries that are not looked at. Unfit with
    the place where an element is not what its type says."""
    body = raw.removeprefix(BOM)
    head = _decoded(resources.head, body, "")
    kind = head.resource_type
    if kind != "Bundle":
        _head, resource = _decoded(resources.read, body, kind)
        return Contents(kind, None, (Node(kind, kind, resource),), head.meta)
    bundle = _decoded(resources.bundle, body, kind)
    nodes = (_node(number, entry) for number, entry in enumerate(bundle.entry) if number not in refused)
    return Contents(kind, bundle, tuple(node for node in nodes if node is not None), bundle.meta)


def _node(number: int, entry: Entry) -> Node | None:
    if entry.resource is UNSENT:
        return None
    at = f"Bundle.entry[{number}].resource"
    head, resource = _decoded(resources.read, entry.resource, at)
    return Node(at, head.resource_type, resource, number, entry.full_url, head.meta)


def _contained(holder: Node) -> Iterator[tuple[str, Node]]:
    for number, raw in enumerate(getattr(holder.resource, "contained", ())):
        at = f"{holder.at}.contained[{number}]"
        head, resource = _decoded(resources.read, raw, at)
        if head.id:
            yield head.id, Node(at, head.resource_type, resource)


def _decoded(decode: Callable[[bytes | Raw], T], raw: bytes | Raw, at: str) -> T:
    try:
        return decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        found = _PLACE.search(str(fault))
        place = f"{at}{found[1]}" if found else at
        raise unfit("processing", "The element has not the form of its type", place.lstrip(".")) from fault


def outer(node: Node) -> str:
    """The place of the resource that a contained one is in; of any other one its own."""
    return node.at.partition(".contained[")[0]


def _name(node: Node) -> str:
    """`Type/id`; empty without an id."""
    id = getattr(node.resource, "id", "")
    return f"{node.kind}/{id}" if id else ""


def server_of(reference: str) -> str:
    """The base of a reference or URL that names a server (`http://server/fhir/`); empty for any other."""
    return _parts(reference)[0]


def named(reference: str) -> str:
    """`Type/id` at the end of a reference or URL, without a version; the text itself where it has no such end."""
    return _parts(reference)[1]


@lru_cache(maxsize=4096)  # a body says the same few in every resource
def _parts(reference: str) -> tuple[str, str]:
    """Server and name of a reference or URL; those within a body (`urn:uuid:`) have neither."""
    found = None if reference.startswith(_URN) else _TYPED.fullmatch(reference)
    return (found["server"] or "", found["named"]) if found else ("", reference)


def token(identifier: Identifier) -> str:
    """An identifier as a search names it: `system|value`; `|value` without a system."""
    return f"{identifier.system}|{identifier.value}"
