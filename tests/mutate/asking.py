"""Whether anything notices an edit of the knowledge: `labbridge check`, then the tests, the likeliest first.

A worker has a copy of the tree and has loaded the product from it; each edit is written into the copy and judged in a fork.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec
import pytest

from tests.mutate import running

OPTIONS = (*running.OPTIONS, "--assert=plain", "--continue-on-collection-errors")
PATIENCE_S = 600.0
Answer = dict[str, object]
CHECK, LATE = "labbridge check", "no end in time"
LOCK = "versions.lock.json"

BEHAVIOUR = (
    "tests/interpret",
    "tests/opinion",
    "tests/vignettes",
    "tests/knowledge/test_knowledge_quiet.py",
)
"""Tests of what is said of a patient. The rest of tests/knowledge would notice any edit (the lock, the schemas, a status),
or reads rows of its own."""
PINNED = ("tests/knowledge/test_knowledge_numbers.py", "tests/knowledge/test_knowledge_policy.py")
"""Numbers and lists beside the section of the specification that states them: counted apart."""
LEFT_OUT = {
    "tests/vignettes/test_vignettes_mllp.py": "the vignettes again, through sockets",
    "tests/interpret/test_interpret_languages.py": "the translations of what the English already says; slow",
}
SLOW = ("written", "late")
"""Fixtures: every comment of every combination, for the house style. The tests that use one are left out."""
FIRST = (
    "tests/interpret/test_interpret_core_table.py",
    "tests/interpret/test_interpret_surroundings.py",
    "tests/interpret/test_interpret_raised.py",
    "tests/opinion/test_opinion_agrees.py",
    "tests/interpret/test_interpret_stories.py",
)
"""Where nothing is known yet of an edited file, these are asked first."""
OPINION_EXAMPLES = "100"
"""A quarter of what every run of the tests looks at, for each edit."""
OF_NUMBERS = tuple(
    f"tests/interpret/test_interpret_{name}.py"
    for name in "thresholds ck course trends categories aggregate stories".split()
)
"""What a number or a list of retests may change."""


class Usual(msgspec.Struct):
    """The tests without an edit: how long each takes by itself, how long their fixtures, and which fail."""

    seconds: dict[str, float] = {}
    fixtures: dict[str, float] = {}
    failing: list[str] = []


class Watch:
    """A pytest plugin: the tests in the order of their likelihood, without those that tell nothing; no example is made
    smaller; what failed, and how long each took."""

    def __init__(self, usual: Usual, noticed: Mapping[str, int], named: str = "") -> None:
        """`named`: the id of the edited record; the tests that are named for it come first."""
        self._before, self._noticed, self._named = usual, noticed, f"[{named}]"
        self.usual = Usual()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        from hypothesis import Phase, settings

        quick = settings(phases=(Phase.explicit, Phase.generate))
        settings.register_profile("knowledge", quick)
        settings.load_profile("knowledge")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        telling = [one for one in items if one.nodeid not in self._before.failing]
        quick = [one for one in telling if not set(SLOW) & set(_fixtures(one))]
        items[:] = sorted(quick, key=self._place)

    def _place(self, item: pytest.Item) -> tuple[bool, int, float]:
        return (self._named not in item.nodeid, -self._noticed.get(item.nodeid, 0), self._cost(item))

    def _cost(self, item: pytest.Item) -> float:
        """Whoever comes first pays for a fixture: it counts for all that use it."""
        shared = (self._before.fixtures.get(name, 0.0) for name in _fixtures(item))
        return self._before.seconds.get(item.nodeid, 0.0) + sum(shared)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Iterator[None]:
        begun = time.process_time()
        try:
            return (yield)
        finally:
            self.usual.fixtures[fixturedef.argname] = time.process_time() - begun

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.usual.seconds[report.nodeid] = report.duration
        if report.failed:
            self.usual.failing.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.usual.failing.append(report.nodeid)


def _fixtures(item: pytest.Item) -> Sequence[str]:
    return getattr(item, "fixturenames", ())


class Asking:
    """The questions of one worker, in its copy of the tree. It learns which tests notice the edits of which file."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._usual = Usual()
        self._noticed: dict[str, Counter[str]] = {}
        os.chdir(tree)
        sys.path.insert(0, str(tree))
        os.environ.update(PYTHONPATH=str(tree), HYPOTHESIS_PROFILE="mutate", OPINION_EXAMPLES=OPINION_EXAMPLES)
        sys.dont_write_bytecode = False  # the copy is read once for each edit
        for name in [one for one in sys.modules if one.partition(".")[0] == "labbridge"]:
            del sys.modules[name]
        import labbridge.checking
        import labbridge.interpret
        import labbridge.offline  # noqa: F401

    def usually(self, usual: Usual) -> None:
        self._usual = usual

    def unedited(self, tests: Sequence[str]) -> Usual:
        """How the tests go without an edit. SystemExit where the knowledge itself has a fault."""
        answer = self._apart(lambda: _check() or _run(tests, Watch(Usual(), {}), stop=False))
        if answer.get("by") == CHECK:
            raise SystemExit("The knowledge has faults before anything is edited: run `labbridge check`")
        return msgspec.convert(answer["usual"], Usual)

    def noticed_by(self, file: str, text: str, id: str = "") -> str:
        """What notices that this file of mappings/ has this text, and the record of this id changed: CHECK, the name of a
        test, LATE; nothing: ""."""
        target = self._tree / "mappings" / file
        before = target.read_text(encoding="utf-8")
        target.write_text(text, encoding="utf-8")
        try:
            by = str(self._apart(lambda: self._asked(file, id))["by"])
        finally:
            target.write_text(before, encoding="utf-8")
        self._noticed.setdefault(file, Counter())[by] += 1
        return by

    def _asked(self, file: str, id: str) -> Answer:
        """The check; the likeliest tests; numbers and lists beside their pages; all other tests."""
        noticed = self._noticed.get(file, Counter())
        tests = dict.fromkeys(test.partition("::")[0] for test, _times in noticed.most_common(5) if "::" in test)
        first = (tests or FIRST) if file.startswith("rules/") else OF_NUMBERS
        rest = [*BEHAVIOUR, *(f"--ignore={one}" for one in first)]
        found = _check()
        for tests_of in ([*first], PINNED, rest):
            found = found if found.get("by") else _run(tests_of, Watch(self._usual, noticed, id))
        return found

    def _apart(self, ask: Callable[[], Answer]) -> Answer:
        """The answer of a question that is asked in a fork."""
        result = self._tree / "answer.json"
        result.unlink(missing_ok=True)

        def run() -> int:
            _read_once()
            result.write_text(json.dumps(ask()))
            return 0

        running.forked(run, PATIENCE_S)
        found: Answer = json.loads(result.read_text()) if result.is_file() else {"by": LATE}
        return found


def _read_once() -> None:
    """Nothing changes the shipped files while an edit is judged: they are read and built once, not by every test."""
    from labbridge import sources

    sources.load = lru_cache(sources.load)


def _check() -> Answer:
    """`labbridge check` of the copy; not its lock, which would refuse any edit."""
    from labbridge.checking import check

    faults, *_summary = check(None, "", False)
    return {"by": CHECK} if any(one.file != LOCK for one in faults) else {}


def _run(tests: Sequence[str], watch: Watch, stop: bool = True) -> Answer:
    options = [one for one in OPTIONS if stop or one != "-x"]
    ignored = [f"--ignore={one}" for one in LEFT_OUT]
    pytest.main([*options, *ignored, *tests], plugins=[watch])
    usual = watch.usual
    return {"by": usual.failing[0] if usual.failing else "", "usual": msgspec.to_builtins(usual)}
