"""The proof of the rules (clinical.md C9): it holds of what ships, is about what can occur, and finds what is planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path

import msgspec
import pytest
from knowledge_prove import DOMAINS, Edit, claims, facts, knowledge, proved, shipped_sources
from knowledge_prove_patients import patients
from knowledge_site import OWN_RULE, lay, said_of

from labbridge.checking import check
from labbridge.interpret import Interpreter, Judgement
from labbridge.knowledge.combinations import Combinations, FactRow, Facts, FactValue, allowed
from labbridge.knowledge.decisions import Rule, Then
from labbridge.knowledge.documents import Fault, Source
from labbridge.knowledge.properties import ByCk, Standing
from labbridge.knowledge.prove import Claims, prove, read_claims
from labbridge.knowledge.said import SEVERITIES, asked, flags, offered, posted, retests_of
from labbridge.sources import unfit

PROVED = ("P1", "P2", "P3", "P4", "P5", "P6", "P10", "C4")
PAIRS, G0, G1 = "rules/comments-of-pairs.yaml", "rules/g0-not-tested.yaml", "rules/g1-dual.yaml"
SRP, HMGCR, LOW = "rules/g2-srp-strong.yaml", "rules/g2-hmgcr-strong.yaml", "rules/g3-low.yaml"
PATTERN = "rules/hep2-pattern.yaml"
NEGATIVE, TRENDS, PARTNER = "rules/g5-both-negative.yaml", "rules/trends.yaml", "rules/partner.yaml"


def holding(rules: Iterable[Rule], found: Mapping[str, FactValue]) -> list[Rule]:
    """The active rows that these facts alone decide, looked at one by one."""
    return [
        rule
        for rule in rules
        if rule.status == "active"
        and not rule.on
        and all(found[name] in allowed(its) for name, its in rule.when.items())
    ]


# ---------------------------------------------------------------- what ships


def test_the_shipped_rules_are_proved() -> None:
    proof = proved()
    assert (proof.faults, proof.held) == ((), PROVED)
    assert proof.core >= 625 * 36
    assert proof.beyond > proof.core
    assert str(proof).startswith(f"P1 P2 P3 P4 P5 P6 P10 C4 hold; {proof.core:,} combinations of the core table, ")


def test_p1_the_distribution_of_comment_classes() -> None:
    """The 625 with SRP from blot and HMGCR from a quantitative test, without suspicion (clinical.md C9)."""
    decisions, told = knowledge().decisions, facts()
    plain = {name: told.usual(name) for name in DOMAINS}
    states = ("NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG", "NOT_TESTED")
    count: Counter[str] = Counter()
    for srp, hmgcr, hep2, ck in product(states, states, DOMAINS["hep2"], DOMAINS["ck"]):
        found = {**plain, "srp": srp, "srp_now": srp, "hmgcr": hmgcr, "hmgcr_now": hmgcr, "hep2": hep2, "ck": ck}
        found["srp_source"] = "none" if srp == "NOT_TESTED" else "blot"
        found["hmgcr_source"] = "none" if hmgcr == "NOT_TESTED" else "quant"
        count[posted(holding(decisions.rules, found), decisions.style) or "NONE"] += 1
    assert count == {
        "C03": 150, "C04": 125, "C08": 100, "C01": 60, "C02": 60, "C05": 50, "C10": 30, "NONE": 14, "C07": 12,
        "C06": 10, "C12": 5, "C22": 4, "C13": 3, "C11": 2,
    }  # fmt: skip


def test_all_that_a_row_can_do_is_known_here() -> None:
    """A new kind of action has to be read by the proof too, or said to change nothing of what it proves (`quiet`)."""
    assert set(Then.__struct_fields__) <= {"flags", "retest", "comment", "beside", "defer", "quiet"}


# ---------------------------------------------------------------- what can occur


def test_every_evaluation_lies_inside_the_declared_limits() -> None:
    """A limit that is too narrow would hide combinations: what the engine reads off patients is all possible."""
    interpreter, told = Interpreter(knowledge()), facts()
    seen: dict[str, set[FactValue]] = {name: set() for name in DOMAINS}
    for patient in patients(11, 3000):
        found = interpreter.judge(patient).facts
        for name, value in found.items():
            seen[name].add(value)
        wrong = [one for one in told.never if all(found[name] in values for name, values in one.items())]
        assert wrong == [], found
    rare = {
        "srp_titre",
        "hmgcr_titre",
        "ck_rebound",
        "srp_change",
        "critical_owner",
        "partner_elsewhere",
    }  # by the site
    can = {name: {value for value in DOMAINS[name] if told.can_be({name: value})} for name in DOMAINS}
    assert [name for name in DOMAINS if seen[name] != can[name] and name not in rare] == []


def test_a_limit_that_is_too_narrow_is_found_by_patients() -> None:
    """The test before this one has power: it fails where a limit forbids what happens."""
    limits = {
        "srp_pending": ("srp_now", "NEG"),
        "hep2_titre_low": ("hep2", "CYTO_COMPAT"),
        "ck_extreme": ("ck", "HIGH"),
    }
    interpreter = Interpreter(knowledge())
    found = [interpreter.judge(patient).facts for patient in patients(11, 800)]
    for name, (other, value) in limits.items():
        assert any(one[name] is True and one[other] == value for one in found), name


def test_the_rows_are_read_here_as_the_engine_reads_them() -> None:
    """Two readings of the same rows, of patients about whom C1 raises nothing: flags, retests, comment."""
    told = knowledge()
    interpreter, readings = Interpreter(told), claims().records.values()
    (high,) = [one.where for one in readings if isinstance(one, ByCk)]
    standings = [one for one in readings if isinstance(one, Standing)]
    looked = 0
    for patient in patients(5, 2500):
        judged = interpreter.judge(patient)
        if judged.episode.raised:
            continue
        looked += 1
        rules = holding(told.decisions.rules, judged.facts)
        raised = _all(judged.facts, high)
        mine = {key: SEVERITIES[one.level] for key, one in flags(rules, raised).items()}
        assert mine == {(one.code, one.analyte): one.severity.value for one in judged.verdict.flags}
        comment = interpreter(patient).comment
        assert posted(rules, told.decisions.style) == (comment.comment_class if comment else "")
        for standing in standings:
            _same_retest(judged, rules, standing, raised, interpreter)
    assert looked > 1000


def _same_retest(
    judged: Judgement, rules: list[Rule], standing: Standing, raised: bool, interpreter: Interpreter
) -> None:
    decisions, found = interpreter.knowledge.decisions, judged.facts
    settled = any(_all(found, one) for one in standing.settled)
    mine = asked(rules, standing.id, raised=raised, settled=settled)
    theirs = next((one for one in judged.verdict.retests if one.analyte == standing.id), None)
    if standing.id == "OTHER_MSA" and judged.episode.other_pending:
        return  # in progress; no fact says so, and no property depends on it
    assert (mine is None) == (theirs is None), (standing.id, found)
    if mine is None or theirs is None:
        return
    assert mine.waits == (theirs.not_before is not None)
    assert mine.urgent == (theirs.priority.value == "urgent")
    if standing.rests_on:
        source = str(found[standing.rests_on])
        word = "discordant" if _all(found, standing.discordant) else source
        evidence = judged.episode.srp if standing.id == "SRP" else judged.episode.hmgcr
        used = frozenset(one.value for one in evidence.families)
        actions = [one for rule in rules for one in retests_of(rule, standing.id) if one.exempt or not settled]
        names = [offered(decisions, standing.id, one, word, used) for one in actions]
        assert set(theirs.families) <= frozenset().union(*names)


def _all(found: Mapping[str, FactValue], when: Mapping[str, object]) -> bool:
    return bool(when) and all(found[name] in allowed(its) for name, its in when.items())  # type: ignore[arg-type]


# ---------------------------------------------------------------- the enumeration

SMALL = {"a": ("x", "y", "z"), "b": (True, False), "c": (True, False)}
LIMITED = {
    "a": FactRow(id="a", says={"x": "x", "y": "y", "z": "z"}, usual="x"),
    "b": msgspec.convert({"id": "b", "says": "b", "limits": [{"where": {"a": "x"}, "to": False}]}, FactRow),
    "c": msgspec.convert({"id": "c", "says": "c", "limits": [{"where": {"a": "y", "b": True}, "to": True}]}, FactRow),
}
CONDITIONS = [{"a": ("x", "y")}, {"b": True}, {"a": "y", "c": False}]


@pytest.mark.parametrize("last", ["", "a", "b", "c", "ac", "abc"])
def test_it_counts_what_can_occur_and_says_what_holds(last: str) -> None:
    """Against every combination written out."""
    wanted = set()
    for a, b, c in product(*SMALL.values()):
        if not (a == "x" and b) and not (a == "y" and b and not c):
            holds = (a in ("x", "y"), b, a == "y" and not c)
            wanted.add(((a, b, c), sum(1 << place for place, one in enumerate(holds) if one)))
    found = Combinations(Facts(LIMITED, SMALL), CONDITIONS, last=tuple(last))
    assert found.count == len(wanted) == 9
    masks = {now & 7 for mask, _rest in found for _values, now in found.ways(mask)}
    assert masks == {mask for _values, mask in wanted}


def test_facts_are_as_usual_unless_they_are_free_or_given() -> None:
    only = Combinations(Facts(LIMITED, SMALL), CONDITIONS, free=("c",), given={"a": ("y", "z")})
    assert {tuple(values.values()) for _mask, values in only} <= {
        ("y", False, False),
        ("y", False, True),
        ("z", False, False),
    }
    assert only.count == 4


def test_whether_facts_can_be_together_is_asked_of_all_limits() -> None:
    told = facts()
    assert told.can_be({"srp": "KNOWN", "srp_now": "NEG"})
    assert not told.can_be({"srp": "POS_LOW", "srp_now": "NEG"})
    assert not told.can_be({"both_pending": True, "any_pending": False})


def test_every_value_of_every_fact_that_matters_has_a_word() -> None:
    told = facts()
    for name in ("srp", "hmgcr", "hep2", "ck"):
        words = [told.say({name: value}) for value in DOMAINS[name]]
        assert all(words)
        assert len(set(words)) == len(words)
    sentence = told.say(
        {"ck": "UNKNOWN", "hep2": "NUCLEAR", "hmgcr": "NOT_TESTED", "srp": "POS_LOW", "srp_now": "POS_LOW"}
    )
    assert sentence == "SRP low positive, HMGCR not tested, HEp-2 nuclear, CK unknown"


# ---------------------------------------------------------------- its power: planted faults

SRP_ROUTINE = "{analyte: SRP, by: any, priority: routine"
FAULTS = {
    "a hole": (
        [Edit(PAIRS, "pair-srp-low", "[EQUIVOCAL, NEG, NOT_TESTED]", "[EQUIVOCAL, NEG]")],
        "SRP low positive, HMGCR not tested, HEp-2 not tested, CK unknown: no row, and a comment is due (P1).",
        "pair-srp-low (C03) does not take HMGCR not tested: widen it, or add a row.",
    ),
    "two classes": (
        [Edit(PAIRS, "pair-srp-strong", "[MILD, MOD, HIGH, UNKNOWN]", "[NORMAL, MILD, MOD, HIGH, UNKNOWN]")],
        "SRP strongly positive, HMGCR not tested, HEp-2 not tested, CK within limits: pair-srp-strong says C01 and "
        "pair-srp-strong-ck-normal says C10, C10 is due (P1).",
        "Narrow the row, or mend the ranks.",
    ),
    "the wrong rank": (
        [Edit("comments/en.yaml", "style", "  ranks: [", "  ranks: [C04, ")],
        "SRP equivocal, HMGCR equivocal, methods disagree about HMGCR, HEp-2 not tested, CK unknown: "
        "pair-srp-equivocal says C04 and pair-hmgcr-discordant says C09, C09 is due (P1).",
        "Narrow the row, or mend the ranks.",
    ),
    "a hole beside a known antibody": (
        [Edit(PAIRS, "pair-srp-equivocal", "NOT_TESTED, KNOWN]", "NOT_TESTED]")],
        "SRP equivocal, HMGCR known from before: no row, and a comment is due (P1).",
        "pair-srp-equivocal (C04) does not take HMGCR known from before: widen it, or add a row.",
    ),
    "two classes beside a known antibody": (
        [
            Edit(PAIRS, "pair-hmgcr-equivocal", "srp: [EQUIVOCAL, NEG, NOT_TESTED, KNOWN]}", "ck: [MOD, HIGH]}"),
            Edit(PAIRS, "pair-srp-low", "when: {srp: POS_LOW,", "when: {srp_now: POS_LOW,"),
        ],
        "SRP low positive, HMGCR equivocal, HEp-2 not tested, CK 4 to 10 times its limit: pair-srp-low says C03 and "
        "pair-hmgcr-equivocal says C04 (P1).",
        "Narrow one of the rows.",
    ),
    "seronegative with one antibody untested": (
        [Edit(NEGATIVE, "both-negative-ck-high", "hmgcr: NEG, srp_once", "hmgcr: [NEG, NOT_TESTED], srp_once")],
        "SRP negative, HMGCR not tested, HEp-2 not tested, CK 4 to 10 times its limit: SERONEG_HIGH_CK "
        "(both-negative-ck-high) stands together with PARTNER_MISSING (srp-other-hmgcr-missing) (P2).",
        "Narrow one of the rows.",
    ),
    "concordant with a normal CK": (
        [Edit(HMGCR, "hmgcr-strong-concordant", "ck: [MOD, HIGH]", "ck: [NORMAL, MOD, HIGH]")],
        "SRP not tested, HMGCR strongly positive, HEp-2 not tested, CK within limits: MSA_POS_CONCORDANT "
        "(hmgcr-strong-concordant) stands together with MSA_POS_CK_NORMAL (hmgcr-strong-ck-normal) (P2).",
        "Narrow one of the rows.",
    ),
    "seronegative although one is known": (
        [Edit(NEGATIVE, "both-negative-ck-high", "when: {srp: NEG,", "when: {srp_now: NEG,")],
        "SRP known from before, SRP negative, HMGCR negative, CK 4 to 10 times its limit: SERONEG_HIGH_CK is raised "
        "(both-negative-ck-high) and needs SRP negative, HMGCR negative (P3).",
        "Narrow the row.",
    ),
    "a flag of one pattern beside another": (
        [Edit(LOW, "hmgcr-low-hep2-negative", "hep2: NEG}", "hep2: [NEG, NUCLEAR]}")],
        "SRP not tested, HMGCR low positive, HEp-2 nuclear, CK unknown: HEP2_NEG_MSA_POS is raised "
        "(hmgcr-low-hep2-negative) and needs HEp-2 negative, SRP low positive or SRP strongly positive; or HEp-2 negative, "
        "HMGCR low positive or HMGCR strongly positive (C4).",
        "Narrow the row.",
    ),
    "a negative HEp-2 closes the search": (
        [
            Edit(
                PARTNER,
                "hmgcr-other-srp-missing",
                "srp: NOT_TESTED, srp_pending: false}",
                "srp: NOT_TESTED, srp_pending: false, hep2: [CYTO_COMPAT, CYTO_OTHER, NUCLEAR, NOT_TESTED]}",
            )
        ],
        "SRP not tested, HMGCR negative, HEp-2 negative, CK unknown: a test of anti-SRP is recommended with HEp-2 not "
        "tested, and not here (P4).",
        "Let the rows ask for the same.",
    ),
    "a negative HEp-2 makes it less urgent": (
        [Edit(G0, "untested-hep2-negative-ck-high", "[{analyte: SRP, by: any, priority: urgent", f"[{SRP_ROUTINE}")],
        "SRP not tested, HMGCR not tested, HEp-2 negative, CK above 10 times its limit, myositis suspected or looked for "
        "before: a test of anti-SRP is recommended with HEp-2 not tested, and less urgently here (P4).",
        "Let the rows ask for the same.",
    ),
    "HEp-2 decides about HMGCR": (
        [Edit(LOW, "hmgcr-low", "when: {hmgcr: POS_LOW,", "when: {hmgcr: POS_LOW, hep2: [CYTO_COMPAT, NEG],")],
        "SRP not tested, HMGCR low positive, HEp-2 compatible cytoplasmic, CK unknown: the retest of anti-HMGCR is another "
        "one than with HEp-2 not tested (P5).",
        "Let the rows ask for the same.",
    ),
    "a HEp-2 without a pattern decides about HMGCR": (
        [Edit(PATTERN, "hep2-positive-without-pattern", ", hmgcr_now: [NEG, EQUIVOCAL, NOT_TESTED]}", "}")],
        "SRP not tested, HMGCR low positive, HEp-2 not tested, HEp-2 positive without a pattern: the retest of HEp-2 "
        "immunofluorescence is another one than with HEp-2 not tested (P5).",
        "Let the rows ask for the same.",
    ),
    "a confirmed antibody is confirmed again": (
        [Edit(G1, "dual-confirm-srp", "reason: DUAL_SRP_HMGCR}", "reason: DUAL_SRP_HMGCR, exempt: true}")],
        "SRP strongly positive, SRP confirmed, SRP by a reference method, HMGCR low positive, HEp-2 not tested, CK unknown: "
        "a method for anti-SRP is recommended all the same (dual-confirm-srp) (P6).",
        "Take `exempt` away, or name a new specimen.",
    ),
    "a method is offered that was used": (
        [Edit("retests.yaml", "HMGCR-reference", "families: [ip, cba]", "families: [quant]")],
        "SRP low positive, HMGCR equivocal, HMGCR by ELISA or CLIA, HEp-2 not tested, CK unknown: ELISA/CLIA was used, and "
        "is recommended for anti-HMGCR (srp-positive-hmgcr-equivocal) (P6).",
        "Name another family here or in retests.yaml.",
    ),
    "a new antibody is checked by the blot again": (
        [Edit(TRENDS, "srp-seroconversion", "by: [same_new_specimen]", "by: [blot]")],
        "SRP by blot, SRP has become positive: blot was used, and is recommended for anti-SRP (srp-seroconversion) (P6).",
        "Name another family here or in retests.yaml.",
    ),
    "a higher CK makes it less severe": (
        [Edit(SRP, "srp-strong-hep2-negative-ck-high", "HEP2_NEG_MSA_POS: major", "HEP2_NEG_MSA_POS: info")],
        "SRP strongly positive, HMGCR not tested, HEp-2 negative, CK 4 to 10 times its limit: HEP2_NEG_MSA_POS is info, and "
        "minor with CK within limits (srp-strong-hep2-negative) (P10).",
        "Widen or raise the row.",
    ),
    "the highest CK silences a trend": (
        [Edit(TRENDS, "hmgcr-known-negative-ck-high", "ck: [MOD, HIGH]}", "ck: MOD}")],
        "HMGCR known from before, HMGCR negative, HMGCR by another method than before, CK above 10 times its limit: "
        "SEROREVERSION_UNEXPECTED is not raised, and major with CK 4 to 10 times its limit (hmgcr-known-negative-ck-high) "
        "(P10).",
        "Widen or raise the row.",
    ),
    "a row that can never speak": (
        [Edit(TRENDS, "srp-persists-ck-normal", "srp: KNOWN, srp_now: [POS_LOW, POS_STRONG]", "srp: KNOWN, srp_now: NEG")],
        "srp-persists-ck-normal speaks in no combination: it asks for facts that are never together.",
        "Mend its conditions, or retire it.",
    ),
    "a value that is never together with the others": (
        [Edit(TRENDS, "srp-persists-ck-normal", "ck_low: none}", "ck_low: none, srp_confirmed: true}")],
        "srp-persists-ck-normal asks for `srp_now: POS_LOW`, which is never together with its other conditions.",
        "Take POS_LOW out of the list.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_refused_with_the_combination_that_shows_it(name: str) -> None:
    edits, sentence, repair = FAULTS[name]
    proof = proved(*edits)
    found = [(one.message, one.repair) for one in proof.faults]
    assert (sentence, repair) in found, found
    number = sentence.rpartition("(")[2].rstrip(").") if sentence.endswith(").") else ""
    assert number not in proof.held
    assert all(one.file.startswith(("rules/", "retests")) and one.line > 0 for one in proof.faults)


@pytest.mark.parametrize("name", FAULTS)
def test_the_engine_runs_with_a_planted_fault_and_says_nothing_of_it(name: str) -> None:
    found = knowledge(*FAULTS[name][0])
    assert unfit(found) == []
    interpreter = Interpreter(found)
    assert all(interpreter(patient).facts for patient in patients(3, 20))


def test_a_fault_names_the_row_and_the_line_where_it_stands() -> None:
    (fault,) = proved(*FAULTS["a hole"][0]).faults
    text = next(source.text for source in shipped_sources() if source.name == PAIRS)
    assert (fault.file, text.splitlines()[fault.line - 1]) == (PAIRS, "- id: pair-srp-low")


# ---------------------------------------------------------------- what the proof itself is made of


def claimed(name: str, text: str) -> tuple[Claims, list[Fault]]:
    """The claims with a site's file of this name over the shipped ones."""
    faults: list[Fault] = []
    return read_claims([*shipped_sources(), Source(name, text, site=True)], faults), faults


