"""The order of the worklist (clinical.md E): which cases it raises, why, and that it changes nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_figures import FIGURES, KNOWLEDGE, facts, outcome, probability, retest, switched_on

from labbridge.interpret import Interpreter
from labbridge.interpret.facts import REGISTRY
from labbridge.knowledge.documents import Source
from labbridge.knowledge.probabilities import FILE, Figure, Probabilities, read_probabilities
from labbridge.model.history import History
from labbridge.model.outcome import Outcome
from labbridge.model.ranking import Ranking, Worth
from labbridge.normalise import Normaliser
from labbridge.offline import Readers, case_history
from labbridge.review.ranking import Ranker, written
from labbridge.review.spread import points
from labbridge.review.worth import Losses, Second, expected_value, of_ratios
from labbridge.sources import shipped

ON = switched_on()
RANKER = Ranker(ON)
LOW = {"srp": "POS_LOW", "srp_source": "blot"}
STRONG = {"srp": "POS_STRONG", "srp_source": "blot"}
BY_BLOT = retest("SRP", "quant", "ip")
SHIPPED = (shipped() / FILE).read_text(encoding="utf-8")


def ranked(*retests: Any, **said: str | bool) -> Ranking:
    return RANKER(outcome(facts(**said), *(retests or (BY_BLOT,))))


def worth(*retests: Any, **said: str | bool) -> Worth:
    (found,) = ranked(*retests, **said).retests
    return found


def by(*rows: str) -> Ranker:
    """A ranker of a site that lays these rows over ours."""
    faults: list[Any] = []
    found = read_probabilities([Source(FILE, SHIPPED), Source(FILE, "".join(rows), site=True)], faults)
    assert faults == []
    return Ranker(msgspec.structs.replace(ON, probabilities=found))


# ---------------------------------------------------------------- the switch


def test_switched_off_no_case_is_raised_or_explained() -> None:
    assert Ranker(KNOWLEDGE)(outcome(facts(**LOW, ck="MOD"), BY_BLOT)) == Ranking()


def test_a_site_switches_it_on() -> None:
    found = ranked(**LOW, ck="MOD")
    assert found.rank == found.retests[0].rank > 0


def test_without_figures_there_is_no_order_by_them() -> None:
    bare = msgspec.structs.replace(ON, probabilities=Probabilities())
    assert Ranker(bare)(outcome(facts(**LOW, ck="MOD"), BY_BLOT)) == Ranking()


# ---------------------------------------------------------------- what is computed


def test_the_point_is_that_of_the_defaults() -> None:
    found = worth(**LOW, ck="MOD", hep2="CYTO_COMPAT")
    p = probability("prior-raised-ck", "srp-blot-low", "srp-hep2-compatible")
    assert found.probability is not None
    assert found.value is not None
    assert found.probability.point == pytest.approx(p)
    assert found.value.point == pytest.approx(expected_value(p, of_ratios(50, 0.15), Losses(5, 0.02)))
    assert found.probability.low < p < found.probability.high
    assert (found.antibody, found.family) == ("SRP", "quant")


@pytest.mark.parametrize(
    ("antibody", "families", "second"),
    [
        ("SRP", ("quant", "ip"), of_ratios(50, 0.15)),
        ("SRP", ("ip", "quant"), of_ratios(200, 0.05)),
        ("SRP", ("same_new_specimen", "ip"), of_ratios(200, 0.05)),
        ("SRP", ("blot", "quant"), of_ratios(50, 0.15)),  # the blot has spoken: a second one tells nothing
        ("HMGCR", ("ip", "cba", "tissue"), Second(0.885, 0.02)),
        ("HMGCR", ("cba",), Second(0.885, 0.02)),
        ("HMGCR", ("tissue",), of_ratios(20, 0.1)),
        ("HMGCR", ("quant", "tissue"), of_ratios(20, 0.1)),
    ],
)
def test_the_second_method_is_the_first_that_is_another_one(
    antibody: str, families: tuple[str, ...], second: Second
) -> None:
    said: dict[str, str] = {**LOW, "hmgcr": "POS_LOW", "hmgcr_source": "quant", "ck": "MOD"}
    found = worth(retest(antibody, *families), **said)
    row = "srp-blot-low" if antibody == "SRP" else "hmgcr-low"
    beside = ["multiple-msa"]
    assert found.value is not None
    p = probability("prior-raised-ck", row, *beside)
    assert found.value.point == pytest.approx(expected_value(p, second, Losses(5, 0.02)))


@pytest.mark.parametrize("families", [("blot",), ("same_new_specimen",), ("enzymatic_diluted",), ()])
def test_the_same_family_again_is_worth_nothing(families: tuple[str, ...]) -> None:
    found = worth(retest("SRP", *families), **LOW, ck="MOD")
    assert (found.rank, found.value, found.family) == (0, None, "")
    assert found.says == ("No other kind of method is asked for anti-SRP: the case keeps its place.",)


def test_the_rank_of_a_case_is_that_of_its_most_valuable_retest() -> None:
    both = (BY_BLOT, retest("HMGCR", "ip"), retest("ANA_HEP2", "hep2_iif"), retest("CK", "enzymatic"))
    found = ranked(*both, **LOW, hmgcr="EQUIVOCAL", hmgcr_source="quant", ck="MOD")
    assert [one.antibody for one in found.retests] == ["SRP", "HMGCR"]
    assert found.rank == max(one.rank for one in found.retests) == found.retests[0].rank > 0 == found.retests[1].rank


def test_no_retest_is_added_to_those_of_the_rules() -> None:
    assert RANKER(outcome(facts(**LOW, ck="MOD"))) == Ranking()
    assert ranked(retest("ANA_HEP2", "hep2_iif"), **LOW, ck="MOD") == Ranking()


def test_a_rank_is_ten_thousandths_of_the_value() -> None:
    found = worth(**LOW, ck="MOD")
    assert found.value is not None
    assert found.rank == round(found.value.point * 10_000)


RAISED = [  # at L = 5: what the docs say of the shipped figures
    ("no CK, SRP blot strong", {**STRONG}, True),
    ("no CK, SRP blot strong, HEp-2 negative", {**STRONG, "hep2": "NEG"}, False),
    ("no CK, SRP blot low", {**LOW}, False),
    ("no CK, SRP blot low, HEp-2 compatible", {**LOW, "hep2": "CYTO_COMPAT"}, False),
    ("no CK, SRP blot equivocal", {"srp": "EQUIVOCAL", "srp_source": "blot"}, False),
    ("raised CK, SRP blot strong", {**STRONG, "ck": "MOD"}, False),
    ("raised CK, SRP blot strong, HEp-2 negative", {**STRONG, "ck": "MOD", "hep2": "NEG"}, True),
    ("raised CK, SRP blot strong, HEp-2 compatible", {**STRONG, "ck": "MOD", "hep2": "CYTO_COMPAT"}, False),
    ("raised CK, SRP blot low", {**LOW, "ck": "MOD"}, True),
    ("raised CK, SRP blot equivocal", {"srp": "EQUIVOCAL", "srp_source": "blot", "ck": "MOD"}, True),
    ("suspicion, CK high, SRP blot strong", {**STRONG, "ck": "HIGH", "suspicion": True}, False),
    ("suspicion, CK high, SRP blot low", {**LOW, "ck": "HIGH", "suspicion": True}, False),
    ("suspicion, CK high, SRP blot low, HEp-2 negative", {**LOW, "ck": "HIGH", "suspicion": True, "hep2": "NEG"}, True),
    ("suspicion, CK high, SRP blot negative", {"srp": "NEG", "srp_source": "blot", "ck": "HIGH", "suspicion": True}, True),
    ("raised CK, SRP blot negative", {"srp": "NEG", "srp_source": "blot", "ck": "MOD"}, False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "said", "raised"), RAISED)
def test_what_is_raised(name: str, said: dict[str, str | bool], raised: bool) -> None:
    found = worth(**said)
    assert (found.rank > 0) is raised, name
    assert found.value is not None
    assert (found.value.low > 0) is raised


@pytest.mark.parametrize(("name", "said", "raised"), RAISED)
def test_four_times_as_many_draws_give_the_same_band(name: str, said: dict[str, str | bool], raised: bool) -> None:
    one, other = worth(**said), Ranker(ON, draws=16384)(outcome(facts(**said), BY_BLOT)).retests[0]
    assert one.rank == other.rank, name
    assert one.value is not None
    assert other.value is not None
    assert (one.value.low, one.value.high) == (
        pytest.approx(other.value.low, abs=0.01),
        pytest.approx(other.value.high, abs=0.01),
    )


def test_a_loss_that_a_site_sets_itself_moves_the_order() -> None:
    row = SHIPPED[SHIPPED.index("- {id: loss-missed") :].partition("\n")[0]
    case = outcome(facts(**STRONG), BY_BLOT)
    ranks = [by(row.replace("default: 5", f"default: {missed}") + "\n")(case).rank for missed in (2, 5, 10)]
    assert ranks[1] == RANKER(case).rank
    assert ranks[0] < ranks[1]
    assert (
        ranks[2] == 0
    )  # the upper end of its band is where a missed antibody is feared so much that it is called true


# ---------------------------------------------------------------- where no figure speaks


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"srp": "NOT_TESTED"}, "No usable result yet"),
        ({"srp": "KNOWN", "srp_source": "blot"}, "Known from before"),
        ({"srp": "EQUIVOCAL", "srp_source": "quant", "srp_discordant": True}, "Methods disagree"),
        ({**LOW, "srp_change": "became_positive"}, "An earlier result says something else"),
        ({**LOW, "srp_change": "method_changed"}, "An earlier result says something else"),
        ({"srp": "NEG", "srp_source": "blot", "srp_once_positive": True}, "An earlier result says something else"),
        ({**LOW, "srp_passive": True}, "The antibody may come from an infusion"),
        ({**LOW, "age_group": "child"}, "The figures are of adults."),
        ({**LOW, "ck_low": "discordant"}, "CK is too low to be relied on"),
        ({**LOW, "ck": "NORMAL"}, "CK is within limits"),
        ({"srp": "EQUIVOCAL", "srp_source": "quant"}, "There is no figure for anti-SRP"),
        ({**LOW, "ck": "elsewhere"}, "No prior fits"),
    ],
)
def test_what_no_figure_speaks_of_keeps_its_place_and_says_why(said: dict[str, str | bool], why: str) -> None:
    found = worth(**{"ck": "MOD", **said})
    assert (found.rank, found.value, found.probability, found.figures) == (0, None, None, ())
    assert len(found.says) == 1
    assert found.says[0].startswith(why)


SILENT = [
    {"{}": "NOT_TESTED"},
    {"{}": "KNOWN"},
    {"{}_discordant": True},
    *({"{}_change": change} for change in REGISTRY["srp_change"].domain if change != "none"),
    {"{}_once_positive": True},
    {"{}_passive": True},
    {"age_group": "child"},
    {"ck": "NORMAL"},
    {"ck_low": "discordant"},
    {"ck_low": "low_muscle_mass"},
]


@pytest.mark.parametrize("said", SILENT, ids=str)
@pytest.mark.parametrize(("side", "other"), [("srp", "hmgcr"), ("hmgcr", "srp")])
def test_a_reason_to_be_silent_is_one_for_the_antibody_it_is_about(
    side: str, other: str, said: dict[str, str | bool]
) -> None:
    """Each antibody has its own row of each, and the other's does not silence it, but for what is about the patient."""
    usual = {"ck": "MOD"}
    for one in (side, other):
        usual |= {one: "POS_LOW", f"{one}_source": "quant"}
    here = {name.format(side): value for name, value in said.items()}
    found = ranked(retest(side.upper(), "ip"), retest(other.upper(), "ip"), **{**usual, **here})
    mine, theirs = found.retests
    assert (mine.value, mine.rank) == (None, 0)
    assert (theirs.value is None) == (here == said)


