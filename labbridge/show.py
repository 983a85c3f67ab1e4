"""What the command line prints: text for people, JSON for programs. Reads only."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from labbridge import explanation
from labbridge.errors import Refused
from labbridge.interpret.explain import Explanation
from labbridge.interpret.pathway import strategy
from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.pathway import Pathway
from labbridge.model.outcome import Outcome
from labbridge.model.work import Case
from labbridge.notes import NOTES
from labbridge.offline import CaseOutcome, PatientOutcome
from labbridge.review.policies import parse_key
from labbridge.states import SENTENCES, DeliveryState, Reason, State
from labbridge.store import counts as counting
from labbridge.store import reading, whole
from labbridge.store.connection import Connection

WIDTH = 100
PUBLIC = "patient evaluated_at knowledge states flags retests comment hold notes pathway".split()


# ---------------------------------------------------------------- outcomes


def outcome_json(outcome: Outcome, why: Explanation | None = None) -> str:
    """The public form (contract.md, Outcome of a case), one line; with `explanation` where there is one."""
    more = {"explanation": explanation.public(why)} if why is not None else {}
    return json.dumps({**public(outcome), **more}, ensure_ascii=False)


def patient(one: PatientOutcome, knowledge: Knowledge, format: str) -> str:
    """The outcome of one patient, and what it rests on where that was asked for."""
    why = one.explanation
    if format == "json":
        return outcome_json(one.outcome, why)
    if why is None:
        return outcome_text(one.outcome)
    told = explanation.text(why, one.outcome.comment)
    return "\n".join([outcome_text(one.outcome, True, knowledge.decisions.pathway), *told])


def public(outcome: Outcome) -> dict[str, Any]:
    """An outcome by its contract names."""
    found: dict[str, Any] = msgspec.to_builtins(outcome)
    patient = found["patient"]
    found["patient"] = {"authority": patient["authority"], "id": patient["id"]} if patient else None
    if found["comment"]:
        found["comment"] = {name: found["comment"][name] for name in ("class", "language", "text", "addenda")}
    return {name: found[name] for name in PUBLIC}


def outcome_text(outcome: Outcome, explain: bool = False, pathway: Pathway | None = None) -> str:
    """An outcome for people: states, findings with their rules, retests, the comment. Explained: where the case stands on
    the pathway (with its labels, where it is given), the facts, the rules."""
    states = outcome.states
    lines = [f"anti-SRP {states.SRP}   anti-HMGCR {states.HMGCR}   HEp-2 {states.HEP2}   CK {states.CK}"]
    if outcome.patient:
        lines.insert(0, f"patient {outcome.patient.authority}|{outcome.patient.id}, evaluated {outcome.evaluated_at}")
    for flag in outcome.flags:
        about = f" ({flag.analyte})" if flag.analyte else ""
        lines.append(f"  {flag.severity.value:8} {flag.code}{about}   rule {flag.rule}")
        if explain:
            lines.append(f"           on {', '.join(flag.evidence) or '-'}; cites {', '.join(flag.citations)}")
    for retest in outcome.retests:
        lines.append(
            f"  retest   {retest.analyte} by {' or '.join(retest.families)}, {retest.priority.value}: {retest.reason}"
        )
    if outcome.outstanding or outcome.offered_from:
        waited = f"{', '.join(outcome.outstanding)} in progress" if outcome.outstanding else "nobody has to act yet"
        lines.append(f"  waiting  {waited}{_until(outcome)}")
    if outcome.said_on:
        lines.append(f"  silent   the same comment was posted on {outcome.said_on}; it is not repeated")
    if outcome.hold:
        lines.append(f"  HOLD     {', '.join(outcome.held)}: nothing is posted until a person decides")
    if outcome.comment:
        lines.append(f"  comment  {outcome.comment.comment_class}")
        lines += _wrapped(outcome.comment.full_text)
    else:
        lines.append("  no comment")
    if explain:
        lines += _standing(outcome, pathway or Pathway())
        lines.append("  facts    " + ", ".join(f"{name}={value}" for name, value in sorted(outcome.facts.items())))
        lines.append("  rules    " + ", ".join(outcome.fired))
    return "\n".join(lines)


def _until(outcome: Outcome) -> str:
    """From when the comment is offered for release, or the findings are to be looked at; a person may do either earlier."""
    if outcome.offered_from is None:
        return ""
    if outcome.comment is None:
        return f"; on the worklist from {outcome.offered_from:%Y-%m-%d %H:%M}"
    return f"; the comment is offered from {outcome.offered_from:%Y-%m-%d %H:%M}, earlier by a person"


def _standing(outcome: Outcome, pathway: Pathway) -> list[str]:
    """Where a case stands and what the laboratory can still do; apart from it the published strategy, which is nobody's
    advice for this patient and stands in no comment."""
    found = outcome.pathway
    if not found.at:
        return []
    lines = [f"  pathway  {_labelled(found.at, pathway)}", *_wrapped(" ".join(found.says))]
    ours = [step.node for step in found.open if step.decision == "laboratory"]
    tests = [f"{one.analyte} by {' or '.join(one.families)}, {one.priority.value}" for one in outcome.retests]
    left = "; ".join(tests or [_labelled(id, pathway) for id in ours]) or "nothing open"
    return [*lines, *_wrapped(f"the laboratory's: {left}"), *_published(outcome, pathway)]


def _published(outcome: Outcome, pathway: Pathway) -> list[str]:
    nodes = strategy(pathway, outcome.pathway, outcome.facts)
    if not nodes:
        return []
    cited = ", ".join(dict.fromkeys(id for node in nodes for id in node.citations))
    lines = [f"  published strategy, the clinician's decision, no advice for this patient ({cited}):"]
    at = pathway.nodes.get(outcome.pathway.at)
    when = {edge.node: f" [{edge.label}]" for edge in (at.edges if at else ()) if edge.label}
    for node in nodes:
        lines += _wrapped(f"{node.id:4} {node.label}{when.get(node.id, '')}")
    return lines


def _labelled(id: str, pathway: Pathway) -> str:
    return f"{id} {pathway.nodes[id].label}" if id in pathway.nodes else id


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="           ", subsequent_indent="           ")


def cases_json(found: Sequence[CaseOutcome]) -> str:
    cases = [
        {"id": one.id, "passed": one.passed, "failures": list(one.failures), "outcome": public(one.outcome)}
        for one in found
    ]
    return json.dumps({"cases": cases}, ensure_ascii=False)


def cases_text(found: Sequence[CaseOutcome], kept: str = "") -> str:
    """The cases for people, and where the pack of them was kept."""
    lines = []
    for one in found:
        word = {True: "passed", False: "FAILED", None: "no expectation"}[one.passed]
        lines.append(f"{one.id}  {word}")
        lines += [f"    {failure}" for failure in one.failures]
        if one.must_mention:
            lines.append(f"    should mention: {'; '.join(one.must_mention)}")
            lines += _wrapped(one.outcome.comment.full_text if one.outcome.comment else "(no comment)")
    judged = [one for one in found if one.passed is not None]
    lines.append(f"{sum(bool(one.passed) for one in judged)} of {len(judged)} passed")
    lines += [kept] if kept else []
    return "\n".join(lines)


# ---------------------------------------------------------------- the store


def counts(store: Connection, format: str) -> str:
    found = counting.counts(store, datetime.now(UTC))  # noqa: TID251 - ages as of now
    if format == "json":
        listed = {
            name: [[*labels, count] for labels, count in counted.items()] for name, counted in found.tally.items()
        }
        return json.dumps(msgspec.to_builtins(msgspec.structs.replace(found, tally={})) | {"tally": listed})
    return (
        f"received {found.received} = stored {found.stored} + quarantined {found.quarantined}"
        f" + duplicate {found.duplicate} + oversize {found.oversize}\n"
        f"waiting {found.waiting}, parked {found.parked}, cases {_listed(found.cases)}\n"
        f"outbox {_listed({name: _listed(states) for name, states in found.outbox.items()})}"
    )


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items())) or "none"


def messages(store: Connection, limit: int, format: str) -> str:
    columns = "id, received, feed, control_id, message_type, state, reason, duplicates"
    sql = f"SELECT {columns} FROM journal ORDER BY id DESC LIMIT ?"  # noqa: S608 - a constant
    names = ("key", "received", "feed", "control_id", "type", "state", "reason", "duplicates")
    return _table([_keyed("M", row) for row in store.execute(sql, (limit,))], names, format)


def unmapped(store: Connection, limit: int, format: str) -> str:
    """The codes that no table names, those that may be ours first; messages name the first and last that carried one."""
    sql = (
        "SELECT feed, system, code, name, unit, may_be, seen, last_seen, 'M' || first_message, 'M' || last_message"
        " FROM unmapped ORDER BY may_be = '', seen DESC, feed, code LIMIT ?"
    )
    names = ("feed", "system", "code", "name", "unit", "may_be", "seen", "last_seen", "first", "last")
    return _table(store.execute(sql, (limit,)), names, format)


def quarantine(store: Connection, limit: int, format: str) -> str:
    sql = (
        "SELECT j.id, j.received, j.feed, j.control_id, j.state, j.reason, j.error_code, j.location,"
        " coalesce(max(w.sentence), j.detail) FROM journal j LEFT JOIN work w ON w.message = j.id AND w.state = 'parked'"
        " WHERE j.state IN ('quarantined', 'parked') GROUP BY j.id ORDER BY j.id LIMIT ?"
    )
    names = ("key", "received", "feed", "control_id", "state", "reason", "code", "place", "detail")
    return _table([_keyed("M", row) for row in store.execute(sql, (limit,))], names, format)


def worklist(store: Connection, limit: int, format: str) -> str:
    cases = reading.worklist(store, limit)
    if format == "json":
        return json.dumps([_case(case) for case in cases], ensure_ascii=False)
    rows = [
        (f"C{one.key}@{one.version}", one.state.value, one.opened_day.isoformat(), _worst(one), _class(one))
        for one in cases
    ]
    return _table(rows, ("case", "state", "opened", "severity", "comment"), "text")


def one(store: Connection, key: str, format: str) -> str:
    """A case, a message or a delivery by its key; Refused where there is none."""
    kind, number = parse_key(key)
    found = {"C": _one_case, "M": _one_message, "D": _one_delivery}[kind](store, number, format)
    if found is None:
        raise Refused(f"There is no {kind}{number}")
    return found


def _one_case(store: Connection, key: int, format: str) -> str | None:
    case = reading.case(store, key)
    if case is None:
        return None
    if format == "json":
        return json.dumps(_case(case), ensure_ascii=False)
    head = f"C{case.key}@{case.version}  {case.state.value}  opened by a result of {case.opened_day}"
    if case.damaged:
        return f"{head}\nIt is damaged on the disk. Reprocess a message of its patient, and its draft is made again."
    posted = [f"  posted   {one.posted:%Y-%m-%d %H:%M}Z {one.comment_class}" for one in case.posted]
    return "\n".join((head, outcome_text(case.outcome, explain=True), *posted))


def _case(case: Case) -> dict[str, Any]:
    return {
        "key": f"C{case.key}",
        "shown": f"C{case.key}@{case.version}",
        "version": case.version,
        "state": case.state.value,
        "opened_day": case.opened_day.isoformat(),
        "text": case.text,
        "posted": len(case.posted),
        "outcome": public(case.outcome),
    }


def _worst(case: Case) -> str:
    return case.outcome.flags[0].severity.value if case.outcome.flags else "-"


def _class(case: Case) -> str:
    return case.outcome.comment.comment_class if case.outcome.comment else "-"


def _one_message(store: Connection, key: int, format: str) -> str | None:
    names = (
        *("received", "feed", "sender", "control_id", "message_type", "state", "reason", "detail"),
        *("answer", "error_code", "location", "duplicates", "length"),
    )
    row = store.execute(f"SELECT {', '.join(names)}, raw FROM journal WHERE id = ?", (key,)).fetchone()  # noqa: S608
    if row is None:
        return None
    fields = {"key": f"M{key}", **dict(zip(names, row[:-1], strict=True))}
    raw = _readable(row[-1])
    lanes = store.execute(f"SELECT {whole.WORK.format('w')} FROM work w WHERE w.message = ? ORDER BY w.id", (key,))  # noqa: S608
    edits = store.execute(EDITS, (key,)).fetchall()
    fields["edits"] = [dict(zip(EDIT, (*edit[:-1], _readable(edit[-1])), strict=True)) for edit in edits]
    fields["work"] = [_work(lane) for lane in lanes]
    if format == "json":
        return json.dumps({**fields, "raw": raw}, ensure_ascii=False)
    work = [line for lane in fields.pop("work") for line in _work_lines(lane)]
    edits = [_edit_line(edit) for edit in fields.pop("edits")]
    return "\n".join((*(f"{name:13}{value}" for name, value in fields.items()), *edits, *work, raw))


EDIT = ("version", "editor", "why", "made", "approved_by", "raw")
EDITS = "SELECT version, editor, why, made, approved_by, raw FROM edits WHERE message = ? ORDER BY version"


def _work(row: tuple[Any, ...]) -> dict[str, Any]:
    """One that is damaged is shown as it will be once it is found (store/lookover.py)."""
    _message, _lane, state, reason, sentence, notes, _updated, attempts, _forgiven, _crc = row
    if not whole.work(row):
        reason = Reason.WORK_DAMAGED.value
        state, sentence, notes = State.PARKED.value, SENTENCES[Reason.WORK_DAMAGED], ""
    said = {"state": state, "reason": reason, "sentence": sentence, "attempts": attempts}
    return {**said, "notes": json.loads(notes) if notes else []}


def _work_lines(lane: dict[str, Any]) -> list[str]:
    notes = [f"  note     {one['code']} {one['at']}: {NOTES[one['code']]}" for one in lane["notes"]]
    return [f"  work     {lane['state']}: {lane['sentence'] or lane['reason']}", *notes]


def _readable(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace").replace("\r", "\n").strip()


def _edit_line(edit: dict[str, Any]) -> str:
    approved = f"sent through by {edit['approved_by']}" if edit["approved_by"] else "waits for a second person"
    return f"  edited   version {edit['version']} by {edit['editor']}: {edit['why']}; {approved}"


def _one_delivery(store: Connection, key: int, format: str) -> str | None:
    names = ("case", "version", "receiver", "control_id", "state", "reason", "attempts", "created", "updated")
    columns = ", ".join(f'"{name}"' for name in names)
    row = store.execute(f"SELECT {columns}, raw FROM outbox WHERE id = ?", (key,)).fetchone()  # noqa: S608
    if row is None:
        return None
    fields = {"key": f"D{key}", **dict(zip(names, row[:-1], strict=True))}
    waiting = fields["state"] == DeliveryState.WAITING
    unread = reading.unread_of(store, fields["case"]) if waiting else []
    fields["waits_for"] = [f"M{message}" for message in unread]
    raw = _readable(row[-1])
    if format == "json":
        return json.dumps({**fields, "raw": raw}, ensure_ascii=False)
    waits = ", ".join(fields.pop("waits_for"))
    said = [f"  waits    until {waits} of the same patient is processed"] if waits else []
    return "\n".join((*(f"{name:13}{value}" for name, value in fields.items()), *said, raw))


def people(store: Connection, format: str) -> str:
    """Accounts, then tokens."""
    accounts = store.execute(
        "SELECT login, name, roles, feeds, CASE WHEN disabled <> '' THEN 'closed' ELSE 'open' END FROM people ORDER BY login"
    )
    tokens = store.execute(
        "SELECT name, 'program', scope, feed, CASE WHEN revoked <> '' THEN 'revoked' ELSE 'until ' || substr(expires, 1, 10)"
        " || CASE WHEN used = '' THEN ', never used' ELSE ', used ' || substr(used, 1, 10) END END FROM tokens ORDER BY id"
    )
    return _table([*accounts, *tokens], ("login", "name", "roles", "feeds", "state"), format)


def acted(answer: dict[str, Any], format: str) -> str:
    if format == "json":
        return json.dumps(answer, ensure_ascii=False)
    if "error" in answer:
        return str(answer["error"])
    return "\n".join(
        f"{one['key']}: {one['result']}" if one["ok"] else f"{one['key']}: refused. {one['error']}"
        for one in answer["done"]
    )


def _keyed(letter: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (f"{letter}{row[0]}", *row[1:])


def _table(rows: Iterable[tuple[Any, ...]], names: Sequence[str], format: str) -> str:
    listed = [tuple(map(str, row)) for row in rows]
    if format == "json":
        return json.dumps([dict(zip(names, row, strict=True)) for row in listed], ensure_ascii=False)
    return table(listed, names)


def table(rows: Iterable[tuple[Any, ...]], names: Sequence[str]) -> str:
    """Columns under their names, as wide as they need."""
    listed = [tuple(map(str, row)) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(names, *listed, strict=True)]
    lines = [tuple(names), *listed]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in lines
    )
