"""What a fuzz target is: a check of one input, and the names its modules go by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

SEEDS = Path(__file__).resolve().parent / "seeds"
DICTIONARY = Path(__file__).resolve().parent / "dictionary.txt"
APART = b"\xff"  # parts an input that has several; no UTF-8 text can hold it

# Table 0357 as far as reliability.md 3.1 lists it; 204 is read_reports' own.
REFUSALS = frozenset({"100", "101", "102", "103", "104", "200", "201", "202", "203", "207"})


class Wrong(AssertionError):
    """An answer other than the specification's. The sentence says which rule it breaks, without the input."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is fuzzed. `check` raises Wrong for an answer that is none; whatever else it raises is a crash.
    `product` are the packages whose coverage counts; `longest` bytes are tried, with
    words of the `dictionary`; `mutated` inputs are tried in the suite."""

    name: str
    check: Callable[[bytes], None]
    product: tuple[str, ...]
    longest: int = 4096
    dictionary: Path = DICTIONARY
    mutated: int = 1500

    def seeds(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted((SEEDS / self.name).iterdir())]


def must(holds: object, rule: str) -> None:
    if not holds:
        raise Wrong(rule)


def parts(data: bytes, count: int) -> list[bytes]:
    """So many parts of an input; empty where it has fewer, the rest in the last."""
    found = data.split(APART, count - 1)
    return found + [b""] * (count - len(found))


def text(part: bytes) -> str:
    return part.decode("utf-8", "replace")


def tokens(dictionary: Path = DICTIONARY) -> Iterator[bytes]:
    """A dictionary, in libFuzzer's form: one quoted string a line, with \\xNN."""
    for line in dictionary.read_text(encoding="ascii").splitlines():
        if line.startswith('"'):
            yield line.strip()[1:-1].encode("ascii").decode("unicode_escape").encode("latin-1")
