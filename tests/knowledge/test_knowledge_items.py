"""What is signed: every row of the knowledge has its item, and any change of what it says is another one."""

from __future__ import annotations

from collections import Counter

import pytest

from labbridge.knowledge.build import build
from labbridge.knowledge.codes import CODE_COLUMNS
from labbridge.knowledge.documents import Source
from labbridge.knowledge.items import items
from labbridge.knowledge.lock import entries
from labbridge.model.items import KINDS
from labbridge.sources import packed, read_all, unpacked

SHIPPED = read_all()
FOUND = items(SHIPPED)
COLUMNS = f"{','.join(CODE_COLUMNS)}\n"
RELEASE = "- {id: own, version: 1, feed: f, comments: [C07], analytes: [SRP], methods: [clia], why: w, source: us}"
US = "tag: CONVENTION, source: us"


def laid(name: str, text: str) -> list[Source]:
    """The shipped knowledge with one file of a site over it."""
    return [*SHIPPED, Source(name, text, site=True)]


def changed(texts: list[Source]) -> dict[str, str]:
    """The items that say something else than as shipped, or are new, with where they stand; `site` marks just these."""
    now = items(texts)
    different = {key for key, one in now.items() if FOUND.get(key) is None or FOUND[key].sha256 != one.sha256}
    assert different == {key for key, one in now.items() if one.site}
    return {key: f"{now[key].file}:{now[key].line}" for key in different}


def test_every_file_of_the_knowledge_is_signed_by_some_item() -> None:
    assert {one.file for one in FOUND.values()} >= {one.name for one in SHIPPED}
    assert set(Counter(one.kind for one in FOUND.values())) == set(KINDS) - {
        "release",
        "order",
    }  # nothing ships that releases or orders
    assert [KINDS.index(one.kind) for one in FOUND.values()] == sorted(KINDS.index(one.kind) for one in FOUND.values())


def test_rules_comments_and_nodes_have_the_hash_of_the_lock() -> None:
    locked = entries(build(SHIPPED)[0].decisions)
    live = {key: one for key, one in locked.items() if not one.retired}
    assert {key: (FOUND[key].sha256, FOUND[key].version) for key in live} == {
        key: (one.sha256, one.version) for key, one in live.items()
    }


def test_nothing_as_shipped_is_a_sites_and_each_record_is_shown_as_it_is_written() -> None:
    assert not any(one.site for one in FOUND.values())
    by_name = {one.name: one.text.splitlines() for one in SHIPPED}
    for one in FOUND.values():
        if one.kind not in ("table", "words"):
            first = one.text.splitlines()[0]
            assert by_name[one.file][one.line - 1] == first
            assert one.key.rpartition(":")[2] in one.text or one.kind == "code"
    rule = FOUND["rule:srp-strong"]
    assert rule.text.startswith("- id: srp-strong\n")
    assert "srp-strong-concordant" not in rule.text


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("policy.yaml", f"- {{id: ck_mod_from, value: 5, unit: x upper limit, {US}}}", "policy:ck_mod_from"),
        ("policy.yaml", f"- {{id: critical_owner, value: labbridge, {US}}}", "policy:critical_owner"),
        ("assays/kits.yaml", "- {id: ours, method: elisa, name: ELISA, cut_off: 12, units: [CU], source: us}", "kit:ours"),
        ("codes/myolis.csv", f"{COLUMNS}L,Q1,,,,SRP,result,,,SITE,us", "code:myolis:Q1"),
        ("release.yaml", RELEASE, "release:own"),
        ("qualifiers.csv", "text,kind,meaning\n", "table:qualifiers.csv"),
    ],
)  # fmt: skip
def test_a_site_that_says_something_else_has_an_item_of_its_own(name: str, text: str, key: str) -> None:
    found = changed(laid(name, text))
    assert list(found) == [key]
    assert found[key] == f"{name}:{2 if name.startswith('codes') else 1}"


def test_a_site_that_says_the_same_with_another_source_is_as_shipped() -> None:
    same = "- {id: ck_mod_from, value: 4, unit: x upper limit, tag: CONVENTION, source: read again, reviewed: [Dr X]}"
    assert changed(laid("policy.yaml", same)) == {}


def test_a_word_that_comments_are_made_with_is_an_item_of_its_language() -> None:
    word = "- id: antibody\n  words: {SRP: antibodies against SRP}\n"
    assert set(changed(laid("comments/en.yaml", word))) == {"words:en"}


def test_rows_of_one_code_go_together() -> None:
    one = "L,Q1,Anti-SRP,,,SRP,result,,,SITE,us\n"
    other = "L,Q1,Anti-HMGCR,,,HMGCR,result,,,SITE,us\n"
    both = items(laid("codes/myolis.csv", COLUMNS + one + other))["code:myolis:Q1"]
    assert both.text == (one + other).strip()
    assert both.sha256 != items(laid("codes/myolis.csv", COLUMNS + one))["code:myolis:Q1"].sha256


def test_a_knowledge_that_was_kept_comes_back_as_it_was() -> None:
    texts = laid("policy.yaml", "- {id: ck_mod_from, value: 5, unit: x upper limit, tag: CONVENTION, source: Übung}")
    assert unpacked(packed(texts)) == texts
    assert len(packed(texts)) < sum(len(one.text) for one in texts) / 3
