"""The shared vignettes, the orders they are given in, and the knowledge they are read by."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import permutations
from pathlib import Path
from typing import Any, TypeVar

import yaml

from labbridge.model.outcome import Outcome
from labbridge.offline import Readers
from labbridge.offline import _failures as failures_of  # what `labbridge validate` compares
from labbridge.sources import load

FILE = Path(__file__).resolve().parent.parent / "knowledge" / "vignettes.yaml"
SITE = Path(__file__).resolve().parent / "site"
ALL_UP_TO, SEEDED = 5, 120

Case = dict[str, Any]
Part = TypeVar("Part")


@lru_cache
def cases() -> tuple[Case, ...]:
    return tuple(yaml.safe_load(FILE.read_text(encoding="utf-8"))["vignettes"])


@lru_cache
def readers(language: str = "en") -> Readers:
    """The shipped knowledge with the local codes of the laboratory that sends the vignettes."""
    return Readers.of(load(str(SITE)), language)


def failures(case: Case, outcome: Outcome) -> list[str]:
    """Where an outcome is not what its vignette expects, as `labbridge validate` finds it."""
    return [*failures_of(case["expected"], outcome)]


def orders(parts: Sequence[Part]) -> Iterator[tuple[Part, ...]]:
    """Every order of up to five parts; 120 seeded ones of more."""
    if len(parts) <= ALL_UP_TO:
        yield from permutations(parts)
        return
    for seed in range(SEEDED):
        yield shuffled(parts, seed)


def shuffled(parts: Sequence[Part], seed: int) -> tuple[Part, ...]:
    found = list(parts)
    random.Random(seed).shuffle(found)
    return tuple(found)


def three(parts: Sequence[Part]) -> dict[str, tuple[Part, ...]]:
    """As listed, reversed, and the first seeded order that is neither, where there is one."""
    listed, backwards = tuple(parts), tuple(reversed(parts))
    seeded = (shuffled(parts, seed) for seed in range(SEEDED))
    other = next((one for one in seeded if one not in (listed, backwards)), backwards)
    return {"L": listed, "R": backwards, "S": other}
