"""The checker itself: a sound run has no violation, and each check finds the one that is planted for it."""

from __future__ import annotations

import ast
import copy
import hashlib
import random
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults import journal, powercut
from tests.faults.checker import CHECKS, judge
from tests.faults.evidence import Evidence, load
from tests.faults.messages import STRONG, Message, malformed, plain, serology
from tests.faults.proxy import damaged
from tests.faults.world import World

HERE = Path(__file__).parent
OFFLINE = ("beside", "checker", "checker_out", "evidence", "journal")
BEGUN = 1_790_000_000.0


class Run:
    """Evidence as a sound run leaves it: patients with two messages each, one with serology and its comment, one message
    that was refused, one that came twice, one kill."""

    def __init__(self) -> None:
        self.seen, self.now = Evidence(), 0.0
        self.seen.nemesis.append(self.event("start"))
        for patient in ("A", "B"):
            for pseq in range(2):
                self.message(plain(f"{patient}{pseq}", patient, pseq))
        self.message(malformed("BAD", 0), "AE")
        self.message(serology("S0", "S"))
        self.again(plain("A0", "A", 0))
        self.seen.nemesis.append(self.event("kill"))
        self.comment(1, 1, "LB1")
        self.comment(1, 2, "LB2")
        self.seen.tally = [
            {"name": "stored", "labels": "", "count": 5},
            {"name": "quarantined", "labels": "", "count": 1},
            {"name": "duplicate", "labels": "", "count": 1},
        ]
        self.seen.metrics = 7

    def event(self, what: str, /, **more: object) -> journal.Event:
        self.now += 1
        return {"ev": what, "t": self.now, "wall": BEGUN + self.now, **more}

    def audit(self, subject: str, action: str, actor: str = "labbridge", detail: str = "") -> None:
        self.seen.audit.append({"id": len(self.seen.audit) + 1, "at": "", "actor": actor, "action": action,
                                "subject": subject, "detail": detail})  # fmt: skip

    def exchange(self, message: Message, code: str) -> None:
        self.seen.senders.append(
            self.event("send", id=message.id, sha=message.sha, pat=message.patient, pseq=message.pseq,
                       kind=message.kind, value=message.value)
        )  # fmt: skip
        self.seen.senders.append(self.event("reply", id=message.id, code=code, msa2=message.id))

    def message(self, message: Message, code: str = "AA") -> None:
        self.exchange(message, code)
        key, refused = len(self.seen.journal) + 1, code != "AA"
        self.seen.journal.append({"id": key, "sender": "M", "control_id": message.id, "received": "", "duplicates": 0,
                                  "state": "quarantined" if refused else "done", "reason": "structure" if refused else "",
                                  "digest": hashlib.sha256(message.raw).digest(), "raw": message.raw})  # fmt: skip
        self.audit(f"M{key}", "refused" if refused else "received")
        if not refused:
            self.seen.work.append({"id": key, "message": key, "lane": f"p:LABA|{message.patient}", "state": "done",
                                   "reason": "", "attempts": 1})  # fmt: skip
            self.audit(f"M{key}", "done")

    def again(self, message: Message) -> None:
        self.exchange(message, "AA")
        self.seen.journal[0]["duplicates"] += 1

    def comment(self, case: int, version: int, control_id: str) -> None:
        self.now += 20
        created = datetime.fromtimestamp(BEGUN + self.now, UTC).isoformat()
        self.seen.cases = [{"id": case, "lane": "p:LABA|S", "version": version, "state": "signed"}]
        self.seen.drafts.append(
            {"case": case, "version": version, "subject_message": version, "text": "Anti-SRP", "created": created}
        )
        raw = f"MSH|{control_id}".encode()
        key = len(self.seen.outbox) + 1
        self.seen.outbox.append({"id": key, "case": case, "version": version, "receiver": "lis", "lane": "lis/p:LABA|S",
                                 "control_id": control_id, "raw": raw, "state": "acknowledged", "attempts": 1,
                                 "expires": "2026-01-02", "updated": "2026-01-01"})  # fmt: skip
        self.audit(f"C{case}@{version}", "released", "Alex Smith", control_id)
        self.seen.signer.append(
            self.event("signed", done=[{"key": f"C{case}@{version}", "ok": True, "result": f"D{key}"}])
        )
        self.seen.lis.append(self.event("arrival", id=control_id, sha=hashlib.sha256(raw).hexdigest(), mode="plain",
                                        connection=1, applied=True, trusted=True, raw=raw.decode()))  # fmt: skip


Plant = Callable[[Run], object]
LATER = 1000.0


def swap_work(run: Run) -> None:
    """The second message of A was done before the first."""
    done = [row for row in run.seen.audit if row["action"] == "done"][:2]
    done[0]["subject"], done[1]["subject"] = done[1]["subject"], done[0]["subject"]


def arrival(run: Run, place: int, **changed: object) -> None:
    """One of the arrivals once more, with something changed."""
    run.seen.lis.append({**run.seen.lis[place], **run.event("arrival"), **changed})


