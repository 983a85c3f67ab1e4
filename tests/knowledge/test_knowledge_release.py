"""A site's release.yaml: what a row may name, each fault at its place with its repair."""

from __future__ import annotations

import pytest

from labbridge.knowledge.build import build
from labbridge.knowledge.documents import Fault, Source
from labbridge.sources import read_all

SHIPPED = read_all()
ROW = {
    "id": "own",
    "version": "1",
    "feed": "myolis",
    "comments": "[C07]",
    "analytes": "[SRP, HMGCR, CK]",
    "methods": "[line_blot, clia]",
    "flags": "[PARTNER_MISSING]",
    "why": "quiet",
    "source": "us",
}


def faults(*rows: dict[str, str], site: bool = True) -> list[Fault]:
    text = "\n".join(f"- {{{', '.join(f'{name}: {value}' for name, value in row.items())}}}" for row in rows)
    return build([*SHIPPED, Source("release.yaml", text, site=site)])[1]


def test_a_row_of_a_site_is_read() -> None:
    assert faults(ROW) == []
    text = f"- {{{', '.join(f'{name}: {value}' for name, value in ROW.items())}}}"
    (row,) = build([*SHIPPED, Source("release.yaml", text, site=True)])[0].releases.values()
    assert (row.name, row.feed, row.comments, row.flags) == ("own@1", "myolis", ("C07",), ("PARTNER_MISSING",))


def test_nothing_ships_that_releases() -> None:
    (fault,) = faults(ROW, site=False)
    assert "is shipped" in fault.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"comments": "[C99]"}, "C99 is no comment"),
        ({"analytes": "[GLUCOSE]"}, "GLUCOSE is no analyte"),
        ({"methods": "[guess]"}, "guess is no method"),
        ({"flags": "[WRONG]"}, "WRONG is no flag"),
        ({"flags": "[METHOD_DISCORDANCE]"}, "METHOD_DISCORDANCE is released by a person alone"),
        ({"flags": "[MSA_POSITIVE, PARTNER_MISSING]"}, "MSA_POSITIVE is released by a person alone"),
        ({"comments": "[]"}, "names no comment"),
        ({"analytes": "[]"}, "names no analyte"),
        ({"methods": "[]"}, "names no method"),
        ({"feed": "''"}, "names no feed"),
        ({"version": "one"}, "int"),
        ({"comment": "C07"}, "unknown field"),
        ({"source": "''"}, "source is missing"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(change: dict[str, str], said: str) -> None:
    found = faults({**ROW, **change})
    assert any(said in one.message for one in found), found
    assert {(one.file, one.line) for one in found} == {("release.yaml", 1)}
    assert all(one.repair for one in found)


def test_a_comment_of_a_feed_stands_in_one_row_alone() -> None:
    (fault,) = faults(ROW, {**ROW, "id": "other"})
    assert (fault.line, "stands in two rows" in fault.message) == (2, True)
    assert faults(ROW, {**ROW, "id": "other", "feed": "elsewhere"}) == []


def test_no_finding_of_a_discordance_or_of_a_positive_antibody_is_ever_released() -> None:
    flags = build(SHIPPED)[0].decisions.flags
    may = {name for name, flag in flags.items() if flag.automatic_release}
    assert may == {
        "ANA_NEG_NOT_EXCLUDING", "PARTNER_MISSING", "PARTNER_PENDING", "MSA_PENDING", "CK_HIGH_SINGLE", "CK_ULN_ASSUMED",
        "DUPLICATE_SUPPRESSED", "STATIN_CONTEXT",
    }  # fmt: skip
    assert not any(flags[name].hold or "critical" in flags[name].severity for name in may)
