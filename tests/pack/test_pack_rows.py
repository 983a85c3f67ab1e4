"""The rows in force: every one of them, by version and hash, in words; and the sources they cite."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest
from pack_cases import knowledge, laid, readers_with, rule, signed

from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.decisions import RetestAction, Rule, Then
from labbridge.knowledge.lock import entries
from labbridge.model.items import KINDS, Item
from labbridge.model.reference import Citation
from labbridge.pack.form import Row
from labbridge.pack.rows import rows, sources
from labbridge.sources import read_all, rules_of, shipped


@pytest.fixture(scope="module")
def found() -> dict[str, Row]:
    return by_id(knowledge())


def by_id(its: Knowledge, by: dict[str, Item] | None = None) -> dict[str, Row]:
    listed = rows(its, by if by is not None else signed())
    keyed = {one.id: one for one in listed}
    assert len(keyed) == len(listed), "an id names one row"
    return keyed


def of_kind(found: dict[str, Row], kind: str) -> dict[str, Row]:
    return {id.partition(":")[2]: row for id, row in found.items() if id.startswith(f"{kind}:")}


def the_rule(one: Rule) -> Row:
    return by_id(readers_with(one).interpret.knowledge)[f"rule:{one.id}"]


# ---------------------------------------------------------------- every row


def test_every_row_of_the_lock_is_there_with_its_version_and_hash(found: dict[str, Row]) -> None:
    locked = entries(knowledge().decisions)
    ours = {
        id: (row.version, row.sha256) for id, row in found.items() if id.startswith(("rule:", "comment:", "pathway:"))
    }
    assert ours == {id: (one.version, one.sha256) for id, one in locked.items()}
    text = (shipped() / "versions.lock.json").read_text(encoding="utf-8")
    assert {id: one[1] for id, one in ours.items()} == {
        id: one["sha256"] for id, one in msgspec.json.decode(text).items()
    }


def test_every_active_rule_is_listed_with_status_why_sources_and_reviewers(found: dict[str, Row]) -> None:
    active = [one for one in knowledge().decisions.rules if one.status == "active"]
    assert len(active) > 150
    for one in active:
        row = found[f"rule:{one.id}"]
        assert (row.version, row.status, row.why) == (one.version, "active", one.why)
        assert (row.citations, row.reviewed) == (one.citations, one.reviewed)
        assert row.says


def test_a_draft_and_a_retired_rule_are_listed_as_such() -> None:
    its = readers_with(rule("d", status="draft"), rule("r", status="retired")).interpret.knowledge
    listed = of_kind(by_id(its), "rule")
    assert {id: one.status for id, one in listed.items()} == {"d": "draft", "r": "retired"}


def test_every_comment_of_every_language_is_listed_with_its_words(found: dict[str, Row]) -> None:
    listed = of_kind(found, "comment")
    assert {id.partition(":")[0] for id in listed if ":" in id} == {"fr", "de", "es"}
    assert len(listed) == 4 * len(knowledge().decisions.comments)
    for id, comment in knowledge().decisions.texts():
        for part in (*comment.parts, comment.addendum):
            assert all(one.text in listed[id].says for one in part)
    assert listed["C01"].says.startswith("[1.1] ")


def test_a_translation_cites_what_its_class_cites_and_names_its_reader() -> None:
    decisions = knowledge().decisions
    french = decisions.translations["fr"]
    read = msgspec.structs.replace(french.comments["C01"], reviewed=("C. Martin",))
    translations = {"fr": msgspec.structs.replace(french, comments={**french.comments, "C01": read})}
    listed = of_kind(by_id(readers_with(translations=translations).interpret.knowledge), "comment")
    assert listed["fr:C01"].citations == decisions.comments["C01"].citations != ()
    assert (listed["fr:C01"].reviewed, listed["C01"].reviewed) == (("C. Martin",), ())


def test_whatever_people_sign_is_there_by_the_hash_that_they_sign(found: dict[str, Row]) -> None:
    ours = {id: row.sha256 for id, row in found.items() if not id.startswith(("flag:", "retest:"))}
    assert ours == {key: item.sha256 for key, item in signed().items()}
    assert {key: item.version or None for key, item in signed().items()} == {id: found[id].version for id in ours}
    assert {id.partition(":")[0] for id in ours} == set(KINDS) - {"release", "order"}


def test_nodes_numbers_choices_assays_codes_flags_and_retest_lists_are_there(found: dict[str, Row]) -> None:
    its = knowledge()
    terms = its.terminology
    assert set(of_kind(found, "pathway")) == set(its.decisions.pathway.nodes)
    assert set(of_kind(found, "policy")) == {*its.policy.numbers, *its.policy.choices}
    assert set(of_kind(found, "method")) == set(terms.methods)
    assert set(of_kind(found, "kit")) == set(terms.kits)
    assert set(of_kind(found, "code")) == {f"{table}:{code}" for table, codes in terms.codes.items() for code in codes}
    assert set(of_kind(found, "flag")) == set(its.decisions.flags)
    assert set(of_kind(found, "retest")) == {f"{analyte}:{source}" for analyte, source in its.decisions.retests}
    assert all(row.says for row in found.values())


def test_an_assay_and_a_code_say_what_they_mean_and_a_table_its_file(found: dict[str, Row]) -> None:
    terms = knowledge().terminology
    assert all(found[f"method:{id}"].says == one.name for id, one in terms.methods.items())
    kit = next(one for one in terms.kits.values() if one.cut_off is not None)
    assert found[f"kit:{kit.id}"].says.endswith(f"{kit.method}, cut-off {kit.cut_off}")
    for table, codes in terms.codes.items():
        for code, meanings in codes.items():
            says = found[f"code:{table}:{code}"].says
            assert all(one.analyte in says and one.role in says for one in meanings)
    assert found["table:units.yaml"].says == "units.yaml"
    assert found["words:fr"].says == "comments/fr.yaml"
    assert "euroimmun" in found["manufacturer:euroimmun"].says


def test_a_number_says_its_unit_and_where_it_comes_from(found: dict[str, Row]) -> None:
    number = knowledge().policy.numbers["ck_high_above"]
    row = found["policy:ck_high_above"]
    assert (row.says, row.status, row.why) == (f"{number.value} {number.unit}", number.tag, number.source)
    assert row.version is None
    choice = knowledge().policy.choices["critical_owner"]
    assert found["policy:critical_owner"].says == f"{choice.value} (of {', '.join(choice.choices)})"


def test_a_flag_says_its_severities_and_whether_it_holds(found: dict[str, Row]) -> None:
    for id, flag in knowledge().decisions.flags.items():
        says = found[f"flag:{id}"].says
        assert says.endswith(f": {flag.meaning}")
        assert ("holds" in says.partition(":")[0]) is flag.hold
        severities = flag.severity if isinstance(flag.severity, tuple) else (flag.severity,)
        assert all(one in says.partition(":")[0] for one in severities)
    assert {flag.hold for flag in knowledge().decisions.flags.values()} == {True, False}


def test_every_hash_is_one_and_no_two_rules_share_it(found: dict[str, Row]) -> None:
    assert all(len(row.sha256) == len(hashlib.sha256().hexdigest()) for row in found.values())
    rules = of_kind(found, "rule")
    assert len({row.sha256 for row in rules.values()}) == len(rules)


# ---------------------------------------------------------------- what a hash is of


def laid_rows(**files: str) -> dict[str, Row]:
    over = laid(**files)
    return by_id(over.readers.interpret.knowledge, over.signed)


NUMBER = (
    "- {{id: ck_high_above, value: {value}, unit: x upper limit, tag: CONVENTION, source: {source}, reviewed: {by}}}"
)


def number(value: str = "10", source: str = "clinical.md C2", by: str = "[]") -> Row:
    return laid_rows(policy_yaml=NUMBER.format(value=value, source=source, by=by))["policy:ck_high_above"]


def test_a_hash_changes_with_what_a_row_says_and_not_with_who_read_it(found: dict[str, Row]) -> None:
    before = found["policy:ck_high_above"]
    assert number().sha256 == before.sha256
    assert number(value="11").sha256 != before.sha256
    assert number(value="11").says == "11 x upper limit"
    read = number(by="[A. Smith]")
    assert (read.sha256, read.reviewed) == (before.sha256, ("A. Smith",))


def test_the_hash_of_a_code_changes_with_its_row_and_with_no_other(found: dict[str, Row]) -> None:
    header = "system,code,name,unit,specimen,analyte,role,method,assay,status,source"
    its = laid_rows(codes__arup_csv=f"{header}\nL,0051,,,,SRP,result,line_blot,,SITE,us\n")
    other = [id for id, row in its.items() if id not in found or row.sha256 != found[id].sha256]
    assert other == ["code:arup:0051"]
    assert its["code:arup:0051"].says == "SRP, result, line_blot"


def test_a_rule_of_release_is_told_as_it_is_written() -> None:
    row = Item(
        key="release:ours", sha256="ab" * 32, site=True, file="release.yaml", text="- id: ours\n  status: active"
    )
    its = by_id(knowledge(), {row.key: row})
    assert its["release:ours"] == Row(
        id="release:ours", version=None, sha256="ab" * 32, says="- id: ours status: active"
    )


# ---------------------------------------------------------------- a rule in words

ACTION = RetestAction(analyte="SRP", by=("quant", "ip"), priority="by_ck", reason="CK_MISSING", exempt=True)
FULL = rule(
    "full",
    about="SRP",
    on="SPECIMEN_INVALID",
    analytes=("SRP", "HMGCR"),
    when={"srp": ("POS_LOW", "POS_STRONG"), "ck": "HIGH", "suspicion": True},
    then=Then(
        flags=({"CK_MISSING": "minor"}, {"MSA_POSITIVE": "by_ck"}),
        retest=(ACTION,),
        comment="C01",
        beside="C20",
        defer=("SRP", "HMGCR"),
        quiet=("C05",),
    ),
)


def test_a_rule_in_words_leaves_nothing_out() -> None:
    assert the_rule(FULL).says == (
        "about SRP: raised SPECIMEN_INVALID of SRP, HMGCR, srp = POS_LOW or POS_STRONG, ck = HIGH, suspicion = true"
        " -> CK_MISSING minor; MSA_POSITIVE by_ck; retest SRP by quant or ip, by_ck, CK_MISSING, exempt;"
        " comment C01; beside C20; defer SRP, HMGCR; quiet C05"
    )


def test_a_rule_that_asks_nothing_always_holds() -> None:
    assert the_rule(rule("plain", then=Then(comment="C05"))).says == "always -> comment C05"
    waits = rule(
        "waits", on="UNIT_UNKNOWN", then=Then(retest=(RetestAction(priority="routine", reason="UNIT_UNKNOWN"),))
    )
    assert the_rule(waits).says == "raised UNIT_UNKNOWN -> retest it by any, routine, UNIT_UNKNOWN"


@pytest.mark.parametrize(
    "fields",
    [
        {"about": ""},
        {"on": "UNIT_UNKNOWN"},
        {"analytes": ()},
        {"when": {**FULL.when, "ck": "MOD"}},
        {"when": {**FULL.when, "suspicion": False}},
        *(
            {"then": msgspec.structs.replace(FULL.then, **one)}
            for one in (
                {"flags": ({"CK_MISSING": "major"}, {"MSA_POSITIVE": "by_ck"})},
                {"retest": ()},
                {"retest": (msgspec.structs.replace(ACTION, exempt=False),)},
                {"retest": (msgspec.structs.replace(ACTION, priority="urgent"),)},
                {"retest": (msgspec.structs.replace(ACTION, reason="MSA_POSITIVE"),)},
                {"retest": (msgspec.structs.replace(ACTION, by="other_method"),)},
                {"comment": "C02"},
                {"beside": "C23"},
                {"defer": ()},
                {"quiet": ("C07",)},
            )
        ),
    ],
)
def test_whatever_a_rule_does_otherwise_it_says_otherwise(fields: dict[str, Any]) -> None:
    changed = msgspec.structs.replace(FULL, **fields)
    assert the_rule(changed).says != the_rule(FULL).says
    assert the_rule(changed).sha256 != the_rule(FULL).sha256


# ---------------------------------------------------------------- sources


def test_the_sources_that_rows_cite_are_named_in_full() -> None:
    listed = (
        Row(id="rule:a", version=1, sha256="", says="", citations=("b-2020", "a-2016")),
        Row(id="rule:b", version=1, sha256="", says="", citations=("a-2016", "not-listed")),
    )
    known = {
        "a-2016": Citation(
            id="a-2016", authors="A and B.", title="On a test", where="J Lab", year="2016", doi="10.1/x"
        ),
        "b-2020": Citation(id="b-2020", title="Another", pmid="123"),
        "c-2021": Citation(id="c-2021", title="Cited by nobody"),
    }
    assert [(one.id, one.text) for one in sources(listed, known)] == [
        ("a-2016", "A and B. On a test. J Lab. 2016. doi:10.1/x"),
        ("b-2020", "Another. PMID 123"),
    ]


def test_every_source_of_a_shipped_row_is_known(found: dict[str, Row]) -> None:
    citations = rules_of(knowledge(), read_all()).citations
    named = {one.id for one in sources(found.values(), citations)}
    assert named == {id for row in found.values() for id in row.citations}
