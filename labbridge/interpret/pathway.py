"""Where a case stands on the source paper's figure 4 (clinical.md A10): a pure function of its facts and of its retests.

What is found here stands beside findings and comment and changes neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from labbridge.interpret.facts import REGISTRY, TRUTH, FactValue
from labbridge.knowledge.pathway import Conditions, Node, Pathway
from labbridge.model.outcome import Retest, Standing, Step
from labbridge.model.result import Analyte

AT, RECOMMENDED = "at", "antibody_recommended"
REMEMBERED = 4096
_ANTIBODIES = (Analyte.SRP.value, Analyte.HMGCR.value)


class Walker:
    """Finds the standing of cases on one pathway. The facts it asks for have few values: most cases share theirs with one
    before, and their standing."""

    def __init__(self, pathway: Pathway) -> None:
        self._nodes = tuple(pathway.nodes.values())
        named = {name for node in self._nodes for when in _conditions(node) for name in when}
        self._names = tuple(name for name in REGISTRY if name in named)
        self._seen: dict[tuple[FactValue, ...], Standing] = {}

    def __call__(self, facts: Mapping[str, FactValue], retests: Iterable[Retest]) -> Standing:
        """The node a case stands on, those it has reached, and those where something is to be done or decided next."""
        asked = any(one.analyte in _ANTIBODIES for one in retests)
        key = (asked, *[facts[name] for name in self._names])
        found = self._seen.get(key)
        if found is None:
            if len(self._seen) >= REMEMBERED:
                self._seen.clear()
            found = self._seen[key] = standing(self._nodes, {**facts, RECOMMENDED: asked})
        return found


def standing(nodes: Sequence[Node], facts: Mapping[str, FactValue]) -> Standing:
    """The standing of a case with these facts, `antibody_recommended` among them."""
    reached = [node for node in nodes if _any(node.reached_when, facts)]
    if not reached:
        return Standing()
    at = reached[-1].id
    seen = {**facts, AT: at}
    return Standing(
        at=at,
        reached=tuple(node.id for node in reached),
        open=tuple(Step(node.id, node.decision) for node in nodes if _any(node.open_when, seen)),
        says=tuple(one.text for node in reached for one in node.says if _holds(one.when, seen)),
    )


def strategy(pathway: Pathway, found: Standing, facts: Mapping[str, FactValue]) -> tuple[Node, ...]:
    """The published strategy from here: the clinician's nodes that are open, and those that their edges lead to. For
    reading only: nothing in it is about this patient."""
    seen = {**facts, AT: found.at}
    waiting = [step.node for step in found.open]
    shown: set[str] = set()
    while waiting:
        node = pathway.nodes.get(waiting.pop())
        if node is None or node.id in shown or node.decision != "clinician":
            continue
        if node.shown_when and not _any(node.shown_when, seen):
            continue
        shown.add(node.id)
        waiting += [edge.node for edge in node.edges]
    return tuple(node for node in pathway.nodes.values() if node.id in shown)


def domains(pathway: Pathway) -> dict[str, tuple[FactValue, ...]]:
    """What conditions may ask, with the values: the facts of rules, whether an antibody test is recommended, and (but for
    `reached_when`) the node on which the case stands."""
    facts = {name: fact.domain for name, fact in REGISTRY.items()}
    return {**facts, RECOMMENDED: TRUTH, AT: tuple(pathway.nodes)}


def _conditions(node: Node) -> Iterator[Conditions]:
    yield from (*node.reached_when, *node.open_when, *(one.when for one in node.says))


def _any(alternatives: Iterable[Conditions], facts: Mapping[str, FactValue]) -> bool:
    return any(_holds(when, facts) for when in alternatives)


def _holds(when: Conditions, facts: Mapping[str, FactValue]) -> bool:
    for name, wanted in when.items():
        value = facts[name]
        if (value not in wanted) if isinstance(wanted, tuple) else (value != wanted):
            return False
    return True
