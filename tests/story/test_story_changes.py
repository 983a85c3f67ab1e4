"""Changes of the site's files: two people, the content that was read, nothing written before, nothing lost after; and the
mapping desk over a general laboratory's codes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from changes_parts import Office, in_this_process
from story_parts import FEED, Laboratory, order, oru

from labbridge.model.changes import ChangeState
from labbridge.model.mapping import LocalCode
from labbridge.model.people import Role
from labbridge.model.replay import Told, Wanted
from labbridge.model.work import AuditEvent
from labbridge.review.mapping import table_of
from labbridge.sources import read_all

POLICY = "- {id: ck_mod_from, value: 5, unit: x upper limit, tag: CONVENTION, source: our validation}"
ITEM = "policy:ck_mod_from"
HMGX = "NM|HMGX^Anti-HMGCR IgG (ELISA)^L|1|{}|U/mL^U/mL^L|0-20|A|||F"
ROW = "L,HMGX,,U/mL,,HMGCR,result,elisa,,SITE,procedure 12"
CODE = LocalCode(feed="myolis", system="L", code="HMGX")
ABOUT = {"feed": "myolis", "system": "L", "code": "HMGX", "label": ""}


@pytest.fixture
def office(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    in_this_process(monkeypatch)
    with closing(Office(place, tmp_path)) as found:
        yield found


# ---------------------------------------------------------------- two people, and the content that was read


def test_nothing_is_written_before_two_people_have_signed(office: Office) -> None:
    shown = office.put_forward(ITEM, POLICY)
    assert shown == "E1"
    assert office.file("policy.yaml") == ""
    assert "You wrote E1" in office.approve(shown, "nora")
    assert "needs the role approver" in office.approve(shown, "nora") or office.file("policy.yaml") == ""
    assert office.approve(shown) == ""
    assert office.file("policy.yaml") == f"{POLICY}\n"
    change = office.change(shown)
    assert (change.state, change.author, change.approver) == (ChangeState.IN_FORCE, "nora", "otto")
    (kept,) = (office.site / "history").glob("*-E1.json")
    noted = json.loads(kept.read_text())
    assert noted["edits"][0]["text"] == POLICY
    assert "value: 4" in noted["edits"][0]["before"]
    assert (noted["author_name"], noted["approver_name"]) == ("Nora Test", "Otto Test")
    signed = office.lab.desk.approvals.of_item(ITEM)
    assert [(one.author, one.approver) for one in signed] == [("nora", "otto")]
    assert read_all(str(office.site)) == office.texts, "history is no knowledge"


def test_who_may_what_is_asked_where_it_is_written(office: Office) -> None:
    office.account("vera", Role.VIEWER)
    office.account("both", Role.AUTHOR, Role.APPROVER)
    assert "role author" in office.put_forward(ITEM, POLICY, "vera")
    assert "role author" in office.put_forward(ITEM, POLICY, "otto")
    shown = office.put_forward(ITEM, POLICY, "both")
    assert "You wrote" in office.approve(shown, "both")
    assert "role approver" in office.approve(shown, "vera")
    assert "no open account" in office.approve(shown, "nobody")
    assert "role author or approver" in office.ask("vera", "give_up", key=shown, why="no")["error"]
    assert office.file("policy.yaml") == ""


def test_of_a_thousand_tries_at_once_none_gets_past_the_second_person(office: Office) -> None:
    """The author in many windows, by login and by name, and an approver whose role is taken away meanwhile (S-17)."""
    office.account("both", Role.AUTHOR, Role.APPROVER)
    shown = office.put_forward("code:myolis:HMGX", ROW, "both", about=ABOUT)
    office.lab.writer.submit(lambda c: c.execute("UPDATE people SET roles = 'viewer' WHERE login = 'otto'")).result()

    def tries(number: int) -> str:
        who = ("both", "Both", "otto", "nora")[number % 4]
        request = {"act": "approve", "key": shown, "as": f"{who.title()} Test", "person": who if number % 3 else ""}
        return str(asyncio.run(office.changing.perform(request)).get("error", ""))

    found: list[str] = []
    with ThreadPoolExecutor(1) as pool:  # one loop's lock; the race itself is the store's, below
        found += pool.map(tries, range(40))
    change, store = office.change(shown), office.lab.desk.changes
    signing = office.changing._signing
    author = office.changing._signer({"as": "Both Test", "person": "both"})

    def races(_number: int) -> str:
        try:
            store.approve(change.key, signing("approve", author, (), "x"), lambda _change: None)  # type: ignore[arg-type]
        except Exception as refusal:  # noqa: BLE001 - whatever refuses it
            return f"{type(refusal).__name__} {refusal}"
        return ""

    with ThreadPoolExecutor(16) as pool:
        found += pool.map(races, range(1000))
    assert "" not in found
    assert office.change(shown).state is ChangeState.PUT_FORWARD
    assert not (office.site / "history").exists()


def test_the_database_itself_wants_two(office: Office) -> None:
    alone = (
        "INSERT INTO changes(edits, about, base, state, author, author_name, put_forward, why, approver)"
        " VALUES (?, ?, 'b', 'approved', 'a', 'A', 't', 'w', 'a')"
    )
    job = office.lab.writer.submit(lambda c: c.execute(alone, (b"[]", b"null")))
    assert "CHECK" in str(job.exception()).upper()


# ---------------------------------------------------------------- what is refused, and what nothing is lost by


@pytest.mark.parametrize(
    ("item", "text", "said"),
    [
        (ITEM, POLICY.replace("value: 5", "value: five"), "The proof found 1 fault: policy.yaml:1"),
        (ITEM, POLICY.replace("ck_mod_from", "ck_high_from"), "This is policy:ck_high_from"),
        ("rule:srp-strong", "- {id: srp-strong, version: 2}", "The proof found"),
        ("table:units.yaml", "- {analyte: CK, unit: U/L, factor: 1, spellings: [U/L], source: x}", ""),
        ("words:en", "- {id: x}", "no record of its own"),
        ("code:../../etc:SRP", ROW, "cannot be the name"),
        ("nothing", "- {id: x}", "no record of its own"),
    ],
)
def test_what_is_no_sound_record_is_not_kept(office: Office, item: str, text: str, said: str) -> None:
    found = office.put_forward(item, text)
    assert said in found if said else found.startswith("E"), found


def test_what_is_written_so_already_is_no_change(office: Office) -> None:
    before = next(
        line
        for one in office.texts
        if one.name == "policy.yaml"
        for line in one.text.splitlines()
        if "{id: ck_mod_from" in line
    )
    assert "is written so already" in office.put_forward(ITEM, before)
    assert "needs its edits" in office.ask("nora", "put_forward", edits=[], why="x y z")["error"]
    twice = [{"item": ITEM, "text": POLICY}] * 2
    assert "twice" in office.ask("nora", "put_forward", edits=twice, why="because")["error"]


def test_a_second_change_of_the_same_waits_for_the_first(office: Office) -> None:
    first = office.put_forward(ITEM, POLICY)
    other = POLICY.replace("value: 5", "value: 6")
    assert f"{first} changes the same" in office.put_forward(ITEM, other)
    assert office.ask("otto", "give_up", key=first, why="six it is")["ok"]
    change = office.change(first)
    assert (change.state, change.said) == (ChangeState.GIVEN_UP, "six it is")
    assert "nothing to approve" in office.approve(first)
    second = office.put_forward(ITEM, other)
    assert office.approve(second) == ""
    assert "cannot be ended" in office.ask("otto", "give_up", key=second, why="too late")["error"]


def test_what_a_person_changed_by_hand_does_not_come_into_force_with_it(office: Office) -> None:
    shown = office.put_forward(ITEM, POLICY)
    (office.site / "policy.yaml").write_text(POLICY.replace("ck_mod_from", "ck_window_d"), encoding="utf-8")
    assert "changed by hand" in office.approve(shown)
    assert office.change(shown).state is ChangeState.PUT_FORWARD


def test_what_would_not_say_what_was_read_is_refused(office: Office) -> None:
    """The record came into the files otherwise, and is in force."""
    shown = office.put_forward("table:units.yaml", "- {analyte: CK, unit: U/L, factor: 1, spellings: [E/L], source: x}")
    other = "- {analyte: CK, unit: U/L, factor: 60, spellings: [katal], source: y}\n"
    (office.site / "units.yaml").write_text(other, encoding="utf-8")
    assert asyncio.run(office.reload("x"))["ok"]
    assert "would not say what was read" in office.approve(shown)


def test_where_it_cannot_be_taken_into_force_the_files_are_as_before(office: Office) -> None:
    shown = office.put_forward(ITEM, POLICY)
    office.reloads = ["The disk is full"]
    assert office.approve(shown) == "The disk is full"
    change = office.change(shown)
    assert (change.state, change.said) == (ChangeState.APPROVED, "The disk is full")
    assert office.file("policy.yaml") == ""
    assert office.ask("nora", "take", key=shown)["ok"] is False, "an approver's act"
    assert office.ask("otto", "take", key=shown)["ok"]
    assert office.file("policy.yaml") == f"{POLICY}\n"
    assert office.change(shown).state is ChangeState.IN_FORCE
    assert len(list((office.site / "history").iterdir())) == 1


def test_a_folder_that_cannot_be_written_is_told_with_the_repair(office: Office) -> None:
    (office.site / "history").write_text("in the way")
    shown = office.put_forward(ITEM, POLICY)
    assert "cannot be written (FileExistsError)" in office.approve(shown)
    assert office.file("policy.yaml") == ""
    (office.site / "history").unlink()
    assert office.ask("otto", "take", key=shown)["ok"]


def test_a_service_that_ended_between_file_and_reload_goes_on(office: Office) -> None:
    """It was written and signed, and is in force since the start: it is only said so."""
    shown = office.put_forward(ITEM, POLICY)
    office.reloads = ["The service ended"]
    office.approve(shown)
    (office.site / "policy.yaml").write_text(f"{POLICY}\n", encoding="utf-8")
    office.take(read_all(str(office.site)))
    assert office.ask("otto", "take", key=shown)["ok"]
    assert office.change(shown).state is ChangeState.IN_FORCE
    assert office.file("policy.yaml") == f"{POLICY}\n"


def test_to_take_a_record_out_gives_back_what_ships(office: Office) -> None:
    assert office.approve(office.put_forward(ITEM, POLICY)) == ""
    shown = office.put_forward(ITEM, "")
    assert office.change(shown).edits[0].before == POLICY
    assert office.approve(shown) == ""
    assert office.file("policy.yaml") == ""


def test_a_case_that_is_not_meant_stands_in_its_way(office: Office) -> None:
    """Accept or narrow, case by case, of the replay that a change was tried in."""
    shown = office.put_forward(ITEM, POLICY)
    store, now = office.lab.desk.replays, office.lab.clock.now()
    event = AuditEvent(at=now, actor="otto", action="replay", subject="knowledge")
    key = store.begin("before", "after", event)
    office.lab.desk.changes.tried(int(shown[1:]), key)
    told = Told(case="C1", feed="myolis", lane="p:LABA|PT1", patient="", changed=("flags",), before={}, after={})
    store.add(key, 1, [told, told])
    store.say((key, 1), Wanted.ACCEPT, ("otto", "Otto", ""), event)
    store.say((key, 2), Wanted.NARROW, ("otto", "Otto", "children too"), event)
    assert "Of 1 cases in R1 somebody said" in office.approve(shown)
    assert office.file("policy.yaml") == ""
    store.say((key, 2), Wanted.ACCEPT, ("otto", "Otto", ""), event)
    assert office.approve(shown) == ""


# ---------------------------------------------------------------- the mapping desk


async def arrived(lab: Laboratory, number: int, *lines: str) -> None:
    await lab.take(oru(f"M{number}", order(f"F{number}", *lines), patient=f"PT{number}"))


async def test_what_carried_a_code_is_read_again_and_listed_no_more(office: Office) -> None:
    lab = office.lab
    for number in (1, 2, 3):
        await arrived(lab, number, HMGX.format(88))
    assert [case.outcome.hold for case in lab.cases()] == [True] * 3
    (seen,) = lab.desk.unmapped.listed(("myolis",), 10)
    assert (seen.of, seen.seen, seen.messages, seen.may_be, seen.unit) == (CODE, 3, 3, "HMGCR", "U/mL")
    assert lab.desk.unmapped.listed(("other",), 10) == []
    done = await asyncio.to_thread(office.put_forward, "code:myolis:HMGX", ROW, about=ABOUT)
    answer = await asyncio.to_thread(office.ask, "otto", "approve", key=done)
    assert answer["read_again"] == 3
    assert lab.process() == 3
    assert [case.outcome.hold for case in lab.cases()] == [False] * 3
    assert [case.outcome.states.HMGCR for case in lab.cases()] == ["POS_STRONG"] * 3
    assert lab.desk.unmapped.listed(None, 10) == []
    assert office.change(done).read_again == 3
    acts = lab.rows.execute("SELECT actor, detail FROM audit WHERE action = 'reprocess'").fetchall()
    assert acts == [("otto", "E1 is in force")] * 3


async def test_what_came_meanwhile_is_read_again_when_asked(office: Office) -> None:
    """A message that was taken up by the knowledge of before while the change came into force."""
    lab = office.lab
    await arrived(lab, 1, HMGX.format(88))
    before = lab.reader
    done = await asyncio.to_thread(office.put_forward, "code:myolis:HMGX", ROW, about=ABOUT)
    await asyncio.to_thread(office.ask, "otto", "approve", key=done)
    after, lab.reader = lab.reader, before
    await arrived(lab, 2, HMGX.format(88))
    lab.reader = after
    lab.process()
    assert [one.messages for one in lab.desk.unmapped.listed(None, 10)] == [2]
    answer = await asyncio.to_thread(office.ask, "otto", "read_again", key=done)
    assert answer["read_again"] == 2
    lab.process()
    assert [case.outcome.hold for case in lab.cases()] == [False] * 2
    assert lab.desk.unmapped.listed(None, 10) == []


async def test_a_code_of_none_of_ours_lets_its_cases_go(office: Office) -> None:
    await arrived(office.lab, 1, HMGX.format(88))
    row = "L,HMGX,,,,,not_ours,,,SITE,a test of the eye clinic"
    done = await asyncio.to_thread(office.put_forward, "code:myolis:HMGX", row, about=ABOUT)
    assert await asyncio.to_thread(office.approve, done) == ""
    office.lab.process()
    assert [case.outcome.hold for case in office.lab.cases()] == [False]


OURS, OTHERS = 50, 19


def general(number: int) -> tuple[str, ...]:
    """Twenty new codes, each of them once: one of them is ours by its name."""
    analyte, unit = (("SRP", "U/mL"), ("HMGCR", "U/mL"))[number % 2]
    ours = f"NM|N{number}^Anti-{analyte} IgG (ELISA) {number}^L|1|88|{unit}^{unit}^L|0-20|A|||F"
    rest = (f"NM|G{number}-{n}^Serum analyte {number}-{n}^L|1|{n}|mmol/L^mmol/L^L|1-9||||F" for n in range(OTHERS))
    return (ours, *rest)


async def test_of_a_thousand_new_codes_fifty_are_held_listed_once_and_read_as_if_always_known(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is assigned at the desk, the others by a file; the outcomes are those of a feed mapped from the start."""
    lab = office.lab
    for number in range(OURS):
        await arrived(lab, number, *general(number))
    listed = lab.desk.unmapped.listed(None, 2000)
    assert len(listed) == len({one.of for one in listed}) == OURS
    assert {one.seen for one in listed} == {one.messages for one in listed} == {1}
    assert lab.desk.unmapped.others(None) == {"myolis": (OURS * OTHERS, OURS * OTHERS)}
    cases = lab.cases()
    assert len(cases) == OURS
    assert all(case.outcome.hold and case.outcome.comment is None for case in cases)
    assert {(case.outcome.states.SRP, case.outcome.states.HMGCR) for case in cases} == {("NOT_TESTED", "NOT_TESTED")}
    analytes = ("SRP", "HMGCR")
    rows = [f"L,N{n},,U/mL,,{analytes[n % 2]},result,elisa,,SITE,procedure 12" for n in range(OURS)]
    about = {"feed": "myolis", "system": "L", "code": "N0", "label": ""}
    done = await asyncio.to_thread(office.put_forward, "code:myolis:N0", rows[0], about=about)
    assert await asyncio.to_thread(office.approve, done) == ""
    table = office.site / "codes/myolis.csv"
    table.write_text(table.read_text() + "\n".join(rows[1:]) + "\n", encoding="utf-8")
    assert (await office.reload("Otto Test"))["ok"]
    for one in listed[1:] if listed[0].of.code == "N0" else [one for one in listed if one.of.code != "N0"]:
        for key in lab.desk.unmapped.messages(one.of):
            office.changing._repairing.read_again(f"M{key}", "otto", "mapped")
    assert lab.process() == OURS
    known = Laboratory(f"sqlite:///{tmp_path / 'known.db'}")
    with closing(known):
        known.reader = lab.reader
        for number in range(OURS):
            await arrived(known, number, *general(number))
        assert spoken(known) == spoken(lab)
        assert all("POS" in text for text in spoken(known).values())


def spoken(lab: Laboratory) -> dict[str, str]:
    """States, findings, retests and comment of each patient."""
    return {
        str(case.patient): repr(
            (case.outcome.states, case.outcome.flags, case.outcome.retests, case.text, case.outcome.hold)
        )
        for case in lab.cases()
    }


def test_a_sender_s_codes_stand_in_the_table_of_its_application() -> None:
    assert table_of("MYOLIS|LABA") == "myolis"
    assert table_of("") == ""
    assert FEED.name == "myolis"
