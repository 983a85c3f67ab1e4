"""Single edits of mappings/: of a rule's row, of a list of retests, of a number. Each changes what some patient may get;
what only people read (`why`, `citations`, cases, dates) is left."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import yaml

from labbridge.interpret.facts import REGISTRY
from labbridge.knowledge.documents import Source, read_yaml

Fields = dict[str, Any]
Change = tuple[str, Fields | None]
"""What is changed, and the record after it; None where the record is taken out."""

POLICY, RETESTS, RULES = "policy.yaml", "retests.yaml", "rules/"
SEVERITIES = ("info", "minor", "major", "critical")
PRIORITIES = {"urgent": ("routine",), "routine": ("urgent",), "by_ck": ("routine", "urgent")}
ANTIBODIES = ("SRP", "HMGCR", "")
FOLD, TITRE = Decimal("0.1"), 2


class KnowledgeEdit(msgspec.Struct, frozen=True):
    """One edit: the file, the record, what is changed in it, and the text of the file after it."""

    file: str
    id: str
    what: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.file} {self.id}: {self.what}"


def drawn(folder: Path, seed: int, count: int) -> list[KnowledgeEdit]:
    """So many edits of this seed: one of each number and of each list of retests, all others of the rules, each rule by
    how many it has."""
    chance = random.Random(seed)
    numbers, lists, rules = (_by_record(folder, file) for file in (POLICY, RETESTS, RULES))
    found = [chance.choice(edits) for edits in (*numbers.values(), *lists.values())]
    of_rules = [edit for edits in rules.values() for edit in edits]
    found += chance.sample(of_rules, min(len(of_rules), max(0, count - len(found))))
    return sorted(found, key=lambda one: one.name)


def every(folder: Path) -> Iterator[KnowledgeEdit]:
    """All edits there are."""
    for start in (POLICY, RETESTS, RULES):
        for edits in _by_record(folder, start).values():
            yield from edits


def _by_record(folder: Path, start: str) -> dict[str, list[KnowledgeEdit]]:
    """The edits of each record of the files whose names begin so."""
    found: dict[str, list[KnowledgeEdit]] = {}
    for path in sorted(folder.rglob("*.yaml")):
        file = path.relative_to(folder).as_posix()
        if file.startswith(start) and not file.startswith("rules/retired/"):
            text = path.read_text(encoding="utf-8")
            found |= {f"{file} {id}": edits for id, edits in edits_of(file, text).items()}
    return found


def edits_of(file: str, text: str) -> dict[str, list[KnowledgeEdit]]:
    """The edits of each record of one file, by its id."""
    rows = [row.fields for row in read_yaml(Source(file, text), [])]
    found: dict[str, list[KnowledgeEdit]] = {}
    for place, (fields, (begin, end)) in enumerate(zip(rows, _spans(text), strict=True)):
        if file.startswith(RULES) and fields.get("status") != "active":
            continue
        edits = [
            KnowledgeEdit(file, fields["id"], what, _replaced(text, begin, end, after))
            for what, after in _changes(file, rows, place)
        ]
        found[fields["id"]] = edits
    return found


def _spans(text: str) -> list[tuple[int, int]]:
    """Where each record begins, behind its dash, and ends."""
    node = yaml.compose(text, Loader=yaml.CBaseLoader)
    assert isinstance(node, yaml.SequenceNode)
    return [(item.start_mark.index, item.end_mark.index) for item in node.value]


def _replaced(text: str, begin: int, end: int, after: Fields | None) -> str:
    """The text with the record written anew (JSON is YAML), or without it."""
    if after is None:
        return text[: text.rindex("-", 0, begin)] + text[end:].lstrip("\n")
    return f"{text[:begin]}{json.dumps(after, ensure_ascii=False)}\n{text[end:].lstrip(chr(10))}"


def _changes(file: str, rows: Sequence[Fields], place: int) -> Iterator[Change]:
    if file == POLICY:
        yield from of_number(rows[place])
    elif file == RETESTS:
        yield from of_list(rows[place])
    else:
        yield from of_rule(rows, place)


# ---------------------------------------------------------------- numbers and lists


def of_number(fields: Fields) -> Iterator[Change]:
    """A number one step down and one up: a tenth of a fold, one dilution of a titre, one of everything that is counted; of a
    choice every other one."""
    if "choices" in fields:
        others = (one for one in fields["choices"] if one != fields["value"])
        yield from ((f"{fields['value']} -> {other}", {**fields, "value": other}) for other in others)
        return
    value, unit = Decimal(fields["value"]), fields["unit"]
    if unit.startswith("x "):
        steps = [value * (1 - FOLD), value * (1 + FOLD)]
    elif unit == "reciprocal titre":
        steps = [value / TITRE, value * TITRE]
    else:
        steps = [value - 1, value + 1]
    for step in steps:
        yield f"{fields['value']} -> {step.normalize():f}", {**fields, "value": f"{step.normalize():f}"}


def of_list(fields: Fields) -> Iterator[Change]:
    """A list of families without one of them, with two neighbours changed about, and the list taken out."""
    families = fields["families"]
    for place, family in enumerate(families):
        if len(families) > 1:
            yield f"loses {family}", {**fields, "families": _without(families, place)}
    for place in range(len(families) - 1):
        turned = [*families[:place], families[place + 1], families[place], *families[place + 2 :]]
        yield f"{families[place + 1]} before {families[place]}", {**fields, "families": turned}
    yield "taken out", None


def _without(values: Sequence[Any], place: int) -> list[Any]:
    return [*values[:place], *values[place + 1 :]]


# ---------------------------------------------------------------- rules


def of_rule(rows: Sequence[Fields], place: int) -> Iterator[Change]:
    """Every edit of one rule; `rows` are those of its file, for the comment class and the reason of a neighbour."""
    rule = rows[place]
    yield "taken out", None
    for what, when in _of_conditions(rule.get("when") or {}):
        yield f"when {what}", {**rule, "when": when}
    for number, analyte in enumerate(rule.get("analytes", ())):
        yield f"analytes loses {analyte}", {**rule, "analytes": _without(rule["analytes"], number)}
    if rule.get("about") and rule["then"].get(
        "flags"
    ):  # else at most the wording: classes that need it name their antibody
        yield "about loses " + rule["about"], {name: value for name, value in rule.items() if name != "about"}
    then = rule["then"]
    others = [rows[(place + step) % len(rows)]["then"] for step in range(1, len(rows))]
    for what, after in (*_of_flags(then), *_of_retests(then, others), *_of_words(then, others)):
        yield what, {**rule, "then": after}


def _of_conditions(when: Mapping[str, Any]) -> Iterator[tuple[str, Fields]]:
    for name, values in when.items():
        yield f"loses {name}", {other: value for other, value in when.items() if other != name}
        if isinstance(values, bool):
            yield f"{name}: {_word(not values)}", {**when, name: not values}
            continue
        given = list(values) if isinstance(values, list) else [values]
        for place, value in enumerate(given):
            if len(given) > 1:
                yield f"{name} loses {_word(value)}", {**when, name: _without(given, place)}
        for value in REGISTRY[name].domain if name in REGISTRY else ():
            if value not in given:
                yield f"{name} gains {_word(value)}", {**when, name: [*given, value]}


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_flags(then: Fields) -> Iterator[tuple[str, Fields]]:
    flags = then.get("flags", [])
    for place, entry in enumerate(flags):
        for code, severity in entry.items():
            left = {other: value for other, value in entry.items() if other != code}
            yield f"loses flag {code}", {**then, "flags": [*flags[:place], left, *flags[place + 1 :]]}
            for step in _steps(severity):
                changed = [*flags[:place], {**entry, code: step}, *flags[place + 1 :]]
                yield f"flag {code}: {severity} -> {step}", {**then, "flags": changed}


def _steps(severity: str) -> Sequence[str]:
    if severity == "by_ck":
        return ("minor", "major")
    place = SEVERITIES.index(severity)
    return [SEVERITIES[near] for near in (place - 1, place + 1) if 0 <= near < len(SEVERITIES)]


def _of_retests(then: Fields, others: Sequence[Fields]) -> Iterator[tuple[str, Fields]]:
    retests = then.get("retest", [])
    reasons = [action["reason"] for other in others for action in other.get("retest", ())]
    for place, action in enumerate(retests):
        name = f"retest {place + 1} {action.get('analyte', '')}".rstrip()
        yield f"loses {name}", {**then, "retest": _without(retests, place)}
        for what, after in _of_action(action, reasons):
            yield f"{name} {what}", {**then, "retest": [*retests[:place], after, *retests[place + 1 :]]}


def _of_action(action: Fields, reasons: Sequence[str]) -> Iterator[tuple[str, Fields]]:
    for priority in PRIORITIES[action["priority"]]:
        yield f"{action['priority']} -> {priority}", {**action, "priority": priority}
    by = action.get("by", "any")
    for other in _others_by(action, by):
        yield f"by {_listed(by)} -> {_listed(other)}", {**action, "by": other}
    for reason in [one for one in dict.fromkeys(reasons) if one != action["reason"]][:1]:  # `labbridge show` prints it
        yield f"reason {reason}", {**action, "reason": reason}
    if isinstance(by, list):
        exempt = not action.get("exempt", False)
        yield f"exempt: {_word(exempt)}", {**action, "exempt": exempt}


def _others_by(action: Fields, by: str | list[str]) -> list[str | list[str]]:
    """For HEp-2, CK and the others all words mean the one list they have: only families of its own are another."""
    if isinstance(by, list):
        return [_without(by, place) for place in range(len(by))] if len(by) > 1 else ["any"]
    if action.get("analyte", "") not in ANTIBODIES:
        return [["ip"]]
    return ["other_method" if by == "any" else "any"]


def _listed(by: str | list[str]) -> str:
    return by if isinstance(by, str) else "+".join(by)


def _of_words(then: Fields, others: Sequence[Fields]) -> Iterator[tuple[str, Fields]]:
    """Comment classes, the analytes that wait, and what alone opens no case."""
    for kind in ("comment", "beside"):
        if then.get(kind):
            yield f"loses {kind} {then[kind]}", {name: value for name, value in then.items() if name != kind}
            classes = [other.get("comment") or other.get("beside") for other in others]
            for near in [one for one in classes if one and one != then[kind]][:1]:
                yield f"{kind} {then[kind]} -> {near}", {**then, kind: near}
    for kind in ("defer", "quiet"):
        for place, value in enumerate(then.get(kind, ())):
            yield f"{kind} loses {value}", {**then, kind: _without(then[kind], place)}
