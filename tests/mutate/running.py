"""Running tests in a process of their own, forked from one that has loaded pytest: all of them while noting which
functions each enters, or those chosen, the likeliest first."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FORK = multiprocessing.get_context("fork")
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")
Entered = dict[str, list[str]]
"""Per function (`labbridge/hl7/reader.py:37`) the tests that enter it, the quickest first."""


def copied(folder: str) -> Path:
    """A copy of what the tests need, to be edited."""
    tree = Path(folder)
    for name in ("labbridge", "tests", "mappings", "samples", "docs"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


class Noting:
    """A pytest plugin that notes which functions of a folder each test enters, and how long it takes."""

    def __init__(self, folder: Path) -> None:
        self._folder = f"{folder}/"
        self._now: set[tuple[str, int]] = set()
        self._tests: list[tuple[float, str, set[tuple[str, int]]]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._now = set()
        begun = time.perf_counter()
        sys.settrace(self._enter)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self._tests.append((time.perf_counter() - begun, item.nodeid, self._now))

    def _enter(self, frame: FrameType, _event: str, _argument: object) -> None:
        code = frame.f_code
        if code.co_filename.startswith(self._folder):
            self._now.add((code.co_filename, code.co_firstlineno))

    def entered(self, tree: Path) -> Entered:
        found: Entered = {}
        for _seconds, test, functions in sorted(self._tests, key=lambda one: one[0]):
            for file, line in functions:
                found.setdefault(f"{Path(file).relative_to(tree)}:{line}", []).append(test)
        return found


class Chosen:
    """A pytest plugin that keeps the chosen tests alone, in their order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._place = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((one for one in items if one.nodeid in self._place), key=lambda one: self._place[one.nodeid])


def entered(tree: Path, folder: str, tests: Sequence[str]) -> Entered:
    """Which tests enter which function of a folder. SystemExit where one fails: nothing could be told by it."""
    result = tree / "entered.json"

    def run() -> int:
        noting = Noting(tree / folder)
        code = int(pytest.main([*OPTIONS, *tests], plugins=[noting]))
        result.write_text(json.dumps(noting.entered(tree)))
        return code

    if apart(tree, run, None) != 0:
        raise SystemExit(f"The tests of {folder} fail before anything is edited: run `make test`")
    found: Entered = json.loads(result.read_text())
    return found


def fails(tree: Path, tests: Sequence[str], within_s: float) -> bool:
    """Whether one of the tests fails, or they do not end in time."""
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    return apart(tree, lambda: int(pytest.main([*OPTIONS, *files], plugins=[Chosen(tests)])), within_s) != 0


def apart(tree: Path, run: Callable[[], int], within_s: float | None) -> int | None:
    """What a run in a process and folder of its own gives; None where it did not end in time."""
    return forked(lambda: _in(tree, run), within_s)


def forked(run: Callable[[], int], within_s: float | None) -> int | None:
    """What a run in a process of its own gives, its output thrown away; None where it did not end in time."""
    process = FORK.Process(target=_alone, args=(run,))
    process.start()
    process.join(within_s)
    if process.exitcode is None:
        assert process.pid is not None
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
        return None
    return process.exitcode


def _alone(run: Callable[[], int]) -> None:
    os.setsid()  # with its own children it can be ended whole
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(quiet, stream)
    os._exit(run())


def _in(tree: Path, run: Callable[[], int]) -> int:
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    for name in [one for one in sys.modules if one.partition(".")[0] in ("tests", "labbridge")]:
        del sys.modules[name]
    os.environ.update(PYTHONPATH=str(tree), HYPOTHESIS_PROFILE="mutate")
    return run()
