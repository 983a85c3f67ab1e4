"""What a page shows of the knowledge beside a case: the published pathway, for how long a test may be added on, who calls
about critical results, and the rules in words."""

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


class RuleText(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as its reader is told of it. `when`: each fact with the values that meet it; `on`: what has to be found of a
    result, of these `analytes` (empty: any). `flags`, `retests` (analytes) and `comments` (classes) are what it says;
    `reviewed`: the laboratory directors who signed it."""

    id: str
    version: int
    why: str
    when: dict[str, tuple[str | bool, ...]] = {}
    on: str = ""
    analytes: tuple[str, ...] = ()
    about: str = ""
    flags: tuple[str, ...] = ()
    retests: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    citations: tuple[str, ...] = ()
    reviewed: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    known_gaps: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.id}@{self.version}"


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """A source in full, as far as it is written down. `read`: what of it was read, `on`: when."""

    id: str
    authors: str = ""
    title: str = ""
    where: str = msgspec.field(name="in", default="")
    year: str = ""
    doi: str = ""
    pmid: str = ""
    read: str = ""
    on: str = ""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one knowledge, by id, and its citations, by id. `version` is the knowledge's."""

    version: str
    rules: dict[str, RuleText] = {}
    citations: dict[str, Citation] = {}
