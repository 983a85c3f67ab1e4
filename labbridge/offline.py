"""Interpretation without a store: files of messages, and case files with what is expected of them."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import msgspec
import yaml

from labbridge import wires
from labbridge.config import Config
from labbridge.errors import CaseFileError
from labbridge.feed_settings import feed_of
from labbridge.interpret import Interpreter
from labbridge.interpret.explain import Explanation
from labbridge.knowledge.build import Knowledge
from labbridge.model.history import History
from labbridge.model.outcome import Outcome
from labbridge.model.report import Patient, Report
from labbridge.model.result import ContextItem, PatientResults, Result
from labbridge.normalise import Normaliser
from labbridge.rows import case as case_rows
from labbridge.sources import load
from labbridge.wires import EPOCH, Feeds, Message, Unreadable


class PatientOutcome(msgspec.Struct, frozen=True):
    """One patient of the files, what is said about them, and what that rests on, where it was asked for."""

    history: History
    outcome: Outcome
    explanation: Explanation | None = None


class Interpreted(msgspec.Struct, frozen=True):
    """The patients of files, what could not be read, and the knowledge they were interpreted by."""

    patients: list[PatientOutcome]
    unreadable: list[Unreadable]
    knowledge: Knowledge


class Readers(msgspec.Struct, frozen=True):
    """The normaliser and the interpreter of one knowledge, and the language that drafts are written in."""

    normalise: Normaliser
    interpret: Interpreter
    language: str = "en"

    @classmethod
    def of(cls, knowledge: Knowledge, language: str = "en") -> Readers:
        return cls(Normaliser(knowledge), Interpreter(knowledge), language)


def interpret_paths(paths: Sequence[str], config: Config, as_of: date | None, *, explain: bool = False) -> Interpreted:
    """The patients of these files (`-`: standard input), read as the first configured feed of their wire would read them,
    and drafted in the language of the first feed's receiver."""
    feeds = [feed_of(name, section) for name, section in config.feeds.items()]
    readers = Readers.of(load(config.knowledge.site), config.language_of(feeds[0].name if feeds else ""))
    files = ((path, sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()) for path in paths)
    found, unreadable = interpret_files(files, readers, Feeds.of(feeds), as_of)
    if explain:
        found = [PatientOutcome(one.history, *readers.interpret.explained(one.history)) for one in found]
    return Interpreted(found, unreadable, readers.interpret.knowledge)


def validate_files(paths: Sequence[Path], config: Config) -> list[CaseOutcome]:
    """The cases of these files, each through the real normaliser and rules, drafted in the first receiver's language."""
    readers = Readers.of(load(config.knowledge.site), config.language_of(""))
    found = []
    for file in map(read_cases, paths):
        for case in file.cases:
            with reading_case(file.path, case):
                found.append(validate_case(case, readers))
    return found


class CaseFile(msgspec.Struct, frozen=True):
    """A file of cases as it was read: its SHA-256, and the cases in its order."""

    path: Path
    sha256: str
    cases: list[dict[str, Any]]


