"""The cases of a rule: patients in facts for whom it speaks or is silent, held against its conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labbridge.interpret.evidence import Raised
from labbridge.interpret.explain import explain
from labbridge.interpret.facts import REGISTRY, FactValue
from labbridge.knowledge.decisions import Cases, Decisions, Rule
from labbridge.knowledge.documents import Fault

RAISED = "raised"
_UNKNOWN: dict[str, FactValue] = {
    "hep2_stated": True,
    "hep2_cytoplasm_stated": True,
    "age_group": "adult",
    "identity": "agrees",
}
_USUAL_SOURCE = {"srp": "blot", "hmgcr": "quant"}


def check_cases(decisions: Decisions) -> list[Fault]:
    """Every active rule without cases, and every case that its rule does not judge as it says."""
    active = [rule for rule in decisions.rules if rule.status == "active"]
    return [decisions.fault(rule.id, f"{rule.id}: {text}", repair) for rule in active for text, repair in _of(rule)]


def _of(rule: Rule) -> Iterator[tuple[str, str]]:
    cases = rule.cases or Cases()
    for kind in ("fires", "silent"):
        if not getattr(cases, kind):
            yield f"no case {kind}.", f"Add cases: {{{kind}: [...]}}."
    for kind in ("fires", "silent", "lacks_data"):
        for number, case in enumerate(getattr(cases, kind), 1):
            odd = [name for name in case if name != RAISED and name not in REGISTRY]
            if odd:
                yield f"{kind} {number} names {', '.join(odd)}.", "Use a name of docs/reference/facts.md."
            elif speaks(rule, case) is not (kind == "fires"):
                yield f"{kind} {number} is not so.", "Mend the case, or the conditions."


def speaks(rule: Rule, case: Mapping[str, FactValue]) -> bool:
    """Whether a rule speaks for a patient given in facts."""
    (trace,) = explain([rule], completed(case), _raised(case))
    return trace.fired


def completed(case: Mapping[str, FactValue]) -> dict[str, FactValue]:
    """Every fact of a case: what it leaves out follows from what it says, else is as if nothing were known."""
    found: dict[str, FactValue] = {name: _UNKNOWN.get(name, _nothing(name)) for name in REGISTRY}
    for side, source in _USUAL_SOURCE.items():
        state = case.get(side, "NOT_TESTED")
        found[f"{side}_known"] = state == "KNOWN"
        found[f"{side}_now"] = "POS_STRONG" if state == "KNOWN" else state
        found[f"{side}_source"] = "none" if state == "NOT_TESTED" else source
    pending = [bool(case.get(f"{side}_pending")) for side in _USUAL_SOURCE]
    found["any_pending"], found["both_pending"] = any(pending), all(pending)
    found["suspicion_any"] = bool(case.get("suspicion"))
    found["passive"] = any(case.get(name) for name in ("srp_passive", "hmgcr_passive", "hep2_passive"))
    return {**found, **{name: value for name, value in case.items() if name in REGISTRY}}


def _nothing(name: str) -> FactValue:
    """The value of a fact of which nothing is known."""
    domain = REGISTRY[name].domain
    usual = False if False in domain else domain[0]
    return next((value for value in ("NOT_TESTED", "UNKNOWN", "unknown", "none") if value in domain), usual)


def _raised(case: Mapping[str, FactValue]) -> tuple[Raised, ...]:
    """`raised: SPECIMEN_INVALID:CK`: what C1 raised, and about which analyte."""
    code, _colon, analyte = str(case.get(RAISED, "")).partition(":")
    return (Raised(code=code, analyte=analyte),) if code else ()
