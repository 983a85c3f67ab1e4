"""What a reload proves, what it refuses, and what it says (tests/service/test_service_reload.py runs the whole service)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from labbridge import reloading
from labbridge.errors import Refused, StoreUnavailable
from labbridge.knowledge.build import version
from labbridge.knowledge.documents import Fault, Source
from labbridge.knowledge.lock import raised_in_vain
from labbridge.model.work import AuditEvent, Count
from labbridge.processing import Started
from labbridge.proving import prove
from labbridge.reloading import Reloading, printed, with_certificates
from labbridge.sources import read_all, unpacked
from labbridge.store.desk import StoreDesk
from labbridge.supervising import Supervisor

POLICY = "- {id: ck_high_above, value: 50, unit: x upper limit, tag: CONVENTION, source: ours}\n"
OWN = """\
- id: own
  version: 1
  status: active
  why: our habit
  when: {srp: POS_STRONG}
  then: {flags: [{MSA_POSITIVE: major}]}
  citations: [picard-2016]
  cases: {fires: [{srp: POS_STRONG}], silent: [{srp: NEG}], lacks_data: [{}]}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "rules").mkdir(parents=True)
    (folder / "rules" / "own.yaml").write_text(OWN, encoding="utf-8")
    return folder


def edited(folder: Path, name: str, text: str) -> list[Source]:
    (folder / name).write_text(text, encoding="utf-8")
    return read_all(str(folder))


# ---------------------------------------------------------------- the proof


def test_a_row_in_force_is_changed_under_a_raised_version_only(site: Path) -> None:
    before = read_all(str(site))
    assert raised_in_vain(before, before) == []
    same = edited(site, "rules/own.yaml", OWN.replace("major", "minor"))
    (fault,) = raised_in_vain(same, before)
    assert str(fault) == "rules/own.yaml:1: rule:own is not what is in force as version 1. Raise its version."
    raised = edited(site, "rules/own.yaml", OWN.replace("major", "minor").replace("version: 1", "version: 2"))
    assert raised_in_vain(raised, before) == []
    assert [one.message for one in raised_in_vain(same, raised)] == ["rule:own is not what is in force as version 1."]


def test_to_go_back_to_the_shipped_row_is_no_change_of_it(site: Path) -> None:
    plain = read_all(str(site))
    shipped = next(one for one in plain if one.name == "rules/ck.yaml")
    first = shipped.text[shipped.text.index("- id: ") :].partition("\n- id: ")[0] + "\n"
    ours = edited(
        site, "rules/ck.yaml", first.replace("  version: 1\n", "  version: 9\n").replace("why: ", "why: x ", 1)
    )
    assert raised_in_vain(ours, plain) == []
    assert raised_in_vain(plain, ours) == []


def test_a_policy_number_has_no_version_of_its_own(site: Path) -> None:
    before = read_all(str(site))
    assert raised_in_vain(edited(site, "policy.yaml", POLICY), before) == []


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Fault]:
    """What `labbridge check` finds, without its minutes."""
    faults: list[Fault] = []
    monkeypatch.setattr("labbridge.checking.check_texts", lambda *_args, **_named: (faults, "summary"))
    return faults


def test_the_faults_of_check_are_those_of_the_proof(site: Path, found: list[Fault]) -> None:
    texts = read_all(str(site))
    assert prove(texts, texts) == []
    found.append(Fault("policy.yaml", 3, "No.", "Yes."))
    assert prove(texts, texts) == found


def test_an_edit_during_the_proof_changes_nothing_of_what_is_proven(site: Path) -> None:
    texts = read_all(str(site))
    edited(site, "policy.yaml", "- id: ck_high_above\n")
    assert prove(texts, texts) == []


# ---------------------------------------------------------------- one reload, with a service in words


