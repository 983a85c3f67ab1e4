"""`labbridge validate --pack`: the cases are run, and what came of them is kept as a pack for the laboratory director."""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from labbridge import __version__, show
from labbridge.config import Config
from labbridge.errors import CannotCreate, Refused
from labbridge.knowledge.documents import Source
from labbridge.knowledge.items import items
from labbridge.model.items import Item
from labbridge.offline import (
    COMPARED,
    CaseFile,
    CaseOutcome,
    Readers,
    case_history,
    compared,
    read_cases,
    reading_case,
)
from labbridge.pack import files, form
from labbridge.pack.coverage import Ran, coverage
from labbridge.pack.difference import difference
from labbridge.pack.given import given
from labbridge.pack.page import html, verdict
from labbridge.pack.rows import rows, sources
from labbridge.sources import read_all, rules_of, understood


class Wanted(NamedTuple):
    """A pack that is asked for: its file, the moment, who tests (empty: the account's name), and an earlier pack's .json."""

    file: Path
    now: datetime
    tester: str = ""
    before: Path | None = None


class Tried(NamedTuple):
    """A case that was run: the file it stands in, how it compares, and what it exercised. `given` and `expected` are as the
    file has them."""

    file: Path
    given: dict[str, Any]
    expected: Any
    outcome: CaseOutcome
    ran: Ran


def validate_packed(paths: Sequence[Path], config: Config, wanted: Wanted) -> tuple[list[CaseOutcome], str]:
    """The cases of these files as `validate_files` runs them, and a sentence about the pack that was kept of them.
    CannotCreate where a file of its name is there; CaseFileError, PackFileError for what cannot be read."""
    names = files.names_of(wanted.file)
    files.refuse_taken(names)
    earlier = files.read_pack(wanted.before) if wanted.before is not None else None
    texts = read_all(config.knowledge.site)
    readers = Readers.of(understood(texts), config.language_of(""))
    read = [read_cases(path) for path in paths]
    tried = list(tried_of(read, readers))
    pack = packed(read, tried, readers, items(texts), wanted)
    pack = msgspec.structs.replace(
        pack,
        sources=sources(pack.rows, rules_of(readers.interpret.knowledge, texts).citations),
        difference=difference(earlier[0], pack, earlier[1]) if earlier is not None else None,
    )
    document = files.encoded(pack)
    files.keep(names, html(pack, hashlib.sha256(document).hexdigest()), document)
    return [one.outcome for one in tried], f"{_written(names.html)}, {_written(names.json)}: {_summary(pack)}"


def pack_of(texts: Sequence[Source], folder: Path, wanted: Wanted) -> bytes:
    """The pack of the site's own case files, by the knowledge of these texts, as a page; nothing is written. Refused where
    there are no cases; CaseFileError for what cannot be read."""
    paths = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    if not paths:
        raise Refused("There are no cases to run: put case files into cases/ of the site's folder")
    readers = Readers.of(understood(texts), "en")
    read = [read_cases(path) for path in paths]
    pack = packed(read, list(tried_of(read, readers)), readers, items(texts), wanted)
    cited = sources(pack.rows, rules_of(readers.interpret.knowledge, texts).citations)
    pack = msgspec.structs.replace(pack, sources=cited)
    return html(pack, hashlib.sha256(files.encoded(pack)).hexdigest())


def tried_of(read: Sequence[CaseFile], readers: Readers) -> Iterator[Tried]:
    """Each case of these files, run. CaseFileError for one that cannot be read, or bears the id of another."""
    seen: set[str] = set()
    for file in read:
        for case in file.cases:
            with reading_case(file.path, case):
                found, exercised = readers.interpret.exercised(case_history(case, readers))
                one = compared(case, found)
                if one.id in seen:
                    raise ValueError("another case has this id")
                values = given(case)
            seen.add(one.id)
            yield Tried(file.path, values, values.pop("expected", None), one, Ran(one.id, one.outcome, exercised))


def packed(
    read: Sequence[CaseFile], tried: Sequence[Tried], readers: Readers, signed: Mapping[str, Item], wanted: Wanted
) -> form.Pack:
    """The pack of cases that were run, without its sources, held against none before. `signed`: what people sign of the
    knowledge of the readers."""
    knowledge = readers.interpret.knowledge
    at, tester = wanted.now.isoformat(timespec="seconds"), _written(wanted.tester) or _account()
    return form.Pack(
        schema_version=form.SCHEMA_VERSION,
        at=at,
        tester=tester,
        software=__version__,
        knowledge=knowledge.version,
        language=readers.language,
        files=tuple(form.CaseFile(name=_written(one.path), sha256=one.sha256, cases=len(one.cases)) for one in read),
        cases=tuple(_case(one, at, tester) for one in tried),
        coverage=coverage(knowledge.decisions, readers.language, [one.ran for one in tried]),
        difference=None,
        rows=rows(knowledge, signed),
        sources=(),
    )


def _case(one: Tried, at: str, tester: str) -> form.Case:
    found = one.outcome
    return form.Case(
        id=found.id,
        file=_written(one.file),
        at=at,
        tester=tester,
        passed=found.passed,
        failures=found.failures,
        not_compared=tuple(name for name in one.expected or () if name not in COMPARED),
        must_mention=tuple(map(str, found.must_mention)),
        given=one.given,
        expected=one.expected,
        outcome=msgspec.json.decode(show.outcome_json(found.outcome)),
    )


def _written(name: object) -> str:
    """A name of the command line in one line; a byte that is no character as it is escaped."""
    return " ".join(str(name).encode("utf-8", "backslashreplace").decode().split())


def _account() -> str:
    try:
        return _written(getpass.getuser())
    except (OSError, KeyError) as fault:
        raise CannotCreate("This account has no name; say who tests with --tester NAME") from fault


def _summary(pack: form.Pack) -> str:
    seen, cases = pack.coverage.numbers["rules"], verdict(pack.cases)
    expected = f"; {cases.open} expect nothing" if cases.open else ""
    return (
        f"{cases.passed} of {cases.passed + cases.failed} passed{expected}; "
        f"{seen.exercised} of {seen.all} active rules held in some case"
    )
