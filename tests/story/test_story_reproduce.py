"""A comment of the past is said again byte for byte, whatever is in force by now; and where it cannot be, that is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from by_rule_parts import Office, negative
from story_parts import BLOT, CK, SITE, Laboratory, Lis, obx, order, oru

from labbridge.acts import letterhead
from labbridge.config import Config
from labbridge.errors import Refused
from labbridge.interpret import Interpreter
from labbridge.knowledge.documents import Source
from labbridge.model.review import Decided, Decision
from labbridge.model.work import AuditEvent
from labbridge.reproducing import Again, printed, reproduce
from labbridge.sources import Words, comment_code, packed, read_all, understood
from tests.summed import summed

CONFIG = Config.model_validate(
    {
        "facility": "LABA",
        "feeds": {"myolis": {"timezone": "Europe/Paris"}},
        "receivers": {"lis": {"address": "127.0.0.1:9"}},
        "knowledge": {"site": SITE},
    }
)
SHIPPED = read_all(SITE)
OTHER = [*SHIPPED, Source("comments/en.yaml", "- id: grade\n  words: {POS_STRONG: clearly positive}\n", True)]


@pytest.fixture(params=["sqlite", "postgres"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Laboratory]:
    url = f"sqlite:///{tmp_path / 'store.db'}" if request.param == "sqlite" else request.getfixturevalue("emptied")
    with closing(Laboratory(url)) as found:
        found.letterhead = letterhead(CONFIG, "myolis", "lis", Words(comment=comment_code(SITE)))
        works_by(found, SHIPPED)
        yield found


def works_by(lab: Laboratory, texts: list[Source]) -> None:
    """The laboratory works by this knowledge from now on, and keeps it as a service does."""
    knowledge = understood(texts)
    lab.reader = msgspec.structs.replace(lab.reader, interpret=Interpreter(knowledge))
    lab.desk.approvals.keep(knowledge.version, packed(texts), lab.clock.now())


def said_again(lab: Laboratory, shown: str) -> Again:
    return reproduce(shown, CONFIG, lab.rows)


async def test_text_and_message_are_the_same_byte_for_byte_after_a_change(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"), obx(CK, "7800"))))
    lab.release("C1@1")
    works_by(lab, OTHER)
    await lab.take(oru("M2", order("F2", obx(BLOT, "58"), obx(CK, "7800")), patient="PT2"))
    lab.release("C2@1", "Bert")
    old, new = said_again(lab, "C1@1"), said_again(lab, "C2@1")
    for one in (old, new):
        assert (one.same_text, one.same_bytes) == (True, True)
    assert "strongly positive" in old.text
    assert "clearly positive" in new.text
    assert old.knowledge != new.knowledge


async def test_every_version_of_a_comment_that_was_replaced_can_be_said_again(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"), obx(CK, "7800"))))
    lab.release("C1@1")
    await lab.deliver(Lis())
    await lab.take(oru("M2", order("F1", obx(BLOT, "3", "C"), obx(CK, "7800"))))
    (case,) = lab.cases()
    lab.release(f"C1@{case.version}")
    for version in range(1, case.version + 1):
        one = said_again(lab, f"C1@{version}")
        assert one.same_text, (one.text, one.kept)
        assert one.same_bytes is not False
    assert "replaces the comment" in said_again(lab, f"C1@{case.version}").text


async def test_what_left_by_a_rule_can_be_said_again(lab: Laboratory, tmp_path: Path) -> None:
    office = Office(lab, tmp_path / "switch")
    texts = list(office.automatic._texts)
    lab.desk.approvals.keep(lab.reader.interpret.knowledge.version, packed(texts), lab.clock.now())
    await office.reviewed()
    await lab.take(negative(2))
    assert office.look() == 1
    one = said_again(lab, "C2@1")
    assert (one.same_text, one.same_bytes) == (True, True)


async def test_where_a_person_gave_other_words_the_draft_is_compared(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    now = lab.clock.now()
    words = Decision(case=1, version=1, kind=Decided.WORDING, person="a", name="A", at=now, text="Other words.")
    lab.desk.review(words, None, AuditEvent(at=now, actor="a", action="wording", subject="C1@1"))
    lab.release("C1@1")
    one = said_again(lab, "C1@1")
    assert (one.same_text, one.same_bytes) == (True, None)


async def test_a_draft_that_was_tampered_with_is_found(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    lab.release("C1@1")
    lab.writer.submit(lambda c: c.execute("UPDATE drafts SET text = text || ' Nothing to worry.'")).result()
    lab.writer.submit(summed).result()
    one = said_again(lab, "C1@1")
    assert one.same_text is False
    assert "NOT the same" in printed(one, "text")
    assert "Nothing to worry." in printed(one, "text")


async def test_a_draft_that_was_damaged_on_the_disk_is_compared_with_nothing(lab: Laboratory) -> None:
    lab.damaged_on_purpose = True
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    lab.release("C1@1")
    lab.writer.submit(lambda c: c.execute("UPDATE drafts SET text = text || ' Nothing to worry.'")).result()
    one = said_again(lab, "C1@1")
    assert (one.same_text, one.same_bytes) == (False, None)
    assert "Nothing to worry." not in printed(one, "text")
    assert "damaged on the disk" in printed(one, "text")


async def test_a_message_that_was_tampered_with_is_found(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    lab.release("C1@1")
    sent = lab.rows.execute("SELECT raw FROM outbox").fetchone()[0]
    changed = bytes(sent).replace(b"Anti-SRP", b"Anti-SRX", 1)
    lab.writer.submit(lambda c: c.execute("UPDATE outbox SET raw = ?", (changed,))).result()
    one = said_again(lab, "C1@1")
    assert (one.same_text, one.same_bytes) == (True, False)


async def test_what_cannot_be_said_again_is_refused_with_why(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    with pytest.raises(Refused, match="no version 7"):
        said_again(lab, "C1@7")
    lab.writer.submit(lambda c: c.execute("UPDATE journal SET raw = substr(raw, 1, 0)")).result()
    with pytest.raises(Refused, match="wiped"):
        said_again(lab, "C1@1")
    lab.writer.submit(lambda c: c.execute("DELETE FROM knowledge")).result()
    with pytest.raises(Refused, match="not kept"):
        said_again(lab, "C1@1")
