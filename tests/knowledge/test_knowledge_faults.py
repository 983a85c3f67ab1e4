"""Every mistake a person can make in a file of a site is named with file, line and repair (contract.md 2, `check`)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from knowledge_site import HEADER, ONE_CODE, OWN_RULE, said_of

from labbridge.checking import LOCK
from labbridge.knowledge.documents import Fault
from labbridge.sources import shipped

QUALIFIERS = "kind,value,system,language,grade,source\n"
PATTERNS = "kind,value,language,class,source\n"
COMPARATORS = "kind,value,comparator,language,source\n"
FLAG = "- {{id: OURS, meaning: m, severity: info, {}, source: us}}\n"
WINDOW = "- {id: ck_window_d, value: 5, unit: d, tag: CONVENTION, source: us}\n"
RETEST = "- {id: SRP-blot, analyte: SRP, from: blot, families: [quant, ip], source: us}\n"
OUTGOING = """\
- {id: comment, code: 77202-1, display: Laboratory comment, system: LN,
   local_code: OURS, local_display: our comment, local_system: L, source: us}
"""
TEXT = '- id: C07\n  version: 9\n  parts: [[{text: "Not detected."}]]\n  citations: [picard-2016]\n'


def named(name: str, text: str | bytes) -> Any:
    """A mistake that is named, in whatever words: without it the file has no fault."""
    return pytest.param(name, text, 0, "")


def kit(fields: str) -> str:
    return f"- {{id: own, method: clia, {fields}, source: us}}\n"


def method(fields: str) -> str:
    return f"- {{id: own, name: own, {fields}, source: us}}\n"


def unit(factor: str) -> str:
    return f"- {{analyte: CK, unit: U/L, factor: {factor}, spellings: [E/l], source: us}}\n"


def bands(*steps: str) -> str:
    return f"bands: [{', '.join(f'{{category: {name}, low: {low}}}' for name, low in map(str.split, steps))}]"


def asking(fields: str) -> str:
    retest = f"retest: [{{{fields}, priority: routine, reason: MSA_POSITIVE}}]"
    return ruled("flags: [{MSA_POSITIVE: major}]", retest)


def asked(family: str, reason: str) -> str:
    action = f"retest: [{{analyte: SRP, by: [{family}], priority: urgent, reason: {reason}}}]"
    return ruled("flags: [{MSA_POSITIVE: major}]", action)


def ruled(before: str, after: str) -> str:
    assert before in OWN_RULE
    return OWN_RULE.replace(before, after, 1)


def texted(before: str, after: str) -> str:
    assert before in TEXT
    return TEXT.replace(before, after)


def in_one_line(text: str) -> str:
    """A block record as a flow record: `- {id: own, ...}`."""
    return "- {" + ", ".join(line[2:] for line in text.splitlines()) + "}\n"


def fits(fault: Fault, name: str, line: int, message: str) -> bool:
    """A fault of this file, at this line (0: any), with its repair."""
    return fault.file == name and line in (0, fault.line) and message in fault.message and fault.repair != ""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped files without the decision rows: what a site's file is read against, and quick to read."""
    folder = tmp_path_factory.mktemp("knowledge") / "mappings"
    shutil.copytree(shipped(), folder, ignore=shutil.ignore_patterns("rules", "schema", "site", LOCK))
    return folder


# ---------------------------------------------------------------- what is sound is not blamed


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("codes/lis.csv", ONE_CODE),
        ("codes/lis.csv", ONE_CODE.replace("\n", "\r\n")),
        ("codes/lis.csv", f"# ours\n\n{ONE_CODE}\n# end\n"),
        ("codes/lis.csv", ""),
        ("codes/lis.csv", f"{HEADER}\n"),
        ("policy.yaml", "# nothing of ours yet\n"),
        ("policy.yaml", f"{WINDOW[:-2]}, note: \"in Zürich, says 陰性\"}}\n"),
        ("rules/own.yaml", OWN_RULE),
        ("rules/own.yaml", in_one_line(OWN_RULE)),
        ("comments/en.yaml", TEXT),
        ("retests.yaml", RETEST),
        ("flags.yaml", "- {id: OURS, meaning: of our own, severity: info, source: us}\n"),
        ("qualifiers.csv", f"{QUALIFIERS}text,faible,,fr,POS_LOW,us\ntext,Faible,,it,POS_LOW,us\n"),
    ],
)  # fmt: skip
def test_a_sound_file_has_no_fault(tmp_path: Path, name: str, text: str) -> None:
    assert said_of(tmp_path, name, text) == []