class Words:
    """Supervisor, desk and clock, as far as a reload uses them: what was done, in order."""

    def __init__(self, texts: Sequence[Source]) -> None:
        self.texts, self.done = texts, list[str]()
        self.audit: list[AuditEvent] = []
        self.counts: list[Count] = []
        self.unavailable = self.stillborn = False

    def now(self) -> datetime:
        return datetime(2026, 3, 10, tzinfo=UTC)

    async def successor(self, texts: Sequence[Source]) -> Started:
        if self.stillborn:
            raise Refused("It did not come up")
        self.done.append("successor")
        return cast(Started, None)

    async def exchange(self, _successor: Started, texts: Sequence[Source]) -> None:
        self.done.append("exchange")
        self.texts = texts

    @property
    def approvals(self) -> Words:
        return self

    def keep(self, taken: str, body: bytes, now: datetime) -> None:
        assert taken == version(unpacked(body))
        self.done.append(f"kept {taken}")

    def record(self, event: AuditEvent, counts: Sequence[Count]) -> None:
        if self.unavailable:
            raise StoreUnavailable("The store could not commit")
        self.done.append(event.action)
        self.audit.append(event)
        self.counts += counts


@pytest.fixture
def words(site: Path) -> Words:
    return Words(read_all(str(site)))


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[Fault]]]:
    """The answers of the next proofs; none left: no fault."""
    answers: list[list[Fault]] = []
    monkeypatch.setattr(Reloading, "_prove", lambda _self, _texts: answers.pop(0) if answers else [])
    monkeypatch.setattr(reloading, "dismiss", lambda _successor: None)
    return iter([answers])


def of(words: Words, site: Path) -> Reloading:
    taken = words.done
    return Reloading(
        str(site),
        cast(Supervisor, words),
        cast(StoreDesk, words),
        words,
        lambda texts: taken.append(f"taken {version(texts)}"),
    )


async def test_what_has_no_fault_is_audited_and_then_taken(
    site: Path, words: Words, proofs: Iterator[list[list[Fault]]]
) -> None:
    before = version(words.texts)
    after = version(edited(site, "policy.yaml", POLICY))
    answer = await of(words, site).perform({"command": "reload", "as": "Alex Smith"})
    assert answer == {"ok": True, "outcome": "accepted", "in_force": after, "before": before}
    assert words.done == ["successor", f"kept {after}", "reload accepted", "exchange", f"taken {after}"]
    (event,) = words.audit
    assert (event.actor, event.subject, event.detail) == ("Alex Smith", "knowledge", f"from {before} to {after}")
    assert words.counts == [Count("reloads", ("accepted",))]


async def test_what_has_faults_touches_nothing(site: Path, words: Words, proofs: Iterator[list[list[Fault]]]) -> None:
    before = words.texts
    edited(site, "policy.yaml", POLICY)
    next(proofs).append([Fault("policy.yaml", 3, "No.", "Yes.")])
    answer = await of(words, site).perform({"command": "reload", "as": "Alex Smith"})
    assert (answer["ok"], answer["outcome"], answer["in_force"]) == (False, "refused", version(before))
    assert answer["faults"] == [
        {"file": "policy.yaml", "line": 3, "message": "No.", "repair": "Yes.", "text": "policy.yaml:3: No. Yes."}
    ]
    assert words.done == ["reload refused"]
    assert words.texts is before


async def test_a_file_that_cannot_be_read_is_a_fault(
    site: Path, words: Words, proofs: Iterator[list[list[Fault]]]
) -> None:
    (site / "policy.yaml").write_bytes(b"# \xff\n")
    answer = await of(words, site).perform({"as": "Alex Smith"})
    assert [one["text"] for one in answer["faults"]] == ["policy.yaml:1: This is not UTF-8. Save the file as UTF-8."]
    assert words.done == ["reload refused"]


async def test_nothing_new_is_said_to_be_nothing_new(
    site: Path, words: Words, proofs: Iterator[list[list[Fault]]]
) -> None:
    answer = await of(words, site).perform({"as": "Alex Smith"})
    assert (answer["ok"], answer["outcome"]) == (True, "unchanged")
    assert words.done == ["reload unchanged"]