def change(rows: str, place: int, **changed: object) -> Plant:
    return lambda run: getattr(run.seen, rows)[place].update(changed)


PLANTED: list[tuple[str, str, Plant]] = [
    ("C1", "acknowledged and not there", lambda run: run.seen.journal.pop(2)),
    ("C1", "acknowledged and in quarantine", change("journal", 2, state="quarantined")),
    ("C1b", "other bytes than its digest says", change("journal", 1, raw=b"MSH|other")),
    ("C2", "a row that nobody sent", change("journal", 3, digest=b"x" * 32, raw=b"MSH|ghost")),
    ("C3", "the same message twice", lambda run: run.seen.journal.append({**run.seen.journal[0], "id": 99})),
    ("C3c", "waits twice", lambda run: run.seen.work.append({**run.seen.work[0], "id": 99})),
    ("C3d", "done twice", lambda run: run.audit("M1", "done")),
    ("C3d", "its results twice", lambda run: run.seen.results.append({"message": 3, "lane": "p:LABA|S", "count": 6})),
    ("C3b", "AA the first time, AE the second", change("senders", 13, code="AE")),
    ("C4", "received in the wrong order", lambda run: run.seen.journal.insert(0, run.seen.journal.pop(1))),
    ("C4", "processed in the wrong order", swap_work),
    ("C4b", "left waiting", change("work", 1, state="kept")),
    ("C4c", "two cases of one patient", lambda run: run.seen.cases.append({**run.seen.cases[0], "id": 2})),
    ("C4e", "a version of an older message", change("drafts", 1, subject_message=0)),
    ("C4d", "parked by the kills", change("work", 1, state="parked", reason="crashed")),
    ("C5", "refused and processed", change("journal", 4, state="done")),
    ("C5b", "refused and not kept", lambda run: run.seen.journal.pop(4)),
    ("C6", "signed and still waiting", lambda run: (change("outbox", 1, state="waiting")(run), run.seen.lis.pop())),
    ("C6", "called back for nothing", lambda run: (change("outbox", 1, state="cancelled")(run), run.seen.lis.pop())),
    ("C6", "called back before its time was over", lambda run: (change("outbox", 1, state="cancelled")(run),
        run.seen.lis.pop())),
    ("C6", "signed and not in the outbox", lambda run: run.seen.outbox.pop()),
    ("C6b", "one version under two ids", change("outbox", 1, version=1)),
    ("C6c", "another text on the second try", lambda run: arrival(run, 0, sha="0", trusted=False)),
    ("C6d", "sent again after AA", lambda run: arrival(run, 1)),
    ("C6e", "no comment of a strong blot", change("drafts", 1, text="CK")),
    ("C6f", "acknowledged and never accepted", change("lis", 1, trusted=False, mode="wrong_id")),
    ("C6g", "the same line after a doubtful answer", change("lis", 0, trusted=False, mode="late")),
    ("C7", "the newer comment first", lambda run: run.seen.lis.reverse()),
    ("C8", "an older version after a newer one", lambda run: arrival(run, 0)),
    ("C8", "sent long after a newer version was written", lambda run: run.seen.drafts.append(
        {"case": 1, "version": 3, "subject_message": 9, "text": "Anti-SRP",
         "created": datetime.fromtimestamp(BEGUN, UTC).isoformat()})),
    ("C9", "nobody's message", lambda run: arrival(run, 0, id="LB9")),
    ("C9", "signed by nobody", lambda run: [one.update(actor="labbridge") for one in run.seen.audit]),
    ("C10", "the answer names another", change("senders", 1, msa2="A1")),
    ("C11", "one more counted than there", change("tally", 0, count=6)),
    ("C11", "the metrics differ", lambda run: setattr(run.seen, "metrics", 6)),
    ("C11b", "answered and not received", change("journal", 0, duplicates=0)),
    ("C12", "a line is missing", lambda run: run.seen.audit.pop(3)),
    ("C12", "a line that was not sealed", lambda run: run.seen.seals.append({"id": 1, "entries": 1})),
    ("C12", "a state without its line", change("audit", 3, action="x")),
    ("integrity", "the database is damaged", lambda run: setattr(run.seen, "integrity", "page 7 is never used")),
    ("C13", "a slow recovery", change("nemesis", 0, t=-LATER)),
]  # fmt: skip


def test_a_sound_run_has_no_violation() -> None:
    assert judge(Run().seen).violations == {}


@pytest.mark.parametrize(("check", "what", "plant"), PLANTED, ids=[f"{check} {what}" for check, what, _ in PLANTED])
def test_a_planted_violation_is_found(check: str, what: str, plant: Plant) -> None:
    run = Run()
    plant(run)
    assert check in judge(copy.deepcopy(run.seen)).violations, what


def test_what_a_thaw_let_go_on_did_not_arrive_in_time() -> None:
    """The LIS stood still longer than an answer is waited for: what it accepts afterwards, it accepts on a line that is
    closed, and the message comes again."""
    run = Run()
    run.seen.nemesis.append(run.event("thaw") | {"t": 0.5})
    arrival(run, 1)
    assert "C6d" in judge(copy.deepcopy(run.seen)).violations
    run.seen.nemesis[-1]["t"] = run.seen.lis[1]["t"] + 0.5
    assert "C6d" not in judge(run.seen).violations


