"""`make mutate`: 200 seeded edits of the code, each in a copy of the tree, each against the tests that enter the edited
function; then those of the knowledge (knowledge.py). `ONLY=code` and `ONLY=knowledge` make one of the two.

MUTATE_SEED and MUTATE_COUNT change the draw. An edit that changes nothing a caller can see counts as a survivor.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.util import cache_from_source
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from tests.mutate import knowledge, running
from tests.mutate.edits import Edit, edit, places
from tests.mutate.running import FORK, ROOT, Entered, copied

PACKAGES = {"hl7": ("tests/hl7",), "normalise": ("tests/normalise", "tests/rows")}
SEED, COUNT, BAR, PATIENCE_S = 20261124, 200, 0.8, 60.0

_trees: SimpleQueue[Path]
"""The copies that are free; each worker process has inherited it."""


def drawn(seed: int, count: int) -> list[tuple[Path, Edit]]:
    """The edits of this seed, spread over the modules by how many they have."""
    sources = {
        path.relative_to(ROOT): path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in sorted((ROOT / "labbridge" / package).glob("*.py"))
    }
    found = [(path, place) for path, source in sources.items() for place in range(places(source))]
    random.Random(seed).shuffle(found)
    made = ((path, edit(sources[path], place)) for path, place in found)
    kept = ((path, one) for path, one in made if one is not None)
    return [one for one, _number in zip(kept, range(count), strict=False)]


def noted(package: str) -> Entered:
    tree = _trees.get()
    try:
        return running.entered(tree, f"labbridge/{package}", PACKAGES[package])
    finally:
        _trees.put(tree)


def likeliest(path: Path, found: Edit, entered: Entered) -> tuple[list[str], list[str]]:
    """The tests that enter the edited function (for code outside of functions all of its package): the module's own,
    which catch most, and the others."""
    package = path.parts[1]
    of_all = (test for key, tests in entered.items() if Path(key).parts[1] == package for test in tests)
    chosen = entered.get(f"{path}:{found.function}", []) if found.function else dict.fromkeys(of_all)
    own = f"test_{package}_{path.stem}"
    return [one for one in chosen if own in one], [one for one in chosen if own not in one]


def put(target: Path, source: str) -> None:
    """A module, with the compiled code of the one before it gone: two edits of one second may be of one length."""
    target.write_text(source, encoding="utf-8")
    Path(cache_from_source(str(target))).unlink(missing_ok=True)


def caught(path: Path, found: Edit, tests: tuple[list[str], ...]) -> bool:
    """Whether the tests fail with the edit in place; the tree is mended afterwards."""
    tree = _trees.get()
    before = (tree / path).read_text(encoding="utf-8")
    put(tree / path, found.source)
    try:
        return any(some and running.fails(tree, some, PATIENCE_S) for some in tests)
    finally:
        put(tree / path, before)
        _trees.put(tree)


def main() -> int:
    parts = {"code": of_code, "knowledge": knowledge.main}
    chosen = sys.argv[1:] or list(parts)
    return max(parts[name]() for name in chosen)


def of_code() -> int:
    global _trees
    seed, count = int(os.environ.get("MUTATE_SEED", SEED)), int(os.environ.get("MUTATE_COUNT", COUNT))
    begun, chosen = time.monotonic(), drawn(seed, count)
    workers = os.cpu_count() or 2
    _trees = FORK.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(workers):
            _trees.put(copied(f"{folder}/{number}"))
        with ProcessPoolExecutor(workers, mp_context=FORK) as pool:
            entered = {key: one for found in pool.map(noted, PACKAGES) for key, one in found.items()}
            tests = [likeliest(path, one, entered) for path, one in chosen]
            verdicts = list(pool.map(caught, *zip(*chosen, strict=True), tests))
    return report(chosen, verdicts, f"seed {seed}, {(time.monotonic() - begun) / 60:.1f} minutes")


def report(chosen: list[tuple[Path, Edit]], verdicts: list[bool], how: str) -> int:
    for (path, found), ok in zip(chosen, verdicts, strict=True):
        if not ok:
            print(f"survived: {path}:{found.line}  {found.what}")
    rate = sum(verdicts) / len(verdicts)
    word = "met" if rate >= BAR else "NOT MET"
    print(f"{word}: {sum(verdicts)} of {len(verdicts)} caught ({rate:.0%}, bar {BAR:.0%}), {how}")
    return 0 if rate >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