@pytest.mark.parametrize("value", ["adult", "unknown"])
def test_an_unknown_age_counts_as_an_adults(value: str) -> None:
    assert worth(**LOW, ck="MOD", age_group=value).rank > 0


def test_an_outcome_from_before_there_were_facts_keeps_its_place() -> None:
    bare = msgspec.structs.replace(outcome(facts(**LOW, ck="MOD"), BY_BLOT), facts={})
    assert RANKER(bare).rank == 0
    assert RANKER(bare).retests[0].says[0].startswith("No prior fits")


# ---------------------------------------------------------------- the explanation


def test_an_explanation_names_every_figure_with_its_range_and_source() -> None:
    found = worth(**LOW, ck="MOD", hep2="NEG")
    assert [one.id for one in found.figures] == [
        "prior-raised-ck",
        "srp-blot-low",
        "srp-hep2-not-compatible",
        "srp-elisa-positive",
        "srp-elisa-negative",
        "loss-missed",
        "retest-cost",
    ]
    for one in found.figures:
        row = FIGURES.rows[one.id]
        assert isinstance(row, Figure)
        for name in one.__struct_fields__:
            assert getattr(one, name) == getattr(row, name), (one.id, name)


def test_an_explanation_names_what_is_assumed_of_any_second_method() -> None:
    found = worth(retest("HMGCR", "ip"), hmgcr="POS_LOW", hmgcr_source="quant", ck="MOD")
    assert [one.id for one in found.figures][-4:] == [
        "retest-sensitivity",
        "retest-false-positive",
        "loss-missed",
        "retest-cost",
    ]