def test_an_anchor_is_read_as_if_it_were_written_out(tmp_path: Path) -> None:
    text = f"- &ours {WINDOW[2:]}- {{<<: *ours, id: ivig_window_d, value: -1}}\n"
    (fault,) = said_of(tmp_path, "policy.yaml", text)
    assert (fault.line, fault.message) == (2, "The value is negative, or not a whole number of days.")


# ---------------------------------------------------------------- files that are no knowledge at all

UNREADABLE = [
    ("policy.yaml", "- id: ck_window_d\n\tvalue: 5\n", 2, "This is not YAML."),
    ("policy.yaml", f"{WINDOW}- {{id: [ck, value: 5}}\n", 2, "This is not YAML."),
    ("policy.yaml", f"{WINDOW}---\n{WINDOW}", 2, "This is not YAML."),
    ("policy.yaml", "- {id: ck_window_d, value: 5\x00}\n", 1, "This is not YAML."),
    ("policy.yaml", f'{WINDOW}- {{id: !!python/name:os.getcwd "", value: 5}}\n', 2, "This is not YAML."),
    ("policy.yaml", "ck_window_d: 5\n", 1, "A list of records is expected."),
    ("policy.yaml", f"{WINDOW}- ck_window_d\n", 2, "A record of named fields is expected."),
    ("policy.yaml", "- id: ck_window_d\n  value: 5\n  value: 6\n", 2, "value is given twice."),
    ("rules/own.yaml", ruled("srp: POS_STRONG", "srp: NEG, srp: EQUIVOCAL"), 5, "srp is given twice."),
    ("codes/lis.csv", ONE_CODE.replace(",", "\t"), 1, "The columns are not the expected ones."),
    ("codes/lis.csv", ONE_CODE.replace(",", ";"), 1, "The columns are not the expected ones."),
    ("codes/lis.csv", ONE_CODE.replace(",source\n", "\n"), 1, "The columns are not the expected ones."),
    ("codes/lis.csv", ONE_CODE.replace(",source\n", ",source,wish\n"), 1, "The columns are not the expected ones."),
    ("codes/lis.csv", ONE_CODE.replace("system,code", "code,system"), 1, "The columns are not the expected ones."),
    ("codes/lis.csv", f"{ONE_CODE}L,X,,,,SRP,result,,,SITE,us, all of us\n", 3, "12 cells, 11 expected."),
    ("codes/lis.csv", f'{ONE_CODE}L,"X,,,,SRP,result,,,SITE,us\n', 3, "2 cells, 11 expected."),
    ("codes/lis.csv", f"{ONE_CODE}L,{'X' * 140_000},,,,SRP,result,,,SITE,us\n", 3, "This is not CSV."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        *UNREADABLE,
        named("policy.yaml", WINDOW.replace("us", "Zürich").encode("latin-1")),
        named("codes/lis.csv", ONE_CODE.encode("utf-16")),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, base: Path, name: str, text: str | bytes, line: int, message: str
) -> None:
    found = said_of(tmp_path, name, text, base)
    assert [fault for fault in found if fits(fault, name, line, message)], found


# ---------------------------------------------------------------- rows that say what cannot be

TERMS = [
    ("codes/lis.csv", f"{ONE_CODE}LN,33921-9,,,,SRP,result,,,VERIFIED,us\n", 3, "The check digit is wrong."),
    ("codes/lis.csv", f"{ONE_CODE}http://loinc.org,14611-4,,,,ANA_HEP2,pattern,,,SITE,us\n", 3, "The check digit is wrong."),
    ("codes/lis.csv", f"{ONE_CODE}L,STATIN,,,,SRP,context,,,SITE,us\n", 3, "Analyte SRP is not known."),
    ("codes/lis.csv", f"{ONE_CODE}L,A,,,,SRP,not_ours,,,SITE,us\n", 3, "Analyte SRP is not known."),
    ("codes/lis.csv", f"{ONE_CODE}L,A,,Units,,HMGCR,result,,,PART,us\n", 3, "A PART code identifies its analyte only."),
    ("codes/lis.csv", f"{ONE_CODE}L,SRPX,,,,HMGCR,result,,,SITE,us\n", 3, "Code SRPX stands twice."),
    ("analytes.yaml", "- {id: CPK, analyte: CPK, name: CPK, words: [cpk], source: us}\n", 1, "Invalid enum value 'CPK'"),
    ("analytes.yaml", "- {id: CK, analyte: CK, name: CK, word: [cpk], source: us}\n", 1, "unknown field `word`"),
    ("analytes.yaml", "- {id: CK, analyte: CK, name: CK, source: us}\n" * 2, 2, "'CK' stands twice."),
    ("assays/methods.yaml", method("family: strip"), 1, "Invalid enum value 'strip'"),
    ("assays/methods.yaml", method("family: blot, tier: third"), 1, "Expected `int | null`"),
    ("assays/methods.yaml", "- {id: own, family: blot, name: own}\n", 1, "A source is missing."),
    ("assays/methods.yaml", method(f"family: blot, {bands('POS_LOW ten')}"), 1, "Invalid decimal"),
    ("assays/methods.yaml", method(f"family: blot, {bands('NEG 0')}"), 1, "The bands do not rise."),
    ("assays/kits.yaml", kit(bands("POS_STRONG 9", "POS_LOW 10")), 1, "The bands do not rise."),
    ("assays/kits.yaml", kit(bands("POS_LOW 9", "POS_STRONG 9")), 1, "The bands do not rise."),
    ("assays/kits.yaml", kit("cut_off: -20"), 1, "a cut-off is above zero"),
    ("assays/kits.yaml", kit(f"cut_off: 20, {bands('POS_LOW 20')}"), 1, "has a cut-off and bands"),
    ("assays/kits.yaml", kit("antigens_absent: [HMG]"), 1, "HMG is no analyte"),
    ("assays/kits.yaml", kit("cutoff: 20"), 1, "unknown field `cutoff`"),
    ("assays/kits.yaml", kit("words: [a b]") + kit("words: [A-B]").replace("own", "b"), 2, "'a b' stands twice."),
    ("assays/manufacturers.yaml", "- {id: a, words: a maker, source: us}\n", 1, "Expected `array`"),
    ("units.yaml", unit("0"), 1, "A factor is above zero."),
    ("units.yaml", unit("Infinity"), 1, "A factor is above zero."),
    ("units.yaml", unit("1") + unit("60"), 2, "'CK E/l' stands twice."),
    ("specimens-validated.yaml", "- {id: own, analyte: SRP, material: plasma, source: us}\n", 1, "enum value 'plasma'"),
    ("specimens.csv", "value,material,source\nplasma,blood,us\n", 2, "'blood' is no material."),
    ("statuses.csv", "kind,code,status,source\nresult,K,done,us\n", 2, "'done' is no status."),
    ("systems.csv", "spelling,system,source\nown,local,us\nOWN,loinc,us\n", 3, "'own' stands twice."),
    ("phrases.csv", "kind,value,language,source\nquality,clotted,en,us\n", 2, "Kind 'quality' is not known."),
    ("qualifiers.csv", f"{QUALIFIERS}text,faible,,fr,WEAK,us\n", 2, "'WEAK' is no grade."),
    ("qualifiers.csv", f"{QUALIFIERS}text,faible,,fr,POS_LOW,us\ntext,Faible,,it,NEG,us\n", 3, "'faible' stands twice."),
    ("hep2-patterns.csv", f"{PATTERNS}code,AC-20,,COMPATIBLE,us\n", 2, "'COMPATIBLE' is no class."),
    ("comparators.csv", f"{COMPARATORS}infix,bis,<,de,us\n", 2, "Kind 'infix' is not known."),
    ("comparators.csv", f"{COMPARATORS}postfix,bis,~,de,us\n", 2, "'~' is no comparator."),
    ("comparators.csv", f"{COMPARATORS}postfix,bis,,de,us\n", 2, "'' is no comparator."),
    ("comparators.csv", f"{COMPARATORS}prefix,,<,de,us\n", 2, "A comparator is a word or a mark"),
    ("comparators.csv", f"{COMPARATORS}prefix,over 9,>,en,us\n", 2, "A comparator is a word or a mark"),
    ("comparators.csv", f"{COMPARATORS}prefix,上１,>,ja,us\n", 2, "A comparator is a word or a mark"),
    ("comparators.csv", f"{COMPARATORS}postfix,plus,>,en,us\npostfix,PLUS,>=,fr,us\n", 3, "'plus' stands twice."),
    ("comparators.csv", f"{COMPARATORS}postfix,<,>,any,us\n", 0, "'<' stands twice."),
    ("comparators.csv", "kind,value,comparator,source\n", 1, "The columns are not the expected ones."),
    ("outgoing.yaml", "- {id: comment, code: 77202-0, source: us}\n", 1, "missing required field `display`"),
    ("policy.yaml", WINDOW.replace(", source: us", ""), 1, "Missing: ['source']"),
    ("policy.yaml", WINDOW.replace(", unit: d", ""), 1, "Missing: ['unit']"),
    ("policy.yaml", WINDOW.replace("CONVENTION", "RECALLED"), 1, "Tag RECALLED does not ship."),
    ("policy.yaml", WINDOW.replace("value: 5", 'value: "5 d"'), 1, "The value is not a decimal number."),
    ("policy.yaml", WINDOW.replace("value: 5", "value: [5]"), 1, "The value is not a decimal number."),
    ("policy.yaml", WINDOW + WINDOW, 2, "'ck_window_d' stands twice."),
    ("flags.yaml", "- {id: OURS, severity: info, source: us}\n", 1, "missing required field `meaning`"),
    ("flags.yaml", FLAG.format("waits: some_d"), 1, "No number is called some_d"),
    ("flags.yaml", FLAG.format("second_reader: ours"), 1, "No choice is called ours"),
    ("retests.yaml", RETEST.replace("[quant, ip]", "quant"), 1, "Expected `array`"),
    ("comments/en.yaml", "- {id: style, sentence_most: 5}\n", 1, "unknown field `sentence_most`"),
    ("comments/en.yaml", texted("version: 9", "version: nine"), 1, "Expected `int`"),
    ("comments/en.yaml", texted('"Not detected."', ""), 1, "Expected `str`, got `null`"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        *TERMS,
        named("flags.yaml", "- {id: OURS, meaning: m, severity: info, holds: true, source: us}\n"),
        named("retests.yaml", RETEST.replace("source: us", "sauce: us")),
        named("citations.yaml", "- {authors: Nobody, read: all, on: 2026-01-01}\n"),
        named("flags.yaml", "- {id: OURS, meaning: m, severity: info, source: us}\n" * 2),
        named("citations.yaml", "- {id: ours, authors: Us, read: all, on: 2026-01-01}\n" * 2),
        named("retests.yaml", RETEST + RETEST.replace("[quant, ip]", "[ip]")),
        named("comments/en.yaml", TEXT + TEXT),
        named("assays/kits.yaml", kit("cut_off: 12, units: [CU], tag: UNSURE")),
        named("assays/methods.yaml", method(f"family: blot, tag: RECALLED, {bands('POS_LOW 12')}")),
        named("assays/kits.yaml", kit("cut_off: NaN, units: [CU]")),
        named("comments/en.yaml", "- {words: {NEG: absent}}\n"),
        named("policy.yaml", WINDOW.replace("ck_window_d", "[ck_window_d]")),
        named("policy.yaml", f"{WINDOW[:-2]}, reviewed: hl}}\n"),
        named("policy.yaml", WINDOW.replace("unit: d", "unit: wk")),
        named("policy.yaml", WINDOW.replace("ck_window_d", "ck_window")),
        named("outgoing.yaml", OUTGOING),
        named("hep2-patterns.csv", f"{PATTERNS}denial,*,any,,us\n"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_is_named(
    tmp_path: Path, base: Path, name: str, text: str, line: int, message: str
) -> None:
    found = said_of(tmp_path, name, text, base)
    assert [fault for fault in found if fits(fault, name, line, message)], found


# ---------------------------------------------------------------- rows that name what is not there


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        ("rules/own.yaml", ruled("MSA_POSITIVE", "MSA_POSITIV"), 1, "Flag MSA_POSITIV is not listed."),
        ("rules/own.yaml", ruled("flags: [{MSA_POSITIVE: major}]", "comment: C99"), 1, "Comment C99 has no text."),
        ("rules/own.yaml", ruled("MSA_POSITIVE: major", "MSA_POSITIVE: minor"), 1, "MSA_POSITIVE is never minor."),
        ("rules/own.yaml", ruled("MSA_POSITIVE: major", "CK_EXTREME: by_ck"), 1, "CK_EXTREME is never minor or major."),
        ("rules/own.yaml", asked("same_new_specimen", "SEROCONVERSION"), 1,
         "same_new_specimen for SEROCONVERSION is asked whatever was done before."),
        ("rules/own.yaml", asked("quant", "RESULT_CENSORED"), 1,
         "quant for RESULT_CENSORED is asked whatever was done before."),
        ("rules/own.yaml", ruled("picard-2016", "picard"), 1, "Citation picard is not listed."),
        ("rules/own.yaml", ruled("  citations: [picard-2016]\n", ""), 1, "Rule own cites nothing."),
        ("rules/own.yaml", f"{OWN_RULE}  on: CK_MISING\n", 1, "`on: CK_MISING` is no flag."),
        ("rules/own.yaml", OWN_RULE + OWN_RULE, 9, "Rule own stands twice."),
        ("rules/own.yaml", ruled("status: active", "status: on"), 1, "Invalid enum value 'on'"),
        ("rules/own.yaml", f"{OWN_RULE}  wen: {{ck: HIGH}}\n", 1, "Unknown: wen."),
        ("comments/en.yaml", f"# ours\n\n{texted('picard-2016', 'nobody')}", 3, "Citation nobody is not listed."),
        named("rules/own.yaml", ruled("srp: POS", "serum: POS")),
        named("rules/own.yaml", ruled("POS_STRONG", "STRONG")),
        named("rules/own.yaml", ruled("fires: [{srp: POS_STRONG}]", "fires: [{srp: NEG}]")),
        named("comments/en.yaml", texted("Not", "{Antibodi}")),
        named("comments/en.yaml", texted("{text", "{when: {age: old}, text")),
        named("comments/en.yaml", texted("Not detected", "This proves it")),
        named("rules/own.yaml", f"{OWN_RULE}  about: SPR\n"),
        named("rules/own.yaml", f"{OWN_RULE}  analytes: [SPR]\n"),
        named("rules/own.yaml", asking("analyte: SPR, by: any")),
        named("rules/own.yaml", asking("analyte: SRP, by: [blott]")),
        named("retests.yaml", RETEST.replace("ip]", "imunoprecipitation]")),
        named("retests.yaml", RETEST.replace("from: blot", "from: bolt")),
        named("rules/own.yaml", in_one_line(ruled("MSA_POSITIVE", "MSA_POSITIV"))),
    ],
)  # fmt: skip
def test_a_row_that_names_what_is_not_there_is_named(
    tmp_path: Path, base: Path, name: str, text: str, line: int, message: str
) -> None:
    found = said_of(tmp_path, name, text, base)
    assert [fault for fault in found if fits(fault, name, line, message)], found
