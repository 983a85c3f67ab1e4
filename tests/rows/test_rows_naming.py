"""S-06: a name from a configuration is a plain name, or is refused when the configuration is read."""

from __future__ import annotations

import pytest

from labbridge.rows import naming

GOOD = ("id", "lis_results", "_x", "A1", "a$b", "x" * 63)
BAD = (
    "", " ", "x y", "x;", "x; DROP TABLE r", 'x"', "x'", "x`", "[x]", "x]", "1x", "$x", "x-y", "x--", "x/*", "*/x", "x*",
    "x%", "x,y", "(x)", "x)", "x=1", "x\n", "\nx", "x\0", "x\\", "x|y", "x#", "x@", "x!", "x?", "x:y", "x<y", "x>y", "x&y",
    "x+y", "x^y", "x~", "{x}", "naïve", "имя", "x\u00a0y", "x\u200b", "ｘ", "x\u2019", "x\u037e", "é", "x" * 64, "x" * 500,
    "select*", "x union select", "x/**/y", "x\ty", "x\ry", "0", "00", "-x", "--", "/*", ";", "'", '"', "`", "' OR '1'='1",
    '"; --', "x';--", "x\x1b", "x\x7f", "x\u202ey", "1=1", "x or 1", "@@version", "x()", "sleep(1)", "x::int", "x->y",
    "x!y", "${x}", "%(x)s", "%s", "?x", "x?", ":x", "{0}", "\\x", "x\u0000", "x\u2028y", "x\u0301", "ﬀ", "x…", "x×", "x·y",
    "٣", "x\u0660", "_é", "$", "a b c", "x.\u0000",
    "x AS y", "x\u2003y", "ʺx", "x‘", "x―y", "#x", "x\ufeff",
)  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_plain_name_is_taken_as_it_is(name: str) -> None:
    assert naming.column(name) == name
    assert naming.table(f"lis.{name}") == f"lis.{name}"


@pytest.mark.parametrize("name", BAD)
def test_anything_else_is_refused_as_a_column_and_in_every_part_of_a_table(name: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        naming.column(name)
    for whole in (name, f"lis.{name}", f"{name}.v"):
        with pytest.raises(ValueError, match="letters, digits"):
            naming.table(whole)


def test_there_are_a_hundred_of_them() -> None:
    assert len(set(BAD)) >= 100


@pytest.mark.parametrize("name", ["a.b.c.d", ".v", "v.", "a..v", "."])
def test_a_table_has_at_most_three_parts_and_none_is_empty(name: str) -> None:
    with pytest.raises(ValueError, match="CATALOGUE"):
        naming.table(name)