def test_the_sentences_give_the_numbers_with_their_bands() -> None:
    found = worth(**LOW, ck="MOD")
    assert found.value is not None
    assert found.probability is not None
    value, p = found.value, found.probability
    assert found.says == (
        f"A retest of anti-SRP by ELISA/CLIA has an expected value of {value.point:.4f} ({value.low:.4f} to "
        f"{value.high:.4f}), in losses of one false label.",
        f"It rests on a probability of {p.point:.3f} ({p.low:.3f} to {p.high:.3f}) that anti-SRP is clinically true: not "
        "calibrated here, for the order of the worklist alone, never for a report.",
        "The whole band lies above zero: the case is raised by this value.",
    )
    kept = worth(**LOW).says
    assert kept[-1] == "The band does not lie above zero: the case keeps its place."
    assert "(-0.0200 to " in kept[0]


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.27614, "0.2761"), (0.27616, "0.2762"), (-0.02, "-0.0200"), (-0.00004, "0.0000"), (-0.00006, "-0.0001")],
)
def test_a_value_is_told_to_the_digit_that_ranks(value: float, told: str) -> None:
    assert written(value) == told


# ---------------------------------------------------------------- always the same, and nothing else changes

STATES = st.sampled_from(["NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG", "NOT_TESTED", "KNOWN"])
SAID = st.fixed_dictionaries(
    {
        "ck": st.sampled_from(["UNKNOWN", "NORMAL", "MILD", "MOD", "HIGH"]),
        "suspicion": st.booleans(),
        "srp": STATES,
        "srp_source": st.sampled_from(["blot", "quant", "tier1", "tissue"]),
        "hmgcr": STATES,
        "hmgcr_source": st.sampled_from(["blot", "quant"]),
        "hep2": st.sampled_from(["CYTO_COMPAT", "CYTO_OTHER", "NUCLEAR", "NEG", "NOT_TESTED"]),
        "other_msa_tested": st.booleans(),
        "multiple_msa": st.booleans(),
    }
)
FEW = Ranker(ON, draws=128)


