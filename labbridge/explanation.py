"""An explanation for people and for programs: which rules held on which results, and which lacked one condition."""

from __future__ import annotations

from typing import Any

import msgspec

from labbridge.interpret.explain import OF_RESULTS, Clause, Explanation, Trace
from labbridge.model.outcome import Comment


def public(found: Explanation) -> dict[str, Any]:
    """The JSON form: `rules` held, `near` lacked one condition; `results` by the names that the conditions give."""
    built: dict[str, Any] = msgspec.to_builtins(found)
    return {"rules": built["fired"], "near": built["near"], "results": built["results"]}


def text(found: Explanation, comment: Comment | None) -> list[str]:
    """Lines for a terminal."""
    lines = _comment(found, comment) if comment is not None else []
    lines.append("  why")
    for trace in found.fired:
        lines += [f"    {trace.rule}{_said(trace)}", f"      {trace.why}; cites {', '.join(trace.citations) or '-'}"]
        lines += [f"      {_condition(clause)}" for clause in trace.clauses]
    if found.near:
        lines.append("  not, for one condition")
    for trace in found.near:
        (missing,) = (clause for clause in trace.clauses if not clause.met)
        lines.append(f"    {trace.rule}{_said(trace)}: {_condition(missing)}")
    if found.results:
        lines.append("  results")
    for ref, one in found.results.items():
        sent = f"{one.text!r} {one.unit}".strip()
        method = f" by {one.method}" if one.method else ""
        lines.append(f"    {ref}  {one.analyte} {sent}{method}, collected {one.collected}")
    return lines


def _comment(found: Explanation, comment: Comment) -> list[str]:
    """Which rules chose each class; C18 and C19 follow from what became of a result."""
    lines = []
    for name in (comment.comment_class, *comment.addendum_classes):
        codes = OF_RESULTS.get(name, ())
        by = [trace.rule for trace in found.fired if trace.comment == name or set(codes) & set(trace.flags)]
        cites = f"; cites {', '.join(comment.citations)}" if name == comment.comment_class else ""
        lines.append(f"  {name} by {', '.join(by) or 'what was posted before'}{cites}")
    return lines


def _said(trace: Trace) -> str:
    said = [*trace.flags, *([trace.comment] if trace.comment else [])]
    return f" -> {', '.join(said)}" if said else ""


def _condition(clause: Clause) -> str:
    wanted = " or ".join(_word(value) for value in clause.wanted)
    seen = "" if clause.met and len(clause.wanted) == 1 else f" ({_word(clause.seen) or 'nothing'})"
    on = f"  [{', '.join(clause.results)}]" if clause.results else ""
    return f"{clause.fact} {'is' if clause.met else 'is not'} {wanted}{seen}{on}"


def _word(value: str | bool) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value
