"""probabilities.yaml: every figure of clinical.md E2 and E4 as it stands there, and no mistake in the file goes unnamed."""

from __future__ import annotations

import re
from itertools import product

import pytest

from labbridge.interpret.facts import REGISTRY
from labbridge.interpret.vocabulary import check_figures
from labbridge.knowledge.build import build
from labbridge.knowledge.documents import Fault, Source
from labbridge.knowledge.policy import Policy
from labbridge.knowledge.probabilities import (
    FILE,
    SLOTS,
    Figure,
    Likelihood,
    Listed,
    Pair,
    Prior,
    Probabilities,
    Sentence,
    Setting,
    Silent,
    holds,
    read_probabilities,
)
from labbridge.sources import load, read_folder, shipped

SHIPPED = (shipped() / FILE).read_text(encoding="utf-8")


def read(ours: str = SHIPPED, site: str = "") -> tuple[Probabilities, list[Fault]]:
    faults: list[Fault] = []
    sources = [Source(FILE, ours), *([Source(FILE, site, site=True)] if site else [])]
    found = read_probabilities(sources, faults)
    return found, faults


def edited(before: str, after: str, text: str = SHIPPED) -> str:
    """The shipped file with one edit."""
    assert text.count(before) == 1, before
    return text.replace(before, after)


def line_of(mark: str, text: str = SHIPPED) -> int:
    """The line on which the record that begins with this stands."""
    return text[: text.index(mark)].count("\n") + 1


@pytest.fixture(scope="module")
def known() -> Probabilities:
    return load().probabilities


# ---------------------------------------------------------------- what ships

E2 = {  # default, low, high
    "prior-no-ck": (0.008, 0.003, 0.02),
    "prior-raised-ck": (0.05, 0.02, 0.15),
    "prior-strong-suspicion": (0.30, 0.10, 0.50),
    "prior-of-the-seed": (14 / 10_000, None, None),
    "srp-blot-strong": (17, 6, 57),
    "srp-blot-low": (1.5, 0.4, 6),
    "srp-blot-equivocal": (1, 0.5, 2),
    "srp-blot-negative": (0.15, 0.07, 0.30),
    "srp-elisa-positive": (50, 9, 500),
    "srp-elisa-negative": (0.15, 0.04, 0.33),
    "srp-pmat-positive": (60, 19, 900),
    "srp-rna-ip-positive": (200, None, None),
    "srp-rna-ip-negative": (0.05, None, None),
    "srp-hep2-compatible": (6.7, 2.3, 19),
    "srp-hep2-not-compatible": (0.19, 0.09, 0.40),
    "hmgcr-hep2": (1, None, None),
    "hmgcr-strong": (60, 20, 130),
    "hmgcr-low": (10, 1, 40),
    "hmgcr-negative": (0.08, 0.03, 0.2),
    "hmgcr-tissue-present": (20, 5, 240),
    "hmgcr-tissue-absent": (0.1, 0.02, 0.33),
    "single-msa": (1.5, 1.05, 2.1),
    "multiple-msa": (0.22, 0.09, 0.54),
    "normal-ck-in-hmgcr-myositis": (0.10, 0.05, 0.17),
}
E4 = {
    "loss-missed": 5,
    "retest-cost": 0.02,
    "retest-sensitivity": 0.885,
    "retest-false-positive": 0.02,
    "band-tail": 0.05,
}
RECALLED = ("hmgcr-strong", "hmgcr-negative")
"""Figures behind which E2 names a sensitivity from memory."""
ASSUMED = ("prior-raised-ck", "prior-strong-suspicion", "srp-blot-equivocal", "hmgcr-low", "hmgcr-hep2", *RECALLED)


@pytest.mark.parametrize(("id", "figures"), list(E2.items()))
def test_a_figure_of_e2_stands_as_it_is_there(known: Probabilities, id: str, figures: tuple[float, ...]) -> None:
    one = known.rows[id]
    assert isinstance(one, Figure)
    assert (one.default, one.low, one.high) == figures


