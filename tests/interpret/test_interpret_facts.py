"""The registry of facts: each documented, each within its values, each read off the part of the episode it names."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from interpret_build import antibody, ck, episode, evidence, hep2, history, other, site

from labbridge.interpret.episode import episode as evaluate
from labbridge.interpret.evidence import (
    AntibodyEvidence,
    Change,
    CkBand,
    CkCourse,
    Episode,
    Hep2State,
    LowCk,
    Raised,
    Rebound,
    Titre,
    Trend,
)
from labbridge.interpret.facts import REGISTRY, facts
from labbridge.interpret.slots import ASKED
from labbridge.interpret.vocabulary import check_vocabulary
from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.decisions import Alternative, CommentRow, Decisions, Rule, Then

NONE = evidence("SRP", "NOT_TESTED", "")
PLAIN = episode(NONE, evidence("HMGCR", "NOT_TESTED", ""), "NOT_TESTED", "UNKNOWN")


def with_srp(**fields: Any) -> Episode:
    return msgspec.structs.replace(PLAIN, srp=msgspec.structs.replace(evidence("SRP", "POS_LOW", "blot"), **fields))


def with_hep2(**fields: Any) -> Episode:
    return msgspec.structs.replace(PLAIN, hep2=msgspec.structs.replace(PLAIN.hep2, **fields))


def with_ck(**fields: Any) -> Episode:
    return msgspec.structs.replace(PLAIN, ck=msgspec.structs.replace(PLAIN.ck, **fields))


def with_course(**fields: Any) -> Episode:
    return msgspec.structs.replace(PLAIN, course=CkCourse(**fields))


def with_(**fields: Any) -> Episode:
    return msgspec.structs.replace(PLAIN, **fields)


MOVES: list[tuple[str, Episode, object]] = [
    ("srp", with_srp(), "POS_LOW"),
    ("srp", with_srp(known=True), "KNOWN"),
    ("srp_now", with_srp(known=True), "POS_LOW"),
    ("srp_source", with_srp(), "blot"),
    ("srp_confirmed", with_srp(confirmed=True), True),
    ("srp_discordant", with_srp(discordant=True), True),
    ("srp_resolved", with_srp(resolved=True), True),
    ("srp_pending", with_srp(pending=True), True),
    ("srp_known", with_srp(known=True), True),
    ("srp_partner_tested", with_srp(partner_tested=True), True),
    ("srp_once_positive", with_srp(once_positive=True), True),
    ("any_pending", with_srp(pending=True), True),
    ("both_pending", with_srp(pending=True), False),
    ("srp_by_ip", with_(srp=evidence("SRP", "NEG", "ip")), True),
    ("srp_by_ip", with_(srp=evidence("SRP", "NEG", "blot")), False),
    ("hmgcr", with_(hmgcr=evidence("HMGCR", "NEG", "quant")), "NEG"),
    ("hmgcr_source", with_(hmgcr=evidence("HMGCR", "NEG", "quant")), "quant"),
    ("hep2", with_hep2(state=Hep2State.NUCLEAR), "NUCLEAR"),
    ("hep2_pending", with_hep2(pending=True), True),
    ("hep2_unspecified", with_hep2(unspecified=True), True),
    ("hep2_stated", with_hep2(pattern_stated=False), False),
    ("hep2_cytoplasm_stated", with_hep2(cytoplasm_stated=False), False),
    ("hep2_titre_low", with_hep2(titre_low=True), True),
    ("ck", with_ck(band=CkBand.HIGH), "HIGH"),
    ("ck_pending", with_ck(pending=True), True),
    ("ck_persistent", with_ck(persistent=True), True),
    ("ck_limit_assumed", with_ck(limit_assumed=True), True),
    ("suspicion", with_(suspicion=True), True),
    ("suspicion_any", with_(suspicion=True), True),
    ("suspicion_any", with_(suspicion_implied=True), True),
    ("suspicion", with_(suspicion_implied=True), False),
    ("other_msa_positive", with_(other_positive=(other("MI2", "POS_LOW"),)), True),
    ("synthetase_positive", with_(other_positive=(other("MI2", "POS_LOW"),)), False),
    ("synthetase_positive", with_(synthetase_on_file=True), True),
    ("other_msa_tested", with_(other_negative=6, synthetase_negative=True), True),
    ("other_msa_tested", with_(other_negative=5, synthetase_negative=True), False),
    ("other_msa_tested", with_(other_negative=16, synthetase_negative=False), False),
    ("srp_change", with_srp(trend=Trend(change=Change.BECAME_POSITIVE)), "became_positive"),
    ("srp_titre", with_srp(trend=Trend(titre=Titre.RISING_CK_FALLING)), "rising_ck_falling"),
    ("srp_beside_ck", with_srp(beside_ck=True), True),
    ("srp_passive", with_srp(passive=True), True),
    ("passive", with_srp(passive=True), True),
    ("passive", with_hep2(passive=True, state=Hep2State.CYTO_COMPAT), True),
    ("hep2_passive", with_hep2(passive=True, state=Hep2State.CYTO_COMPAT), True),
    ("hep2", with_hep2(passive=True, state=Hep2State.CYTO_COMPAT), "NOT_TESTED"),
    ("ck_extreme", with_ck(extreme=True), True),
    ("context_on_file", with_srp(prior=True), True),
    ("context_on_file", with_hep2(result=hep2("NEG")), True),
    ("context_on_file", with_(other_negative=1), True),
    ("context_on_file", with_(suspicion=True), True),
    ("context_on_file", with_ck(extreme=True), False),
    ("ck_latest", with_course(band=CkBand.MILD), "MILD"),
    ("ck_was_high", with_course(was_high=True), True),
    ("ck_rebound", with_course(rebound=Rebound.REBOUND), "rebound"),
    ("ck_low", with_course(low=LowCk.DISCORDANT), "discordant"),
    ("creatinine_low", with_course(creatinine=ck(1)), True),
    ("multiple_msa", with_(other_positive=(other("JO1", "POS_LOW"),)), False),
    ("multiple_msa", with_(other_positive=(other("JO1", "POS_LOW"), other("JO1", "POS_STRONG"))), False),
    ("multiple_msa", with_(other_positive=(other("JO1", "POS_LOW"), other("MI2", "POS_LOW"))), True),
    ("multiple_msa", msgspec.structs.replace(with_srp(), other_positive=(other("JO1", "POS_LOW"),)), True),
    ("others_all_low", with_(other_positive=(other("JO1", "POS_LOW"),), others_all_low=True), True),
    ("others_all_low", with_(others_all_low=True), False),
    ("statin", with_(statin="Y"), "exposed"),
    ("statin", with_(statin="N"), "unexposed"),
    ("statin", with_(statin="U"), "unknown"),
    ("age_group", with_(age_years=18), "adult"),
    ("age_group", with_(age_years=17), "child"),
    ("age_group", with_(age_years=None), "unknown"),
    ("identity", with_(raised=(Raised(code="IDENTITY_MISMATCH", analyte="", text="sex"),)), "sex"),
    ("identity", with_(raised=(Raised(code="SPECIMEN_INVALID", analyte="CK", text="csf"),)), "agrees"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "found", "value"), MOVES)
def test_a_fact_follows_what_it_names(knowledge: Knowledge, name: str, found: Episode, value: object) -> None:
    assert facts(found, knowledge.policy)[name] == value


def test_every_fact_but_the_twins_of_hmgcr_has_been_moved() -> None:
    moved = {name for name, _episode, _value in MOVES}
    chosen = {"critical_owner", "partner_elsewhere"}  # by the site, whoever the patient is
    assert {name for name in REGISTRY if not name.startswith("hmgcr_")} - moved == chosen
    assert {name.replace("hmgcr", "srp", 1) for name in REGISTRY if name.startswith("hmgcr")} <= set(REGISTRY)


@pytest.mark.parametrize(
    ("choice", "value", "fact", "wanted"),
    [
        ("partner_elsewhere", "yes", "partner_elsewhere", True),
        ("partner_elsewhere", "no", "partner_elsewhere", False),
        ("critical_owner", "labbridge", "critical_owner", "labbridge"),
        ("critical_owner", "lis", "critical_owner", "lis"),
    ],
)
def test_a_fact_is_what_the_site_chose(
    knowledge: Knowledge, choice: str, value: str, fact: str, wanted: object
) -> None:
    assert facts(with_(), site(knowledge, choice, value).policy)[fact] == wanted


def test_nothing_known_has_a_value_for_every_fact(knowledge: Knowledge) -> None:
    found = facts(PLAIN, knowledge.policy)
    assert list(found) == list(REGISTRY)
    assert {name: value for name, value in found.items() if value not in (False, "NOT_TESTED", "none")} == {
        "hep2_stated": True, "hep2_cytoplasm_stated": True, "ck": "UNKNOWN", "age_group": "adult", "identity": "agrees",
        "ck_latest": "UNKNOWN", "statin": "unknown", "critical_owner": "lis",
    }  # fmt: skip


@pytest.mark.parametrize("name", list(REGISTRY))
def test_a_fact_is_documented_and_its_values_are_closed(name: str) -> None:
    fact = REGISTRY[name]
    assert fact.name == name
    assert len(fact.meaning.split()) >= 3
    assert len(set(fact.domain)) == len(fact.domain) >= 2


def test_the_facts_of_a_real_evaluation_lie_in_their_domains(knowledge: Knowledge) -> None:
    given = history(antibody("SRP", "POS_STRONG"), hep2("CYTO_COMPAT"), ck(30))
    found = facts(evaluate(given, knowledge.policy), knowledge.policy)
    assert {name: value for name, value in found.items() if value not in REGISTRY[name].domain} == {}
    assert (found["srp"], found["hep2"], found["ck"], found["hmgcr"]) == (
        "POS_STRONG", "CYTO_COMPAT", "HIGH", "NOT_TESTED",
    )  # fmt: skip


def test_the_facts_of_both_antibodies_are_the_same_ones(knowledge: Knowledge) -> None:
    def mirrored(one: AntibodyEvidence) -> dict[str, object]:
        both = msgspec.structs.replace(PLAIN, srp=one, hmgcr=one)
        found = facts(both, knowledge.policy)
        return {name: value for name, value in found.items() if name.startswith(("srp", "hmgcr"))}

    found = mirrored(evidence("SRP", "EQUIVOCAL", "quant", "discordant"))
    for name, value in found.items():
        if name.startswith("hmgcr"):
            assert found[name.replace("hmgcr", "srp", 1)] == value


# ---------------------------------------------------------------- what rows may name


def test_the_shipped_rows_name_only_what_there_is(knowledge: Knowledge) -> None:
    assert check_vocabulary(knowledge.decisions) == []


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ({"serum": "NEG"}, "fact serum is not known"),
        ({"srp": "POSITIVE"}, "srp is never POSITIVE"),
        ({"srp": ("NEG", "NIL")}, "srp is never NIL"),
        ({"srp_confirmed": "true"}, "srp_confirmed is never true"),
        ({"hep2": True}, "hep2 is never True"),
        ({"retest_any": True}, "fact retest_any is not known"),
    ],
)
def test_a_rule_that_asks_what_is_never_so_is_found(when: dict[str, Any], message: str) -> None:
    rule = Rule(id="r", version=1, status="active", why="-", when=when, then=Then())
    assert [fault.message for fault in check_vocabulary(Decisions(rules=(rule,)))] == [f"r: {message}."]


@pytest.mark.parametrize(
    ("alternative", "message"),
    [
        (Alternative(when={"age": "adult"}, text="A."), "fact age is not known"),
        (Alternative(when={"retest_any": "yes"}, text="A."), "retest_any is never yes"),
        (Alternative(text="{Antibodi} found."), "slot {Antibodi} is not known"),
    ],
)
def test_a_text_that_asks_or_names_what_is_not_there_is_found(alternative: Alternative, message: str) -> None:
    for comment in (CommentRow(id="C99", parts=((alternative,),)), CommentRow(id="C99", addendum=(alternative,))):
        faults = check_vocabulary(Decisions(comments={"C99": comment}))
        assert [fault.message for fault in faults] == [f"C99: {message}."]


def test_texts_may_ask_what_rules_may_and_more() -> None:
    comment = CommentRow(id="C99", parts=((Alternative(when={"srp": "NEG", "retest_any": True}, text="{Other}."),),))
    assert check_vocabulary(Decisions(comments={"C99": comment})) == []
    assert not set(ASKED) & set(REGISTRY)
