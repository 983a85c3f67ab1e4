"""The checker of the house style finds what breaks it, and finds nothing in what the service writes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from interpret_written import Written

from labbridge.interpret.style import breaches, check_style, sentences
from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.decisions import Alternative, CommentRow, Decisions, Rule, Style, Then
from labbridge.model.outcome import Comment

STYLE = Style(forbidden=("proves", "diagnostic of"), ranks=("C01",), addendum_ranks=("C19",))
SOUND = Comment(comment_class="C01", language="en", text="Anti-SRP positive. Please correlate clinically.")


def changed(**fields: Any) -> Comment:
    return msgspec.structs.replace(SOUND, **fields)


def test_everything_the_service_writes_is_in_style(written: list[Written], knowledge: Knowledge) -> None:
    style = knowledge.decisions.style
    assert {fault for one in written for fault in breaches(one.comment, style)} == set()
    assert len(written) > 20_000


def test_the_shipped_sentences_are_in_style(knowledge: Knowledge) -> None:
    assert check_style(knowledge.decisions) == []


def test_a_sound_comment_has_no_breach() -> None:
    assert breaches(SOUND, STYLE) == []
    assert breaches(changed(addenda=("One. Two.",), addendum_classes=("C19",)), STYLE) == []


@pytest.mark.parametrize(
    ("comment", "breach"),
    [
        (changed(text=f"A{'b' * 499}."), "501 characters"),
        (changed(text="One. Two. Three. Four."), "4 sentences"),
        (changed(text="no end"), "0 sentences"),
        (changed(text="Anti-SRP {grade}."), "an open slot"),
        (changed(text="This Proves it."), "the words 'proves'"),
        (changed(addenda=("A.", "B.", "C."), addendum_classes=("C09", "C18", "C17")), "3 addenda"),
        (changed(addenda=("A. B.",), addendum_classes=("C09",)), "C09: 2 sentences"),
        (changed(addenda=("A. B. C.",), addendum_classes=("C19",)), "C19: 3 sentences"),
        (changed(addenda=(f"A{'b' * 199}.",), addendum_classes=("C18",)), "C18: 201 characters"),
        (changed(addenda=("Diagnostic of it.",), addendum_classes=("C18",)), "C18: the words 'diagnostic of'"),
    ],
)
def test_a_breach_is_named(comment: Comment, breach: str) -> None:
    assert breaches(comment, STYLE) == [breach]


@pytest.mark.parametrize(("text", "count"), [("CK 1.5 times. Yes.", 2), ("A (B.), C.", 1), ("", 0), ("What? Now!", 2)])
def test_a_point_inside_a_number_ends_no_sentence(text: str, count: int) -> None:
    assert sentences(text) == count


def row(*texts: str, **fields: Any) -> CommentRow:
    return CommentRow(id="C01", parts=tuple((Alternative(text=text),) for text in texts), **fields)


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        (row("This proves it."), "C01: the words 'proves'."),
        (row("No end"), "C01: no full stop after 'No end'."),
        (row("A.", "B.", "C.", "D."), "C01: 4 sentences."),
        (row("A.", addendum=(Alternative(text="It proves."),)), "C01: the words 'proves'."),
    ],
)
def test_a_sentence_out_of_style_is_named(comment: CommentRow, message: str) -> None:
    faults = check_style(Decisions(comments={"C01": comment}, style=STYLE))
    assert [f"{fault.message.rstrip('.')}." for fault in faults] == [message]


def test_a_class_that_no_rank_names_would_never_be_written() -> None:
    rule = Rule(id="r", version=1, status="active", why="-", then=Then(comment="C22"))
    (fault,) = check_style(Decisions(rules=(rule,), style=STYLE))
    assert fault.message == "C22 stands in no rank."
