"""A real service whose clock stands where the test puts it: real processes, MLLP, store and stub LIS."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from vignette_hl7 import FACILITY
from vignette_parts import SITE

from labbridge.model.work import Case
from labbridge.store import reading
from labbridge.store.sqlite import open_reader
from tests.service.service_parts import Service, sender, until

ZONE = "Europe/Paris"
NOON = time(12, tzinfo=ZoneInfo(ZONE))


class StandingService(Service):
    """labbridge as a user runs it, on a folder of its own, at the moment of `at`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        text = self.config.read_text(encoding="utf-8")
        lines = [f'site = "{SITE}"' if line.startswith("site = ") else line for line in text.splitlines()]
        zone = f'timezone = "{ZONE}"'
        lines[lines.index(zone)] = f'{zone}\ncytoplasmic_reported_as = "positive"'
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.clock = folder / "clock"

    def start(self, stub: bool = True) -> None:
        """As Service.start, by the launcher whose clock stands."""
        if stub:
            command = [sys.executable, str(_LIS), f"127.0.0.1:{self.lis}", str(self.folder / "lis")]
            self.stub = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with (self.folder / "log").open("ab") as log:
            serve = ["serve", "--config", str(self.config)]
            command = [sys.executable, str(_HERE / "serve_at.py"), str(self.clock), *serve]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self.ready)

    def at(self, day: object) -> None:
        """Put the clock to noon of a day. Read by the service at any moment: replaced whole."""
        new = self.clock.with_suffix(".new")
        new.write_text(datetime.combine(date.fromisoformat(str(day)), NOON).isoformat(), encoding="ascii")
        new.replace(self.clock)

    def take(self, messages: Iterable[bytes]) -> None:
        """Sent over MLLP, accepted, and processed."""
        with sender(self) as line:
            for one in messages:
                answer = line.send(one)
                assert answer is not None
                assert answer.code == "AA"
        until(lambda: self.states().get("kept", 0) == 0)

    def states(self) -> dict[str, int]:
        """How many messages are in each state."""
        with closing(open_reader(self.folder / "store.db")) as rows:
            return dict(rows.execute("SELECT state, count(*) FROM work GROUP BY state").fetchall())

    def newest(self, patient: str) -> Case:
        """The stored case of a patient, the newest of several."""
        with closing(open_reader(self.folder / "store.db")) as rows:
            return reading.cases_of(rows, f"p:{FACILITY}|{patient}")[-1]

    def post(self, patients: Iterable[str]) -> None:
        """A person releases the comments of these patients, and the LIS files them."""
        shown = [f"C{case.key}@{case.version}" for case in map(self.newest, patients)]
        answer = self.json("release", *shown, "--as", "Alex Smith")
        assert answer["ok"], answer
        until(lambda: self.counts()["outbox"]["lis"] == {"acknowledged": len(shown)})


_HERE = Path(__file__).resolve().parent
_LIS = _HERE.parents[1] / "samples" / "stub_lis.py"
