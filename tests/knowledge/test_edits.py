"""An edit changes the site's file where the record stands, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.errors import Refused
from labbridge.knowledge.documents import Source
from labbridge.knowledge.edits import HEADER, applied, home, tidy
from labbridge.knowledge.items import items
from labbridge.knowledge.records import passages
from labbridge.model.changes import ItemEdit
from labbridge.sources import read_all, understood

ROW = "L,SRPX,,,,SRP,result,line_blot,,SITE,procedure 12"
POLICY = "- {id: ck_mod_from, value: 5, unit: x upper limit, tag: CONVENTION, source: our validation}"
TWO = """# the numbers of this site
- {id: ck_mod_from, value: 6, unit: x upper limit, tag: CONVENTION, source: one}

# why it is so
- id: ck_high_from
  value: 12
  unit: x upper limit
  tag: CONVENTION
  source: two
# the end
"""


def site(name: str, text: str) -> list[Source]:
    return [*read_all(), Source(name, text, site=True)]


def of(sources: Sequence[Source], name: str) -> str:
    return next(one.text for one in sources if one.site and one.name == name)


def edit(item: str, file: str, text: str) -> ItemEdit:
    return ItemEdit(item=item, file=file, text=text)


@pytest.mark.parametrize(
    ("item", "file"),
    [
        ("policy:ck_mod_from", "policy.yaml"),
        ("rule:srp-strong", "rules/g2-srp-strong.yaml"),
        ("rule:one-of-our-own", "rules/site.yaml"),
        ("comment:C01", "comments/en.yaml"),
        ("comment:fr:C01", "comments/fr.yaml"),
        ("kit:a-kit-of-our-own", "assays/kits.yaml"),
        ("code:myolis:SRPX", "codes/myolis.csv"),
    ],
)
def test_an_item_has_one_place(item: str, file: str) -> None:
    assert home(item, read_all()) == file


@pytest.mark.parametrize(
    "item", ["code:../x:SRP", "code:a/b:SRP", "code::SRP", "table:units.yaml", "words:en", "no", ""]
)
def test_what_has_no_record_or_no_file_is_refused(item: str) -> None:
    with pytest.raises(Refused):
        home(item, read_all())


def test_the_first_row_of_a_sender_makes_its_file() -> None:
    found = applied(read_all(), [edit("code:myolis:SRPX", "codes/myolis.csv", ROW)])
    assert of(found, "codes/myolis.csv") == f"{HEADER}\n{ROW}\n"
    assert "code:myolis:SRPX" in items(found)
    assert understood(found)


def test_a_code_is_replaced_where_it_stands_all_rows_of_it() -> None:
    rows = (f"L,{one},SRP,result,,,SITE,x" for one in ("A,,,", "SRPX,,U/mL,", "B,,,", "SRPX,,AU,"))
    text = "\n".join(("# ours", HEADER, *rows, ""))
    found = applied(site("codes/myolis.csv", text), [edit("code:myolis:SRPX", "codes/myolis.csv", ROW)])
    assert of(found, "codes/myolis.csv").splitlines() == [
        "# ours",
        HEADER,
        "L,A,,,,SRP,result,,,SITE,x",
        ROW,
        "L,B,,,,SRP,result,,,SITE,x",
    ]


def test_a_record_is_replaced_and_every_other_line_stays() -> None:
    found = applied(site("policy.yaml", TWO), [edit("policy:ck_mod_from", "policy.yaml", POLICY)])
    assert of(found, "policy.yaml") == TWO.replace(TWO.splitlines()[1], POLICY)
    longer = "- id: ck_high_from\n  value: 15\n  unit: x upper limit\n  tag: CONVENTION\n  source: three"
    again = applied(found, [edit("policy:ck_high_from", "policy.yaml", longer)])
    assert of(again, "policy.yaml").splitlines()[2:] == ["", "# why it is so", *longer.splitlines(), "# the end"]


def test_a_new_record_is_added_at_the_end() -> None:
    new = "- {id: ck_window_d, value: 20, unit: d, tag: CONVENTION, source: ours}"
    found = applied(site("policy.yaml", TWO), [edit("policy:ck_window_d", "policy.yaml", new)])
    assert of(found, "policy.yaml") == f"{TWO}{new}\n"


def test_what_is_taken_out_leaves_what_ships() -> None:
    before = read_all()
    changed = applied(before, [edit("policy:ck_mod_from", "policy.yaml", POLICY)])
    assert items(changed)["policy:ck_mod_from"].site
    back = applied(changed, [edit("policy:ck_mod_from", "policy.yaml", "")])
    assert items(back) == items(before)
    with pytest.raises(Refused, match="nothing to take out"):
        applied(before, [edit("policy:ck_mod_from", "policy.yaml", "")])


def test_a_row_is_added_to_a_table() -> None:
    row = "- {analyte: CK, unit: U/L, factor: 1, spellings: [U-L], source: procedure 3}"
    found = applied(site("units.yaml", "# ours\n"), [edit("table:units.yaml", "units.yaml", row)])
    assert of(found, "units.yaml") == f"# ours\n{row}\n"
    assert ("CK", "U-L") in understood(found).terminology.units


@pytest.mark.parametrize(
    ("item", "file", "text", "said"),
    [
        ("policy:ck_mod_from", "policy.yaml", POLICY.replace("ck_mod", "ck_high"), "This is policy:ck_high_from"),
        ("policy:ck_mod_from", "policy.yaml", f"{POLICY}\n{POLICY.replace('ck_mod', 'ck_high')}", "one record alone"),
        ("policy:ck_mod_from", "policy.yaml", "- {id: ck_mod_from, value: [5}", "Line 1: This is not YAML"),
        ("policy:ck_mod_from", "policy.yaml", "value: 5", "Line 1: A list of records"),
        ("policy:ck_mod_from", "policy.yaml", "# nothing", "This is no record"),
        ("code:myolis:SRPX", "codes/myolis.csv", ROW.replace("SRPX", "SRPY"), "This is code:myolis:SRPY"),
        ("code:myolis:SRPX", "codes/myolis.csv", "L,SRPX,SRP", "Line 1: 3 cells, 11 expected"),
        ("table:units.yaml", "units.yaml", "# nothing", "One record is added"),
    ],
)
def test_an_edit_that_is_not_the_record_it_says_is_refused(item: str, file: str, text: str, said: str) -> None:
    with pytest.raises(Refused, match=said.replace("[", r"\[")):
        applied(read_all(), [edit(item, file, text)])


@pytest.mark.parametrize("text", ["- {id: x}\x00", "a\tb", "x" * 20_001, "a\u2028b", "\x1b[31m"])
def test_a_text_that_no_file_should_hold_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        tidy(text)


def test_a_text_is_tidied() -> None:
    assert tidy("\r\n- {id: x}  \r\n  a: b\r\n\r\n") == "- {id: x}\n  a: b"


@given(
    st.permutations(["A", "B", "C", "D"]),
    st.sampled_from("ABCD"),
    st.lists(st.sampled_from(["", "# said"]), max_size=4),
)
def test_every_record_but_the_edited_one_stays(order: list[str], which: str, between: list[str]) -> None:
    rows = {id: f"- {{id: {id}, value: 1, unit: d, source: x}}" for id in order}
    lines: list[str] = []
    for place, id in enumerate(order):
        lines += between[place : place + 1]
        lines.append(rows[id])
    source = Source("policy.yaml", "\n".join(lines) + "\n", site=True)
    new = f"- id: {which}\n  value: 2\n  unit: d\n  source: y"
    (found,) = applied([source], [edit(f"policy:{which}", "policy.yaml", new)])
    assert found.text == source.text.replace(rows[which], new)
    assert [one.key for one in passages(found)] == [f"policy:{id}" for id in order]
