"""The shipped knowledge is sound, and every fault is named with file, line and repair."""

from __future__ import annotations

import pytest

from labbridge.knowledge import lock
from labbridge.knowledge.build import build, version
from labbridge.knowledge.documents import Fault, Source, read_csv, read_yaml
from labbridge.knowledge.policy import read_policy
from labbridge.knowledge.references import check_references
from labbridge.knowledge.tables import CODE_COLUMNS, check_digit
from labbridge.knowledge.words import fold, pattern, plain
from labbridge.sources import KnowledgeError, load, read_folder, shipped

HEADER = ",".join(CODE_COLUMNS)


def shipped_with(name: str, text: str, site: bool = False) -> list[Source]:
    """The shipped files, one of them replaced (or a site's file laid over them)."""
    sources = [one for one in read_folder(shipped()) if site or one.name != name]
    return [*sources, Source(name, text, site)]


def faults_of(name: str, text: str, site: bool = True) -> list[Fault]:
    return build(shipped_with(name, text, site))[1]


def test_the_shipped_knowledge_has_no_fault() -> None:
    knowledge = load()
    assert knowledge.version.startswith("sha256:")
    assert len(knowledge.decisions.rules) > 100
    assert check_references(knowledge) == []


def test_rules_and_comments_are_as_their_lock_says() -> None:
    text = (shipped() / lock.FILE).read_text(encoding="utf-8")
    assert lock.check_lock(lock.entries(load().decisions), text) == []


def test_no_rule_claims_a_review_that_nobody_made() -> None:
    assert {rule.reviewed for rule in load().decisions.rules} == {()}


def test_every_rule_says_why_and_cites() -> None:
    for rule in load().decisions.rules:
        assert rule.why, rule.id
        assert rule.citations, rule.id
        assert rule.status == "active", rule.id


def test_no_retest_list_and_no_flag_is_left_over() -> None:
    decisions = load().decisions
    used = {code for rule in decisions.rules for entry in rule.then.flags for code in entry}
    assert set(decisions.flags) == used


@pytest.mark.parametrize("code", ["2157-6", "33921-8", "93493-5", "5048-4", "14611-8", "107563-9"])
def test_the_check_digit_of_a_loinc_code(code: str) -> None:
    assert check_digit(code)


@pytest.mark.parametrize("code", ["14611-4", "2157-5", "2157", "-6", "abc-1", "2157-66", "٢١٥٧-6", ""])
def test_a_wrong_check_digit_is_seen(code: str) -> None:
    assert not check_digit(code)


def test_every_shipped_loinc_code_passes() -> None:
    codes = load().terminology.codes["loinc"]
    assert len(codes) > 40
    assert all(map(check_digit, codes))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("LN,14611-4,,,,ANA_HEP2,pattern,,,VERIFIED,x", "The check digit is wrong."),
        ("L,X1,,,,NOPE,result,,,SITE,x", "Analyte NOPE is not known."),
        ("L,X1,,,,SRP,wish,,,SITE,x", "Role wish is not known."),
        ("L,X1,,,,SRP,result,magic,,SITE,x", "The method is not known."),
        ("L,X1,,,,SRP,result,,nokit,SITE,x", "The assay is not known."),
        ("L,X1,,,,SRP,result,,,RECALLED,x", "Status RECALLED does not ship."),
        ("L,X1,,,,SRP,result,,,UNSURE,x", "Status UNSURE does not ship."),
        ("L,X1,,,,SRP,result,line_blot,,PART,x", "A PART code identifies its analyte only."),
        ("L,X1,,,,SRP,result,,,SITE,", "A source is missing."),
        ("L,,,,,SRP,result,,,SITE,x", "The code is empty."),
        ("L,X1,,,,SRP,result,,,SITE,x\nL,X1,,,,HMGCR,result,,,SITE,x", "Code X1 stands twice."),
        ("L,X1,,,,SRP,result,,,SITE", "10 cells, 11 expected."),
    ],
)
def test_a_code_row_that_cannot_be_used_is_named(row: str, message: str) -> None:
    (fault,) = faults_of("codes/x.csv", f"{HEADER}\n{row}\n")
    assert fault.message == message
    assert (fault.file, fault.repair != "") == ("codes/x.csv", True)
    assert fault.line == 1 + row.count("\n") + 1


def test_other_columns_than_the_expected_are_named() -> None:
    (fault,) = faults_of("codes/x.csv", "code,name\nX1,y\n")
    assert fault.message == "The columns are not the expected ones."


