"""What the rows refer to must be there: flags, retest lists, comment classes, citations, policy numbers, slot tables."""

from __future__ import annotations

from collections.abc import Iterator

from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.decisions import BY_CK, FAMILIES, Decisions, FlagRow, RetestAction, Rule
from labbridge.knowledge.documents import Fault
from labbridge.knowledge.pathway import check_pathway
from labbridge.model.result import Analyte

RAISED_ONLY = ("any", "other_method", "discordant", "exhausted")


def check_references(knowledge: Knowledge) -> list[Fault]:
    """Every reference that leads nowhere, at the place of its row."""
    decisions = knowledge.decisions
    faults = [
        decisions.fault(rule.id, message, repair)
        for rule in decisions.rules
        for message, repair in _rule(rule, knowledge)
    ]
    for comment in decisions.comments.values():
        missing = [id for id in comment.citations if id not in decisions.citations]
        faults += [
            decisions.fault(comment.id, f"Citation {id} is not listed.", "Add it to citations.yaml.") for id in missing
        ]
    faults += [
        decisions.fault(flag.id, *fault) for flag in decisions.flags.values() for fault in _policies(flag, knowledge)
    ]
    return [*faults, *check_pathway(decisions.pathway, decisions.citations)]


def _rule(rule: Rule, knowledge: Knowledge) -> Iterator[tuple[str, str]]:
    decisions = knowledge.decisions
    for entry in rule.then.flags:
        for code, severity in entry.items():
            if code not in decisions.flags:
                yield f"Flag {code} is not listed.", "Use an id of flags.yaml."
            else:
                yield from _severity(decisions.flags[code], severity)
    for analyte in filter(None, (rule.about, *rule.analytes, *(action.analyte for action in rule.then.retest))):
        if analyte not in set(Analyte):
            yield f"{analyte} is no analyte.", f"Use one of {', '.join(Analyte)}."
    for action in rule.then.retest:
        for family in action.by if isinstance(action.by, tuple) else ():
            if family not in FAMILIES:
                yield f"{family} is no family.", f"Use one of {', '.join(FAMILIES)}."
        if isinstance(action.by, str) and action.by not in RAISED_ONLY:
            yield f"`by: {action.by}` is no list.", f"Use one of {', '.join(RAISED_ONLY)} or a list of families."
        if action.reason not in decisions.flags:
            yield f"Reason {action.reason} is no flag.", "Use an id of flags.yaml."
        yield from _exempt(action, decisions)
    if rule.then.comment and rule.then.comment not in decisions.comments:
        yield f"Comment {rule.then.comment} has no text.", "Add it to comments/en.yaml."
    if not rule.citations:
        yield f"Rule {rule.id} cites nothing.", "Add citations: [...]"
    for id in rule.citations:
        if id not in decisions.citations:
            yield f"Citation {id} is not listed.", "Add it to citations.yaml."
    if rule.on and rule.on not in decisions.flags:
        yield f"`on: {rule.on}` is no flag.", "Use an id of flags.yaml."


def _policies(flag: FlagRow, knowledge: Knowledge) -> Iterator[tuple[str, str]]:
    if flag.waits and flag.waits not in knowledge.policy.numbers:
        yield f"No number is called {flag.waits}.", "Use an id of policy.yaml."
    if flag.second_reader and flag.second_reader not in knowledge.policy.choices:
        yield f"No choice is called {flag.second_reader}.", "Use an id of policy.yaml."


def _severity(flag: FlagRow, given: str) -> Iterator[tuple[str, str]]:
    """A severity that clinical.md C4 does not know of this flag."""
    known = flag.severity if isinstance(flag.severity, tuple) else (flag.severity,)
    wrong = [one for one in (BY_CK if given == "by_ck" else (given,)) if one not in known]
    if wrong:
        yield f"{flag.id} is never {' or '.join(wrong)}.", f"It is {' or '.join(known)} (flags.yaml)."


def _exempt(action: RetestAction, decisions: Decisions) -> Iterator[tuple[str, str]]:
    """What is measured anew (a new specimen, on dilution, the number that ends a hold) is asked whatever was done before
    (clinical.md C10.22); that no method is, the proof of P6 shows."""
    if isinstance(action.by, str) or action.exempt:
        return
    lists = decisions.retests.values()
    anew = not any(family in families for family in action.by for families in lists)
    held = decisions.flags.get(action.reason)
    if anew or (held is not None and held.hold):
        yield f"{', '.join(action.by)} for {action.reason} is asked whatever was done before.", "Say `exempt: true`."
