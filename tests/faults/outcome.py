"""What a row of the table comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.checker import Verdict


@dataclass
class Outcome:
    """`trials`: how often the fault was injected; `exposures`: messages, answers or images that were at risk by it;
    `gap`: why a violation is known and stands open."""

    trials: int = 0
    exposures: int = 0
    violations: list[str] = field(default_factory=list)
    note: str = ""
    gap: str = ""

    def add(self, verdict: Verdict) -> None:
        self.violations += verdict.sentences()

    def must(self, holds: object, sentence: str) -> None:
        """A violation unless it holds."""
        if not holds:
            self.violations.append(sentence)

    def figures(self, verdicts: Iterable[Verdict], *names: str) -> None:
        """Note the sums of these figures."""
        found = list(verdicts)
        self.note = ", ".join(f"{sum(one.figures[name] for one in found):g} {name}" for name in names)


@dataclass(frozen=True)
class Run:
    """How a row is run: the short way or the long one, by which seed, in which folder; `patched` is a copy of the product
    with a seeded bug."""

    quick: bool
    seed: int
    folder: Path
    patched: Path | None = None

    def size(self, quick: int, full: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True)
class Row:
    """A row of reliability.md 2.2: its number, the fault, what is run the short way and the long one. `later`: why it is
    not run yet; then there is nothing to run. `alone`: it judges a speed, and nothing else may run beside it.
    `stands_open`: what it finds violated, known and not mended yet."""

    id: str
    fault: str
    quick: str = ""
    full: str = ""
    run: Callable[[Run], Outcome] | None = None
    later: str = ""
    alone: bool = False
    stands_open: str = ""