def test_a_site_may_add_a_property_and_takes_none_away() -> None:
    own = "- {id: P2-own, kind: apart, flags: [CK_MISSING, SERONEG_HIGH_CK], source: us}\n"
    added, faults = claimed("properties.yaml", own)
    assert faults == []
    assert prove(knowledge().decisions, added, DOMAINS).held == PROVED
    (fault,) = claimed("properties.yaml", own.replace("P2-own", "P2-ck"))[1][:1]
    assert fault.message == "P2-ck is a property of ours."


def test_a_property_of_a_site_is_proved_with_ours() -> None:
    added, _faults = claimed(
        "properties.yaml", "- {id: own, kind: apart, flags: [CK_MISSING, MSA_POSITIVE], source: us}\n"
    )
    (fault, *_more) = prove(knowledge().decisions, added, DOMAINS).faults
    assert "CK unknown: MSA_POSITIVE" in fault.message or "CK unknown: CK_MISSING" in fault.message
    assert fault.message.endswith("(own).")


def test_a_site_has_no_facts_of_its_own() -> None:
    (fault,) = claimed("facts.yaml", "- {id: srp_confirmed, says: never, source: us}\n")[1]
    assert fault.message == "A site has no facts of its own."
    assert claimed("facts.yaml", "- {id: srp_confirmed, says: never, source: us}\n")[0].facts == claims().facts


