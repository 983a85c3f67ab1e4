"""The rows in force, each with what it says in one line and the hash that people sign; and the sources they cite."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.decisions import CommentRow, Decisions, RetestAction, Rule
from labbridge.knowledge.lock import Entry, entries
from labbridge.knowledge.policy import PolicyChoice, PolicyNumber
from labbridge.knowledge.terminology import CodeRow, KitRow
from labbridge.model.items import Item
from labbridge.model.reference import Citation
from labbridge.pack.form import Row, Source

VERSIONED = ("rule", "comment", "pathway")


def rows(knowledge: Knowledge, signed: Mapping[str, Item]) -> tuple[Row, ...]:
    """Every rule, comment text and node, and whatever else people sign, by the hash that they sign; flags and retest lists
    one by one beside the tables that hold them. `signed`: the items of the files the knowledge was understood from."""
    decisions = knowledge.decisions
    locked = entries(decisions)
    return (
        *_rules(decisions, locked),
        *_comments(decisions, locked),
        *_nodes(decisions, locked),
        *_flags_and_retests(decisions),
        *_others(knowledge, signed),
    )


def sources(found: Iterable[Row], citations: Mapping[str, Citation]) -> tuple[Source, ...]:
    """The sources that rows cite, in the order of their ids; an id of which nothing more is written down is left out."""
    cited = sorted({id for row in found for id in row.citations})
    return tuple(Source(id=id, text=_in_full(citations[id])) for id in cited if id in citations)


def _in_full(one: Citation) -> str:
    numbers = [f"doi:{one.doi}" if one.doi else "", f"PMID {one.pmid}" if one.pmid else ""]
    return ". ".join(part.rstrip(".") for part in (one.authors, one.title, one.where, one.year, *numbers) if part)


def _rules(decisions: Decisions, locked: Mapping[str, Entry]) -> Iterator[Row]:
    for rule in decisions.rules:
        id = f"rule:{rule.id}"
        yield Row(
            id=id,
            version=rule.version,
            sha256=locked[id].sha256,
            status=rule.status,
            says=_rule(rule),
            why=rule.why,
            citations=rule.citations,
            reviewed=rule.reviewed,
        )


def _comments(decisions: Decisions, locked: Mapping[str, Entry]) -> Iterator[Row]:
    for name, comment in decisions.texts():
        english = decisions.comments.get(name.rpartition(":")[2], comment)
        id = f"comment:{name}"
        yield Row(
            id=id,
            version=comment.version,
            sha256=locked[id].sha256,
            says=_texts(comment),
            citations=comment.citations or english.citations,
            reviewed=comment.reviewed or (),
        )


def _nodes(decisions: Decisions, locked: Mapping[str, Entry]) -> Iterator[Row]:
    for node in decisions.pathway.nodes.values():
        id = f"pathway:{node.id}"
        yield Row(
            id=id,
            version=node.version,
            sha256=locked[id].sha256,
            says=" / ".join(filter(None, node.texts)),
            citations=node.citations,
        )


def _flags_and_retests(decisions: Decisions) -> Iterator[Row]:
    for flag in decisions.flags.values():
        severity = _listed(flag.severity)
        says = f"{severity}{', holds' if flag.hold else ''}: {flag.meaning}"
        yield Row(id=f"flag:{flag.id}", version=None, sha256=_hash(flag), says=says)
    for (analyte, source), families in decisions.retests.items():
        its = _hash((analyte, source, families))
        yield Row(id=f"retest:{analyte}:{source}", version=None, sha256=its, says=", ".join(families))


def _others(knowledge: Knowledge, signed: Mapping[str, Item]) -> Iterator[Row]:
    """The items that bear no version: one that is told by nothing better is told as it is written, a table by its file."""
    policy, terms = knowledge.policy, knowledge.terminology
    numbers: dict[str, PolicyNumber | PolicyChoice] = {f"policy:{id}": one for id, one in policy.numbers.items()}
    numbers |= {f"policy:{id}": one for id, one in policy.choices.items()}
    says = {f"method:{one.id}": one.name for one in terms.methods.values()}
    says |= {f"kit:{one.id}": _kit(one) for one in terms.kits.values()}
    says |= {
        f"code:{table}:{code}": "; ".join(map(_code, found))
        for table, codes in terms.codes.items()
        for code, found in codes.items()
    }
    for key, item in signed.items():
        if key in numbers:
            yield _chosen(item, numbers[key])
        elif item.kind not in VERSIONED:
            told = says.get(key) or " ".join(item.text.split()) or item.file
            yield Row(id=key, version=None, sha256=item.sha256, says=told)


def _chosen(item: Item, one: PolicyNumber | PolicyChoice) -> Row:
    return Row(
        id=item.key,
        version=None,
        sha256=item.sha256,
        status=one.tag,
        says=f"{one.value} {one.unit}"
        if isinstance(one, PolicyNumber)
        else f"{one.value} (of {', '.join(one.choices)})",
        why=one.source,
        reviewed=one.reviewed,
    )


def _kit(kit: KitRow) -> str:
    cut_off = f"cut-off {kit.cut_off}" if kit.cut_off is not None else ""
    return ", ".join(filter(None, (kit.name, kit.method, cut_off)))


def _code(row: CodeRow) -> str:
    meant = (row.name, row.analyte, row.role, row.method, row.assay, row.unit, row.specimen)
    return ", ".join(filter(None, meant))


def _hash(row: object) -> str:
    return hashlib.sha256(msgspec.json.encode(row, order="deterministic")).hexdigest()


# ---------------------------------------------------------------- rows in words


def _rule(rule: Rule) -> str:
    """Every part of a rule that does something."""
    conditions = [f"{name} = {_listed(values, ' or ')}" for name, values in rule.when.items()]
    if rule.on:
        conditions.insert(0, f"raised {rule.on}{f' of {_listed(rule.analytes)}' if rule.analytes else ''}")
    then = rule.then
    does = [f"{code} {severity}" for entry in then.flags for code, severity in entry.items()]
    does += map(_retest, then.retest)
    parts = {"comment": then.comment, "beside": then.beside, "defer": then.defer, "quiet": then.quiet}
    does += [f"{word} {_listed(value)}" for word, value in parts.items() if value]
    about = f"about {rule.about}: " if rule.about else ""
    return f"{about}{', '.join(conditions) or 'always'} -> {'; '.join(does)}"


def _retest(action: RetestAction) -> str:
    exempt = ", exempt" if action.exempt else ""
    return (
        f"retest {action.analyte or 'it'} by {_listed(action.by, ' or ')}, {action.priority}, {action.reason}{exempt}"
    )


def _texts(comment: CommentRow) -> str:
    """Each sentence with its wordings, as `1.2`; 0 is the comment appended to another."""
    numbered = [*enumerate(comment.parts, 1), (0, comment.addendum)]
    texts = ((sentence, place, one.text) for sentence, part in numbered for place, one in enumerate(part, 1))
    return " ".join(f"[{sentence}.{place}] {text}" for sentence, place, text in texts)


def _listed(values: object, glue: str = ", ") -> str:
    return glue.join(map(_word, values)) if isinstance(values, tuple) else _word(values)


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