def read_cases(path: Path) -> CaseFile:
    """The cases of a file. CaseFileError with the place where it is none."""
    content = path.read_bytes()
    try:
        read = yaml.safe_load(content.decode("utf-8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CaseFileError(f"{path}:{line}: this is not YAML; mend the syntax near this line") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CaseFileError(f"{path}: this is not YAML in UTF-8; save it so") from error
    except (ValueError, RecursionError) as error:
        text = f"a value cannot be read ({error})" if isinstance(error, ValueError) else "it is nested too deep"
        raise CaseFileError(f"{path}: {text}; mend it") from error
    cases = read.get("vignettes") if isinstance(read, dict) else None
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise CaseFileError(f"{path}: there is no list `vignettes`; put the cases below it")
    return CaseFile(path, hashlib.sha256(content).hexdigest(), cases)


@contextmanager
def reading_case(path: Path, case: dict[str, Any]) -> Iterator[None]:
    """Whatever a case lacks or garbles is told as a fault of its file, in one line."""
    name = " ".join(str(case.get("id", "?")).split())
    try:
        yield
    except KeyError as error:
        raise CaseFileError(f"{path}: case {name} lacks {error}; add it") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CaseFileError(f"{path}: case {name} cannot be read ({error}); mend it") from error


def interpret_files(
    files: Iterable[tuple[str, bytes]], readers: Readers, feeds: Feeds, as_of: date | None
) -> tuple[list[PatientOutcome], list[Unreadable]]:
    """Every patient of the files, in order of appearance, and what could not be read.

    Without `as_of`, "now" is the newest message time of that patient, never the wall clock.
    """
    found: dict[str, list[PatientResults]] = {}
    newest: dict[str, date] = {}
    unreadable: list[Unreadable] = []
    for message in (one for name, content in files for one in wires.messages(name, content, feeds)):
        if isinstance(message, Unreadable):
            unreadable.append(message)
            continue
        for report in message.reports:
            results, day = _normalised(report, readers, message)
            found.setdefault(report.lane, []).append(results)
            newest[report.lane] = max(newest.get(report.lane, day), day)
    return [_patient(parts, as_of or newest[lane], readers) for lane, parts in found.items()], unreadable


def _normalised(report: Report, readers: Readers, message: Message) -> tuple[PatientResults, date]:
    """A file has no time of receipt: the message's own time stands for it."""
    received = report.sent.moment if report.sent else _newest_collection(report)
    results, _notes = readers.normalise(report, message.feed, received, message.ref)
    return results, (report.sent.day if report.sent else received.date())


def _newest_collection(report: Report) -> datetime:
    times = [order.collected.moment for order in report.orders if order.collected]
    return max(times, default=EPOCH)


def _patient(parts: list[PatientResults], today: date, readers: Readers) -> PatientOutcome:
    history = History(
        patient=parts[-1].patient,
        results=tuple(result for part in parts for result in part.results),
        context=tuple(item for part in parts for item in part.context),
        today=today,
        language=readers.language,
    )
    return PatientOutcome(history, readers.interpret(history))


# ---------------------------------------------------------------- case files (clinical.md F)


class CaseOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One case of a case file: passed is None where it states no expectation."""

    id: str
    passed: bool | None
    failures: tuple[str, ...]
    outcome: Outcome
    must_mention: tuple[str, ...] = ()


def validate_case(case: dict[str, Any], readers: Readers) -> CaseOutcome:
    """Run one case through the real normaliser and the real rules, and compare with `expected`."""
    return compared(case, readers.interpret(case_history(case, readers)))


def compared(case: dict[str, Any], found: Outcome) -> CaseOutcome:
    """The outcome of a case beside what the case expects of it."""
    outcome = _by_filler(found)
    expected = case.get("expected")
    failures = tuple(_failures(expected, outcome)) if expected else ()
    return CaseOutcome(
        id=str(case["id"]),
        passed=None if expected is None else not failures,
        failures=failures,
        outcome=outcome,
        must_mention=tuple((expected or {}).get("comment_must_mention") or ()),
    )


def _by_filler(outcome: Outcome) -> Outcome:
    """Evidence by the filler that the case gives its row; within, each version has a name of its own."""
    flags = tuple(
        msgspec.structs.replace(flag, evidence=tuple(ref.partition(":")[2] or ref for ref in flag.evidence))
        for flag in outcome.flags
    )
    return msgspec.structs.replace(outcome, flags=flags)


def case_history(case: dict[str, Any], readers: Readers) -> History:
    """The patient of a case file as the store would hold them at `evaluate_at`."""
    today = date.fromisoformat(str(case["evaluate_at"]))
    results: list[Result] = []
    context: list[ContextItem] = []
    patient = Patient()
    for report, received in case_rows.reports(case):
        part, _notes = readers.normalise(report, case_rows.FEED, received, report.control_id)
        results += part.results
        context += part.context
        patient = part.patient
    return History(
        patient=patient,
        results=tuple(results),
        context=tuple(context),
        posted=case_rows.posted(case, datetime.combine(today, time(), UTC)),
        today=today,
        language=readers.language,
    )


COMPARED = (
    *("states", "flags_required", "flags_forbidden", "hold", "retest_required", "retest_forbidden"),
    *("comment_class", "addenda", "comment_must_mention", "comment_must_not_mention"),
)
"""What a case may expect (clinical.md F); `comment_must_mention` is for a reader to judge."""


def _failures(expected: dict[str, Any], outcome: Outcome) -> Iterator[str]:
    yield from _state_failures(expected, outcome)
    yield from _flag_failures(expected, outcome)
    yield from _retest_failures(expected, outcome)
    yield from _comment_failures(expected, outcome)


def _state_failures(expected: dict[str, Any], outcome: Outcome) -> Iterator[str]:
    for name, wanted in (expected.get("states") or {}).items():
        seen = getattr(outcome.states, name)
        if seen != wanted:
            yield f"state {name}: {wanted} expected, {seen} found"


def _flag_failures(expected: dict[str, Any], outcome: Outcome) -> Iterator[str]:
    severities: dict[str, set[str]] = {}
    for flag in outcome.flags:
        severities.setdefault(flag.code, set()).add(flag.severity.value)
    for code, wanted in (expected.get("flags_required") or {}).items():
        if wanted not in severities.get(code, set()):
            yield f"flag {code}: {wanted} expected, {', '.join(sorted(severities.get(code, {'none'})))} found"
    for code in expected.get("flags_forbidden") or ():
        if code in severities:
            yield f"flag {code}: forbidden, found"
    if "hold" in expected and expected["hold"] != outcome.hold:
        yield f"hold: {expected['hold']} expected, {outcome.hold} found"


def _retest_failures(expected: dict[str, Any], outcome: Outcome) -> Iterator[str]:
    for wanted in expected.get("retest_required") or ():
        analyte, families = wanted["analyte"], set(wanted["family_any_of"])
        met = any(
            retest.analyte == analyte and families & set(retest.families) and retest.priority == wanted["priority"]
            for retest in outcome.retests
        )
        if not met:
            yield f"retest {analyte} by {'/'.join(sorted(families))} {wanted['priority']}: not recommended"
    for unwanted in expected.get("retest_forbidden") or ():
        for retest in outcome.retests:
            if retest.analyte == unwanted["analyte"] and unwanted.get("family", retest.families[:1]) in (
                *retest.families,
                retest.families[:1],
            ):
                yield f"retest {retest.analyte} by {'/'.join(retest.families)}: forbidden, recommended"


def _comment_failures(expected: dict[str, Any], outcome: Outcome) -> Iterator[str]:
    seen = outcome.comment.comment_class if outcome.comment else "NONE"
    if "comment_class" in expected and expected["comment_class"] != seen:
        yield f"comment: {expected['comment_class']} expected, {seen} found"
    addenda = outcome.comment.addendum_classes if outcome.comment else ()
    for wanted in expected.get("addenda") or ():
        if wanted not in addenda:
            yield f"addendum {wanted}: expected, not found"
    text = outcome.comment.full_text.casefold() if outcome.comment else ""
    for phrase in expected.get("comment_must_not_mention") or ():
        if str(phrase).casefold() in text:
            yield f"comment mentions {phrase!r}"
