"""What a page shows of the knowledge beside a case: the published pathway, for how long a test may be added on, and who
calls about critical results."""

from __future__ import annotations

from typing import Literal

import msgspec


class PathwayEdge(msgspec.Struct, frozen=True, kw_only=True):
    """An arrow to a node. `inferred`: it follows the article's text and was not read off the figure. `added`: ours."""

    node: str
    label: str = ""
    inferred: bool = False
    added: bool = False


class PathwayNode(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the pathway, with whose decision it is and its sources (citation ids). `added`: not in the figure."""

    id: str
    label: str
    decision: Literal["laboratory", "clinician"]
    added: bool = False
    edges: tuple[PathwayEdge, ...] = ()
    citations: tuple[str, ...] = ()


class AddOnWindow(msgspec.Struct, frozen=True, kw_only=True):
    """For how many days from collection a test of an analyte may be added on to a specimen, and how good that number is:
    its tag (CONVENTION, ...), source, and who reviewed it. `note` is what the policy says beside it."""

    analyte: str
    days: int
    tag: str
    source: str
    reviewed: tuple[str, ...] = ()
    note: str = ""


class Reference(msgspec.Struct, frozen=True):
    """Pathway and windows are in the order of their files. `critical_owner` (policy) is lis or labbridge. Empty where the
    knowledge cannot be read."""

    pathway: tuple[PathwayNode, ...] = ()
    windows: tuple[AddOnWindow, ...] = ()
    critical_owner: str = ""