@given(SAID)
def test_a_rank_is_bounded_by_what_there_is_to_lose(said: dict[str, str | bool]) -> None:
    found = FEW(outcome(facts(**said), retest("SRP", "quant", "ip"), retest("HMGCR", "ip")))
    assert found.rank >= 0
    for one in found.retests:
        if one.value is not None and one.probability is not None:
            p = one.probability.point
            assert 0 < one.probability.low <= p <= one.probability.high < 1
            assert -0.02 - 1e-9 <= one.value.low <= one.value.high
            assert one.value.point <= min(1 - p, 5 * p)
            assert one.rank <= 10_000 * min(1 - p, 5 * p)
        else:
            assert one.rank == 0


@given(SAID)
def test_the_same_case_has_the_same_explanation_to_the_last_byte(said: dict[str, str | bool]) -> None:
    case = outcome(facts(**said), retest("SRP", "quant", "ip"), retest("HMGCR", "ip"))
    fresh = Ranker(ON, draws=128)
    turned = msgspec.structs.replace(case, facts=dict(reversed(case.facts.items())))
    first, *others = [msgspec.json.encode(ranker(one)) for ranker, one in ((FEW, case), (fresh, case), (fresh, turned))]
    assert all(other == first for other in others)


@given(SAID)
def test_hep2_never_moves_an_anti_hmgcr(said: dict[str, str | bool]) -> None:
    """P5: what is asked of anti-HMGCR does not depend on HEp-2, and neither does its rank."""
    without = {**said, "hep2": "NOT_TESTED"}
    ranks = {FEW(outcome(facts(**one), retest("HMGCR", "ip"))).rank for one in (said, without)}
    assert len(ranks) == 1


