"""What rows may ask and name: a rule or a text that names an unknown fact, value or slot would be silent for ever."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from labbridge.interpret.facts import REGISTRY, FactValue
from labbridge.interpret.pathway import AT, domains
from labbridge.interpret.slots import ASKED, SLOTS
from labbridge.knowledge.decisions import Alternative, CommentRow, Decisions, Rule
from labbridge.knowledge.documents import Fault
from labbridge.knowledge.pathway import Node
from labbridge.knowledge.probabilities import Probabilities

_SLOT = re.compile(r"\{([A-Za-z_0-9]+)\}")


def check_vocabulary(decisions: Decisions) -> list[Fault]:
    """Every fact, value and slot of rules and comments that does not exist, with its row."""
    faults = [
        decisions.fault(rule.id, f"{rule.id}: {message}", repair)
        for rule in decisions.rules
        for message, repair in _of(rule)
    ]
    for name, comment in decisions.texts():
        found = (pair for alternative in _alternatives(comment) for pair in _of_text(alternative))
        faults += [decisions.fault(name, f"{name}: {message}", repair) for message, repair in found]
    pathway = decisions.pathway
    for node in pathway.nodes.values():
        faults += [pathway.fault(node.id, message, repair) for message, repair in _of_node(node, domains(pathway))]
    return faults


def check_figures(probabilities: Probabilities) -> list[Fault]:
    """Every fact and value that a figure of probabilities.yaml asks for and that does not exist, with its row."""
    domains = {name: fact.domain for name, fact in REGISTRY.items()}
    return [
        probabilities.fault(id, message, repair)
        for id, when in probabilities.conditions()
        for message, repair in _unknown(when, domains)
    ]


def _alternatives(comment: CommentRow) -> Iterator[Alternative]:
    for part in comment.parts:
        yield from part
    yield from comment.addendum


def _of(rule: Rule) -> Iterator[tuple[str, str]]:
    domains = {name: fact.domain for name, fact in REGISTRY.items()}
    yield from _unknown(rule.when, domains)


def _of_text(alternative: Alternative) -> Iterator[tuple[str, str]]:
    domains = {name: fact.domain for name, fact in REGISTRY.items()}
    domains |= {name: asking.domain for name, asking in ASKED.items()}
    yield from _unknown(alternative.when, domains)
    for slot in _SLOT.findall(alternative.text):
        if slot not in SLOTS:
            yield f"slot {{{slot}}} is not known.", f"Use one of {', '.join(SLOTS)}."


def _of_node(node: Node, asked: Mapping[str, Iterable[FactValue]]) -> Iterator[tuple[str, str]]:
    """Whether a case has reached a node cannot depend on the node it stands on."""
    before = {name: values for name, values in asked.items() if name != AT}
    for when in node.reached_when:
        yield from _unknown(when, before)
    for when in (*node.open_when, *node.shown_when, *(one.when for one in node.says)):
        yield from _unknown(when, asked)


def _unknown(
    when: Mapping[str, FactValue | tuple[FactValue, ...]], domains: Mapping[str, Iterable[FactValue]]
) -> Iterator[tuple[str, str]]:
    for name, values in when.items():
        if name not in domains:
            yield f"fact {name} is not known.", "Use a name of docs/reference/facts.md."
            continue
        domain = tuple(domains[name])
        for value in values if isinstance(values, tuple) else (values,):
            if not any(value is one or (value == one and type(value) is type(one)) for one in domain):
                yield f"{name} is never {value}.", f"Use one of {', '.join(map(str, domain))}."
