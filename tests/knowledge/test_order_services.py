"""A site's orders.yaml: which service is ordered for a recommendation, each fault at its place, signed row by row."""

from __future__ import annotations

import jsonschema
import pytest

from labbridge.knowledge.build import build
from labbridge.knowledge.documents import Fault, Source, read_yaml
from labbridge.knowledge.items import items
from labbridge.knowledge.ordering import Services
from labbridge.model.values import Coding
from labbridge.sources import read_all, read_folder, shipped
from tests.checks.schemas import schema

SHIPPED = read_all()
ROW = {
    "analyte": "SRP",
    "family": "ip",
    "code": "SRPIP",
    "display": "anti-SRP by IP",
    "system": "L",
    "source": "catalogue",
}


def text(*rows: dict[str, str]) -> str:
    return "\n".join(f"- {{{', '.join(f'{name}: {value!r}' for name, value in row.items())}}}" for row in rows)


def laid(*rows: dict[str, str], site: bool = True) -> list[Source]:
    return [*SHIPPED, Source("orders.yaml", text(*rows), site=site)]


def faults(*rows: dict[str, str], site: bool = True) -> list[Fault]:
    return build(laid(*rows, site=site))[1]


def services(*rows: dict[str, str]) -> Services:
    knowledge, found = build(laid(*rows))
    assert found == []
    return knowledge.services


# ---------------------------------------------------------------- what is ordered


def test_a_service_by_analyte_and_family() -> None:
    found = services(ROW, {**ROW, "family": "quant", "code": "SRPQ"}, {**ROW, "analyte": "HMGCR"})
    assert found == {
        ("SRP", "ip"): Coding("SRPIP", "anti-SRP by IP", "L"),
        ("SRP", "quant"): Coding("SRPQ", "anti-SRP by IP", "L"),
        ("HMGCR", "ip"): Coding("SRPIP", "anti-SRP by IP", "L"),
    }


def test_what_need_not_be_said() -> None:
    least = {name: ROW[name] for name in ("analyte", "family", "code", "source")}
    assert services(least) == {("SRP", "ip"): Coding("SRPIP", "", "L")}


@pytest.mark.parametrize(("analyte", "families"), [
    ("SRP", ("blot", "quant", "ip")), ("HMGCR", ("quant", "ip", "cba", "tissue")), ("ANA_HEP2", ("hep2_iif",)),
    ("CK", ("enzymatic", "enzymatic_diluted")), ("OTHER_MSA", ("blot", "quant", "ip")),
])  # fmt: skip
def test_every_retest_that_a_rule_recommends_may_have_a_service(analyte: str, families: tuple[str, ...]) -> None:
    rows = [{**ROW, "analyte": analyte, "family": family} for family in families]
    assert set(services(*rows)) == {(analyte, family) for family in families}


def test_nothing_ships_filled_in() -> None:
    assert build(SHIPPED)[0].services == {}
    pattern = {one.name: one for one in read_folder(shipped() / "site", site=True)}
    assert list(read_yaml(pattern["orders.yaml"], [])) == []
    assert build([*SHIPPED, *pattern.values()])[1] == []


def test_the_example_of_the_pattern_is_a_row() -> None:
    lines = (shipped() / "site/orders.yaml").read_text(encoding="utf-8").splitlines()
    example = "\n".join(line.removeprefix("# ") for line in lines if line.startswith("# - {"))
    knowledge, found = build([*SHIPPED, Source("orders.yaml", example, site=True)])
    assert found == []
    assert knowledge.services[("SRP", "ip")].code == "SRPIP"


# ---------------------------------------------------------------- faults


def test_a_shipped_row_is_a_fault() -> None:
    (fault,) = faults(ROW, site=False)
    assert "is shipped" in fault.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"analyte": "GLUCOSE"}, "GLUCOSE is no analyte"),
        ({"family": "elisa"}, "elisa is no family"),
        ({"family": "same_new_specimen"}, "same_new_specimen is no method"),
        ({"family": "hep2_iif"}, "No rule recommends SRP by hep2_iif"),
        ({"analyte": "CK", "family": "blot"}, "No rule recommends CK by blot"),
        ({"code": ""}, "names no service"),
        ({"code": " X"}, "code cannot be sent"),
        ({"code": "X" * 200}, "code cannot be sent"),
        ({"display": "a\x07b"}, "display cannot be sent"),
        ({"display": "a\u2028b"}, "display cannot be sent"),
        ({"system": "X" * 21}, "system cannot be sent"),
        ({"service": "SRPIP"}, "unknown field"),
        ({"source": ""}, "source is missing"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(change: dict[str, str], said: str) -> None:
    row = {**ROW, **change}
    written = text({**ROW, "code": "OTHER", "family": "quant"}) + "\n- " + _json(row)
    found = build([*SHIPPED, Source("orders.yaml", written, site=True)])[1]
    assert any(said in one.message for one in found), found
    assert {(one.file, one.line) for one in found} == {("orders.yaml", 2)}
    assert all(one.repair for one in found)


def _json(row: dict[str, str]) -> str:
    """As YAML's double-quoted strings, which can hold any character."""
    quoted = (f'{name}: "{value.encode("unicode_escape").decode()}"' for name, value in row.items())
    return f"{{{', '.join(quoted)}}}"


@pytest.mark.parametrize("missing", ["analyte", "family", "code"])
def test_what_a_row_must_say(missing: str) -> None:
    found = faults({name: value for name, value in ROW.items() if name != missing})
    assert any(missing in one.message for one in found)


def test_one_service_for_a_family() -> None:
    found = faults(ROW, {**ROW, "code": "OTHER"})
    assert [(one.line, "stands twice" in one.message) for one in found] == [(2, True)]
    assert faults(ROW, {**ROW, "analyte": "HMGCR"}) == []


# ---------------------------------------------------------------- signed, and described


def test_each_row_is_an_item_of_its_own() -> None:
    before = items(SHIPPED)
    assert not any(key.startswith("order:") for key in before)
    found = items(laid(ROW, {**ROW, "family": "quant", "code": "SRPQ"}))
    assert {key: one.site for key, one in found.items() if one.kind == "order"} == {
        "order:SRP:ip": True,
        "order:SRP:quant": True,
    }
    assert set(found) - set(before) == {"order:SRP:ip", "order:SRP:quant"}
    assert (found["order:SRP:quant"].file, found["order:SRP:quant"].line) == ("orders.yaml", 2)
    assert "SRPQ" in found["order:SRP:quant"].text
    assert "SRPQ" not in found["order:SRP:ip"].text


@pytest.mark.parametrize(("change", "another"), [
    ({"code": "SRPIQ"}, True), ({"display": "x"}, True), ({"system": "LN"}, True), ({"source": "other"}, False),
])  # fmt: skip
def test_another_service_is_another_item(change: dict[str, str], another: bool) -> None:
    first, second = (items(laid(row))["order:SRP:ip"] for row in (ROW, {**ROW, **change}))
    assert (first.sha256 != second.sha256) == another


def test_a_site_s_rows_meet_the_schema() -> None:
    jsonschema.validate([ROW], schema("orders"))
    for change in ({"service": "X"}, {"code": 7}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate([{**ROW, **change}], schema("orders"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{name: value for name, value in ROW.items() if name != "source"}], schema("orders"))
