"""The reference page and the JSON Schema of the validation pack, printed from the types that write and read it."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from labbridge.pack import form

HEAD = """\
# The validation pack

What `labbridge validate CASES.yaml... --pack FILE` writes to `FILE.json`, printed from `labbridge/pack/form.py`. As a JSON
Schema: `validation-pack.schema.json`. How to make and read one: `../how-to/validate-the-rules.md`.
"""


def page() -> str:
    """A section for each kind of object, the pack first, then as they are named."""
    lines = [HEAD]
    for kind in reachable(form.Pack):
        lines += [f"## {kind.__name__}", "", " ".join((kind.__doc__ or "").split()), ""]
        lines += ["| field | holds | means |", "|---|---|---|"]
        lines += [f"| {name} | {_type(hint)} | {_meaning(hint)} |" for name, hint in hints(kind).items()]
        lines.append("")
    return "\n".join(lines)


def schema() -> str:
    """The schema of the document."""
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "labbridge validation pack"}
    return json.dumps(found | msgspec.json.schema(form.Pack), indent=1, ensure_ascii=False) + "\n"


def reachable(first: type) -> list[type]:
    """The kinds of object in a document, each once, in the order in which they are named."""
    found, waiting = [], [first]
    while waiting:
        kind = waiting.pop(0)
        if kind not in found:
            found.append(kind)
            waiting += [one for hint in hints(kind).values() for one in _structs(hint)]
    return found


def hints(kind: type) -> dict[str, Any]:
    """The fields of a kind with their types and what these say of themselves."""
    return get_type_hints(kind, include_extras=True)


def _structs(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for one in get_args(hint):
        yield from _structs(one)


def _meaning(hint: Any) -> str:
    """What a field says of itself; one that holds objects says what they are."""
    said = next((one.description for one in get_args(hint)[1:] if isinstance(one, msgspec.Meta)), "")
    return said or next((f"See {one.__name__}." for one in _structs(hint)), "")


def _type(hint: Any) -> str:
    """A type as a reader of JSON says it."""
    if get_origin(hint) is Annotated:
        return _type(get_args(hint)[0])
    inner = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(map(_type, inner))
    if get_origin(hint) is tuple:
        return f"list of {_type(inner[0])}"
    if get_origin(hint) is dict:
        return f"object of {_type(inner[1])}"
    if get_origin(hint) is Literal:
        return ", ".join(inner)
    names = {str: "text", int: "whole number", bool: "true or false", types.NoneType: "null", Any: "any value"}
    return names.get(hint) or hint.__name__
