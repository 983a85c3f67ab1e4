"""`make mutate`: 200 seeded edits, each in a copy of the tree, each against the tests of its package.

MUTATE_SEED and MUTATE_COUNT change the draw. An edit that changes nothing a caller can see counts as a survivor.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.mutate.edits import Edit, edits

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = {"hl7": ("tests/hl7",), "normalise": ("tests/normalise", "tests/knowledge", "tests/rows")}
SEED, COUNT, BAR, PATIENCE_S = 20261124, 200, 0.8, 60.0


def drawn(seed: int, count: int) -> list[tuple[Path, Edit]]:
    """The edits of this seed, spread over the modules by how many they have."""
    found = [
        (path.relative_to(ROOT), edit)
        for package in PACKAGES
        for path in sorted((ROOT / "labbridge" / package).glob("*.py"))
        for edit in edits(path.read_text(encoding="utf-8"))
    ]
    return random.Random(seed).sample(found, min(count, len(found)))


def copied(folder: str) -> Path:
    tree = Path(folder)
    for name in ("labbridge", "tests", "mappings", "samples", "docs"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


def caught(tree: Path, path: Path, edit: Edit) -> bool:
    """Whether the tests of the package fail with the edit in place; the tree is mended afterwards."""
    target = tree / path
    before = target.read_text(encoding="utf-8")
    target.write_text(edit.source, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *PACKAGES[path.parts[1]]]
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "HYPOTHESIS_PROFILE": "mutate",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        done = subprocess.run(command, cwd=tree, capture_output=True, timeout=PATIENCE_S, env=environment)
        return done.returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        target.write_text(before, encoding="utf-8")


def main() -> int:
    seed, count = int(os.environ.get("MUTATE_SEED", SEED)), int(os.environ.get("MUTATE_COUNT", COUNT))
    begun, chosen = time.monotonic(), drawn(seed, count)
    workers = os.cpu_count() or 2
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(workers):
            trees.put(copied(f"{folder}/{number}"))

        def judge(one: tuple[Path, Edit]) -> bool:
            tree = trees.get()
            try:
                return caught(tree, *one)
            finally:
                trees.put(tree)

        verdicts = list(pool.map(judge, chosen))
    for (path, edit), ok in zip(chosen, verdicts, strict=True):
        if not ok:
            print(f"survived: {path}:{edit.line}  {edit.what}")
    rate = sum(verdicts) / len(verdicts)
    word = "met" if rate >= BAR else "NOT MET"
    minutes = (time.monotonic() - begun) / 60
    print(
        f"{word}: {sum(verdicts)} of {len(verdicts)} caught ({rate:.0%}, bar {BAR:.0%}), seed {seed}, {minutes:.1f} minutes"
    )
    return 0 if rate >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