def test_each_combination_of_figures_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh, drawn = Ranker(ON, draws=16), []
    monkeypatch.setattr("labbridge.review.ranking.points", lambda draws: drawn.append(draws) or points(draws))
    cases = [outcome(facts(**LOW, ck=ck, statin=statin), BY_BLOT) for ck in ("UNKNOWN", "MOD") for statin in "ABC"]
    first = [fresh(one) for one in cases]
    assert drawn == [16, 16]
    assert [fresh(one) for one in cases] == first
    assert first[0] != first[3]


# ---------------------------------------------------------------- whole evaluations

READERS = Readers(Normaliser(KNOWLEDGE), Interpreter(KNOWLEDGE))
SERUM = {"specimen": "serum", "status": "F", "collected": "2026-11-05", "received": "2026-11-07"}


def histories() -> Iterator[History]:
    """Patients of every kind: anti-SRP by blot, anti-HMGCR by CLIA, HEp-2 and CK, each of several values or not there."""
    srp = [
        ("SRP", {"method": "line_blot", "manufacturer": "euroimmun", "value": value})
        for value in ("2", "8", "15", "90")
    ]
    hmgcr = [
        ("HMGCR", {"method": "clia", "manufacturer": "werfen", "value": value, "unit": "CU", "cutoff": 20})
        for value in ("3", "25", "200")
    ]
    hep2 = [
        ("ANA_HEP2", {"method": "hep2_iif", "value": value, "pattern": pattern, "titre": titre})
        for value, pattern, titre in (
            ("negative", "AC-0", ""),
            ("positive", "AC-19", "1:320"),
            ("positive", "AC-1", "1:320"),
        )
    ]
    ck = [
        ("CK", {"method": "enzymatic", "value": value, "unit": "U/L", "ref_high": 170})
        for value in ("120", "900", "9000")
    ]
    for chosen in product((None, *srp), (None, *hmgcr), (None, *hep2), (None, *ck), (False, True)):
        *tests, suspicion = chosen
        results = [{**SERUM, "filler": one[0], "analyte": one[0], **one[1]} for one in tests if isinstance(one, tuple)]
        if results:
            context = {"suspicion": suspicion}
            patient = {"sex": "F", "age_years": 50}
            case = {"id": "R", "patient": patient, "evaluate_at": "2026-11-09", "context": context, "results": results}
            yield case_history(case, READERS)


@pytest.fixture(scope="module")
def evaluated() -> list[tuple[History, Outcome]]:
    off = Interpreter(KNOWLEDGE)
    return [(history, off(history)) for history in histories()]


def test_switching_it_on_changes_no_outcome(evaluated: list[tuple[History, Outcome]]) -> None:
    on = Interpreter(ON)
    assert len(evaluated) > 600
    for history, before in evaluated:
        assert msgspec.json.encode(on(history)) == msgspec.json.encode(before)


def test_ranking_a_case_leaves_its_outcome_as_it_is(evaluated: list[tuple[History, Outcome]]) -> None:
    ranks = []
    for _history, one in evaluated:
        before = msgspec.json.encode(one)
        ranks.append(RANKER(one).rank)
        assert msgspec.json.encode(one) == before
        again = msgspec.json.decode(before, type=Outcome)  # as it comes back from the store
        assert RANKER(again).rank == ranks[-1]
    assert 0 in ranks
    assert len(set(ranks)) > 5


def test_a_case_is_raised_only_for_a_retest_that_the_rules_recommend(evaluated: list[tuple[History, Outcome]]) -> None:
    for _history, one in evaluated:
        found = RANKER(one)
        named = {each.analyte: each.families for each in one.retests}
        for each in found.retests:
            assert each.antibody in named
            assert not each.family or each.family in named[each.antibody]
        if not named.keys() & {"SRP", "HMGCR"}:
            assert found == Ranking()


def test_every_explanation_is_in_words(evaluated: list[tuple[History, Outcome]]) -> None:
    for _history, one in evaluated:
        for each in RANKER(one).retests:
            assert each.says
            assert not any("{" in text or "SRP_" in text for text in each.says)