async def test_a_reload_that_cannot_be_audited_is_not_done(
    site: Path, words: Words, proofs: Iterator[list[list[Fault]]]
) -> None:
    edited(site, "policy.yaml", POLICY)
    words.unavailable = True
    answer = await of(words, site).perform({"as": "Alex Smith"})
    assert answer["error"] == "The store could not commit"
    assert [one.partition(" ")[0] for one in words.done] == ["successor", "kept"]


async def test_where_no_process_comes_up_the_old_one_stays(
    site: Path, words: Words, proofs: Iterator[list[list[Fault]]]
) -> None:
    edited(site, "policy.yaml", POLICY)
    words.stillborn = True
    answer = await of(words, site).perform({"as": "Alex Smith"})
    assert (answer["ok"], answer["error"]) == (False, "It did not come up")
    assert words.done == []


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 81])
async def test_a_reload_needs_a_name(site: Path, words: Words, proofs: Iterator[list[list[Fault]]], name: str) -> None:
    answer = await of(words, site).perform({"as": name})
    assert "needs a name" in answer["error"]
    assert words.done == []


async def test_two_at_once_follow_each_other_and_a_third_signal_adds_nothing(
    site: Path, words: Words, proofs: Iterator[list[list[Fault]]]
) -> None:
    edited(site, "policy.yaml", POLICY)
    found = of(words, site)
    first, second = await asyncio.gather(found.perform({"as": "A"}), found.perform({"as": "B"}))
    assert [first["outcome"], second["outcome"]] == ["accepted", "unchanged"]
    for _again in range(3):
        found.signalled()
    while len(words.audit) < 4:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert [event.actor for event in words.audit] == [
        "A",
        "B",
        "SIGHUP",
        "SIGHUP",
        "SIGHUP",
    ]  # none ran yet to wait for
    async with found._turn:
        running = asyncio.create_task(found.reload("C"))
        await asyncio.sleep(0)
        for _again in range(3):
            found.signalled()  # C waits, and will read what is there then
    await running
    await asyncio.sleep(0.05)
    assert [event.actor for event in words.audit][5:] == ["C"]


# ---------------------------------------------------------------- what is printed

ACCEPTED: dict[str, Any] = {"ok": True, "outcome": "accepted", "in_force": "sha256:b", "before": "sha256:a"}


@pytest.mark.parametrize(
    ("answer", "sentence", "faults"),
    [
        (ACCEPTED, "In force: sha256:b (before: sha256:a)", []),
        ({**ACCEPTED, "outcome": "unchanged"}, "Nothing has changed; in force stays sha256:b", []),
        (
            {**ACCEPTED, "ok": False, "outcome": "refused", "faults": [{"text": "policy.yaml:3: No. Yes."}]},
            "Refused: 1 fault; in force stays sha256:b",
            ["policy.yaml:3: No. Yes."],
        ),
        ({"ok": False, "error": "The service is draining"}, "The service is draining", []),
        (
            with_certificates(ACCEPTED, ["feeds.a.tls"], ["receivers.l.tls.key: x: y; z"]),
            "In force: sha256:b (before: sha256:a)\nRenewed: feeds.a.tls",
            ["receivers.l.tls.key: x: y; z"],
        ),
        (
            with_certificates({"ok": False, "error": "no knowledge"}, ["feeds.a.tls"], []),
            "no knowledge\nRenewed: feeds.a.tls",
            [],
        ),
    ],
)
def test_what_is_printed(answer: dict[str, Any], sentence: str, faults: list[str]) -> None:
    assert printed(answer, "text") == (sentence, faults)


@pytest.mark.parametrize(("taken", "faults", "ok"), [([], [], True), (["a"], [], True), ([], ["b"], False)])
def test_a_certificate_that_was_refused_needs_a_person(taken: list[str], faults: list[str], ok: bool) -> None:
    answer = with_certificates(ACCEPTED, taken, faults)
    assert answer["ok"] is ok
    assert ("certificates" in answer) is bool(taken or faults)
    assert with_certificates({**ACCEPTED, "ok": False}, taken, faults)["ok"] is False


def test_a_program_gets_the_answer_as_it_is() -> None:
    assert printed(ACCEPTED, "json")[0].startswith('{"ok": true, "outcome": "accepted"')
