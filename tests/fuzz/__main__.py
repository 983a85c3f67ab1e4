"""`make fuzz [SECONDS=n] [ONLY=name,...]`: every target for its share of the time, by default 30 minutes in all, as many at
once as there are processors.

`python -m tests.fuzz --replay TARGET FILE` tries one input again. What is found is kept in a folder outside the tree.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz import guided
from tests.fuzz.running import HEADER, Row, run

SECONDS = 1800


def main() -> int:
    given = _given()
    if given.child:
        return _child(given)
    from tests.fuzz import story
    from tests.fuzz.targets import TARGETS

    if given.replay:
        name, file = given.replay
        (story.replay if name == story.NAME else TARGETS[name].check)(Path(file).read_bytes())
        print("no rule of this target is broken by it")
        return 0
    if find_spec("atheris") is None:
        print(
            "The fuzzer is not installed. Install it with: .venv/bin/python -m pip install -e '.[fuzz]' (`make fuzz` does;"
        )
        print(
            "it has wheels for CPython on Linux only, and for some versions alone: the suite's own mutator needs none)"
        )
        return 2
    products = {**{name: one.product for name, one in TARGETS.items()}, story.NAME: ()}
    chosen = given.only.split(",") if given.only else list(products)
    unknown = set(chosen) - set(products)
    if unknown:
        print(f"There is no target {', '.join(sorted(unknown))}. There are: {', '.join(products)}")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    at_once = min(os.cpu_count() or 1, len(chosen))
    share = max(1, given.seconds * at_once // len(chosen))
    print(HEADER)
    rows = []
    with ThreadPoolExecutor(at_once) as pool:
        for row in pool.map(lambda name: run(name, products[name], share, folder), chosen):
            rows.append(row)
            print(row, flush=True)
    return report(rows, folder)


def report(rows: list[Row], folder: Path) -> int:
    for row in rows:
        for one in row.findings:
            print(
                f"\n{row.name}: {one.kind}: {one.rule}\n    {sys.executable} -m tests.fuzz --replay {row.name} {one.file}"
            )
    found = sum(len(row.findings) for row in rows)
    print(f"\n{found or 'no'} finding{'' if found == 1 else 's'}; inputs and logs in {folder}")
    return 1 if found else 0


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--only", default="")
    parser.add_argument("--replay", nargs=2, metavar=("TARGET", "FILE"))
    for hidden in ("--child", "--folder", "--product"):
        parser.add_argument(hidden, default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def _child(given: argparse.Namespace) -> int:
    if given.child == "story":
        from tests.fuzz import story

        story.run(given.seconds, Path(given.folder))
        return 0
    product = given.product.split(",") if given.product else []
    guided.main(given.child, product, given.seconds, Path(given.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
