"""What a body says of its patient beside results (contract.md, How context reaches us): medicines, conditions, under the
codes of the ask-at-order-entry observations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from labbridge.fhir.contents import Node
from labbridge.fhir.observations import LOCAL, codings
from labbridge.fhir.resources import CodeableConcept, Condition, MedicationStatement
from labbridge.model.report import Observation, Timestamp
from labbridge.model.values import Coding, SentCoding, SentText, SentValue

TAKEN = {"active": "Y", "completed": "Y", "stopped": "Y", "on-hold": "Y", "not-taken": "N"}
"""What a MedicationStatement's status says of exposure, which is over or goes on (vignette V-S02: a statin that was stopped
months ago); any other one leaves it open, and is no fact here."""
REFUTED = "refuted"
OPEN = frozenset(("unconfirmed", "provisional", "differential", "entered-in-error"))
OWN = ("", LOCAL)  # the systems of the ask-at-order-entry codes; what any other system says is not of them

Time = Callable[[str], Timestamp | None]


def lines(nodes: Iterable[Node], local: frozenset[str], time: Time) -> Iterator[Observation]:
    """The facts among these resources, as the observations they would be on the other wire."""
    for node in nodes:
        if isinstance(node.resource, MedicationStatement):
            yield from _medicine(node, node.resource, local)
        elif isinstance(node.resource, Condition):
            yield from _condition(node, node.resource, local, time)


def _medicine(node: Node, sent: MedicationStatement, local: frozenset[str]) -> Iterator[Observation]:
    word = TAKEN.get(sent.status)
    if word is not None:
        yield from _fact(node, sent.medication_codeable_concept, SentText(word), local)


def _condition(node: Node, sent: Condition, local: frozenset[str], time: Time) -> Iterator[Observation]:
    """A condition is a fact where it holds; one that was refuted says that it does not. Where a second code stands beside it
    (KNOWN_MSA, then SRP), that is what is known."""
    codes = {one.code for one in sent.verification_status.coding} if sent.verification_status is not None else set()
    found = _own(sent.code, local)
    if not found or codes & OPEN:
        return
    refuted = REFUTED in codes
    if len(found) == 1:
        value: SentValue = SentText("N" if refuted else "Y")
    elif not refuted:
        value = SentCoding(found[1:])
    else:
        return
    since = time(sent.onset_date_time or sent.recorded_date)
    yield Observation(at=node.at, codes=found[:1], values=(value,), status="final", observed=since)


def _fact(
    node: Node, concept: CodeableConcept | None, value: SentValue, local: frozenset[str]
) -> Iterator[Observation]:
    found = _own(concept, local)
    if found:
        yield Observation(at=node.at, codes=found[:1], values=(value,), status="final")


def _own(concept: CodeableConcept | None, local: frozenset[str]) -> tuple[Coding, ...]:
    return tuple(one for one in codings(concept, local) if one.code and one.system in OWN)