def test_a_comment_whose_time_was_over_may_be_signed_again() -> None:
    run = Run()
    run.seen.outbox[1] |= {"state": "cancelled", "updated": "2026-01-03"}
    run.seen.outbox.append({**run.seen.outbox[1], "id": 9, "control_id": "LB9", "state": "acknowledged"})
    run.seen.lis[1]["id"] = "LB9"
    assert {"C6", "C6b"}.isdisjoint(judge(run.seen).violations)


def test_an_answer_that_was_damaged_on_its_way_refuses_nothing() -> None:
    run = Run()
    run.seen.senders[1]["code"] = "\x01A"
    assert "C5" not in judge(run.seen).violations


def test_no_damage_makes_another_answer_of_one() -> None:
    """A turned bit once made AE of AA."""
    rng, said = random.Random(1), b"MSA|AA|S1"
    found = {damaged(said, rng) for _time in range(2000)}
    assert len(found) > 20
    assert not any(said.replace(b"AA", code) in found for code in (b"AE", b"AR", b"CA", b"CE", b"CR"))
    assert not any(one.startswith(b"MSA|AA|") and one.isascii() and one[7:].isalnum() for one in found)


def test_every_check_has_a_violation_planted_for_it() -> None:
    assert {check for check, _what, _plant in PLANTED} == set(CHECKS)


@pytest.mark.parametrize("name", OFFLINE)
def test_the_checker_imports_nothing_of_labbridge(name: str) -> None:
    tree = ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for module in names:
            assert not module.startswith("labbridge")
            assert not module.startswith("tests.") or module.removeprefix("tests.faults").lstrip(".") in ("", *OFFLINE)


def test_messages_in_flight_are_those_without_an_answer_at_the_kill() -> None:
    run = Run()
    for name in ("X", "Y"):
        run.seen.senders.append(run.event("send", id=name, sha=name, pat="", pseq=-1, kind="", value=""))
    run.seen.nemesis.append(run.event("kill"))
    assert run.seen.in_flight == [0, 2]


def test_what_was_written_down_and_kept_is_read_back(tmp_path: Path) -> None:
    with World(tmp_path / "w", 1) as world:
        sender = journal.History(world.folder / "s0.jsonl")
        sender.write({"ev": "send", "id": "1", "sha": "x", "pat": "", "pseq": -1, "kind": "plain", "value": ""})
        world.start()
        world.service.stop()
        seen = load(world.folder, world.service.database)
    assert [one["id"] for one in seen.sends] == ["1"]
    assert seen.integrity == "ok"
    assert seen.journal == []


def test_the_power_cut_forgets_what_was_not_synced(tmp_path: Path) -> None:
    """A database written by hand through the replay: the synced half is there, the other is not."""
    database = tmp_path / "x.db"
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE journal(control_id TEXT, state TEXT)")
    connection.execute("INSERT INTO journal VALUES ('first', 'kept')")
    connection.commit()
    before = database.read_bytes()
    connection.execute("INSERT INTO journal VALUES ('second', 'kept')")
    connection.commit()
    connection.close()
    file = powercut.File()
    file.write(0, before)
    file.sync()
    file.write(0, database.read_bytes())
    assert powercut.held(tmp_path / "image", "x.db", {"x.db": file.synced})[0] == {"first"}
    file.sync()
    assert powercut.held(tmp_path / "image", "x.db", {"x.db": file.synced}) == ({"first", "second"}, "ok")


@pytest.mark.parametrize("pid", ["997  ", "12345"])
def test_a_call_that_another_thread_interrupts_is_read_whole(tmp_path: Path, pid: str) -> None:
    """strace pads the number of a process to five places."""
    (tmp_path / "trace").write_text(f'{pid} pwrite64(7, "\\x61", 1, 0 <unfinished ...>\n24    close(9) = 0\n'
                                    f"{pid} <... pwrite64 resumed>) = 1\n{pid} fdatasync(7) = 0\n"
                                    f'{pid} sendto(8, "{_hex(b"MSA|AA|X")}", 8, 0, NULL, 0) = 8\n')  # fmt: skip
    disk = powercut.Disk(tmp_path / "x.db", {}, {7: "x.db"})
    disk.files["x.db"] = powercut.File()
    assert list(disk.acknowledgements(tmp_path / "trace")) == [["X"]]
    assert disk.files["x.db"].synced == b"a"


def _hex(text: bytes) -> str:
    return "".join(f"\\x{one:02x}" for one in text)


def test_the_senders_serology_leads_to_a_comment_by_its_value() -> None:
    assert b"|55|" in serology("X", "X").raw
    assert serology("X", "X").value == STRONG
    assert b"||||C" not in serology("X", "X", 1).raw
    assert b"|||C\r" in serology("X", "X", 1).raw
