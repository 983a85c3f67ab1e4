"""A replay over an archive comes to what the service would have come to; however many work at it, and after a stop."""

from __future__ import annotations

import asyncio
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from labbridge import archived
from labbridge.analysis import importing, replayed
from labbridge.analysis.columns import Columns
from labbridge.analysis.study import Settings, Study
from labbridge.errors import Refused
from labbridge.knowledge.documents import Source
from labbridge.model.replay import Sum
from labbridge.model.work import Feed
from labbridge.normalise import Normaliser
from labbridge.sources import load, read_all
from tests.bench import archive_made
from tests.bench.archive import cluster

sys.path.insert(0, str(Path(__file__).resolve().parent / "story"))
from story_parts import BLOT, CK, CLIA, ELISA, SITE, Laboratory, obx, order, oru

ROWS = 2500
FEED = Feed(name="myolis", sender="MYOLIS|LABA", timezone="Europe/Paris", cytoplasmic_reported_as="positive")
CHANGE = Source(
    "policy.yaml", "- {id: ck_mod_from, value: 6, unit: x upper limit, tag: CONVENTION, source: us}\n", True
)
MESSAGES = (
    oru("M1", order("F1", obx(BLOT, "58"))),
    oru("M2", order("F2", obx(CK, "7800"))),
    oru("M3", order("F1", obx(BLOT, "3", "C"))),
    oru("M4", order("F4", obx(BLOT, "14"), obx(ELISA, "90")), patient="PT2"),
    oru("M5", order("F5", obx(CLIA, "25"), collected="20260110091500+0100"), patient="PT2"),
    oru("M6", order("F6", obx(BLOT, "58", "?")), patient="PT3"),
    oru("M7", order("F7", obx(BLOT, "3"), obx(CLIA, "5"), obx(CK, "100")), patient="PT4"),
)


def imported(folder: Path, *files: Path, site: str, feed: Feed = FEED) -> Path:
    where = Study.create(folder / "study", Settings(feed=feed, authority="LABA"))
    normalise = Normaliser(load(site))
    told = importing.import_files(
        list(files), where, Columns(), normalise, rows=500, told=lambda _name, _rows, _done: None
    )
    assert sum(one.rows for one in told) > 0
    return where.folder


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    archive_made.write(folder / "a.csv", ROWS)
    return imported(folder, folder / "a.csv", site=str(archive_made.SITE))


def run(study: Path, out: Path, **how: Any) -> Sum:
    texts = read_all(str(archive_made.SITE))
    *_batches, found = archived.replay(study, out, texts, [*texts, CHANGE], **how)
    assert isinstance(found, Sum)
    return found


def tables(out: Path) -> dict[str, list[dict[str, Any]]]:
    return {kind: pa.concat_tables(replayed.tables(out, kind)).to_pylist() for kind in ("results", "cases")}


@pytest.fixture(scope="module")
def once(study: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Sum, dict[str, list[dict[str, Any]]]]:
    out = tmp_path_factory.mktemp("once") / "out"
    found = run(study, out, processes=1)
    return found, tables(out)


def figures(one: Sum) -> tuple[Any, ...]:
    return (one.patients, one.messages, one.results, one.cases, one.parked, one.patients_changed, one.before, one.after)


def test_every_row_was_gone_through_once(once: tuple[Sum, dict[str, list[dict[str, Any]]]]) -> None:
    found, made = once
    assert found.results == ROWS
    assert found.parked == 0
    assert found.cases == sum(one["after_srp"] is not None for one in made["cases"]) > 20
    assert found.cases_changed == sum(bool(one["changed"]) for one in made["cases"]) > 0
    assert len({(one["patient"], one["result"]) for one in made["results"]}) == len(made["results"])


def test_several_processes_come_to_the_same(study: Path, once: Any, tmp_path: Path) -> None:
    found = run(study, tmp_path / "out", processes=2)
    assert figures(found) == figures(once[0])
    assert (found.parts, found.flags) == (once[0].parts, once[0].flags)
    assert tables(tmp_path / "out") == once[1]


def test_a_cluster_of_two_workers_comes_to_the_same(study: Path, once: Any, tmp_path: Path) -> None:
    with cluster(tmp_path) as address:
        found = run(study, tmp_path / "out", scheduler=address)
    assert figures(found) == figures(once[0])
    assert tables(tmp_path / "out") == once[1]


