"""`make mutate ONLY=knowledge`: 345 seeded edits of rules, lists of retests and numbers, and whether anything notices.

MUTATE_SEED and MUTATE_KNOWLEDGE change the draw. survivors.yaml says of an edit why no patient could tell; it counts as not
noticed all the same. MUTATE_NAMED=TEXT asks all edits whose names hold the text, in place of a draw.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import yaml

from tests.mutate import asking
from tests.mutate.asking import BEHAVIOUR, CHECK, PINNED, Asking, Usual
from tests.mutate.knowledge_edits import KnowledgeEdit, drawn, every
from tests.mutate.running import FORK, copied

SEED, COUNT, BAR = 20261126, 345, 0.95
SURVIVORS = Path(__file__).with_name("survivors.yaml")

_asking: Asking
"""What a worker asks with, in its copy of the tree."""


def begin(trees: SimpleQueue[Path]) -> None:
    global _asking
    _asking = Asking(trees.get())


def unedited(tests: Sequence[str]) -> Usual:
    return _asking.unedited(tests)


def noticed_by(edit: KnowledgeEdit, usual: Usual) -> str:
    _asking.usually(usual)
    return _asking.noticed_by(edit.file, edit.text, edit.id)


def reasons() -> dict[str, str]:
    """By the name of an edit, why no patient could tell."""
    rows = yaml.safe_load(SURVIVORS.read_text(encoding="utf-8")) or []
    return {row["edit"]: row["reason"] for row in rows}


def main() -> int:
    seed, count = int(os.environ.get("MUTATE_SEED", SEED)), int(os.environ.get("MUTATE_KNOWLEDGE", COUNT))
    named, workers, begun = os.environ.get("MUTATE_NAMED", ""), os.cpu_count() or 2, time.monotonic()
    trees: SimpleQueue[Path] = FORK.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        copies = [copied(f"{folder}/{number}") for number in range(workers)]
        for copy in copies:
            trees.put(copy)
        mappings = copies[0] / "mappings"
        chosen = [one for one in every(mappings) if named in one.name] if named else drawn(mappings, seed, count)
        with ProcessPoolExecutor(workers, mp_context=FORK, initializer=begin, initargs=(trees,)) as pool:
            usual = together(pool.map(unedited, (BEHAVIOUR, PINNED)))
            for test in usual.failing:
                print(f"fails without an edit, and is not asked: {test}", flush=True)
            verdicts = list(told(chosen, pool.map(noticed_by, chosen, [usual] * len(chosen))))
    worked = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = (worked.ru_utime + worked.ru_stime) / 60
    took = f"{(time.monotonic() - begun) / 60:.1f} minutes ({processor:.1f} of processor, {workers} workers)"
    return report(chosen, verdicts, f"seed {seed}, {took}")


def together(parts: Iterable[Usual]) -> Usual:
    found = Usual()
    for part in parts:
        found.seconds |= part.seconds
        found.fixtures |= part.fixtures
        found.failing += part.failing
    return found


def told(chosen: Sequence[KnowledgeEdit], verdicts: Iterable[str]) -> Iterator[str]:
    """The verdicts; each survivor is printed as it comes, with its reason."""
    explained = reasons()
    for edit, by in zip(chosen, verdicts, strict=True):
        if not by:
            print(f"survived: {edit.name}  {explained.get(edit.name, 'UNEXPLAINED')}", flush=True)
        yield by


def report(chosen: Sequence[KnowledgeEdit], verdicts: Sequence[str], how: str) -> int:
    explained = reasons()
    unexplained = sum(not by and edit.name not in explained for edit, by in zip(chosen, verdicts, strict=True))
    caught = sum(bool(by) for by in verdicts)
    met = caught >= BAR * len(verdicts) and not unexplained
    rate = f"{caught} of {len(verdicts)} caught ({caught / len(verdicts):.1%}, bar {BAR:.0%})"
    print(f"noticed by {spread(verdicts)}; the lock was left out")
    print(f"knowledge {'met' if met else 'NOT MET'}: {rate}, {unexplained} survivors unexplained, {how}")
    return 0 if met else 1


def spread(verdicts: Sequence[str]) -> str:
    """How many each kind of noticing has caught: the check, tests of what is said, a number beside its page."""
    kinds = Counter(
        one
        if one in (CHECK, asking.LATE)
        else "a number or list beside its page"
        if one.startswith(PINNED)
        else "tests"
        for one in verdicts
        if one
    )
    files = Counter(one.partition("::")[0].rpartition("/")[2] for one in verdicts if "::" in one)
    most = ", ".join(f"{name} {times}" for name, times in files.most_common())
    return f"{', '.join(f'{kind} {times}' for kind, times in kinds.most_common())} ({most})"
