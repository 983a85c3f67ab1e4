"""The published pathway as a drawing, and where a case stands on it. Places are computed here: the page only prints them.

Nodes stand in layers, each below all that lead to it. An arrow over several layers keeps a place free in each of them.
All lengths are in the units of the drawing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

import msgspec

from labbridge.model.outcome import Standing
from labbridge.model.reference import PathwayEdge, PathwayNode

WIDTH, GAP, LANE = 196, 18, 26  # of a node, between two, of a place kept free for an arrow
LINE, PAD, BETWEEN = 15, 26, 34  # height of a line of text, of a node without its text, between two layers
LETTERS, LINES = 28, 4  # of a label, in a line and lines at most
SWEEPS = 6  # times the layers are put in order, so that arrows cross less

PRESENT, REACHED, OPEN, AHEAD = "present", "reached", "open", "ahead"


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A node in its place. `state` is `present`, `reached`, `open` or `ahead`: where the case stands comes before what is
    open there. `open` says also of another state that something is to be done or decided here."""

    node: PathwayNode
    x: int
    y: int
    height: int
    lines: tuple[str, ...]
    state: str
    open: bool
    width: int = WIDTH

    @property
    def middle(self) -> int:
        return self.x + WIDTH // 2


class Arrow(msgspec.Struct, frozen=True, kw_only=True):
    """An arrow between two nodes. `points` are its corners as SVG writes them, `x` and `y` where its label stands.
    `taken`: the case has reached both ends."""

    edge: PathwayEdge
    source: str
    points: str
    x: int
    y: int
    taken: bool


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """`boxes` stand in the order of the pathway, `says` are the sentences of the case's standing. Of no size where there is
    no pathway."""

    width: int = 0
    height: int = 0
    boxes: tuple[Box, ...] = ()
    arrows: tuple[Arrow, ...] = ()
    says: tuple[str, ...] = ()

    @property
    def present(self) -> Box | None:
        return next((one for one in self.boxes if one.state == PRESENT), None)


def said(nodes: Iterable[PathwayNode], say: Callable[[str], str]) -> tuple[PathwayNode, ...]:
    """The same nodes with their labels, and those of their arrows, in the reader's language: words are laid out as read."""
    replace = msgspec.structs.replace
    return tuple(
        replace(one, label=say(one.label), edges=tuple(replace(edge, label=say(edge.label)) for edge in one.edges))
        for one in nodes
    )


@lru_cache(maxsize=256)
def drawing(nodes: tuple[PathwayNode, ...], standing: Standing) -> Drawing:
    """The pathway with the place of a case on it: many cases stand on the same."""
    if not nodes:
        return Drawing(says=standing.says)
    known = {one.id: one for one in nodes}
    layer = layers(nodes)
    chains = [
        (one, edge, _chain(one.id, edge.node, layer)) for one in nodes for edge in one.edges if edge.node in known
    ]
    rows = _rows(nodes, layer, [chain for _one, _edge, chain in chains])
    lines = {one.id: _wrapped(one.label) for one in nodes}
    tops, heights = _tops(rows, lines)
    left, width = _lefts(rows)
    boxes = tuple(_box(one, (left[one.id], tops[layer[one.id]]), lines[one.id], standing) for one in nodes)
    by_id = {one.node.id: one for one in boxes}
    reached = {*standing.reached, standing.at}
    arrows = tuple(
        _arrow(edge, chain, (by_id, left, tops, heights, layer), taken=one.id in reached and edge.node in reached)
        for one, edge, chain in chains
    )
    return Drawing(width=width, height=tops[-1] + heights[-1] + 2, boxes=boxes, arrows=arrows, says=standing.says)


# ---------------------------------------------------------------- layers


def layers(nodes: Iterable[PathwayNode]) -> dict[str, int]:
    """The layer of each node: one below the lowest that leads to it. An arrow back into the way to a node is not counted."""
    after = {one.id: [edge.node for edge in one.edges] for one in nodes}
    order: list[str] = []
    entered: set[str] = set()
    back: set[tuple[str, str]] = set()
    for start in after:
        _visit(start, after, entered, order, back)
    found = dict.fromkeys(after, 0)
    for id in reversed(order):
        for end in after[id]:
            if end in found and (id, end) not in back:
                found[end] = max(found[end], found[id] + 1)
    return found