@pytest.mark.parametrize(("id", "value"), list(E4.items()))
def test_a_figure_of_e4_stands_as_it_is_there(known: Probabilities, id: str, value: float) -> None:
    one = known.by_id(Setting, id)
    assert (one.default, one.low, one.high, one.tag) == (value, None, None, "CONVENTION")


def test_no_other_figure_ships(known: Probabilities) -> None:
    assert {one.id for one in known.of(Figure)} == {*E2, *E4}


def test_every_figure_has_its_source_and_claims_no_review(known: Probabilities) -> None:
    for one in known.of(Figure):
        assert one.source.startswith("clinical.md "), one.id
        assert (one.reviewed, one.still_valid_on) == ((), "2026-11-27"), one.id
        assert one.tag != "CONVENTION" or "validate locally" in one.note, one.id


@pytest.mark.parametrize("id", ASSUMED)
def test_what_rests_on_memory_or_on_nothing_is_a_convention(known: Probabilities, id: str) -> None:
    one = known.rows[id]
    assert isinstance(one, Figure)
    assert one.tag == "CONVENTION"


def test_the_source_papers_prevalence_is_refused_and_is_no_prior(known: Probabilities) -> None:
    assert [one.id for one in known.of(Listed) if one.refused] == ["prior-of-the-seed"]
    assert 14 / 10_000 not in {figure for one in known.of(Prior) for figure in (one.default, one.low, one.high)}


def test_no_sentence_speaks_to_a_clinician_or_gives_a_percentage(known: Probabilities) -> None:
    texts = [one.text for one in (*known.of(Sentence), *known.of(Silent))]
    assert not any("%" in text or "patient" in text for text in texts)
    assert "never for a report" in known.by_id(Sentence, "probability").text


def test_the_layer_is_off_until_a_site_chooses_it() -> None:
    choice = load().policy.choices["worklist_order"]
    assert (choice.value, choice.choices, choice.tag) == ("table", ("table", "expected_value"), "CONVENTION")
    assert (choice.source, choice.reviewed) == ("clinical.md E5", ())


# ---------------------------------------------------------------- priors: exactly one, or none


def facts_of(ck: str, suspicion: bool) -> dict[str, str | bool]:
    return {"ck": ck, "suspicion": suspicion}


@pytest.mark.parametrize(
    ("ck", "suspicion", "wanted"),
    [
        ("UNKNOWN", False, ["prior-no-ck"]),
        ("UNKNOWN", True, ["prior-no-ck"]),
        ("NORMAL", False, []),
        ("NORMAL", True, []),
        ("MILD", False, ["prior-raised-ck"]),
        ("MILD", True, ["prior-raised-ck"]),
        ("MOD", False, ["prior-raised-ck"]),
        ("MOD", True, ["prior-raised-ck"]),
        ("HIGH", False, ["prior-raised-ck"]),
        ("HIGH", True, ["prior-strong-suspicion"]),
    ],
)
def test_a_case_has_the_prior_that_e2_defines(
    known: Probabilities, ck: str, suspicion: bool, wanted: list[str]
) -> None:
    assert [one.id for one in known.of(Prior) if holds(one.when, facts_of(ck, suspicion))] == wanted


def test_the_table_of_priors_leaves_out_no_value_of_a_fact() -> None:
    ck, suspicion = (REGISTRY[name].domain for name in ("ck", "suspicion"))
    assert len(list(product(ck, suspicion))) == 10


def test_a_fact_that_is_not_there_meets_nothing() -> None:
    assert not holds([{"ck": "UNKNOWN", "suspicion": False}], {"ck": "UNKNOWN"})
    assert holds([{"ck": "HIGH"}, {"ck": ("MILD", "MOD")}], {"ck": "MOD"})
    assert not holds([], {"ck": "MOD"})
    assert not holds([{"suspicion": True}], {"suspicion": "true"})


