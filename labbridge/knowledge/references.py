"""What the rows refer to must be there: flags, retest lists, comment classes, citations, policy numbers, slot tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.decisions import Rule
from labbridge.knowledge.documents import Fault, Source

RAISED_ONLY = ("any", "other_method", "discordant", "exhausted")


def check_references(knowledge: Knowledge, sources: Sequence[Source]) -> list[Fault]:
    """Every reference that leads nowhere, with the file and line of its row."""
    places = _places(sources)
    faults: list[Fault] = []
    for rule in knowledge.decisions.rules:
        file, line = places.get(rule.id, ("rules", 1))
        faults += [Fault(file, line, message, repair) for message, repair in _rule(rule, knowledge)]
    for comment in knowledge.decisions.comments.values():
        file, line = places.get(comment.id, ("comments/en.yaml", 1))
        missing = [id for id in comment.citations if id not in knowledge.decisions.citations]
        faults += [Fault(file, line, f"Citation {id} is not listed.", "Add it to citations.yaml.") for id in missing]
    return faults


def _rule(rule: Rule, knowledge: Knowledge) -> Iterator[tuple[str, str]]:
    decisions = knowledge.decisions
    for entry in rule.then.flags:
        for code in entry:
            if code not in decisions.flags:
                yield f"Flag {code} is not listed.", "Use an id of flags.yaml."
    for action in rule.then.retest:
        if isinstance(action.by, str) and action.by not in RAISED_ONLY:
            yield f"`by: {action.by}` is no list.", f"Use one of {', '.join(RAISED_ONLY)} or a list of families."
        if action.reason not in decisions.flags:
            yield f"Reason {action.reason} is no flag.", "Use an id of flags.yaml."
    if rule.then.comment and rule.then.comment not in decisions.comments:
        yield f"Comment {rule.then.comment} has no text.", "Add it to comments/en.yaml."
    if not rule.citations:
        yield f"Rule {rule.id} cites nothing.", "Add citations: [...]"
    for id in rule.citations:
        if id not in decisions.citations:
            yield f"Citation {id} is not listed.", "Add it to citations.yaml."
    if rule.on and rule.on not in decisions.flags:
        yield f"`on: {rule.on}` is no flag.", "Use an id of flags.yaml."


def _places(sources: Sequence[Source]) -> dict[str, tuple[str, int]]:
    """Where each id of rules and comments begins."""
    found = {}
    for source in sources:
        if source.name.startswith(("rules/", "comments/")):
            for number, line in enumerate(source.text.split("\n"), 1):
                if line.startswith("- id: "):
                    found[line[6:].strip()] = (source.name, number)
    return found