def _visit(
    start: str, after: Mapping[str, list[str]], entered: set[str], order: list[str], back: set[tuple[str, str]]
) -> None:
    """Into `order` what lies behind a node, before the node itself; into `back` arrows to a node on the way there."""
    if start in entered:
        return
    entered.add(start)
    way = [(start, iter(after[start]))]
    while way:
        id, ends = way[-1]
        end = next(ends, None)
        if end is None:
            order.append(id)
            way.pop()
        elif end in entered:
            if any(end == one for one, _rest in way):
                back.add((id, end))
        elif end in after:
            entered.add(end)
            way.append((end, iter(after[end])))


def _chain(source: str, end: str, layer: Mapping[str, int]) -> tuple[str, ...]:
    """An arrow's stations: its ends, and a name of its own in each layer between."""
    between = range(layer[source] + 1, layer[end])
    return (source, *(f"{source}>{end}@{number}" for number in between), end)


def _rows(nodes: Sequence[PathwayNode], layer: Mapping[str, int], chains: Iterable[tuple[str, ...]]) -> list[list[str]]:
    """What stands in each layer, in an order in which few arrows cross: each beside what it hangs on."""
    rows: list[list[str]] = [[] for _number in range(max(layer.values()) + 1)]
    for one in nodes:
        rows[layer[one.id]].append(one.id)
    near: dict[str, list[str]] = {}
    for chain in chains:
        for number, id in enumerate(chain[1:-1], layer[chain[0]] + 1):
            rows[number].append(id)
        for above, below in pairwise(chain):
            near.setdefault(above, []).append(below)
            near.setdefault(below, []).append(above)
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            at = _places(rows)
            row.sort(key=lambda id: sum(at[one] for one in near.get(id, [id])) / len(near.get(id, [id])))
    return rows


def _places(rows: Iterable[Sequence[str]]) -> dict[str, float]:
    """Where each stands in its row, from -1 to 1: rows of different lengths lie over each other in their middle."""
    return {id: (2 * place + 1 - len(row)) / max(len(row), 1) for row in rows for place, id in enumerate(row)}


# ---------------------------------------------------------------- places


def _wrapped(label: str) -> tuple[str, ...]:
    return tuple(textwrap.wrap(label, LETTERS, max_lines=LINES, placeholder=" …"))


def _tops(rows: Iterable[Sequence[str]], lines: Mapping[str, Sequence[str]]) -> tuple[list[int], list[int]]:
    """The upper edge and the height of each layer: its nodes are as high as the one with most to say."""
    tops, heights, top = [], [], 2
    for row in rows:
        height = PAD + LINE * max((len(lines[id]) for id in row if id in lines), default=1)
        tops.append(top)
        heights.append(height)
        top += height + BETWEEN
    return tops, heights


def _lefts(rows: Sequence[Sequence[str]]) -> tuple[dict[str, int], int]:
    """The left edge of each, every row in the middle; and the width of all."""
    widths = [sum(_wide(id) for id in row) + GAP * (len(row) - 1) for row in rows]
    whole, left = max(widths), dict[str, int]()
    for row, width in zip(rows, widths, strict=True):
        x = (whole - width) // 2 + 2
        for id in row:
            left[id] = x
            x += _wide(id) + GAP
    return left, whole + 4


def _wide(id: str) -> int:
    return LANE if "@" in id else WIDTH


def _box(node: PathwayNode, at: tuple[int, int], lines: tuple[str, ...], standing: Standing) -> Box:
    is_open = any(step.node == node.id for step in standing.open)
    reached = node.id in standing.reached
    state = PRESENT if node.id == standing.at else REACHED if reached else OPEN if is_open else AHEAD
    height = PAD + LINE * len(lines)
    return Box(node=node, x=at[0], y=at[1], height=height, lines=lines, state=state, open=is_open)


Places = tuple[Mapping[str, Box], Mapping[str, int], Sequence[int], Sequence[int], Mapping[str, int]]


def _arrow(edge: PathwayEdge, chain: Sequence[str], places: Places, *, taken: bool) -> Arrow:
    boxes, left, tops, heights, layer = places
    source, end = boxes[chain[0]], boxes[chain[-1]]
    corners = [(source.middle, source.y + source.height)]
    for number, id in enumerate(chain[1:-1], layer[chain[0]] + 1):
        middle = left[id] + LANE // 2
        corners += [(middle, tops[number]), (middle, tops[number] + heights[number])]
    corners.append((end.middle, end.y - 3))
    (x1, y1), (x2, y2) = corners[0], corners[1]
    return Arrow(
        edge=edge,
        source=chain[0],
        points=" ".join(f"{x},{y}" for x, y in corners),
        x=(x1 + x2) // 2,
        y=(y1 + y2) // 2 + 4,
        taken=taken,
    )