# ---------------------------------------------------------------- a site's rows

OWN = """\
- {id: srp-blot-low, kind: likelihood, means: own blot, unit: likelihood ratio, test: blot, default: 2, low: 1, high: 4,
   when: {SRP: [{srp: POS_LOW, srp_source: blot}]}, tag: DERIVED, source: our validation, reviewed: [hl]}
"""


def test_a_site_replaces_a_row_by_its_id_and_keeps_its_place() -> None:
    found, faults = read(site=OWN)
    assert faults == []
    one = found.by_id(Likelihood, "srp-blot-low")
    assert (one.default, one.low, one.high, one.source, one.reviewed) == (2, 1, 4, "our validation", ("hl",))
    assert list(found.rows) == list(read()[0].rows)


def test_a_site_may_add_a_row_of_its_own() -> None:
    own = OWN.replace("srp-blot-low", "hmgcr-blot-low").replace(
        "SRP: [{srp: POS_LOW, srp_", "HMGCR: [{hmgcr: POS_LOW, hmgcr_"
    )
    found, faults = read(site=own)
    assert faults == []
    assert found.rows["hmgcr-blot-low"].source == "our validation"


A_SETTING = "- {id: srp-blot-low, kind: setting, means: m, unit: tail, default: 0.1, tag: DERIVED, source: us}\n"


@pytest.mark.parametrize("site", [A_SETTING, OWN.replace("likelihood ratio", "losses of a false label")])
def test_a_row_stays_of_its_kind_and_unit(site: str) -> None:
    faults = [one for one in read(site=site)[1] if one.message.endswith("is a likelihood ratio (likelihood).")]
    assert [(one.line, one.repair) for one in faults] == [(1, "Keep its kind, or choose another id.")]


def test_a_knowledge_without_the_file_has_no_figures_and_no_fault() -> None:
    faults: list[Fault] = []
    assert read_probabilities([Source("policy.yaml", "")], faults) == Probabilities()
    assert faults == []


def test_the_figures_change_nothing_else_that_is_known() -> None:
    """Neither the rules nor any other table, nor what the lock holds of them; the version of the whole alone."""
    every = read_folder(shipped())
    with_them, _ = build(every)
    without, _ = build([one for one in every if one.name != FILE])
    assert without.probabilities == Probabilities()
    assert (with_them.decisions, with_them.terminology) == (without.decisions, without.terminology)
    assert with_them.policy.numbers == without.policy.numbers
    assert with_them.version != without.version


# ---------------------------------------------------------------- faults: file, line, repair

STRONG = "- id: srp-blot-strong"
RECORDS = [
    ("  default: 17\n", "", "missing required field `default`"),
    ("  default: 17\n", "  default: seventeen\n", "Expected `float`"),
    ("  default: 17\n", "  default: NaN\n", "the default does not lie in its range."),
    ("  default: 17\n", "  default: 58\n", "the default does not lie in its range."),
    ("  default: 17\n", "  default: 5\n", "the default does not lie in its range."),
    ("  high: 57\n", "  high: .inf\n", "Expected `float | null`"),
    ("  high: 57\n", "  high: inf\n", "it lies above 0 and below inf (likelihood ratio)."),
    ("  high: 57\n", "", "half a range is none."),
    ("  low: 6\n  high: 57\n", "  low: 0\n  high: 57\n", "it lies above 0 and below inf (likelihood ratio)."),
    ("  means: anti-SRP strongly positive by blot\n", "", "missing required field `means`"),
    (
        "  when: {SRP: [{srp: POS_STRONG, srp_source: blot}]}\n",
        "  when: {CK: [{srp: POS_STRONG}]}\n",
        "Invalid enum value 'CK'",
    ),
    (
        "  when: {SRP: [{srp: POS_STRONG, srp_source: blot}]}\n",
        "  when: {SRP: [{srp: POS_STRONG, srp_source: blot, ck: HIGH}]}\n",
        "CK chooses the prior and is no evidence beside it.",
    ),
    (
        "  when: {SRP: [{srp: POS_STRONG, srp_source: blot}]}\n",
        "  when: {SRP: [{srp: POS_STRONG, srp_beside_ck: true}]}\n",
        "CK chooses the prior and is no evidence beside it.",
    ),
]


