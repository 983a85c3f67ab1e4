"""The form of the document: its schema, and a page that tells every field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from pack_cases import ROOT, case, ck, pack_of, srp

from labbridge.pack import form
from labbridge.pack.difference import difference
from labbridge.pack.files import encoded
from tests.checks import pack as reference

PAGE = ROOT / "docs/reference/validation-pack.md"
SCHEMA = ROOT / "docs/reference/validation-pack.schema.json"


def document() -> Any:
    before = pack_of(case("ONE", srp("2"), expected={"hold": True}))
    now = pack_of(case("ONE", srp("58"), ck("2040")), case("TWO", expected={"hold": False}))
    return json.loads(encoded(msgspec.structs.replace(now, difference=difference(before, now, "ef" * 32))))


def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_a_pack_is_what_the_schema_says() -> None:
    assert list(validator().iter_errors(document())) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema_version",), "1"),
        (("cases", 0, "passed"), "yes"),
        (("cases", 0, "failures"), None),
        (("coverage", "rules", 0, "fired"), 3),
        (("coverage", "numbers", "rules", "all"), "many"),
        (("difference", "changed_cases", 0, "changes", 0, "before"), 1),
        (("rows", 0, "version"), "two"),
        (("rows", 0, "sha256"), None),
    ],
)
def test_the_schema_refuses_what_is_none(path: tuple[str | int, ...], value: object) -> None:
    broken = document()
    at = broken
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    (error,) = validator().iter_errors(broken)
    assert list(path)[: len(error.absolute_path)] == list(error.absolute_path) != []


def test_page_and_schema_are_printed_from_the_types() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.page()
    assert SCHEMA.read_text(encoding="utf-8") == reference.schema()


def test_every_field_of_every_kind_is_told() -> None:
    kinds = reference.reachable(form.Pack)
    assert len(kinds) > 20
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for kind in kinds:
        begin = lines.index(f"## {kind.__name__}")
        assert lines[begin + 2], kind
        end = next((n for n in range(begin + 1, len(lines)) if lines[n].startswith("## ")), len(lines))
        table = [line.split(" | ") for line in lines[begin:end] if line.startswith("| ")][1:]
        assert [cells[0].removeprefix("| ") for cells in table] == list(kind.__struct_fields__)
        assert all(cells[2].removesuffix(" |").strip() for cells in table), kind


def test_every_kind_of_the_module_is_reached() -> None:
    """A Struct that nothing holds would be told to nobody, or has been forgotten."""
    ours = {one for one in vars(form).values() if isinstance(one, type) and issubclass(one, msgspec.Struct)}
    assert ours - {msgspec.Struct} == set(reference.reachable(form.Pack))


def test_the_version_on_the_page_is_the_one_that_is_written() -> None:
    told = reference.hints(form.Pack)["schema_version"]
    assert msgspec.inspect.type_info(told).extra_json_schema["description"].startswith(f"{form.SCHEMA_VERSION}.")  # type: ignore[attr-defined,index]
    assert document()["schema_version"] == form.SCHEMA_VERSION


def test_the_schema_stands_where_the_page_says() -> None:
    assert SCHEMA.name in PAGE.read_text(encoding="utf-8")
    assert (PAGE.parent / "../how-to/validate-the-rules.md").resolve() == Path(
        ROOT / "docs/how-to/validate-the-rules.md"
    )
    assert Path(ROOT / "docs/how-to/validate-the-rules.md").is_file()
