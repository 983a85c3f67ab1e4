"""pathway.yaml: the source paper's figure 4 as nodes and edges, whose decision each node is, and when a case has come there.

What the facts and values of its conditions may be is checked beside those of rules, in interpret/vocabulary.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from labbridge.knowledge.documents import Fault, Source, by_key, read_records

FILE = "pathway.yaml"
Wanted = str | bool | tuple[str | bool, ...]
Conditions = dict[str, Wanted]
Decision = Literal["laboratory", "clinician"]
_DOSE = re.compile(r"\d\s*(?:mg|g|µg|mcg|ug|kg|ml|iu|units?)\b", re.IGNORECASE)


class Say(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sentence about a case, where its facts hold."""

    when: Conditions = {}
    text: str


class Edge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An arrow to a node. `inferred`: it follows the article's text and was not read off the figure. `added`: ours."""

    node: str
    inferred: bool
    label: str = ""
    added: bool = False


class Node(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node of the figure (`added`: one of ours). `service` is what labbridge does here; empty: it is shown only.

    A case has reached a node when any map of `reached_when` holds, and stands on the last it has reached; somebody has to
    do or decide something at a node when any of `open_when` holds. `shown_when` (empty: always) keeps a node out of the
    strategy that is shown for a case. Source: `citations`.
    """

    id: str
    version: int
    label: str
    kind: Literal["question", "step", "end"]
    decision: Decision
    service: str = ""
    added: bool = False
    reached_when: tuple[Conditions, ...] = ()
    open_when: tuple[Conditions, ...] = ()
    shown_when: tuple[Conditions, ...] = ()
    says: tuple[Say, ...] = ()
    edges: tuple[Edge, ...] = ()
    citations: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that a reader may see."""
        return (self.label, self.service, *(one.text for one in self.says), *(one.label for one in self.edges))


class Pathway(msgspec.Struct, frozen=True):
    """The nodes by id, in the order of the file; `places`: file and line of each."""

    nodes: dict[str, Node] = {}
    places: dict[str, tuple[str, int]] = {}

    def fault(self, id: str, message: str, repair: str) -> Fault:
        """A fault of this node, at the place where it stands."""
        file, line = self.places.get(id, (FILE, 1))
        return Fault(file, line, f"{id}: {message}", repair)


def read_pathway(sources: Sequence[Source], faults: list[Fault]) -> Pathway:
    """The pathway of these files; a site's nodes replace ours by id and keep our place in the order."""
    rows = list(read_records(sources, FILE, Node, faults))
    nodes = by_key(((row, node.id, node) for row, node in rows), faults)
    return Pathway(nodes, {node.id: (row.file, row.line) for row, node in rows})


def check_pathway(pathway: Pathway, citations: Iterable[str]) -> list[Fault]:
    """Edges that lead nowhere, nodes that no edge leads to, sources that are not listed, and any dose."""
    listed, found = frozenset(citations), reachable(pathway.nodes)
    return [
        pathway.fault(node.id, message, repair)
        for node in pathway.nodes.values()
        for message, repair in (*_edges(node, pathway.nodes), *_texts(node, listed), *_alone(node, found))
    ]


def reachable(nodes: Mapping[str, Node]) -> frozenset[str]:
    """The first node, where every case begins, and all that its edges lead to."""
    found: set[str] = set()
    waiting = list(nodes)[:1]
    while waiting:
        id = waiting.pop()
        if id in nodes and id not in found:
            found.add(id)
            waiting += [edge.node for edge in nodes[id].edges]
    return frozenset(found)


def _edges(node: Node, nodes: Mapping[str, Node]) -> Iterator[tuple[str, str]]:
    ends = [edge.node for edge in node.edges]
    for end in dict.fromkeys(ends):
        if end not in nodes:
            yield f"an edge leads to {end}, which is no node.", f"Use one of {', '.join(nodes)}."
        if ends.count(end) > 1:
            yield f"two edges lead to {end}.", "Keep one of the two."
        if end == node.id:
            yield "an edge leads back to the node itself.", "Name the node that follows."
    if ends and node.kind == "end":
        yield "an end has an edge.", "Use `kind: step`, or leave the edge out."


def _texts(node: Node, listed: frozenset[str]) -> Iterator[tuple[str, str]]:
    if not node.label.strip():
        yield "the label is empty.", "Write what the node is, in a few words."
    if any(_DOSE.search(text) for text in node.texts):
        yield "a dose has no place here.", "Leave the dose out: the strategy is shown without."
    if not node.citations:
        yield "it cites nothing.", "Add citations: [...]"
    for id in node.citations:
        if id not in listed:
            yield f"citation {id} is not listed.", "Add it to citations.yaml."


def _alone(node: Node, found: frozenset[str]) -> Iterator[tuple[str, str]]:
    if node.id not in found:
        yield "no edge leads here.", "Add an edge to it, or take it out."