def test_without_properties_nothing_is_proved() -> None:
    proof = prove(knowledge().decisions, msgspec.structs.replace(claims(), records={}), DOMAINS)
    assert proof.held == ()
    assert [one.message for one in proof.faults] == ["The properties of the core table are missing."]


def limit(fact: str, value: str) -> dict[str, object]:
    return {"where": {fact: value}, "to": False}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "srp_passive", "says": "s", "usual": "no"}, "srp_passive is never no."),
        ({"id": "srp_passive", "says": "s", "limits": [limit("srp_nw", "NEG")]}, "srp_nw is never NEG."),
        ({"id": "srp_passive", "says": "s", "limits": [limit("srp_now", "OLD")]}, "srp_now is never OLD."),
        ({"id": "statin", "says": {"exposed": "e"}, "usual": "unknown"}, "statin has no words for unexposed, unknown."),
        ({"id": "srp_passif", "says": "s"}, "srp_passif is no fact."),
    ],
)  # fmt: skip
def test_a_row_of_facts_that_says_what_is_not_so_is_refused(row: dict[str, object], message: str) -> None:
    one = msgspec.convert(row, FactRow)
    told = msgspec.structs.replace(claims(), facts={**claims().facts, one.id: one})
    proof = prove(knowledge().decisions, told, DOMAINS)
    assert [fault.message for fault in proof.faults] == [message]
    assert [fault.line for fault in proof.faults] == [told.lines.get(one.id, 1)]


