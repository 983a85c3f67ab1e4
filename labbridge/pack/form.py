"""What a validation pack holds, field by field. The JSON has these names; docs/reference/validation-pack.md is printed from
here, and an earlier pack is read by it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

SCHEMA_VERSION = 1
"""Raised where a reader of this version would go wrong; a field that joins does not raise it."""

FactValue = str | bool
RowId = Annotated[str, Meta(description="Kind and id of a row, as in `rows`.")]
CaseId = Annotated[str, Meta(description="Id of a case.")]


def told(text: str) -> Meta:
    """What a field means."""
    return Meta(description=text)


class CaseFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of cases."""

    name: Annotated[str, told("The file as it was named.")]
    sha256: Annotated[str, told("Of its bytes.")]
    cases: Annotated[int, told("How many cases it holds.")]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the knowledge in force: what `labbridge sign` signs, retired rules, and flags and retest lists one by one."""

    id: Annotated[
        str,
        told(
            "Kind and id, as `labbridge sign` names it: `rule:`, `comment:` (a translation `comment:fr:C01`), `words:`,"
            " `release:`, `order:`, `policy:`, `method:`, `kit:`, `manufacturer:`, `code:` (table and code), `pathway:`,"
            " `table:`; and `flag:`, `retest:`."
        ),
    ]
    version: Annotated[int | None, told("Null for rows that bear none.")]
    sha256: Annotated[str, told("Of what the row says and does; who reviewed it is not part of that. What is signed.")]
    status: Annotated[str, told("Of a rule: draft, review, active, retired. Of a number or choice: its tag.")] = ""
    says: Annotated[str, told("The row in words, in one line; of a table, its file.")]
    why: Annotated[str, told("Why a rule is there; of a number or choice, its source.")] = ""
    citations: Annotated[tuple[str, ...], told("Ids of `sources`.")] = ()
    reviewed: Annotated[
        tuple[str, ...], told("Who has reviewed it, as the row says; empty: nobody. Signatures are in the store.")
    ] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A case as it was given, what came of it, and what was expected."""

    id: CaseId
    file: Annotated[str, told("The file it stands in, as it was named.")]
    at: Annotated[str, told("When it was run: as of the pack.")]
    tester: Annotated[str, told("Who had it run: as of the pack.")]
    passed: Annotated[bool | None, told("Null where nothing is expected.")]
    failures: Annotated[tuple[str, ...], told("Each expectation that was not met.")]
    not_compared: Annotated[tuple[str, ...], told("Names in `expected` that are no expectation: nothing is compared.")]
    must_mention: Annotated[tuple[str, ...], told("What the comment should mention, for a reader to judge.")]
    given: Annotated[dict[str, Any], told("The case as its file gives it, without `expected`.")]
    expected: Annotated[Any, told("As its file gives it; null where nothing is expected.")]
    outcome: Annotated[dict[str, Any], told("The outcome of a case, as in `labbridge validate --format json`.")]


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One of the values that meet a condition."""

    value: Annotated[FactValue, told("A value of the fact; for `raised`, a flag, with the analyte it must be about.")]
    met: Annotated[int, told("Cases in which the fact has this value.")]
    fired: Annotated[int, told("Cases in which the rule held, by this value.")]


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A condition of a rule."""

    fact: Annotated[str, told("A name of docs/reference/facts.md; `raised`: the flag that the rule waits for.")]
    values: tuple[Value, ...]
    near: Annotated[int, told("Cases in which the rule lacked this condition alone.")]


class RuleCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """An active rule."""

    id: RowId
    fired: Annotated[tuple[str, ...], told("Ids of the cases in which it held.")]
    conditions: tuple[Condition, ...]


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """A wording of a sentence."""

    sentence: Annotated[int, told("Its sentence in the comment, from 1; 0: the comment appended to another.")]
    wording: Annotated[int, told("Its place in the sentence, from 1; the first that holds is said.")]
    text: Annotated[str, told("With its slots in braces.")]
    when: Annotated[dict[str, tuple[FactValue, ...]], told("Facts with the values that meet them.")]
    said: Annotated[int, told("Cases in which it was said.")]
    near: Annotated[int, told("Cases whose comment has the sentence, and in which this lacked one condition.")]


class CommentCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """A comment in the language the cases were drafted in."""

    id: RowId
    chosen: Annotated[tuple[str, ...], told("Ids of the cases that have it as their comment.")]
    appended: Annotated[tuple[str, ...], told("Ids of the cases that have it appended to another.")]
    wordings: tuple[Wording, ...]


class NodeCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the pathway."""

    id: RowId
    reached: Annotated[tuple[str, ...], told("Ids of the cases that reached it.")]


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are, and how many of them some case exercises."""

    all: Annotated[int, told("How many there are.")]
    exercised: Annotated[int, told("How many of them some case exercises.")]


