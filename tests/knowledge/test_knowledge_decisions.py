"""Decisions are read whole or their fault is named; a site lays its own over ours without breaking the rest."""

from __future__ import annotations

import pytest

from labbridge.knowledge.decisions import Decisions, RetestAction, Rule, read_decisions
from labbridge.knowledge.documents import Fault, Source
from labbridge.knowledge.lock import entries

RULE = """\
- id: r
  version: 3
  status: active
  why: because
  about: SRP
  when: {srp: [POS_LOW, POS_STRONG], srp_confirmed: false, ck: HIGH}
  then:
    flags: [{MSA_POSITIVE: major}, {CK_MISSING: by_ck}]
    retest: [{analyte: SRP, by: other_method, priority: by_ck, reason: MSA_POSITIVE}]
    comment: C01
  citations: [a, b]
  cases:
    fires: [{srp: POS_LOW, ck: HIGH}]
    silent: [{srp: NEG, srp_confirmed: false}]
  known_gaps: [none is told apart from any]
  authors: [ab]
  reviewed: []
  still_valid_on: 2026-11-22
"""
STYLE = "- {id: style, ranks: [C01, C02], addendum_ranks: [C19], forbidden: [proves]}\n"
WORDS = "- {id: grade, words: {POS_LOW: low positive, NEG: not detected}}\n"
TEXT = '- {id: C07, parts: [[{when: {ck: MILD}, text: "A."}, {text: "B."}], [{text: "C."}]], citations: [a]}\n'


def read(*files: tuple[str, str, bool]) -> tuple[Decisions, list[Fault]]:
    faults: list[Fault] = []
    found = read_decisions([Source(name, text, site) for name, text, site in files], faults)
    return found, faults


def rule(text: str) -> Rule:
    found, faults = read(("rules/x.yaml", text, False))
    assert faults == []
    return found.rules[0]


def messages(name: str, text: str) -> list[str]:
    return [fault.message for fault in read((name, text, False))[1]]


# ---------------------------------------------------------------- rules


def test_a_rule_as_it_is_written() -> None:
    one = rule(RULE)
    assert (one.name, one.why, one.about, one.citations) == ("r@3", "because", "SRP", ("a", "b"))
    assert one.when == {"srp": ("POS_LOW", "POS_STRONG"), "srp_confirmed": False, "ck": "HIGH"}
    assert one.then.flags == ({"MSA_POSITIVE": "major"}, {"CK_MISSING": "by_ck"})
    assert one.then.retest == (RetestAction(analyte="SRP", by="other_method", priority="by_ck", reason="MSA_POSITIVE"),)
    assert one.then.comment == "C01"
    assert one.cases
    assert one.cases.fires == ({"srp": "POS_LOW", "ck": "HIGH"},)
    assert one.cases.silent == ({"srp": "NEG", "srp_confirmed": False},)
    assert (one.reviewed, one.still_valid_on) == ((), "2026-11-22")


def test_only_true_and_false_are_booleans() -> None:
    one = rule(RULE.replace("srp_confirmed: false", "srp_confirmed: no").replace("NEG, srp_confirmed: no", "NEG"))
    assert one.when["srp_confirmed"] == "no"


def test_families_may_be_listed_in_place_of_a_word() -> None:
    assert rule(RULE.replace("by: other_method", "by: [ip, cba]")).then.retest[0].by == ("ip", "cba")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("flags: [", "flag: [", "unknown field `flag`"),
        ("by: other_method", "how: other_method", "unknown field `how`"),
        ("fires: [", "speaks: [", "unknown field `speaks`"),
        ("MSA_POSITIVE: major", "MSA_POSITIVE: grave", "Invalid enum value 'grave'"),
        ("priority: by_ck", "priority: soon", "Invalid enum value 'soon'"),
        ("priority: by_ck, ", "", "missing required field `priority`"),
        ("status: active", "status: on", "Invalid enum value 'on'"),
        ("version: 3", "version: new", "Expected `int`"),
        ("why: because", "because: why", "Unknown: because."),
    ],
)
def test_a_misspelled_rule_is_never_a_silent_one(before: str, after: str, message: str) -> None:
    assert before in RULE
    _found, faults = read(("rules/x.yaml", RULE.replace(before, after, 1), False))
    assert any(message in fault.message for fault in faults), faults
    assert all((fault.file, fault.line) == ("rules/x.yaml", 1) and fault.repair for fault in faults)


def test_the_place_of_a_fault_is_the_line_of_its_row() -> None:
    second = RULE.replace("- id: r", "- id: s").replace("status: active", "status: on")
    _found, faults = read(("rules/x.yaml", RULE + second, False))
    assert [fault.line for fault in faults] == [RULE.count("\n") + 1]


def test_an_id_stands_once() -> None:
    assert messages("rules/x.yaml", RULE + RULE) == ["Rule r stands twice."]
    files = (("rules/x.yaml", RULE, False), ("rules/y.yaml", RULE, False))
    assert [fault.message for fault in read(*files)[1]] == ["Rule r stands twice."]


def test_a_site_replaces_a_rule_by_its_id_and_adds_its_own() -> None:
    ours = ("rules/x.yaml", RULE, False)
    retired = RULE.replace("status: active", "status: retired").replace("version: 3", "version: 4")
    theirs = ("rules/z.yaml", retired + RULE.replace("- id: r", "- id: own"), True)
    found, faults = read(ours, theirs)
    assert faults == []
    assert [(one.name, one.status) for one in found.rules] == [("r@4", "retired"), ("own@3", "active")]