def test_what_is_done_is_not_done_again(study: Path, once: Any, tmp_path: Path) -> None:
    """Stopped after some buckets, it goes on with the others; the sum is of all of them."""
    out = tmp_path / "out"
    texts = read_all(str(archive_made.SITE))
    going = archived.replay(study, out, texts, [*texts, CHANGE], processes=1)
    for _few in range(5):
        next(going)
    going.close()  # type: ignore[attr-defined]
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("cases-*.parquet")}
    assert 5 <= len(before) < 64
    found = run(study, out, processes=1)
    assert figures(found) == figures(once[0])
    assert all((out / name).stat().st_mtime_ns == at for name, at in before.items())
    assert tables(out) == once[1]


def test_a_folder_of_another_replay_is_refused(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "replay.key").write_text("another")
    with pytest.raises(Refused, match="another replay"):
        run(study, out)
    (out / "replay.key").unlink()
    (out / "letters.txt").write_text("x")
    with pytest.raises(Refused, match="holds something else"):
        run(study, out)


def test_a_scheduler_that_is_not_there(study: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no scheduler of Dask answers there"):
        run(study, tmp_path / "out", scheduler="tcp://127.0.0.1:1")


def test_half_a_replay_makes_no_report(study: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="0 of 64 parts"):
        replayed.frame(tmp_path, "results", None)


# ---------------------------------------------------------------- beside the service

SIDES = ("srp", "hmgcr", "hep2", "ck")


def stored(tmp_path: Path) -> dict[tuple[str, str], tuple[Any, ...]]:
    """What the service leaves of MESSAGES: states, findings and comment of each case."""

    async def fill() -> dict[tuple[str, str], tuple[Any, ...]]:
        with closing(Laboratory(f"sqlite:///{tmp_path / 'store.db'}")) as lab:
            await lab.take(*MESSAGES)
            return {
                (case.lane.removeprefix("p:"), case.opened_day.isoformat()): (
                    *(getattr(case.outcome.states, name.upper()) for name in SIDES),
                    " ".join(sorted({flag.code for flag in case.outcome.flags})),
                    case.outcome.comment.comment_class if case.outcome.comment else "",
                    case.outcome.hold,
                )
                for case in lab.cases()
            }

    return asyncio.run(fill())


def test_messages_from_an_archive_come_to_the_cases_that_the_service_left(tmp_path: Path) -> None:
    (tmp_path / "a.hl7").write_bytes(b"".join(MESSAGES))
    feed = Feed(name="myolis", timezone="Europe/Paris")
    where = imported(tmp_path, tmp_path / "a.hl7", site=SITE, feed=feed)
    texts = read_all(SITE)
    *_batches, found = archived.replay(where, tmp_path / "out", texts, texts, processes=1)
    assert isinstance(found, Sum)
    made = {
        (one["patient"], one["opened"].isoformat()): (
            *(one[f"after_{name}"] for name in SIDES), one["after_flags"], one["after_comment"], one["after_hold"],
        )
        for one in tables(tmp_path / "out")["cases"]
    }  # fmt: skip
    assert made == stored(tmp_path)
    assert found.cases_changed == 0


ROW = {
    "birth_date": "1969-04-17", "sex": "M", "family_name": "TEST", "reported": "2026-11-13 12:00",
    "received": "2026-11-13 12:00",
    "collected": "2026-11-10 09:15", "system": "L", "status": "F",
}  # fmt: skip


def test_rows_come_to_the_same_as_messages(tmp_path: Path) -> None:
    """What a message says as OBX, an export says as rows: one picture."""
    from csv import DictWriter

    of = {
        "blot": {"code": "SRPB", "name": "Anti-SRP (line blot)", "unit": "intensity", "reference_range": "0-5"},
        "elisa": {"code": "SRPE", "name": "Anti-SRP (ELISA)", "unit": "U/mL", "reference_range": "<20"},
    }
    rows = [
        {**ROW, "patient": "PT1", "order": "F1", **of["blot"], "value": "58"},
        {**ROW, "patient": "PT2", "order": "F4", **of["blot"], "value": "14"},
        {**ROW, "patient": "PT2", "order": "F4", **of["elisa"], "value": "90"},
    ]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        writer = DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    messages = (
        oru("M1", order("F1", obx(BLOT, "58"))), oru("M4", order("F4", obx(BLOT, "14"), obx(ELISA, "90")), patient="PT2")
    )  # fmt: skip
    (tmp_path / "b.hl7").write_bytes(b"".join(messages))
    found = []
    for name in ("a.csv", "b.hl7"):
        folder = tmp_path / name[0]
        folder.mkdir()
        feed = Feed(name="myolis", sender="MYOLIS|LABA", timezone="Europe/Paris")
        where = imported(folder, tmp_path / name, site=SITE, feed=feed)
        texts = read_all(SITE)
        list(archived.replay(where, folder / "out", texts, texts, processes=1))
        found.append(tables(folder / "out")["cases"])
    assert found[0] == found[1]
    assert len(found[0]) == 2
