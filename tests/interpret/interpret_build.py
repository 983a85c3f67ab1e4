"""Synthetic results, histories and evidence the tests of interpret/ share. No real patient stands behind any of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from labbridge.interpret.evidence import (
    AntibodyEvidence,
    AntibodyState,
    BestSource,
    CkBand,
    CkEvidence,
    Episode,
    Hep2Evidence,
    Hep2State,
)
from labbridge.interpret.facts import FactValue, facts
from labbridge.interpret.rules import Verdict
from labbridge.interpret.slots import Case
from labbridge.knowledge.build import Knowledge
from labbridge.model.history import History
from labbridge.model.outcome import PostedComment
from labbridge.model.report import EntityId, Identifier, Patient, Timestamp
from labbridge.model.result import (
    Analyte,
    Band,
    Category,
    ContextItem,
    ContextKind,
    Family,
    Hep2Class,
    Hep2Finding,
    Limits,
    Material,
    Method,
    Result,
)
from labbridge.model.values import Comparator, Quantity, Titre

DAY = date(2026, 3, 10)
LOOKED_AT = DAY + timedelta(days=4)
PATIENT = Patient(identifiers=(Identifier("LABA", "P1", "MR"),), sex="F", age_years=48)

METHODS = {
    "blot": Method(code="line_blot", family=Family.BLOT, tier=3, name="line blot", manufacturer="euroimmun"),
    "quant": Method(code="elisa", family=Family.QUANT, tier=2, name="ELISA", manufacturer="werfen"),
    "ip": Method(code="ip_protein", family=Family.IP, tier=1, name="immunoprecipitation"),
    "cba": Method(code="cba", family=Family.CBA, tier=1, name="cell-based assay"),
    "tissue": Method(code="tissue_iif", family=Family.TISSUE, name="tissue immunofluorescence"),
    "hep2_iif": Method(code="hep2_iif", family=Family.HEP2_IIF, name="HEp-2 immunofluorescence"),
    "solid": Method(code="solid_phase_ana", family=Family.SOLID_PHASE_ANA, name="solid-phase ANA screen"),
    "enzymatic": Method(code="enzymatic", family=Family.ENZYMATIC, name="enzymatic"),
}
_LOWS = {"blot": (6, 11, 26), "quant": (15, 20, 60)}
_TYPICAL = {"NEG": 0, "EQUIVOCAL": 1, "POS_LOW": 2, "POS_STRONG": 3}


def stamp(day: date) -> Timestamp:
    return Timestamp(day.isoformat(), datetime.combine(day, time(8), UTC), day)


def result(analyte: Analyte, ref: str, day: date = DAY, **fields: Any) -> Result:
    """One final result on validated serum, received two days after its collection."""
    received = datetime.combine(day, time(12), UTC) + timedelta(days=2)
    given = {
        "key": ref.partition("@")[0],
        "at": ref,
        "material": Material.SERUM,
        "material_text": "serum",
        "material_validated": True,
        "filler": EntityId(ref),
        "received": received,
        "message_time": received,
        **fields,
    }
    return Result(ref=ref, analyte=analyte, collected=stamp(day), **given)


def limits(family: str) -> Limits | None:
    """Bands as the normaliser sets them: of the blot by its table, of a quantitative test by its cut-off."""
    if family not in _LOWS:
        return None
    categories = (Category.EQUIVOCAL, Category.POS_LOW, Category.POS_STRONG)
    bands = zip(categories, _LOWS[family], strict=True)
    return Limits(tuple(Band(its, Decimal(low)) for its, low in bands), source=f"family:{family}")


def antibody(
    analyte: str, category: str, family: str = "blot", ref: str = "", day: date = DAY, **fields: Any
) -> Result:
    """An anti-SRP or anti-HMGCR result that has this category by its number."""
    number = Decimal(0) if category == "NEG" else Decimal(_LOWS.get(family, (6, 11, 26))[_TYPICAL[category] - 1] + 1)
    return result(
        Analyte(analyte),
        ref or f"{analyte}-{family}",
        day,
        **{
            "method": METHODS[family],
            "value": Quantity(number, "intensity"),
            "limits": limits(family) or limits("blot"),
            **fields,
        },
    )


def hep2(pattern: str, ref: str = "HEP2", day: date = DAY, *, titre: int | None = 320, **finding: Any) -> Result:
    """A HEp-2 finding of this class."""
    value = Titre(Decimal(80), Comparator.LESS) if pattern == "NEG" else Titre(Decimal(titre or 320))
    return result(
        Analyte.HEP2,
        ref,
        day,
        method=METHODS["hep2_iif"],
        value=value,
        hep2=Hep2Finding(pattern=Hep2Class(pattern), **finding),
    )


def ck(times: float | str, ref: str = "CK", day: date = DAY, **fields: Any) -> Result:
    """A CK of so many times its upper limit of 200 U/L."""
    return result(
        Analyte.CK,
        ref,
        day,
        **{
            "method": METHODS["enzymatic"],
            "value": Quantity(Decimal(str(times)) * 200, "U/L"),
            "upper_limit": Decimal(200),
            **fields,
        },
    )


def other(antigen: str, category: str, *, synthetase: bool = False, day: date = DAY) -> Result:
    """Another myositis-specific antibody of a line blot."""
    found = antibody("OTHER_MSA", category, "blot", f"MSA-{antigen}", day)
    return msgspec.structs.replace(found, antigen=antigen, synthetase=synthetase)


def stated(kind: ContextKind, value: str, day: date = DAY) -> ContextItem:
    return ContextItem(kind=kind, value=value, stated=datetime.combine(day, time(9), UTC))


def history(*results: Result, **fields: Any) -> History:
    return History(**{"patient": PATIENT, "results": results, "today": LOOKED_AT, **fields})


def posted(*used: str, comment_class: str = "C01", day: date = DAY) -> PostedComment:
    when = datetime.combine(day, time(15), UTC)
    return PostedComment(comment_class=comment_class, text="", posted=when, used=used)


# ---------------------------------------------------------------- evidence without a history: every combination of C5

_SOURCES = {"blot": BestSource.BLOT, "quant": BestSource.QUANT, "ip": BestSource.TIER1, "": BestSource.NONE}
_RATIO = {"NORMAL": "0.6", "MILD": "2", "MOD": "6", "HIGH": "30"}


def evidence(analyte: str, state: str, source: str, variant: str = "", **fields: Any) -> AntibodyEvidence:
    """One antibody. `variant`: "" one family; `confirmed` blot and ELISA; `discordant` blot against ELISA."""
    if state == "NOT_TESTED":
        return AntibodyEvidence(analyte=Analyte(analyte), **fields)
    if variant == "confirmed" and source != "ip":
        results = (antibody(analyte, "POS_STRONG", "quant"), antibody(analyte, "POS_LOW", "blot"))
    elif variant == "discordant":
        results = (antibody(analyte, "NEG", "quant"), antibody(analyte, "POS_STRONG", "blot"))
    else:
        results = (antibody(analyte, state, source),)
    methods = [one.method for one in results if one.method is not None]
    best = "ip" if source == "ip" else methods[0].family.value
    return AntibodyEvidence(
        **{
            "analyte": Analyte(analyte),
            "state": AntibodyState(state),
            "confirmed": variant == "confirmed",
            "discordant": variant == "discordant",
            "source": _SOURCES[best],
            "families": frozenset(method.family for method in methods),
            "results": results,
            **fields,
        }
    )


def episode(srp: AntibodyEvidence, hmgcr: AntibodyEvidence, pattern: str, band: str, **fields: Any) -> Episode:
    """An episode of one day: two antibodies, a HEp-2 class and a CK band."""
    fluorescence = Hep2Evidence() if pattern == "NOT_TESTED" else _fluorescence(pattern)
    creatine = CkEvidence() if band == "UNKNOWN" else _creatine(band)
    given = {"hep2": fluorescence, "ck": creatine, "age_years": 48, "anchor": DAY, **fields}
    return Episode(today=LOOKED_AT, srp=srp, hmgcr=hmgcr, **given)


def _fluorescence(pattern: str) -> Hep2Evidence:
    return Hep2Evidence(state=Hep2State(pattern), result=hep2(pattern))


def _creatine(band: str) -> CkEvidence:
    return CkEvidence(band=CkBand(band), ratio=Decimal(_RATIO[band]), result=ck(_RATIO[band]))


def case(found: Episode, verdict: Verdict, knowledge: Knowledge, **fields: Any) -> Case:
    """What a comment is written from, with nothing posted before."""
    return Case(
        history=fields.pop("history", history()),
        episode=found,
        facts=facts(found, knowledge.policy),
        verdict=verdict,
        decisions=knowledge.decisions,
        policy=knowledge.policy,
    )


def changed(found: dict[str, FactValue], **values: FactValue) -> dict[str, FactValue]:
    return {**found, **values}


def site(knowledge: Knowledge, choice: str, value: str) -> Knowledge:
    """The knowledge of a site that has chosen so."""
    one = msgspec.structs.replace(knowledge.policy.choices[choice], value=value)
    policy = msgspec.structs.replace(knowledge.policy, choices={**knowledge.policy.choices, choice: one})
    return msgspec.structs.replace(knowledge, policy=policy)