class OfValue(msgspec.Struct, frozen=True, order=True):
    """A value of a condition of a rule."""

    rule: RowId
    fact: Annotated[str, told("The condition.")]
    value: Annotated[FactValue, told("One of the values that meet it.")]


class OfCondition(msgspec.Struct, frozen=True, order=True):
    """A condition of a rule."""

    rule: RowId
    fact: Annotated[str, told("The condition.")]


class OfWording(msgspec.Struct, frozen=True, order=True):
    """A wording of a comment."""

    comment: RowId
    sentence: Annotated[int, told("As in Wording.")]
    wording: Annotated[int, told("As in Wording.")]
    text: Annotated[str, told("As in Wording.")]


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Places of the knowledge that no case exercises."""

    rules: Annotated[tuple[str, ...], told("Active rules that held in no case.")] = ()
    values: Annotated[tuple[OfValue, ...], told("Values by which their rule held in no case.")] = ()
    conditions: Annotated[tuple[OfCondition, ...], told("Conditions that no case lacked alone.")] = ()
    comments: Annotated[tuple[str, ...], told("Comments that no case has.")] = ()
    wordings: Annotated[tuple[OfWording, ...], told("Wordings that no case has.")] = ()
    nodes: Annotated[tuple[str, ...], told("Nodes that no case reached.")] = ()


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What the cases exercise."""

    numbers: Annotated[dict[str, Counted], told("By the names of `uncovered`.")]
    rules: tuple[RuleCoverage, ...]
    comments: tuple[CommentCoverage, ...]
    nodes: tuple[NodeCoverage, ...]
    uncovered: Places


class Word(msgspec.Struct, frozen=True):
    """Words of two texts, in the order of the later one."""

    kind: Annotated[
        Literal["same", "deleted", "inserted"],
        told("`same`: in both texts; `deleted`: in the earlier alone; `inserted`: in this one alone."),
    ]
    text: Annotated[str, told("The words, single spaces between them.")]


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that says another thing than it did."""

    what: Annotated[
        str,
        told("Of a row: version, sha256, status, says, why, citations, reviewed. Of a case: given, expected, passed, states,"
        " flags, retests, comment, hold, pathway."),
    ]  # fmt: skip
    before: Annotated[str, told("What the earlier pack says; empty where there was nothing.")]
    after: Annotated[str, told("What this pack says; empty where there is nothing.")]
    words: Annotated[tuple[Word, ...], told("The difference word by word, where the two are texts.")] = ()


class ChangedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that is not what it was; `reviewed` alone where only its reviewers changed."""

    id: RowId
    changes: tuple[Changed, ...]


class ChangedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case that is given otherwise or comes out otherwise. Evidence, citations and the rule behind a flag do not count."""

    id: CaseId
    changes: tuple[Changed, ...]


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """The pack that this one is held against."""

    sha256: Annotated[str, told("Of the bytes of its file.")]
    at: Annotated[str, told("As in Pack.")]
    tester: Annotated[str, told("As in Pack.")]
    software: Annotated[str, told("As in Pack.")]
    knowledge: Annotated[str, told("As in Pack.")]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What is otherwise than in an earlier pack."""

    before: Before
    new_rows: Annotated[tuple[str, ...], told("Ids of rows that this pack alone has.")]
    gone_rows: Annotated[tuple[str, ...], told("Ids of rows that the earlier pack alone has.")]
    changed_rows: tuple[ChangedRow, ...]
    new_cases: Annotated[tuple[str, ...], told("Ids of cases that this pack alone has.")]
    gone_cases: Annotated[tuple[str, ...], told("Ids of cases that the earlier pack alone has.")]
    changed_cases: tuple[ChangedCase, ...]
    lost: Annotated[Places, told("Exercised then, still there, and exercised no more.")]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A source that a row cites."""

    id: Annotated[str, told("As rows cite it.")]
    text: Annotated[str, told("Authors, title, where and when it appeared, DOI or PMID.")]


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """A validation pack. The same cases, knowledge, software, tester and clock give the same bytes."""

    schema_version: Annotated[
        int, told("1. Raised where a reader of 1 would go wrong; a field that joins does not raise it.")
    ]
    at: Annotated[str, told("When it was made (UTC, ISO 8601).")]
    tester: Annotated[str, told("Who had it made: `--tester`, else the name of the account.")]
    software: Annotated[str, told("Version of labbridge.")]
    knowledge: Annotated[str, told("Hash of every file of the knowledge in force, shipped and the site's.")]
    language: Annotated[str, told("Of the comments that were drafted.")]
    files: tuple[CaseFile, ...]
    cases: tuple[Case, ...]
    coverage: Coverage
    difference: Annotated[Difference | None, told("From the pack named by `--before`; null without.")]
    rows: tuple[Row, ...]
    sources: tuple[Source, ...]
