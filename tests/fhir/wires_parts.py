"""What two wires must agree on: results and outcomes without the places they stand at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from labbridge.model.result import ContextItem, Result
from labbridge.model.work import Feed
from labbridge.offline import PatientOutcome, Readers, interpret_files
from labbridge.sources import load
from labbridge.wires import Feeds

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
MYOLIS = Feed(
    name="myolis",
    sender="MYOLIS|LABA",
    timezone="Europe/Paris",
    authorities={
        "https://laba.example/mrn": "LABA",
        "https://laba.example/placer": "MYOCLIN",
        "https://laba.example/filler": "MYOLIS",
        "https://laba.example/specimen": "MYOLIS",
    },
    local_systems=("https://laba.example/codes",),
)


@lru_cache
def readers() -> Readers:
    return Readers.of(load(str(SAMPLES / "site")))


def interpreted(paths: Iterable[Path], feed: Feed = MYOLIS) -> PatientOutcome:
    """The one patient of these files."""
    files = [(path.name, path.read_bytes()) for path in paths]
    (found,), unreadable = interpret_files(files, readers(), Feeds(feed, feed), None)
    assert unreadable == []
    return found


def meant(results: Iterable[Result]) -> list[Result]:
    """Results without their addresses, the letters of their status, and the pictures of their times."""
    return [
        msgspec.structs.replace(
            one,
            ref="",
            at="",
            status_code="",
            collected=msgspec.structs.replace(one.collected, text=""),
        )
        for one in results
    ]


def facts(items: Iterable[ContextItem]) -> list[str]:
    """Context in an order of its own: a body need not say its facts where the other wire does."""
    return sorted(repr(one) for one in items)


def said(found: PatientOutcome) -> Any:
    """All of an outcome, each address replaced by the result that it names."""
    names = {one.ref: f"{one.key} {one.value_text} {one.status}" for one in found.history.results}
    return _named(msgspec.to_builtins(found.outcome), names)


def _named(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _named(one, names) for key, one in value.items() if key != "at" or "code" not in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_named(one, names) for one in value]
    return names.get(value, value) if isinstance(value, str) else value