# ---------------------------------------------------------------- comments, words, style


def test_a_comment_as_it_is_written() -> None:
    found, faults = read(("comments/en.yaml", STYLE + WORDS + TEXT, False))
    assert faults == []
    comment = found.comments["C07"]
    assert [[one.text for one in part] for part in comment.parts] == [["A.", "B."], ["C."]]
    assert comment.parts[0][0].when == {"ck": "MILD"}
    assert found.words == {"grade": {"POS_LOW": "low positive", "NEG": "not detected"}}
    assert (found.style.ranks, found.style.addendum_ranks) == (("C01", "C02"), ("C19",))
    assert (found.style.characters_most, found.style.addenda_most) == (500, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace("parts:", "part:"), "unknown field `part`"),
        (TEXT.replace("when:", "if:"), "unknown field `if`"),
        (TEXT.replace('"A."', "5.0"), ""),
        ("- {id: style, rank: [C01]}\n", "unknown field `rank`"),
        ("- {id: style, addenda_most: many}\n", "Expected `int`"),
    ],
)
def test_a_misspelled_comment_is_never_an_empty_one(text: str, message: str) -> None:
    found = messages("comments/en.yaml", text)
    assert any(message in one for one in found) if message else found == []


def test_a_sites_words_change_what_they_name_and_leave_the_rest() -> None:
    theirs = "- {id: grade, words: {POS_LOW: weakly positive}}\n- {id: own, words: {a: b}}\n"
    found, faults = read(("comments/en.yaml", WORDS, False), ("comments/en.yaml", theirs, True))
    assert faults == []
    assert found.words == {"grade": {"POS_LOW": "weakly positive", "NEG": "not detected"}, "own": {"a": "b"}}


def test_a_sites_style_changes_what_it_names_and_leaves_the_ranks() -> None:
    theirs = "- {id: style, characters_most: 350}\n"
    found, faults = read(("comments/en.yaml", STYLE, False), ("comments/en.yaml", theirs, True))
    assert faults == []
    assert (found.style.characters_most, found.style.ranks) == (350, ("C01", "C02"))


def test_a_site_replaces_a_comment_by_its_class() -> None:
    theirs = '- {id: C07, version: 2, parts: [[{text: "Ours."}]]}\n'
    found, _faults = read(("comments/en.yaml", TEXT, False), ("comments/en.yaml", theirs, True))
    assert [part[0].text for part in found.comments["C07"].parts] == ["Ours."]


# ---------------------------------------------------------------- flags, retest lists, citations


def test_flags_lists_and_citations() -> None:
    found, faults = read(
        (
            "flags.yaml",
            "- {id: H, meaning: m, severity: major, hold: true, source: s}\n"
            "- {id: A, meaning: m, severity: info, source: s}\n",
            False,
        ),
        ("retests.yaml", "- {id: x, analyte: SRP, from: blot, families: [quant, ip], source: s}\n", False),
        ("citations.yaml", "- {id: picard-2016, authors: Picard}\n", False),
    )
    assert faults == []
    assert {code: flag.hold for code, flag in found.flags.items()} == {"H": True, "A": False}
    assert found.retests == {("SRP", "blot"): ("quant", "ip")}
    assert found.citations == {"picard-2016"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("flags.yaml", "- {id: H, severity: major, source: s}\n"),
        ("flags.yaml", "- {id: H, meaning: m, severity: major, hold: perhaps, source: s}\n"),
        ("retests.yaml", "- {id: x, analyte: SRP, families: [ip], source: s}\n"),
    ],
)
def test_a_row_that_lacks_something_is_named(name: str, text: str) -> None:
    (fault,) = read((name, text, False))[1]
    assert (fault.file, fault.line) == (name, 1)


def test_a_site_moves_a_list_by_what_it_is_for() -> None:
    ours = ("retests.yaml", "- {id: x, analyte: SRP, from: blot, families: [quant, ip], source: s}\n", False)
    theirs = ("retests.yaml", "- {id: y, analyte: SRP, from: blot, families: [ip], source: s}\n", True)
    assert read(ours, theirs)[0].retests == {("SRP", "blot"): ("ip",)}


def test_no_file_means_no_decision() -> None:
    found, faults = read()
    assert faults == []
    assert (found.rules, found.flags, found.comments) == ((), {}, {})


# ---------------------------------------------------------------- what the lock holds of a rule


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("fires: [{srp: POS_LOW, ck: HIGH}]", "fires: [{srp: POS_STRONG, ck: HIGH}]", True),
        ("reviewed: []", "reviewed: [a director]", True),
        ("known_gaps: [none is told apart from any]", "known_gaps: []", True),
        ("why: because", "why: for another reason", False),
        ("ck: HIGH}\n  then", "ck: MOD}\n  then", False),
        ("comment: C01", "comment: C02", False),
        ("citations: [a, b]", "citations: [a]", False),
    ],
)
def test_the_lock_holds_what_a_rule_says_not_who_looked_at_it(before: str, after: str, same: bool) -> None:
    assert before in RULE
    first, _ = read(("rules/x.yaml", RULE, False))
    second, _ = read(("rules/x.yaml", RULE.replace(before, after), False))
    assert (entries(first) == entries(second)) is same
