"""A site's folder over the shipped files: it adds, replaces and switches off by id; the version and the lock follow."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from knowledge_site import HEADER, ONE_CODE, OWN_RULE, lay

from labbridge.checking import LOCK, check
from labbridge.knowledge.build import Knowledge, version
from labbridge.knowledge.lock import entries
from labbridge.model.values import Coding
from labbridge.offline import Readers, validate_case
from labbridge.sources import KnowledgeError, load, read_folder, shipped

SHIPPED = read_folder(shipped())
OURS = load()
BLOT: dict[str, Any] = {
    "id": "S", "patient": {"sex": "F", "age_years": 48}, "context": {}, "evaluate_at": "2025-03-14",
    "results": [{"filler": "A1", "analyte": "SRP", "method": "line_blot", "value": "92", "unit": "intensity",
                 "specimen": "serum", "status": "F", "collected": "2025-03-10", "received": "2025-03-13"}],
}  # fmt: skip
CK_OF_OURS = f"{HEADER}\nLN,2157-6,,,,CK,result,enzymatic,,SITE,us\n"
RETIRED = OWN_RULE.replace("id: own", "id: srp-strong").replace("version: 1", "version: 9").replace("active", "retired")


def flags(knowledge: Knowledge) -> set[str]:
    """The flags of a lone strong anti-SRP on a line blot."""
    return {flag.code for flag in validate_case(BLOT, Readers.of(knowledge)).outcome.flags}


def codes(knowledge: Knowledge, sender: str, code: str, system: str = "L") -> list[tuple[str, str, str]]:
    rows = knowledge.terminology.rows(sender, Coding(code, "", system))
    return [(row.analyte, row.role, row.method) for row in rows]


# ---------------------------------------------------------------- add, replace, switch off


@pytest.mark.parametrize(
    ("name", "text", "seen", "before", "after"),
    [
        ("codes/lis.csv", ONE_CODE, lambda k: codes(k, "LIS|HOSP", "SRPX"), [], [("SRP", "result", "line_blot")]),
        ("codes/lis_hosp.csv", ONE_CODE, lambda k: codes(k, "LIS|HOSP", "SRPX"), [], [("SRP", "result", "line_blot")]),
        ("codes/lis_hosp.csv", ONE_CODE, lambda k: codes(k, "LIS|ELSEWHERE", "SRPX"), [], []),
        ("codes/mayo.csv", f"{HEADER}\nL,SRPIS,,,,,not_ours,,,SITE,us\n", lambda k: codes(k, "MAYO|X", "SRPIS"),
         [("SRP", "result", "tissue_iif")], [("", "not_ours", "")]),
        ("codes/lis.csv", CK_OF_OURS, lambda k: codes(k, "LIS|X", "2157-6", "LN"),
         [("CK", "result", "")], [("CK", "result", "enzymatic")]),
        ("codes/lis.csv", CK_OF_OURS, lambda k: codes(k, "OTHER|X", "2157-6", "LN"),
         [("CK", "result", "")], [("CK", "result", "")]),
        ("assays/methods.yaml", "- {id: dot_blot, family: blot, tier: 3, name: dots, source: us}\n",
         lambda k: [len(k.terminology.methods[name].bands) for name in ("dot_blot", "line_blot")], [3, 3], [0, 3]),
        ("assays/kits.yaml", "- {id: own-hmgcr, method: clia, cut_off: 15, units: [CU], words: [own kit], source: us}\n",
         lambda k: dict(k.terminology.kit_words).get(" own kit "), None, "own-hmgcr"),
        ("assays/kits.yaml", "- {id: euroline-16, method: dot_blot, words: [our strip], source: us}\n",
         lambda k: dict(k.terminology.kit_words).get(" euroline "), "euroline-16", None),
        ("policy.yaml", "- {id: ck_window_d, value: 14, unit: d, tag: CONVENTION, source: us}\n",
         lambda k: (k.policy.days("ck_window_d"), k.policy.days("aggregation_window_d")), (30, 30), (14, 30)),
        ("specimens-validated.yaml", "- {id: own, analyte: SRP, material: heparin_plasma, source: us}\n",
         lambda k: sorted(m for a, m in k.terminology.validated if a == "SRP"), ["serum"], ["heparin_plasma", "serum"]),
        ("flags.yaml", "- {id: UNIT_UNKNOWN, meaning: shown only, severity: major, hold: false, source: us}\n",
         lambda k: [k.decisions.flags[code].hold for code in ("UNIT_UNKNOWN", "STATUS_UNKNOWN")],
         [True, True], [False, True]),
        ("retests.yaml", "- {id: SRP-blot, analyte: SRP, from: blot, families: [ip], source: us}\n",
         lambda k: (k.decisions.retests[("SRP", "blot")], k.decisions.retests[("SRP", "quant")]),
         (("quant", "ip"), ("ip", "blot")), (("ip",), ("ip", "blot"))),
        ("comments/en.yaml", "- {id: grade, words: {POS_LOW: weakly positive}}\n",
         lambda k: (k.decisions.words["grade"]["POS_LOW"], k.decisions.words["grade"]["NEG"]),
         ("low positive", "not detected"), ("weakly positive", "not detected")),
        ("qualifiers.csv", "kind,value,system,language,grade,source\ntext,positive,,en,POS_STRONG,us\n",
         lambda k: (k.terminology.words.grades["positive"].value, k.terminology.words.grades["pos"].value),
         ("POSITIVE", "POSITIVE"), ("POS_STRONG", "POSITIVE")),
        ("units.yaml", "- {analyte: CK, unit: U/L, factor: 1, spellings: [E/l], source: us}\n",
         lambda k: ("CK", "E/l") in k.terminology.units, False, True),
        ("rules/ours.yaml", RETIRED, lambda k: "MSA_POSITIVE" in flags(k), True, False),
        ("rules/ours.yaml", OWN_RULE.replace("MSA_POSITIVE", "RESULT_CORRECTED"),
         lambda k: "RESULT_CORRECTED" in flags(k), False, True),
    ],
)  # fmt: skip
def test_a_sites_rows_lie_over_ours(
    tmp_path: Path, name: str, text: str, seen: Callable[[Knowledge], Any], before: Any, after: Any
) -> None:
    assert seen(OURS) == before
    assert seen(load(lay(tmp_path / "site", {name: text}))) == after


def test_a_retest_list_is_replaced_by_its_id(tmp_path: Path) -> None:
    text = "- {id: SRP-tissue, analyte: SRP, from: none, families: [ip], source: us}\n"
    lists = load(lay(tmp_path / "site", {"retests.yaml": text})).decisions.retests
    assert ("SRP", "tissue") not in lists
    assert lists[("SRP", "none")] == ("ip",)


# ---------------------------------------------------------------- a site that does not fit


def test_a_site_with_a_fault_is_not_used_and_the_fault_has_its_place(tmp_path: Path) -> None:
    text = f"{ONE_CODE}L,X,,,,SPR,result,,,SITE,us\n"
    with pytest.raises(KnowledgeError) as caught:
        load(lay(tmp_path / "site", {"codes/lis.csv": text}))
    (fault,) = caught.value.faults
    assert str(fault) == (
        "codes/lis.csv:3: Analyte SPR is not known. Use an id of analytes.yaml, for the role it has."
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        OWN_RULE.replace(before, after)
        for before, after, reason in (
            ("srp: POS", "serum: POS", "sources.py:48: loads; then KeyError 'serum' at every message"),
            ("MSA_POSITIVE", "MSA_POSITIV", "sources.py:48: loads; the flag is raised though no list has it"),
            ("picard-2016", "nobody", "sources.py:48: loads; a finding cites what is not listed"),
        )
    ],
)
def test_a_rule_that_names_what_is_not_there_keeps_the_service_from_starting(tmp_path: Path, text: str) -> None:
    with pytest.raises(KnowledgeError):
        load(lay(tmp_path / "site", {"rules/own.yaml": text}))


def test_the_command_says_where_and_leaves_with_one(tmp_path: Path) -> None:
    site = lay(
        tmp_path / "site",
        {"policy.yaml": "# ours\n- {id: ck_window_d, value: x, unit: d, tag: CONVENTION, source: us}\n"},
    )
    command = [sys.executable, "-c", "from labbridge.cli import main; main()", "check", "--site", site]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr == "policy.yaml:2: The value is not a decimal number. Write digits with a point.\n"
    assert run.stdout.endswith(": 1 fault\n")


@pytest.mark.parametrize(
    ("folder", "site"),
    [
        (None, "nowhere"),
        ("nowhere", ""),
    ],
)
def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path, folder: str | None, site: str) -> None:
    faults, _summary = check(tmp_path / folder if folder else None, site and str(tmp_path / site), write_lock=False)
    assert faults


# ---------------------------------------------------------------- version and lock


@pytest.mark.parametrize("name", [source.name for source in SHIPPED])
def test_the_version_changes_with_any_file(name: str) -> None:
    changed = [msgspec.structs.replace(one, text=f"{one.text}#") if one.name == name else one for one in SHIPPED]
    left = [one for one in SHIPPED if one.name != name]
    assert len({version(SHIPPED), version(changed), version(left)}) == 3


def test_the_version_knows_a_site(tmp_path: Path) -> None:
    empty, own = lay(tmp_path / "empty", {}), lay(tmp_path / "own", {"codes/lis.csv": ONE_CODE})
    assert load(empty).version == OURS.version
    assert load(own).version != OURS.version
    assert load(own).version == load(lay(tmp_path / "copy", {"codes/lis.csv": ONE_CODE})).version


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """The shipped folder, to be edited."""
    return Path(shutil.copytree(shipped(), tmp_path / "mappings"))


def locked(folder: Path, *, write: bool = False) -> list[str]:
    return [f"{fault.message} {fault.repair}" for fault in check(folder, "", write)[0] if fault.file == LOCK]


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_a_rule_is_changed_with_a_raised_version_only(mappings: Path) -> None:
    rules = mappings / "rules/ck.yaml"
    edit(rules, "no usable limit", "no limit of use")
    stale = ["rule:ck-limit-assumed: content changed under version 1. Raise its version."]
    assert locked(mappings) == stale
    assert locked(mappings, write=True) == stale
    edit(rules, "version: 1", "version: 2")
    assert locked(mappings) == ["rule:ck-limit-assumed has a new version. Run `labbridge check --write-lock`."]
    assert locked(mappings, write=True) == []
    assert locked(mappings) == []


def test_a_site_changes_a_shipped_rule_under_a_raised_version_only(tmp_path: Path) -> None:
    """A draft names `rule@version`: one version must not mean two things."""
    text = next(source.text for source in SHIPPED if source.name == "rules/ck.yaml")
    changed = text.replace("no usable limit came with the result", "no limit of use")
    assert changed != text
    (fault,) = check(None, lay(tmp_path / "same", {"rules/ours.yaml": changed}), write_lock=False)[0]
    message = "rule:ck-limit-assumed is not what ships as version 1."
    assert (fault.file, fault.line, fault.message) == ("rules/ours.yaml", 1, message)
    raised = changed.replace("version: 1", "version: 2")
    assert check(None, lay(tmp_path / "raised", {"rules/ours.yaml": raised}), write_lock=False)[0] == []
    assert check(None, lay(tmp_path / "copied", {"rules/ours.yaml": text}), write_lock=False)[0] == []


def test_a_rule_is_never_dropped(mappings: Path) -> None:
    (mappings / "rules/ck.yaml").unlink()
    gone = ["rule:ck-limit-assumed is gone. An id is never dropped: set its status to retired."]
    assert locked(mappings) == gone
    locked(mappings, write=True)
    assert locked(mappings) == gone  # writing does not forget it


def test_writing_the_lock_still_tells_of_a_dropped_rule(mappings: Path) -> None:
    (mappings / "rules/ck.yaml").unlink()
    assert locked(mappings, write=True)


def test_the_layout_of_a_rule_is_not_its_content(mappings: Path) -> None:
    before = entries(load(folder=mappings).decisions)
    edit(mappings / "rules/ck.yaml", "  version: 1\n", "\n  # a word to the reader\n  version:    1\n")
    assert entries(load(folder=mappings).decisions) == before
    assert load(folder=mappings).version != OURS.version  # the version is of every byte


@pytest.mark.parametrize(
    "text",
    ['{"rule:ck', '{"rule:ck": {"version": 1}}'],
)
def test_a_broken_lock_is_a_fault(mappings: Path, text: str) -> None:
    (mappings / LOCK).write_text(text, encoding="utf-8")
    assert locked(mappings)


def test_a_sound_site_has_no_fault(tmp_path: Path) -> None:
    assert check(None, lay(tmp_path / "site", {"rules/own.yaml": OWN_RULE}), write_lock=False)[0] == []


def test_writing_the_lock_for_a_site_leaves_ours_alone(mappings: Path, tmp_path: Path) -> None:
    check(mappings, lay(tmp_path / "site", {"rules/own.yaml": OWN_RULE}), write_lock=True)
    assert locked(mappings) == []
