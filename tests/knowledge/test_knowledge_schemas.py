"""The JSON Schemas of mappings/schema, which editors use: as the types say, and met by what ships."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from labbridge.knowledge.documents import Source, read_yaml
from labbridge.sources import read_folder, shipped
from tests.checks.schemas import FOLDER, KINDS, schema, text

FILES = {kind: f"{kind}.yaml" for kind in ("flags", "retests", "pathway", "facts", "properties", "probabilities")}
NUMBERS = ("version", "sentences_most", "characters_most", "addendum_characters_most", "addenda_most")
FIGURES = ("default", "low", "high")


def records(kind: str) -> list[dict[str, Any]]:
    """The shipped records of a kind as an editor reads them (numbers are numbers)."""
    sources = [one for one in read_folder(shipped()) if _is(kind, one)]
    rows = [row.fields for source in sources for row in read_yaml(source, [])]
    if kind == "comments":
        rows = [row for row in rows if row["id"] != "style" and "words" not in row]
    return [{name: _number(name, value) for name, value in row.items()} for row in rows]


def _number(name: str, value: Any) -> Any:
    return int(value) if name in NUMBERS else float(value) if name in FIGURES else value


def _is(kind: str, source: Source) -> bool:
    return source.name == FILES.get(kind) or (
        source.name.startswith(f"{kind}/") and source.name != "comments/phrases.yaml"
    )


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_schema_is_printed_from_the_types(kind: str) -> None:
    assert (FOLDER / f"{kind}.json").read_text(encoding="utf-8") == text(kind)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("release", "orders")])
def test_what_ships_meets_its_schema(kind: str) -> None:
    found = records(kind)
    assert len(found) > 10
    jsonschema.validate(found, schema(kind))


def test_a_sites_release_rows_meet_their_schema() -> None:
    text = "- {id: own, version: 1, feed: f, comments: [C07], analytes: [SRP], methods: [clia], why: w, source: us}"
    (row,) = read_yaml(Source("release.yaml", text, site=True), [])
    given = {name: _number(name, value) for name, value in row.fields.items()}
    jsonschema.validate([given], schema("release"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{**given, "comment": "C07"}], schema("release"))


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("rules", "status", "on"),
        ("rules", "then", {"flag": [{"MSA_POSITIVE": "major"}]}),
        ("rules", "then", {"flags": [{"MSA_POSITIVE": "grave"}]}),
        ("rules", "cases", {"speaks": []}),
        ("comments", "parts", [[{"texts": "A."}]]),
        ("retests", "families", "ip"),
        ("flags", "hold", "perhaps"),
        ("facts", "limits", [{"where": {"srp_now": "NEG"}}]),
        ("facts", "usually", "NEG"),
        ("properties", "kind", "together"),
        ("properties", "where", {"ck": 4}),
        ("probabilities", "kind", "posterior"),
        ("probabilities", "tag", "RECALLED"),
        ("probabilities", "default", "high"),
        ("probabilities", "when", {"ck": "UNKNOWN"}),
        ("pathway", "decision", "patient"),
        ("pathway", "edges", [{"node": "N1"}]),
        ("pathway", "says", [{"txt": "A."}]),
    ],
)
def test_what_is_misspelled_does_not(kind: str, field: str, value: Any) -> None:
    found = records(kind)[:1]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{**found[0], field: value}], schema(kind))
