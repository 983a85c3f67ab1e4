"""A laboratory that releases by rule: its site has a release row, everything is approved, and persons have signed such
comments before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from story_parts import BLOT, CK, CLIA, SITE, Laboratory, obx, order, oru

from labbridge.approving import Approving
from labbridge.automatic import Automatic
from labbridge.interpret import Interpreter
from labbridge.knowledge.documents import Source
from labbridge.knowledge.items import items
from labbridge.model.release import Judged, Refusal
from labbridge.normalise import Normaliser
from labbridge.review import releasing
from labbridge.sources import read_all, understood
from labbridge.store import releases
from labbridge.suspending import Suspending

ROW = """\
- id: both-negative
  version: 1
  feed: myolis
  comments: [C07]
  analytes: [SRP, HMGCR, CK]
  methods: [line_blot, clia, enzymatic]
  why: both antibodies negative, CK within limits
  source: the director's decision of 2 November
"""
POLICY = """\
- {id: release_qc_unknown, value: "yes", tag: CONVENTION, source: the director}
- {id: release_lot_unknown, value: "yes", tag: CONVENTION, source: the director}
- {id: release_reviewed_least, value: 2, unit: cases, tag: CONVENTION, source: a test}
- {id: release_sample, value: 0, unit: "%", tag: CONVENTION, source: a test}
"""
NEGATIVE = (obx(BLOT, "3"), obx(CLIA, "5"), obx(CK, "100"))


def negative(number: int, *more: str, patient: str = "") -> bytes:
    """Both antibodies negative, with CK within limits: comment C07."""
    return oru(f"N{number}", order(f"FN{number}", *(more or NEGATIVE)), patient=patient or f"PN{number}")


@lru_cache(maxsize=8)
def knowledge_of(row: str, policy: str) -> tuple[tuple[Source, ...], Any, Any]:
    texts = (*read_all(SITE), Source("release.yaml", row, True), Source("policy.yaml", policy, True))
    return texts, understood(texts), items(texts)


class Office:
    """The laboratory, whoever signs there, and release by rule beside it."""

    def __init__(self, lab: Laboratory, switch: Path) -> None:
        self.lab, self.switch = lab, switch
        self.suspending = Suspending(lab.desk.releases, lab.clock)
        self.automatic = Automatic(
            lab.desk,
            lab.desk.releases,
            switch=switch,
            letterhead=lambda _feed: lab.letterhead,
            judge=lab.judge,
            clock=lab.clock,
            idle=timedelta(minutes=15),
        )
        self.knows()

    def knows(self, row: str = ROW, policy: str = POLICY, *, approved: str = "*") -> None:
        """The site as it is from now on; what these patterns name is approved by two persons."""
        texts, knowledge, found = knowledge_of(row, policy)
        self.lab.reader = msgspec.structs.replace(
            self.lab.reader, normalise=Normaliser(knowledge), interpret=Interpreter(knowledge)
        )
        self.automatic.taken(texts)
        approving = Approving(lambda: found, self.lab.desk.approvals, None, self.lab.clock)
        own = [key for key, one in found.items() if one.site]
        approving.perform(own, "Anna", {"act": "put_forward", "why": "ours"})
        if approved:
            approving.perform([approved], "Bert", {"act": "approve"})

    async def reviewed(self, agreed: int = 2, otherwise: int = 0) -> None:
        """A person signed one such comment, and so many drafts of the kind were decided before."""
        await self.lab.take(negative(1))
        self.lab.release("C1@1")
        told = [True] * (agreed - 1) + [False] * otherwise
        what = [Judged(feed="myolis", comment_class="C07", agreed=one) for one in told]

        def job(connection: Any) -> None:
            for number, one in enumerate(what, 1000):
                releases.judged(connection, (number, 1), one, self.lab.clock.now())

        self.lab.writer.submit(job).result()

    def look(self) -> int:
        return self.automatic.look()

    def why(self, case: int, version: int = 1) -> Sequence[Refusal]:
        """Why a version stayed a person's; fails where nobody looked at it."""
        found = releases.of_case(self.lab.rows, case, version)
        assert found is not None
        return found.refusals


__all__ = ["NEGATIVE", "POLICY", "ROW", "Office", "negative", "releasing"]
