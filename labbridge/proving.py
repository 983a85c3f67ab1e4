"""The proof of other knowledge: what `labbridge check` runs over these texts, and that no row in force is another one under
the same version."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from labbridge.children import Aside
from labbridge.knowledge.documents import Fault, Source
from labbridge.knowledge.lock import raised_in_vain
from labbridge.model.items import Item

PROVEN_WITHIN_S = 120.0


class Proven(msgspec.Struct, frozen=True):
    """What the proof found; and, where that is nothing, those of the items that were asked for, as these texts have them."""

    faults: list[Fault]
    items: dict[str, Item] = {}


class Prover:
    """One proof at a time, in a process of its own."""

    def __init__(self) -> None:
        self._aside = Aside("proof", PROVEN_WITHIN_S)

    def prove(self, texts: Sequence[Source], before: Sequence[Source], items: Sequence[str] = ()) -> Proven:
        """Blocks. `before`: the texts in force. Refused where no answer came."""
        answer = self._aside.run(_proven, list(texts), list(before), list(items))
        return msgspec.msgpack.decode(answer, type=Proven)

    def stop(self) -> None:
        """A proof in hand is given up."""
        self._aside.stop()


def prove(texts: Sequence[Source], before: Sequence[Source]) -> list[Fault]:
    """Everything `labbridge check` finds in these texts, and rows in force that say something else under their version."""
    from labbridge.checking import check_texts

    return check_texts(texts)[0] or raised_in_vain(texts, before)


def proven(texts: Sequence[Source], before: Sequence[Source], wanted: Sequence[str] = ()) -> Proven:
    """The same as Prover.prove, within this process."""
    from labbridge.knowledge.items import items

    faults = prove(texts, before)
    if faults or not wanted:
        return Proven(faults)
    found = items(texts)
    return Proven([], {key: found[key] for key in wanted if key in found})


def _proven(texts: list[Source], before: list[Source], wanted: list[str]) -> bytes:
    return msgspec.msgpack.encode(proven(texts, before, wanted))
