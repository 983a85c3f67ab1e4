"""How drafts and what people made of them differ, word by word, and how often a rule's drafts were taken as they were."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from labbridge.model.review import Decided
from labbridge.model.wordings import Drafted, Judged, Window

MOST_WORDS = 600  # on a side: longer texts are shown beside each other, not compared


class Part(NamedTuple):
    """Words that are in both (`same`), in the draft alone (`deleted`), or in the person's text alone (`inserted`)."""

    kind: str
    text: str


class OfRule(NamedTuple):
    """What became of the drafts in which a rule held: `decided` are all of them that were decided on, each version of a case
    once; a version may be edited and then signed, or rejected after it was edited."""

    rule: str
    decided: int
    edited: int
    no_action: int
    rejected: int
    as_drafted: int


def differences(drafted: str, worded: str) -> list[Part]:
    """In the order of the person's text."""
    before, after = drafted.split(), worded.split()
    if max(len(before), len(after)) > MOST_WORDS:
        return [Part("deleted", " ".join(before)), Part("inserted", " ".join(after))]
    found = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            found.append(Part("same", " ".join(before[a:b])))
            continue
        found += [Part("deleted", " ".join(before[a:b]))] if a < b else []
        found += [Part("inserted", " ".join(after[c:d]))] if c < d else []
    return found


def by_rule(window: Window) -> list[OfRule]:
    """Each rule with its version, by name."""
    edited, none, rejected = (_of(window.judged, kind) for kind in (Decided.WORDING, Decided.NO_ACTION, Decided.REJECT))
    as_drafted = _versions(window.as_drafted)
    rules = sorted({*edited, *none, *rejected, *as_drafted})
    return [
        OfRule(
            rule,
            len(edited[rule] | none[rule] | rejected[rule] | as_drafted[rule]),
            len(edited[rule]),
            len(none[rule]),
            len(rejected[rule]),
            len(as_drafted[rule]),
        )
        for rule in rules
    ]


def _of(judged: Iterable[Judged], kind: Decided) -> defaultdict[str, set[tuple[int, int]]]:
    return _versions(one.draft for one in judged if one.kind is kind)


def _versions(drafts: Iterable[Drafted]) -> defaultdict[str, set[tuple[int, int]]]:
    found: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)
    for one in drafts:
        for rule in one.rules:
            found[rule].add((one.case, one.version))
    return found
