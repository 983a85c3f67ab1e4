"""What is printed of outcomes, cases and answers: the public JSON of contract.md, and the text that people read."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import msgspec
import pytest

from labbridge import show
from labbridge.model.outcome import Comment, Flag, Outcome, Priority, Retest, Severity, States
from labbridge.model.report import Identifier, PlacedNote
from labbridge.offline import CaseOutcome

COMMENT = Comment(
    comment_class="C01", language="en", text="Anti-SRP strongly positive.", addenda=("Anti-HMGCR is suggested.",),
    addendum_classes=("C05",), citations=("allenbach-benveniste",),
)  # fmt: skip
POSITIVE = Flag(
    code="MSA_POSITIVE", severity=Severity.MAJOR, rule="srp-strong@1", evidence=("M1:OBX[2]",), citations=("picard-2016",),
    analyte="SRP",
)  # fmt: skip
PARTNER = Flag(code="PARTNER_MISSING", severity=Severity.MINOR, rule="partner@3", citations=("one", "two"))
QUANT = Retest(analyte="HMGCR", families=("quant", "ip"), priority=Priority.ROUTINE, reason="PARTNER_MISSING")
FULL = Outcome(
    patient=Identifier("LABA", "PT7788", "MR"),
    evaluated_at=date(2025, 3, 14),
    knowledge="sha256:00ff",
    states=States("POS_STRONG", "NOT_TESTED", "CYTO_COMPAT", "HIGH"),
    flags=(POSITIVE, PARTNER),
    retests=(QUANT,),
    comment=COMMENT,
    notes=(PlacedNote("N012", "OBX[3]-5"),),
    subject="M1:OBX[2]",
    used=("M1:OBX[2]",),
    facts={"srp": "POS_STRONG", "ck": "HIGH", "srp_confirmed": False},
    fired=("srp-strong@1", "partner@3"),
)
BARE = Outcome(
    patient=None, evaluated_at=date(2025, 3, 14), knowledge="sha256:0", states=States("NEG", "NEG", "NEG", "NORMAL")
)
HELD = msgspec.structs.replace(BARE, hold=True, held=("CK", "SRP"))


def parsed(outcome: Outcome) -> Any:
    line = show.outcome_json(outcome)
    assert "\n" not in line
    return json.loads(line)


# ---------------------------------------------------------------- an outcome for programs


def test_an_outcome_has_the_names_and_the_order_of_the_contract() -> None:
    assert list(parsed(FULL)) == [
        "patient", "evaluated_at", "knowledge", "states", "flags", "retests", "comment", "hold", "notes", "pathway",
    ]  # fmt: skip
    assert parsed(FULL).keys() == parsed(BARE).keys()


def test_the_example_of_the_contract() -> None:
    found = parsed(FULL)
    assert found["patient"] == {"authority": "LABA", "id": "PT7788"}
    assert (found["evaluated_at"], found["knowledge"], found["hold"]) == ("2025-03-14", "sha256:00ff", False)
    assert found["states"] == {"SRP": "POS_STRONG", "HMGCR": "NOT_TESTED", "HEP2": "CYTO_COMPAT", "CK": "HIGH"}
    assert found["retests"] == [
        {"analyte": "HMGCR", "families": ["quant", "ip"], "priority": "routine", "not_before": None,
         "reason": "PARTNER_MISSING"},
    ]  # fmt: skip
    assert found["comment"] == {
        "class": "C01", "language": "en", "text": "Anti-SRP strongly positive.", "addenda": ["Anti-HMGCR is suggested."],
    }  # fmt: skip
    assert found["notes"] == [{"code": "N012", "at": "OBX[3]-5"}]


def test_a_flag_names_its_rule_its_evidence_and_its_sources() -> None:
    first, second = parsed(FULL)["flags"]
    wanted = {"code": "MSA_POSITIVE", "severity": "major", "rule": "srp-strong@1", "evidence": ["M1:OBX[2]"]}
    assert wanted.items() <= first.items()
    assert first["citations"] == ["picard-2016"]
    assert (second["code"], second["severity"], second["evidence"]) == ("PARTNER_MISSING", "minor", [])


def test_no_comment_and_no_patient_are_null_and_empty_lists_stay_lists() -> None:
    found = parsed(BARE)
    assert (found["comment"], found["patient"]) == (None, None)
    assert (found["flags"], found["retests"], found["notes"]) == ([], [], [])


def test_a_retest_that_has_to_wait_says_until_when() -> None:
    waits = msgspec.structs.replace(QUANT, not_before=date(2025, 6, 1), priority=Priority.URGENT)
    (found,) = parsed(msgspec.structs.replace(FULL, retests=(waits,)))["retests"]
    assert (found["not_before"], found["priority"]) == ("2025-06-01", "urgent")


def test_letters_of_every_language_stay_readable() -> None:
    comment = msgspec.structs.replace(COMMENT, text="Anticorps fortement positifs, µkat/L, 抗SRP抗体")
    line = show.outcome_json(msgspec.structs.replace(FULL, comment=comment))
    assert "fortement positifs, µkat/L, 抗SRP抗体" in line


def test_what_is_held_is_public_and_what_the_rules_saw_is_not() -> None:
    assert parsed(HELD)["hold"] is True
    inner = {"facts", "fired", "subject", "used", "held", "addendum_classes"}
    assert not inner & (parsed(FULL).keys() | parsed(FULL)["comment"].keys())


def test_the_public_form_leaves_the_outcome_as_it_was() -> None:
    before = msgspec.json.encode(FULL)
    found = show.public(FULL)
    found["comment"]["text"], found["patient"]["id"], found["states"]["CK"] = "", "", ""
    assert msgspec.json.encode(FULL) == before


# ---------------------------------------------------------------- an outcome for people


def lines(outcome: Outcome, explain: bool = False) -> list[str]:
    return show.outcome_text(outcome, explain).splitlines()


def test_the_patient_the_states_and_the_findings_in_their_order() -> None:
    first, second, *rest = lines(FULL)
    assert first == "patient LABA|PT7788, evaluated 2025-03-14"
    assert second == "anti-SRP POS_STRONG   anti-HMGCR NOT_TESTED   HEp-2 CYTO_COMPAT   CK HIGH"
    assert [line.split() for line in rest[:2]] == [
        ["major", "MSA_POSITIVE", "(SRP)", "rule", "srp-strong@1"],
        ["minor", "PARTNER_MISSING", "rule", "partner@3"],
    ]
    assert rest[2].split(maxsplit=1) == ["retest", "HMGCR by quant or ip, routine: PARTNER_MISSING"]
    assert rest[3].split() == ["comment", "C01"]
    assert rest[4].strip() == "Anti-SRP strongly positive. Anti-HMGCR is suggested."


def test_without_a_patient_or_a_comment_it_says_so() -> None:
    assert lines(BARE) == ["anti-SRP NEG   anti-HMGCR NEG   HEp-2 NEG   CK NORMAL", "  no comment"]


def test_a_hold_names_what_holds_and_what_follows_from_it() -> None:
    (held,) = [line for line in lines(HELD) if "HOLD" in line]
    assert held.split(maxsplit=1) == ["HOLD", "CK, SRP: nothing is posted until a person decides"]
    assert not [line for line in lines(BARE) if "HOLD" in line]


def test_explained_it_names_evidence_sources_facts_and_rules() -> None:
    text = show.outcome_text(FULL, explain=True)
    assert "on M1:OBX[2]; cites picard-2016" in text
    assert "on -; cites one, two" in text
    assert text.splitlines()[-2:] == [
        "  facts    ck=HIGH, srp=POS_STRONG, srp_confirmed=False", "  rules    srp-strong@1, partner@3",
    ]  # fmt: skip
    assert not any(word in show.outcome_text(FULL) for word in ("cites", "facts", "rules  "))


def test_a_correction_comes_before_the_comment_it_belongs_to() -> None:
    """D2.11: what replaces an earlier comment is said first."""
    comment = msgspec.structs.replace(
        COMMENT,
        addenda=("Anti-HMGCR is suggested.", "This replaces an earlier comment."),
        addendum_classes=("C05", "C19"),
    )
    text = show.outcome_text(msgspec.structs.replace(FULL, comment=comment))
    assert text.endswith("This replaces an earlier comment. Anti-SRP strongly positive. Anti-HMGCR is suggested.")


def test_a_long_comment_is_wrapped_and_loses_no_word() -> None:
    long = " ".join(f"word{number}" for number in range(80))
    text = lines(msgspec.structs.replace(FULL, comment=Comment(comment_class="C07", language="en", text=long)))
    shown = text[text.index("  comment  C07") + 1 :]
    assert " ".join(line.strip() for line in shown) == long
    assert max(map(len, shown)) <= show.WIDTH
    assert len(shown) > 5


# ---------------------------------------------------------------- case files


def case(
    id: str, passed: bool | None, *failures: str, outcome: Outcome = FULL, mention: tuple[str, ...] = ()
) -> CaseOutcome:
    return CaseOutcome(id=id, passed=passed, failures=failures, outcome=outcome, must_mention=mention)


CASES = (case("V-S01", True), case("V-S02", False, "state CK: HIGH expected, MOD found", "hold"), case("V-S03", None))


def test_cases_for_programs_have_the_names_of_the_contract() -> None:
    found = json.loads(show.cases_json(CASES))
    assert list(found) == ["cases"]
    assert [list(one) for one in found["cases"]] == [["id", "passed", "failures", "outcome"]] * 3
    assert [(one["id"], one["passed"]) for one in found["cases"]] == [
        ("V-S01", True),
        ("V-S02", False),
        ("V-S03", None),
    ]
    assert found["cases"][1]["failures"] == ["state CK: HIGH expected, MOD found", "hold"]
    assert found["cases"][2]["outcome"] == json.loads(show.outcome_json(FULL))
    assert json.loads(show.cases_json(())) == {"cases": []}


def test_cases_for_people_count_only_those_that_expect_something() -> None:
    assert show.cases_text(CASES).splitlines() == [
        "V-S01  passed", "V-S02  FAILED", "    state CK: HIGH expected, MOD found", "    hold", "V-S03  no expectation",
        "1 of 2 passed",
    ]  # fmt: skip
    assert show.cases_text(()) == "0 of 0 passed"


def test_what_should_be_mentioned_stands_beside_the_comment() -> None:
    mention = ("anti-SRP", "clinical correlation")
    with_one, without = (show.cases_text((case("A", True, outcome=of, mention=mention),)) for of in (FULL, BARE))
    assert "    should mention: anti-SRP; clinical correlation\n           Anti-SRP strongly positive." in with_one
    assert "           (no comment)" in without


# ---------------------------------------------------------------- answers to an act

DONE = {"key": "C1@2", "ok": True, "result": "D1"}
NOT = {"key": "C9@1", "ok": False, "error": "There is no case C9"}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"ok": False, "done": [DONE, NOT]}, "C1@2: D1\nC9@1: refused. There is no case C9"),
        ({"ok": True, "done": []}, ""),
        ({"ok": False, "error": "This service does not know the command"}, "This service does not know the command"),
    ],
)
def test_an_answer_is_printed_for_people_and_passed_on_to_programs(answer: dict[str, Any], text: str) -> None:
    assert show.acted(answer, "text") == text
    assert json.loads(show.acted(answer, "json")) == answer


@pytest.mark.parametrize("key", ["C²", "M99999999999999999999", "M1;", "X1", "M", "C12@", "M-1"])
def test_what_is_no_key_is_one_sentence(key: str) -> None:
    from labbridge.errors import Refused
    from labbridge.review import policies

    with pytest.raises(Refused, match="is no key; write C12, M17 or D3"):
        policies.parse_key(key)


@pytest.mark.parametrize(
    ("key", "found"), [("C12", ("C", 12)), ("C12@3", ("C", 12)), ("M7", ("M", 7)), ("D1", ("D", 1))]
)
def test_a_key_is_a_letter_and_a_number(key: str, found: tuple[str, int]) -> None:
    from labbridge.review import policies

    assert policies.parse_key(key) == found