@pytest.mark.parametrize(("before", "after", "message"), RECORDS)
def test_a_mistake_in_a_likelihood_is_named_with_its_line(before: str, after: str, message: str) -> None:
    head, mark, rest = SHIPPED.partition(STRONG)
    faults = read(head + mark + rest.replace(before, after, 1))[1]
    named = [one for one in faults if message in one.message]
    assert [(one.file, one.line) for one in named] == [(FILE, line_of(STRONG))]
    assert named[0].repair


@pytest.mark.parametrize("tag", ["RECALLED", "UNSURE"])
def test_what_is_from_memory_does_not_ship(tag: str) -> None:
    text = edited('tag: CONVENTION, source: "clinical.md E4, the 5-95 % band"', f'tag: {tag}, source: "clinical.md E4"')
    faults = read(text)[1]
    assert (FILE, line_of("- {id: band-tail"), f"Tag {tag} does not ship.") in [
        (one.file, one.line, one.message) for one in faults
    ]


@pytest.mark.parametrize(
    ("before", "after", "id", "message"),
    [
        ("  default: 0.008\n", "  default: 0.0014\n", "prior-no-ck", "a prior of 0.0014 is refused."),
        (
            "  low: 0.003\n  high: 0.02\n",
            "  low: 0.003\n  high: 1\n",
            "prior-no-ck",
            "it lies above 0 and below 1 (probability).",
        ),
        (
            "  when: [{ck: UNKNOWN}]\n",
            "  when: [{ck: [UNKNOWN, MILD]}]\n",
            "prior-raised-ck",
            "it can hold together with prior-no-ck.",
        ),
        (
            "{ck: HIGH, suspicion: false}",
            "{ck: HIGH}",
            "prior-strong-suspicion",
            "it can hold together with prior-raised-ck.",
        ),
        (
            "{srp: POS_LOW, srp_source: blot}",
            "{srp: [POS_LOW, NEG], srp_source: blot}",
            "srp-blot-negative",
            "it can hold together with srp-blot-low, of the same test.",
        ),
        (
            "{srp: POS_LOW, srp_source: blot}",
            "{srp_source: blot}",
            "srp-blot-low",
            "it can hold together with srp-blot-strong, of the same test.",
        ),
        (
            "positive: srp-elisa-positive",
            "positive: srp-elisa-positiv",
            "retest-srp-quant",
            "srp-elisa-positiv is no likelihood.",
        ),
        ("negative: hmgcr-tissue-absent", "negative: band-tail", "retest-hmgcr-tissue", "band-tail is no likelihood."),
        (
            "positive: srp-elisa-positive",
            "positive: srp-blot-low",
            "retest-srp-quant",
            "a positive ratio is above 1 and a negative below, in all of its range.",
        ),
        (
            "negative: srp-elisa-negative",
            "negative: srp-blot-equivocal",
            "retest-srp-quant",
            "a positive ratio is above 1 and a negative below, in all of its range.",
        ),
        ("A retest of {antibody} by", "A retest of {antibodies} by", "value", "a slot is not known."),
        ("A retest of {antibody} by", "A retest of {antibody.name} by", "value", "a slot is not known."),
        ("A retest of {antibody} by", "A retest of {antibody by", "value", "a slot is not known."),
        ("- {id: loss-missed,", "- {id: loss-of-missing,", "loss-missed", "it is missing."),
        ("- {id: kept,", "- {id: left,", "kept", "it is missing."),
        (
            "default: 5, tag",
            "default: 5, low: 2, high: 10, tag",
            "loss-missed",
            "it is chosen and not varied (losses of a false label).",
        ),
        (
            "default: 5, tag",
            "default: 0, tag",
            "loss-missed",
            "it lies above 0 and below inf (losses of a false label).",
        ),
        ("tail, default: 0.05,", "tail, default: 0.5,", "band-tail", "it lies above 0 and below 0.5 (tail)."),
    ],
)
def test_rows_that_cannot_stand_beside_each_other_are_named(before: str, after: str, id: str, message: str) -> None:
    text = edited(before, after)
    named = [one for one in read(text)[1] if message in one.message]
    assert [one.message for one in named] == [f"{id}: {message}"]
    begins = re.search(rf"^- {{?id: {id}[,\n]", text, re.MULTILINE)
    place = text[: begins.start()].count("\n") + 1 if begins else 1  # what is missing has no line of its own
    assert (named[0].file, named[0].line) == (FILE, place)
    assert named[0].repair