def test_a_fact_without_a_row_is_refused() -> None:
    told = claims()
    without = {name: row for name, row in told.facts.items() if name != "statin"}
    (fault,) = prove(knowledge().decisions, msgspec.structs.replace(told, facts=without), DOMAINS).faults
    assert (fault.file, fault.message) == ("facts.yaml", "Fact statin has no row.")


# ---------------------------------------------------------------- `labbridge check`


def test_check_prints_the_proof() -> None:
    said: list[str] = []
    faults, _summary = check(None, "", write_lock=False, say=said.append)
    (line,) = said
    assert line.startswith("proved: P1 P2 P3 P4 P5 P6 P10 C4 hold; ")
    assert line.endswith(" s")
    assert [fault for fault in faults if fault.file.startswith("rules/")] == []


def test_check_refuses_a_rule_of_a_site_that_contradicts_ours(tmp_path: Path) -> None:
    text = OWN_RULE.replace("MSA_POSITIVE: major", "SERONEG_HIGH_CK: major")
    found = said_of(tmp_path, "rules/own.yaml", text)
    assert {fault.file for fault in found} >= {"rules/own.yaml"}
    assert any("SERONEG_HIGH_CK is raised (own) and needs SRP negative" in fault.message for fault in found)


def test_check_proves_nothing_of_knowledge_that_has_other_faults(tmp_path: Path) -> None:
    said: list[str] = []
    site = lay(tmp_path, {"rules/own.yaml": OWN_RULE.replace("POS_STRONG", "STRONG")})
    faults, _summary = check(None, site, write_lock=False, say=said.append)
    assert said == []
    assert faults