def test_a_sites_rows_replace_ours_of_the_same_code_and_leave_the_others() -> None:
    site = f"{HEADER}\nL,1TANA,,,,ANA_HEP2,screen,hep2_iif,,SITE,our laboratory\n"
    knowledge, faults = build(shipped_with("codes/mayo.csv", site, site=True))
    assert faults == []
    table = knowledge.terminology.codes["mayo"]
    assert [row.role for row in table["1TANA"]] == ["screen"]
    assert [row.role for row in table["1PANA"]] == ["pattern"]


def test_a_sites_numbers_kits_rules_and_sentences_replace_ours_by_id() -> None:
    files = {
        "policy.yaml": '- {id: ck_mod_from, value: 5, unit: x upper limit, tag: CONVENTION, source: "us", reviewed: [ab]}',
        "assays/kits.yaml": "- {id: euroline-16, method: dot_blot, words: [euroline], source: us}",
        "rules/ours.yaml": (
            '- {id: srp-strong, version: 2, status: active, why: "us", when: {srp: POS_STRONG},'
            " then: {flags: [{MSA_POSITIVE: critical}]}, citations: [labbridge-specification]}"
        ),
        "comments/en.yaml": "- {id: C07, version: 2, parts: [[{text: Ours.}]], citations: [labbridge-specification]}",
    }
    sources = [*read_folder(shipped()), *(Source(name, text, site=True) for name, text in files.items())]
    knowledge, faults = build(sources)
    assert faults == []
    assert knowledge.policy.days("ck_mod_from") == 5
    assert knowledge.policy.numbers["ck_mod_from"].reviewed == ("ab",)
    assert knowledge.terminology.kits["euroline-16"].method == "dot_blot"
    assert next(rule for rule in knowledge.decisions.rules if rule.id == "srp-strong").version == 2
    assert knowledge.decisions.comments["C07"].parts[0][0].text == "Ours."


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rules/x.yaml", "- id: [", "This is not YAML."),
        ("rules/x.yaml", "id: x", "A list of records is expected."),
        ("rules/x.yaml", "- 5", "A record of named fields is expected."),
        ("rules/x.yaml", "- {id: x, version: 1, status: maybe, why: w, then: {}}", "Invalid enum value 'maybe'"),
        ("rules/x.yaml", "- {id: x, version: 1, status: active, why: w, then: {}, wenn: {}}", "Unknown: wenn."),
        ("units.yaml", "- {analyte: CK, unit: U/L, factor: much, spellings: [x], source: s}", "Invalid decimal"),
        ("units.yaml", "- {analyte: CK, unit: U/L, factor: 1, spellings: [x]}", "A source is missing."),
        ("assays/kits.yaml", "- {id: k, method: magic, words: [], source: s}", "Kit k names no known method."),
        ("policy.yaml", "- {id: x, value: 1, unit: d, tag: RECALLED, source: s}", "Tag RECALLED does not ship."),
        (
            "policy.yaml",
            "- {id: x, value: one, unit: d, tag: CONVENTION, source: s}",
            "The value is not a decimal number.",
        ),
        ("policy.yaml", "- {id: x, value: 1, tag: CONVENTION, source: s}", "Missing: ['unit']"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(name: str, text: str, message: str) -> None:
    found = faults_of(name, text)
    assert any(message in fault.message for fault in found), found
    assert all(fault.file in (name, "assays/kits.yaml") and fault.repair for fault in found)


@pytest.mark.parametrize(
    ("then", "message"),
    [
        ("{flags: [{NOT_A_FLAG: major}]}", "Flag NOT_A_FLAG is not listed."),
        ("{comment: C99}", "Comment C99 has no text."),
        ("{retest: [{analyte: SRP, by: wish, priority: routine, reason: MSA_POSITIVE}]}", "`by: wish` is no list."),
        ("{retest: [{analyte: SRP, by: any, priority: routine, reason: WISH}]}", "Reason WISH is no flag."),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(then: str, message: str) -> None:
    rule = (
        f"- id: x\n  version: 1\n  status: active\n  why: w\n  then: {then}\n  citations: [labbridge-specification]\n"
    )
    sources = shipped_with("rules/x.yaml", rule, site=True)
    knowledge, _faults = build(sources)
    (fault,) = check_references(knowledge)
    assert (fault.message, fault.file, fault.line) == (message, "rules/x.yaml", 1)


def test_a_rule_without_a_listed_citation_is_named() -> None:
    rule = "- {id: x, version: 1, status: active, why: w, then: {}, citations: [nobody]}"
    sources = shipped_with("rules/x.yaml", rule, site=True)
    assert [fault.message for fault in check_references(build(sources)[0])] == ["Citation nobody is not listed."]


def test_knowledge_with_a_fault_is_not_used(tmp_path: object) -> None:
    with pytest.raises(KnowledgeError, match="no such folder"):
        load(site=f"{tmp_path}/nowhere")


# ---------------------------------------------------------------- versions


def test_the_version_is_of_every_byte_and_of_no_order() -> None:
    sources = [Source("a.yaml", "x"), Source("b.yaml", "y")]
    assert version(sources) == version(sources[::-1])
    for other in (
        [Source("a.yaml", "x"), Source("b.yaml", "z")],
        [Source("a.yaml", "x"), Source("c.yaml", "y")],
        sources[:1],
    ):
        assert version(other) != version(sources)
    assert version([Source("a.yaml", "x", site=True), sources[1]]) != version(sources)
    assert version([Source("a", "bc")]) != version([Source("ab", "c")])


def test_changed_content_needs_a_raised_version() -> None:
    before = {"rule:x": lock.Entry(1, "aa"), "rule:y": lock.Entry(1, "bb")}
    text = lock.written(before, "{}")
    assert lock.check_lock(before, text) == []
    changed = {**before, "rule:x": lock.Entry(1, "cc")}
    assert [fault.message for fault in lock.check_lock(changed, text)] == ["rule:x: content changed under version 1."]
    assert lock.written(changed, text) == text  # the lock does not follow a change that was not declared
    raised = {**before, "rule:x": lock.Entry(2, "cc")}
    assert [fault.message for fault in lock.check_lock(raised, text)] == ["rule:x has a new version."]
    assert lock.check_lock(raised, lock.written(raised, text)) == []
    assert [fault.message for fault in lock.check_lock({}, text)] == ["rule:x is gone.", "rule:y is gone."]
    new = {**before, "rule:z": lock.Entry(1, "dd")}
    assert [fault.message for fault in lock.check_lock(new, text)] == ["rule:z is not locked."]


def test_a_signature_is_no_change_of_what_a_rule_says() -> None:
    rule = "- {{id: x, version: 1, status: active, why: w, then: {{}}, citations: [a], reviewed: {reviewed}}}"
    one, other = (
        lock.entries(build([Source("rules/x.yaml", rule.format(reviewed=who))])[0].decisions) for who in ("[]", "[ab]")
    )
    assert one == other


# ---------------------------------------------------------------- reading


def test_numbers_and_dates_stay_as_a_person_wrote_them() -> None:
    faults: list[Fault] = []
    (row,) = read_yaml(Source("x.yaml", "- {a: 12.30, b: 2026-01-02, c: on, d: true, e: no, f: y, g: ~}"), faults)
    assert row.fields == {"a": "12.30", "b": "2026-01-02", "c": "on", "d": True, "e": "no", "f": "y", "g": None}
    assert faults == []


def test_comments_and_blank_lines_of_a_csv_file_are_skipped() -> None:
    faults: list[Fault] = []
    rows = list(read_csv(Source("x.csv", "# a\n\na,b\n1, 2 \n# c\n3,4\n"), ("a", "b"), faults))
    assert [(row.line, row.fields) for row in rows] == [(4, {"a": "1", "b": "2"}), (6, {"a": "3", "b": "4"})]


def test_an_empty_file_holds_nothing() -> None:
    faults: list[Fault] = []
    assert list(read_yaml(Source("x.yaml", ""), faults)) == []
    assert list(read_csv(Source("x.csv", ""), ("a",), faults)) == []
    assert faults == []


def test_an_unknown_number_is_a_bug_of_its_caller() -> None:
    with pytest.raises(KeyError):
        read_policy([], []).number("nothing")


@pytest.mark.parametrize(
    ("text", "folded"), [("Négatif ", "negatif"), ("  A  B ", "a b"), ("(+)", "(+)"), ("É", "e"), ("陰性", "陰性")]
)
def test_folding_keeps_signs(text: str, folded: str) -> None:
    assert plain(text) == folded


@pytest.mark.parametrize(
    ("text", "folded"),
    [("EUROLINE (16 Ag)", " euroline 16 ag "), ("HEp-2", " hep 2 "), ("", "  "), ("Mi-2β", " mi 2β ")],
)
def test_words_stand_between_blanks(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_a_stem_is_open_at_its_end() -> None:
    assert pattern("cytoplasm*") in fold("Cytoplasmic")
    assert pattern("cytoplasm") not in fold("Cytoplasmic")
    assert pattern("ck") not in fold("ckmb")