@pytest.mark.parametrize(
    ("ends", "wrong"),
    [((1.001, 0.999), False), ((1, 0.999), True), ((1.001, 1), True), ((0.9, 0.5), True), ((3, 2), True)],
)
def test_a_pair_lies_on_either_side_of_one_in_all_of_its_range(ends: tuple[float, float], wrong: bool) -> None:
    low, high = ends
    text = edited("  low: 9\n  high: 500\n", f"  low: {low}\n  high: 500\n")
    text = edited("  low: 0.04\n  high: 0.33\n", f"  low: 0.04\n  high: {high}\n", text)
    assert any(one.message.startswith("retest-srp-quant: ") for one in read(text)[1]) is wrong


def test_a_row_that_stands_twice_is_named() -> None:
    text = SHIPPED + "\n" + SHIPPED[SHIPPED.index("- {id: kept") :].splitlines()[0] + "\n"
    assert [one.message for one in read(text)[1]] == ["'kept' stands twice."]


@pytest.mark.parametrize(
    ("before", "after", "id", "message"),
    [
        ("  when: [{ck: UNKNOWN}]\n", "  when: [{ck: UNKNOWEN}]\n", "prior-no-ck", "ck is never UNKNOWEN."),
        (
            "{srp: POS_LOW, srp_source: blot}",
            "{srp: POS_LOW, srp_sauce: blot}",
            "srp-blot-low",
            "fact srp_sauce is not known.",
        ),
        ("{srp_discordant: true}", "{srp_discordant: maybe}", "silent-discordant", "srp_discordant is never maybe."),
    ],
)
def test_a_fact_or_value_that_does_not_exist_is_named(before: str, after: str, id: str, message: str) -> None:
    text = edited(before, after)
    (fault,) = check_figures(read(text)[0])
    assert (fault.message, fault.file) == (f"{id}: {message}", FILE)
    assert fault.line == read(text)[0].places[id][1]
    assert fault.line > 1


def test_what_ships_has_no_fault(known: Probabilities) -> None:
    assert read()[1] == []
    assert check_figures(known) == []


def test_every_row_has_its_kind_and_every_slot_is_filled_in() -> None:
    found = read()[0]
    assert len(found.of(Prior)) == 3
    assert len(found.of(Pair)) == 3
    assert len(found.of(Figure)) + len(found.of(Pair)) + len(found.of(Silent)) + len(found.of(Sentence)) == len(
        found.rows
    )
    slots = set(re.findall(r"\{(\w+)\}", "".join(one.text for one in found.of(Sentence))))
    assert slots == set(SLOTS)


def test_a_row_of_another_kind_is_not_taken_for_this_one(known: Probabilities) -> None:
    with pytest.raises(KeyError):
        known.by_id(Setting, "prior-no-ck")
    with pytest.raises(KeyError):
        known.by_id(Setting, "no-such-row")


def test_the_policy_names_the_layer_by_the_name_that_is_asked_for() -> None:
    policy: Policy = load().policy
    assert policy.choice("worklist_order") in policy.choices["worklist_order"].choices
